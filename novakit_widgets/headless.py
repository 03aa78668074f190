"""The demo without a page: execute the notebook, keep what came of it, and report on every job.

Some notebooks cancel a job or let one fail, to teach what happens then. Such a notebook says in its metadata how its jobs
are meant to end, one entry a job, in any order; without it all are meant to be completed::

    "novakit_widgets": {"jobs": ["video completed", "video cancelled", "image failed"]}
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_async
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellExecutionComplete, CellExecutionError, DeadKernelError
from nbconvert import HTMLExporter
from traitlets import default
from traitlets.config import Config

from . import downloads
from .client import NovaKitClient
from .demo import interrupted_by_signals
from .errors import MediaError
from .jobs import Job, JobStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from .demo import Link

__all__ = ["JobLine", "Report", "execute", "run"]

_CELL_SECONDS = 120  # a cell of a teaching notebook takes some seconds
_MEDIA_BYTES = 100_000_000  # far more than a notebook's media have
_MOST_JOBS = 100  # that the service lists
_METADATA = "novakit_widgets"


@dataclass(frozen=True, slots=True)
class JobLine:
    """What became of one job.

    Attributes:
        job: as the service's list shows it afterwards.
        media: the type and the bytes of each result, fetched from where the service keeps it.
        problem: why a result could not be fetched; ``""`` when all were.
    """

    job: Job
    media: tuple[tuple[str, int], ...]
    problem: str = ""

    def __str__(self) -> str:
        seconds = "" if self.job.seconds is None else f"{self.job.seconds:.1f} s"
        results = ", ".join(f"{mime} {size:,} bytes" for mime, size in self.media) or "-"
        return (
            f"{self.job.id}  {self.job.tool or '?':<10}  {self.job.status:<10}  {seconds:>6}  {self.problem or results}"
        )


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a notebook.

    Attributes:
        jobs: every job, in the order of their submission.
        seconds: how long the notebook took.
        notebook: the executed notebook.
        page: the same as HTML.
        problems: what did not go as it was meant to; empty when all did.
    """

    jobs: tuple[JobLine, ...]
    seconds: float
    notebook: Path
    page: Path
    problems: tuple[str, ...]

    def __str__(self) -> str:
        ends = Counter(str(line.job.status) for line in self.jobs)
        counted = ", ".join(f"{number} {status}" for status, number in ends.most_common())
        verdict = "all as meant" if not self.problems else "NOT as meant:"
        return "\n".join(
            [
                *map(str, self.jobs),
                f"{len(self.jobs)} jobs in {self.seconds:.0f} s ({counted}): {verdict}",
                *(f"  {problem}" for problem in self.problems),
                f"Executed notebook: {self.notebook}",
                f"As a page:         {self.page}",
            ]
        )


def run(notebook: Path, folder: Path, link: Link) -> Report:
    """Execute a notebook on a sandbox that nobody else uses.

    Args:
        notebook: what to execute; it is not changed.
        folder: where its kernel runs, and where the executed notebook and its HTML go.
        link: the sandbox.
    """
    document = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    began = time.monotonic()
    problems = execute(document, folder, link.environment)
    seconds = time.monotonic() - began
    executed = folder / f"{notebook.stem}.executed.ipynb"
    nbformat.write(document, executed)  # type: ignore[no-untyped-call]
    page = executed.with_suffix(".html")
    exporter = HTMLExporter()  # type: ignore[no-untyped-call]
    html, _ = exporter.from_notebook_node(document, {"metadata": {"name": notebook.stem, "path": str(folder)}})
    page.write_text(html, encoding="utf-8")
    lines = asyncio.run(_look_at_jobs(link.environment))
    problems += [f"{line.job.id}: {line.problem}" for line in lines if line.problem]
    problems += _not_as_meant(document.metadata.get(_METADATA, {}).get("jobs"), [line.job for line in lines])
    return Report(tuple(lines), seconds, executed, page, tuple(problems))


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
        with interrupted_by_signals(), _sockets() as config:
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
def _sockets() -> Iterator[Config]:
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


async def _look_at_jobs(environment: Mapping[str, str]) -> list[JobLine]:
    """Ask the service for its jobs, as any client with the key can, and fetch their results."""
    client = NovaKitClient(environment["NOVAKIT_API_KEY"], environment["NOVAKIT_BASE_URL"])
    try:
        jobs = await client.list(limit=_MOST_JOBS)
        return [await _look_at(client, job) for job in reversed(jobs)]
    finally:
        await client.aclose()


async def _look_at(client: NovaKitClient, job: Job) -> JobLine:
    media: list[tuple[str, int]] = []
    if job.text is not None:
        media.append(("text/plain", len(job.text.encode())))
    for one in job.media:
        try:
            fetched = await downloads.fetch(client, one.url, limit=_MEDIA_BYTES)
        except MediaError as error:
            return JobLine(job, tuple(media), error.message)
        if fetched is None:
            return JobLine(job, tuple(media), f"its result has more than {_MEDIA_BYTES / 1e6:.0f} MB")
        media.append((fetched[1], len(fetched[0])))
    nothing = job.status == JobStatus.COMPLETED and not media
    return JobLine(job, tuple(media), "completed, but there is no result" if nothing else "")


def _not_as_meant(meant: Any, jobs: Sequence[Job]) -> list[str]:
    """Compare how the jobs ended with how the notebook means them to."""
    if meant is None:
        return [f"{job.id} is {job.status}" for job in jobs if job.status != JobStatus.COMPLETED]
    wanted, found = Counter(map(str, meant)), Counter(f"{job.tool} {job.status}" for job in jobs)
    return [
        f"{ending}: {found[ending]} instead of {wanted[ending]}"
        for ending in sorted({*wanted, *found})
        if found[ending] != wanted[ending]
    ]
