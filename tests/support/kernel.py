"""A real kernel in a process of its own, seen as a front end sees it."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from typing import TYPE_CHECKING, Any, TypeVar

import zmq
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from seen import PATIENCE, Card, Cell, Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from environments import Environment

__all__ = ["Kernel", "managed", "running", "variables_for"]

Manager = TypeVar("Manager", bound=KernelManager)

_STEP = 0.1  # seconds between two looks at whether the kernel is alive
_WIDGET = "jupyter.widget"


class Kernel:
    """One kernel and all that it has said.

    Attributes:
        messages: everything received, from every channel.
        models: the widgets, by id.
        displays: the newest data of each display that has an id.
        strays: outputs that belong to no cell, such as those of a click.
    """

    def __init__(self, manager: KernelManager, log: Path) -> None:
        self._manager = manager
        self._client = manager.client()
        self._log = log
        self._cells: dict[str, Cell] = {}
        self._replies: dict[str, dict[str, Any]] = {}
        self._subshell: str | None = None
        self.messages: list[dict[str, Any]] = []
        self.models: dict[str, Model] = {}
        self.displays: dict[str, dict[str, Any]] = {}
        self.strays: list[dict[str, Any]] = []
        self._client.start_channels(stdin=False, hb=False)
        self._client.wait_for_ready(timeout=PATIENCE)
        self._channels = {
            channel.socket: channel
            for channel in (self._client.iopub_channel, self._client.shell_channel, self._client.control_channel)
        }
        info = self._ask("shell", "kernel_info_request", {})
        self.has_subshells = "kernel subshells" in info["content"].get("supported_features", ())

    # What a user does

    def send(self, code: str) -> Cell:
        """Send a cell and go on, as "Run All" does; one that fails does not keep the next from running."""
        cell = Cell(code)
        self._cells[self._client.execute(code, stop_on_error=False, allow_stdin=False)] = cell
        return cell

    def finish(self, *cells: Cell, seconds: float = PATIENCE) -> None:
        """Return when the kernel is done with all of them."""
        self.until(lambda: all(cell.done for cell in cells), seconds, what="the cells are done")

    def run(self, code: str, seconds: float = PATIENCE) -> Cell:
        """Send a cell, and return when the kernel is done with it, whether it went well or not."""
        cell = self.send(code)
        self.finish(cell, seconds=seconds)
        return cell

    def ok(self, code: str, seconds: float = PATIENCE) -> Cell:
        """Run a cell that must go well."""
        cell = self.run(code, seconds)
        assert cell.status == "ok", "\n".join(cell.content.get("traceback", ()))
        return cell

    def value(self, expression: str) -> str:
        """Return how the kernel prints an expression's value."""
        return self.ok(f"print({expression})").text.strip()

    def job_id(self, name: str) -> str:
        """Return the id of a card's job as soon as it has one."""
        return self.until(lambda: self.value(f"{name}.job_id or ''"), what=f"{name} has a job id")

    def interrupt(self) -> None:
        """Interrupt what runs."""
        self._manager.interrupt_kernel()

    def click(self, button: Model, *, over_subshell: bool = True) -> None:
        """Press a button as JupyterLab does: where a kernel has subshells, the message goes to one of them.

        Args:
            button: which.
            over_subshell: ``False`` for JupyterLab's setting `commsOverSubshells: disabled`, and for other front ends.
        """
        self._tell(button, {"method": "custom", "content": {"event": "click"}}, over_subshell=over_subshell)

    def change(self, control: Model, **state: Any) -> None:
        """Change a control as a page does when a user types, ticks or chooses.

        Args:
            control: which.
            state: its new traits.
        """
        self._tell(control, {"method": "update", "state": state, "buffer_paths": []}, over_subshell=True)

    def _tell(self, model: Model, data: dict[str, Any], *, over_subshell: bool) -> None:
        message = self._client.session.msg("comm_msg", {"comm_id": model.id, "data": data})
        if over_subshell and self.has_subshells:
            message["header"]["subshell_id"] = self._subshell or self.open_subshell()
        self._client.shell_channel.send(message)

    def open_subshell(self) -> str:
        """Begin a subshell for the clicks from now on, as a page does when it is loaded."""
        self._subshell = self._ask("control", "create_subshell_request", {})["content"]["subshell_id"]
        return self._subshell

    # What a user sees

    def until(self, condition: Callable[[], Any], seconds: float = PATIENCE, *, what: str = "") -> Any:
        """Take in messages until something is so, and return it.

        Raises:
            AssertionError: it has not become so, or the kernel has died.
        """
        end = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds:g} s: {what or condition}\n{self._told()}")
            if not self._take_in(min(_STEP, end - time.monotonic())) and not self._manager.is_alive():
                raise AssertionError(f"the kernel has died\n{self._told()}")
        return found

    def listen(self, seconds: float) -> None:
        """Take in whatever comes in so many seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._take_in(left)

    def card(self, cell: Cell, index: int = 0) -> Card:
        """Return one of the cards that a cell shows."""
        self.until(lambda: len(cell.views) > index, what="a card is shown")
        return Card(self, self.models[cell.views[index]])

    def troubles(self) -> str:
        """Return what a user must never have to see: stderr, whatever a callback wrote, and the process's own log.

        That of tasks whose exception nobody took as well, which is told when they are found to be garbage.
        """
        self.run("import gc; gc.collect()")
        return self._told()

    def _told(self) -> str:
        outputs = [*self.strays, *(message for cell in self._cells.values() for message in cell.outputs)]
        contents = [message["content"] for message in outputs if message["msg_type"] == "stream"]
        streams = [content["text"] for content in contents if content["name"] == "stderr"]
        errors = ["\n".join(stray["content"]["traceback"]) for stray in self.strays if stray["msg_type"] == "error"]
        return "".join([*streams, *errors, self._log.read_text(encoding="utf-8", errors="replace")])

    # What comes in

    def _ask(self, channel: str, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        message = self._client.session.msg(kind, content)
        getattr(self._client, f"{channel}_channel").send(message)
        wanted = message["header"]["msg_id"]
        return self.until(lambda: self._replies.get(wanted), what=kind)

    def _take_in(self, seconds: float) -> bool:
        poller = zmq.Poller()
        for socket in self._channels:
            poller.register(socket, zmq.POLLIN)
        ready = poller.poll(max(0.0, seconds) * 1000)
        for socket, _ in ready:
            self._receive(self._channels[socket].get_msg(timeout=PATIENCE))
        return bool(ready)

    def _receive(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        kind, content = message["msg_type"], message["content"]
        parent = message["parent_header"].get("msg_id")
        cell = self._cells.get(parent)
        if kind == "execute_reply" and cell is not None:
            cell.reply = message
        elif kind.endswith("_reply"):
            self._replies[parent] = message
        elif kind == "status":
            if cell is not None and content["execution_state"] == "idle":
                cell.idle = True
        elif kind.startswith("comm_"):
            self._comm(kind, message)
        elif kind in ("stream", "display_data", "update_display_data", "execute_result", "error"):
            (self.strays if cell is None else cell.outputs).append(message)
            display_id = content.get("transient", {}).get("display_id")
            if display_id is not None:
                self.displays[display_id] = content["data"]

    def _comm(self, kind: str, message: dict[str, Any]) -> None:
        content, at = message["content"], message["header"]["date"]
        comm_id = content["comm_id"]
        if kind == "comm_open" and content["target_name"] == _WIDGET:
            self.models[comm_id] = Model(comm_id)
            self.models[comm_id].update(at, content["data"], message["buffers"])
        elif kind == "comm_msg" and comm_id in self.models and content["data"].get("method") == "update":
            self.models[comm_id].update(at, content["data"], message["buffers"])
        elif kind == "comm_close" and comm_id in self.models:
            self.models[comm_id].closed = True

    def close(self) -> None:
        """Listen no more."""
        self._client.stop_channels()


@contextlib.contextmanager
def managed(kind: type[Manager], environment: Environment, folder: Path) -> Iterator[Manager]:
    """Make what starts a kernel; whoever starts it ends it.

    Args:
        kind: `KernelManager` or `AsyncKernelManager`.
        environment: whose kernel.
        folder: where its connection file goes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = environment.write_kernelspec(folder)
    specs = KernelSpecManager(kernel_dirs=[str(folder / "kernels")], ensure_native_kernel=False)
    # Sockets of the file system: a kernel on TCP warns of being there. Their paths must be short.
    with tempfile.TemporaryDirectory(prefix="nk-", ignore_cleanup_errors=True) as sockets:
        yield kind(
            kernel_name=name,
            kernel_spec_manager=specs,
            connection_file=str(folder / "connection.json"),
            transport="ipc",
            ip=f"{sockets}/kernel",
        )


def variables_for(folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Return a kernel's environment variables, without the settings of whoever runs the tests.

    Args:
        folder: where it keeps all that it writes.
        variables: what it is to know besides.
    """
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("NOVAKIT_", "JUPYTER", "JPY_"))
    }
    own = {"IPYTHONDIR": str(folder / "ipython"), "NOVAKIT_HISTORY": str(folder / "history.sqlite3")}
    return {**inherited, **own, **variables}


@contextlib.contextmanager
def running(environment: Environment, folder: Path, **variables: str) -> Iterator[Kernel]:
    """Run a kernel as long as the block.

    Args:
        environment: whose.
        folder: where it clock, and keeps all that it writes.
        **variables: for its process.
    """
    log = folder / "log.txt"
    with managed(KernelManager, environment, folder) as manager, contextlib.ExitStack() as stack:
        with log.open("wb") as stream:
            own = variables_for(folder, variables)
            manager.start_kernel(env=own, cwd=str(folder), stdout=stream, stderr=stream)
        stack.callback(manager.shutdown_kernel, now=True)
        kernel = Kernel(manager, log)
        stack.callback(kernel.close)
        yield kernel
