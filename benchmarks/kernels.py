"""Run a real kernel and record every message that it sends."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_client.blocking.client import BlockingKernelClient

__all__ = ["Kernel", "Message", "kernel"]

_PATIENCE = 60.0  # seconds for a cell


@dataclass(frozen=True, slots=True)
class Message:
    """One message about widgets.

    Attributes:
        at: when it arrived, as `time.monotonic` counts.
        size: bytes of all its frames, as they go over the wire.
        kind: ``comm_open``, ``comm_msg`` or ``comm_close``.
    """

    at: float
    size: int
    kind: str


@dataclass
class Kernel:
    """A kernel as a front end sees it.

    Attributes:
        messages: those about widgets, since the list was last cleared.
    """

    client: BlockingKernelClient
    messages: list[Message] = field(default_factory=list)
    _printed: dict[str, list[str]] = field(default_factory=dict)
    _idle: set[str] = field(default_factory=set)

    def run(self, code: str, *, seconds: float = _PATIENCE) -> str:
        """Run a cell, and return what it printed.

        Args:
            code: the cell.
            seconds: how long it may take.

        Raises:
            RuntimeError: it failed.
            TimeoutError: it takes longer.
        """
        cell = self.client.execute(code)
        end = time.monotonic() + seconds
        while cell not in self._idle:
            if time.monotonic() > end:
                raise TimeoutError(f"not done after {seconds:g} s: {code}")
            self._take_in(0.1)
        return "".join(self._printed.get(cell, ()))

    def ask(self, code: str, *, seconds: float = _PATIENCE) -> Any:
        """Run a cell, and return the JSON that it printed."""
        return json.loads(self.run(code, seconds=seconds))

    def listen(self, seconds: float) -> None:
        """Receive messages for some seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._take_in(left)

    def _take_in(self, seconds: float) -> None:
        socket = self.client.iopub_channel.socket
        assert socket is not None
        if not socket.poll(1000 * seconds):
            return
        frames = socket.recv_multipart()
        at = time.monotonic()
        _, parts = self.client.session.feed_identities(frames)
        message = self.client.session.deserialize(parts)
        kind, cell, content = message["msg_type"], message["parent_header"].get("msg_id", ""), message["content"]
        if kind.startswith("comm_"):
            self.messages.append(Message(at, sum(len(frame) for frame in frames), kind))
        elif kind == "stream" and content["name"] == "stdout":
            self._printed.setdefault(cell, []).append(content["text"])
        elif kind == "status" and content["execution_state"] == "idle":
            self._idle.add(cell)
        elif kind == "error":
            raise RuntimeError("\n".join(content["traceback"]))


@contextlib.contextmanager
def kernel(**variables: str) -> Iterator[Kernel]:
    """Run a kernel of this Python while the block runs.

    Args:
        **variables: for its process.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        Path(folder, "log").open("wb") as log,
        contextlib.ExitStack() as stack,
    ):
        manager = KernelManager(kernel_name="python3", connection_file=f"{folder}/connection.json")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("NOVAKIT_")}
        own = {"NOVAKIT_HISTORY": f"{folder}/history.sqlite3", "IPYTHONDIR": f"{folder}/ipython", **variables}
        manager.start_kernel(env={**inherited, **own}, cwd=folder, stdout=log, stderr=log)
        stack.callback(manager.shutdown_kernel, now=True)
        client = manager.client()
        client.start_channels(stdin=False, hb=False)
        stack.callback(client.stop_channels)
        client.wait_for_ready(timeout=_PATIENCE)
        yield Kernel(client)
