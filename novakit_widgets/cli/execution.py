"""Executing a notebook in a kernel of the running Python, with an orderly shutdown."""

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
    """Starts a kernel of the running Python, whatever kernels the user has installed."""

    @default("kernel_spec_manager")
    def _no_others(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[])


class _LikeAPage(NotebookClient):
    """Applies updates of an output at any time; nbclient applies them only while the output's own cell runs.

    Attributes:
        before_start: Called after nbclient has set its signal handlers, and before it starts the kernel.
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
    document: nbformat.NotebookNode,
    folder: Path,
    environment: Mapping[str, str],
    *,
    pause: float = 0.0,
    cell_seconds: float = _CELL_SECONDS,
) -> list[str]:
    """Execute every cell, up to the first that fails.

    Args:
        document: The notebook, which gets the outputs.
        folder: The folder of the kernel.
        environment: The environment of the kernel.
        pause: Seconds between two cells, for somebody who reads.
        cell_seconds: How long a cell may take.

    Returns:
        The problems.
    """

    async def read(**_cell: object) -> None:
        await asyncio.sleep(pause)

    try:
        # nbclient removes the signal handlers; this restores them.
        with interrupted_by_signals(), sockets() as config:
            client = _LikeAPage(
                document,
                kernel_name="python3",
                kernel_manager_class=_ThisPython,
                config=config,
                # Suppresses the warning that its sockets, which only this machine can reach, are not encrypted.
                extra_arguments=["--IPKernelApp.log_level=ERROR"],
                timeout=cell_seconds,
                resources={"metadata": {"path": str(folder)}},
                # A finished card is plain HTML; the widgets' state would store all media a second time.
                store_widget_state=False,
            )
            client.on_cell_executed = read
            asyncio.run(_cells(client, environment))
    except (CellExecutionError, CellControlSignal, DeadKernelError) as problem:
        return [f"the notebook stopped: {problem}"]
    return []


@contextmanager
def sockets() -> Iterator[Config]:
    """Let a kernel use Unix sockets, where the system has them.

    Another process may take a free TCP port before the kernel binds it.
    """
    if sys.platform == "win32":
        yield Config()
        return
    with tempfile.TemporaryDirectory(prefix="nk-", ignore_cleanup_errors=True) as folder:
        yield Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/kernel"}})


async def _cells(client: _LikeAPage, environment: Mapping[str, str]) -> None:
    """Execute the cells, and shut the kernel down in order on Ctrl-C, also while it starts.

    nbclient's own handler kills the kernel while a cell is awaited, and ignores a kernel that is starting.

    Raises:
        KeyboardInterrupt: the user, or SIGTERM, interrupted it.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # for the type checker
    interrupted = asyncio.Event()

    def interrupt() -> None:
        interrupted.set()
        # A kernel that is shut down during a cell prints a traceback about a closed socket.
        client.shutdown_kernel = "immediate"
        task.cancel()

    def take_over() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            # Not available on Windows, and outside the main thread.
            with suppress(RuntimeError):
                loop.add_signal_handler(number, interrupt)

    client.before_start = take_over
    try:
        await client.async_execute(env=dict(environment))
    except (asyncio.CancelledError, DeadKernelError):
        # A cancelled cell raises DeadKernelError.
        if not interrupted.is_set():
            raise
        await _end_starting(client)
        raise KeyboardInterrupt from None


async def _end_starting(client: NotebookClient) -> None:
    """Kill a kernel that was starting when the interrupt came; nbclient has shut down any other."""
    kernel = client.km
    if kernel is None or not kernel.has_kernel:
        return
    # Killed first: a shutdown begins with an interrupt, on which the kernel would print a traceback.
    await ensure_async(kernel.signal_kernel(signal.SIGKILL))
    await ensure_async(kernel.shutdown_kernel(now=True))
    if client.kc is not None:
        client.kc.stop_channels()
