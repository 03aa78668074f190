"""JobBoard: many jobs on one board. A thin view of a `JobQueue`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...api.client import default_client
from ...api.embedding import Embed, check_embed
from ...api.uploads import checked
from ...batches.grid import Grid
from ...batches.queue import ItemState, JobQueue
from ...config import settings
from ...errors import JobTimeoutError, NovaKitError
from ...model.tools import Tool
from ...runtime import loop as job_loop
from ..common.display import ResultDisplay
from ..common.kernel import in_kernel
from ..common.live_widget import LiveWidget
from .media import Keeper, save_places
from .painter import BoardPainter
from .plain import plain_board, records, summary
from .sequence import JobSequence
from .view import FAILED

if TYPE_CHECKING:
    from ...api.client import NovaKitClient
    from ...batches.queue import QueueItem
    from ...job_history.batches import BatchRecord
    from ...model.job import Job

__all__ = ["JobBoard"]


class JobBoard(JobSequence, LiveWidget):
    """Many jobs on one board, in a queue that respects the service's limits.

    The queue starts at once and runs in the background; the kernel stays free. The board is a sequence: ``board[3]`` is the
    newest snapshot of job 3, counted from 0, or ``None`` if it has not been submitted. A failed job never stops the others.
    `batch` makes boards from prompts, dicts and tables.

    Args:
        items: for each job a tool, such as ``"image"``, and its parameters; see `JobWidget`.
        client: the client; the default is made from the settings.
        max_running: how many jobs may run at once, in addition to the service's limits; the default is 100.
        timeout: seconds to watch each job; the default is the tool's.
        embed: where the finished media go: ``"auto"`` puts up to 8 MB in total into the notebook, and the rest into
            ``novakit-media/`` beside it; see `JobWidget` for the others.
        reuse: see `JobWidget`.
        autostart: whether to start at once; otherwise `start` or waiting starts the queue.

    Raises:
        InvalidParameterError: A parameter or tool is invalid. Nothing was sent or billed.
        ConfigurationError: The key, base URL, timeout, embed or ``max_running`` is missing or invalid.

    Example:
        >>> from novakit_widgets import JobBoard, Tool
        >>> board = JobBoard([(Tool.IMAGE, {"prompt": "A lighthouse"}), (Tool.IMAGE, {"prompt": "A boat"})])
        >>> len(board.wait()), board.failed, str(board[1].status)
        (2, {}, 'completed')
    """

    least_seconds = 0.5
    """The shortest time between two repaints, in seconds."""

    def __init__(
        self,
        items: Sequence[tuple[Tool | str, Mapping[str, Any]]],
        *,
        client: NovaKitClient | None = None,
        max_running: int | None = None,
        timeout: float | None = None,
        embed: Embed | None = None,
        reuse: bool | None = None,
        autostart: bool = True,
    ) -> None:
        starts = settings.flag("autostart", autostart)
        asked = [(Tool.of(tool), params) for tool, params in items]
        sent = [(tool, checked(tool, params)) for tool, params in asked]
        embed = check_embed(embed)
        queue = JobQueue(
            sent,
            client=default_client(client),
            max_running=max_running,
            timeout=timeout,
            reuse=settings.reuse(reuse).value,
            about={"embed": embed},
        )
        self._make(queue, embed)
        if starts:
            self.start()

    @classmethod
    def restored(cls, record: BatchRecord, *, client: NovaKitClient | None = None) -> JobBoard:
        """Return the board of a batch whose kernel has died. It costs nothing: queued jobs are held until `resume`.

        Args:
            record: the batch in the history; `recover` finds it.
            client: see `JobBoard`.

        Raises:
            ConfigurationError: The key or base URL is missing or invalid.
        """
        board = cls.__new__(cls)
        embed = record.about.get("embed", "auto")
        queue = JobQueue.restored(record, client=default_client(client))
        grid = Grid.from_json(record.about.get("axes"), count=len(queue.items))
        board._make(queue, embed if embed in ("auto", "inline", "file", "link") else "auto", grid)
        return board

    def _make(self, queue: JobQueue, embed: Embed, grid: Grid | None = None) -> None:
        self._queue = queue
        self._made = True
        self._keeper = Keeper(queue.client, embed)
        self._grid = grid
        self._painter = BoardPainter(queue, request_repaint=self._request_repaint, grid=grid)
        super().__init__(children=self._painter.parts.rows)
        self.add_class("novakit-card")
        self.add_class("novakit-board")
        self._display = ResultDisplay(self, live=self._live_bundle, plain=self._plain_bundle, settled=self._settled)
        queue.on_change = self._changed
        job_loop.call(lambda: self._changed(None))

    def __repr__(self) -> str:
        return f"<JobBoard {self._painter.summary()}: await it, or make a task with asyncio.ensure_future>"

    # Actions

    @property
    def failed(self) -> dict[int, NovaKitError]:
        """The errors of the jobs that ended without a result, by number; cancelled jobs are not included.

        A `JobTimeoutError` means that the job still runs and is no longer watched.
        """
        failed = (place for place in self._queue.items if place.state in FAILED)
        return {place.number: place.run.error for place in failed if place.run.error is not None}

    def start(self) -> None:
        """Start the queue, unless it has been started."""
        self._queue.start()

    def cancel(self) -> None:
        """Discard the queued jobs, which cost nothing, and cancel those that run. Thread-safe."""
        self._queue.cancel()

    def resume(self) -> None:
        """Submit the queued jobs of a board that is on hold: its quota was exceeded, or its kernel died. Thread-safe."""
        self._queue.resume()

    def retry_failed(self) -> None:
        """Retry the jobs in `failed`: they are submitted and billed like new ones. Thread-safe.

        A job whose watching timed out is watched again, at no cost. A job whose answer was lost is looked up first, and
        submitted only if the service does not have it.
        """
        self._queue.retry([place for place in self._queue.items if place.state in FAILED])

    def __await__(self) -> Generator[Any, None, list[Job]]:
        """Wait for all jobs without blocking the kernel; displays the board if it has not been displayed."""
        self._show_if_hidden()
        return job_loop.run(self._jobs).__await__()

    def wait(self, timeout: float | None = None) -> list[Job]:
        """Block until all jobs have ended; the page stays live.

        Args:
            timeout: seconds to block; the jobs go on afterwards.

        Returns:
            The completed jobs, in order. `failed` has the others.

        Raises:
            JobTimeoutError: The timeout is over. The jobs go on.
            QuotaExceededError: The quota is not enough for the queued jobs; see `resume`. The running jobs have ended.
            JobNotStartedError: The board is that of a kernel that died, and is on hold until `resume`.
            KeyboardInterrupt: The user interrupted the kernel. The jobs go on.
        """
        self._show_if_hidden()
        if not self._queue.wait_blocking(timeout, self._wait):
            raise JobTimeoutError(
                f"After {timeout:g} s: {self._painter.summary()}. The jobs go on: wait again, or look at the board."
            )
        return self._completed()

    async def as_completed(self) -> AsyncIterator[Job]:
        """Yield the completed jobs as they end; the errors of the others are in `failed`.

        Raises:
            QuotaExceededError: See `wait`.
            JobNotStartedError: See `wait`.
        """
        self._show_if_hidden()
        self._display.waiters += 1
        try:
            async for place in self._queue.settled_items():
                if place.state is ItemState.COMPLETED and place.run.job is not None:
                    yield place.run.job
            await job_loop.run(self._wait)
        finally:
            self._display.waiters -= 1
        self._completed()

    async def _wait(self) -> None:
        await self._display.wait(self._queue.wait())

    async def _jobs(self) -> list[Job]:
        await self._wait()
        return self._completed()

    def _completed(self) -> list[Job]:
        """Return the completed jobs; raise the error that holds the others."""
        if self._queue.held is not None and not self._queue.settled:
            raise self._queue.held.with_traceback(None)
        done = (place.run.job for place in self._queue.items if place.state is ItemState.COMPLETED)
        return [job for job in done if job is not None]

    def save(self, path: str | Path = ".") -> list[Path]:
        """Save all media and transcriptions, and block until they are saved. A failure does not stop the others.

        Args:
            path: a folder, which is created if needed.

        Returns:
            The files, by number. Their names begin with it, as in ``007-novakit-job_abc123-1.png``.

        Raises:
            MediaError: Some files can't be fetched or written. The others are saved, and `to_records` has their names.
            OSError: The folder can't be created.
        """
        done = [place for place in self._queue.items if place.state is ItemState.COMPLETED]
        saved = job_loop.run_blocking(
            lambda: save_places(self._queue.client, done, Path(path), count=len(self._queue.items))
        )
        return [file for files in saved.values() for file in files]

    def to_records(self) -> list[dict[str, Any]]:
        """Return a flat dict for each job, for `pandas.DataFrame`.

        The keys are ``number``, ``tool``, the names of the parameters, ``status``, ``seconds``, ``credits``, ``job_id``,
        ``urls``, ``text`` (of a transcription), ``files`` and ``error``. A parameter with one of these names gets the prefix
        ``parameter_``.
        """
        return records(self._queue.items)

    def close(self) -> None:
        """Remove the board from the page and free its resources. The jobs go on, and the queued ones start too."""
        if not self._made:
            return  # refused by the constructor, or closed before
        self._queue.on_change = lambda _place: None
        self._painter.parts.close()
        super().close()

    # Updates

    @property
    def ticking(self) -> bool:
        """Whether the board changes with time alone: its elapsed times do while jobs run."""
        return not self._queue.settled

    def paint(self) -> int:
        """Send what has changed since the last repaint; return the number of messages."""
        return self._painter.paint() if self._made else 0

    def _changed(self, place: QueueItem | None) -> None:
        """Handle a change of the queue, on its loop; ``None`` for all places."""
        self._request_repaint()
        if in_kernel():  # elsewhere there is no notebook for the media
            for each in self._queue.items if place is None else (place,):
                if each.state is ItemState.COMPLETED and each.run.job is not None:
                    self._keeper.take(each.number, each.run.job)
        if not self._queue.settled:
            self._display.restart()
        elif self._display.task is None:
            self._display.prepare(self._prepare_result())

    async def _prepare_result(self) -> None:
        """Wait until all media have been fetched, and saved if the jobs save them."""
        await self._keeper.finish()
        saving = [place.run.saving for place in self._queue.items if place.run.saving is not None]
        if saving:
            await asyncio.wait(saving)

    def _settled(self) -> bool:
        return self._queue.settled

    def _live_bundle(self) -> dict[str, Any]:
        bundle: dict[str, Any] = self._repr_mimebundle_()
        return bundle

    def _plain_bundle(self) -> dict[str, Any] | None:
        if not self._queue.settled or not self._display.prepared:
            return None
        return {
            "text/html": str(plain_board(self._queue.items, self._keeper.kept, self._grid)),
            "text/plain": summary(self._painter.summary()),
        }


Sequence.register(JobBoard)  # a subclass would have two metaclasses
