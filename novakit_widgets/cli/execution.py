"""A notebook from its first cell to its last, in a kernel of the running Python that ends in order."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_async
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellExecutionComplete, CellExecutionError, DeadKernelError
from traitlets import default
from traitlets.config import Config

from .demo import interrupted_by_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from typing import Any

    import nbformat

__all__ = ["execute", "sockets"]

_CELL_SECONDS = 120  # a cell of a teaching notebook takes some seconds


class _ThisPython(AsyncKernelManager):
    """Starts the kernel of the running Python, whatever other kernels the user has installed."""

    @default("kernel_spec_manager")
    def _no_others(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[])


class _LikeAPage(NotebookClient):
    """Takes what replaces an output whenever it comes; nbclient would while that output's own cell runs.

    Attributes:
        before_start: called when nbclient has put its handlers of signals in place, and before it starts the kernel.
    """

    before_start: Callable[[], None]

    async def async_start_new_kernel(self, **kwargs: Any) -> None:
        """Start the kernel, as nbclient does."""
        self.before_start()
        await super().async_start_new_kernel(**kwargs)

    async def _async_poll_output_msg(self, parent_msg_id: str, cell: nbformat.NotebookNode, cell_index: int) -> None:
        assert self.kc is not None  # for the type checker
        while True:
            message = await ensure_async(self.kc.iopub_channel.get_msg(timeout=None))
            if message["parent_header"].get("msg_id") != parent_msg_id:
                if message["msg_type"] == "update_display_data":
                    self._update_display_id(message["content"]["transient"]["display_id"], message)
                continue
            try:
                self.process_message(message, cell, cell_index)
            except CellExecutionComplete:
                return


def execute(
    document: nbformat.NotebookNode, folder: Path, environment: Mapping[str, str], *, pause: float = 0.0
) -> list[str]:
    """Execute every cell, up to the first that fails.

    Args:
        document: a notebook; its outputs are put into it.
        folder: where its kernel, that of the running Python, runs.
        environment: the kernel's.
        pause: seconds between two cells, for one who reads.

    Returns:
        What went wrong.
    """

    async def read(**_cell: object) -> None:
        await asyncio.sleep(pause)

    try:
        # nbclient takes the handlers of signals away; this puts them back.
        with interrupted_by_signals(), sockets() as config:
            client = _LikeAPage(
                document,
                kernel_name="python3",
                kernel_manager_class=_ThisPython,
                config=config,
                # Every start would warn that its sockets, which only this machine reaches, are not encrypted.
                extra_arguments=["--IPKernelApp.log_level=ERROR"],
                timeout=_CELL_SECONDS,
                resources={"metadata": {"path": str(folder)}},
                # A finished card is plain HTML; the widgets' state would put all media into the file once more.
                store_widget_state=False,
            )
            client.on_cell_executed = read
            asyncio.run(_cells(client, environment))
    except (CellExecutionError, CellControlSignal, DeadKernelError) as problem:
        return [f"the notebook stopped: {problem}"]
    return []


@contextmanager
def sockets() -> Iterator[Config]:
    """Have a kernel speak over sockets of the file system, where the system has them.

    A port that was free when it was chosen may be somebody else's when the kernel binds it.
    """
    if sys.platform == "win32":
        yield Config()
        return
    with tempfile.TemporaryDirectory(prefix="nk-", ignore_cleanup_errors=True) as folder:
        yield Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/kernel"}})


async def _cells(client: _LikeAPage, environment: Mapping[str, str]) -> None:
    """Execute the cells, and end the kernel in order on Ctrl-C, also while it starts.

    nbclient's own handler ends the kernel under its own feet, and one that is starting never.

    Raises:
        KeyboardInterrupt: the user, or SIGTERM, interrupted it.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # for the type checker
    interrupted = asyncio.Event()

    def interrupt() -> None:
        interrupted.set()
        # Asked to end while it answers a cell, a kernel writes a traceback about a closed socket.
        client.shutdown_kernel = "immediate"
        task.cancel()

    def take_over() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            # Windows, and threads other than the main one, know no such handlers.
            with suppress(RuntimeError):
                loop.add_signal_handler(number, interrupt)

    client.before_start = take_over
    try:
        await client.async_execute(env=dict(environment))
    except (asyncio.CancelledError, DeadKernelError):
        # A cell that is cancelled says that its kernel has died.
        if not interrupted.is_set():
            raise
        await _end_starting(client)
        raise KeyboardInterrupt from None


async def _end_starting(client: NotebookClient) -> None:
    """End a kernel that an interrupt found starting; nbclient has ended any other."""
    kernel = client.km
    if kernel is None or not kernel.has_kernel:
        return
    # Killed first: the interrupt that a shutdown begins with would have it write a traceback.
    await ensure_async(kernel.signal_kernel(signal.SIGKILL))
    await ensure_async(kernel.shutdown_kernel(now=True))
    if client.kc is not None:
        client.kc.stop_channels()
