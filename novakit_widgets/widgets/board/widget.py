"""JobBoard: many jobs on one board. A thin view of a `JobQueue`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets

from ...api.client import default_client
from ...api.embedding import Embed, check_embed
from ...api.uploads import checked
from ...batches.grid import Grid
from ...batches.queue import JobQueue, PlaceState
from ...config import settings
from ...errors import JobTimeoutError, NovaKitError
from ...model.tools import Tool
from ...runtime import loop as job_loop
from ..card.player import close_all
from ..common.display import in_kernel
from ..common.repaint import painter
from .display import BoardDisplay
from .media import Keeper, save_places
from .painter import BoardPainter
from .plain import records
from .sequence import JobSequence
from .view import FAILED

if TYPE_CHECKING:
    from ...api.client import NovaKitClient
    from ...batches.queue import Place
    from ...job_history.batches import BatchRecord
    from ...model.job import Job

__all__ = ["JobBoard"]


class JobBoard(JobSequence, ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Many jobs, in a queue that keeps to the service's limits, on one board.

    It starts by itself and runs in the background; the kernel stays free. It is a sequence too: ``board[3]`` is the newest
    snapshot of job 3, counted from 0 as the board's own numbers are, or ``None`` while it has not been submitted. One job's
    failure never stops the others. `batch` makes boards from prompts, dicts and tables.

    Args:
        items: a tool, such as ``"image"``, and its parameters for each job, in order; as for `JobWidget`.
        client: speaks to the service; where it is left out, one is made from the settings.
        max_running: how many jobs may run at once, 100 where it is left out; the limits decide besides.
        timeout: seconds to watch each; the default is the tool's.
        embed: where the finished media go: ``"auto"`` puts up to 8 MB of all together into the notebook, and what is more
            into ``novakit-media/`` beside it; see `JobWidget` for the others.
        reuse: as for `JobWidget`.
        autostart: whether to begin at once; otherwise `start` does, and waiting does.

    Raises:
        InvalidParameterError: the documentation forbids a parameter, or there is no such tool. Nothing was sent or billed.
        ConfigurationError: there is no usable key, base URL, time-out, embed or ``max_running``.

    Example:
        >>> from novakit_widgets import JobBoard, Tool
        >>> board = JobBoard([(Tool.IMAGE, {"prompt": "A lighthouse"}), (Tool.IMAGE, {"prompt": "A boat"})])
        >>> len(board.wait()), board.failed, str(board[1].status)
        (2, {}, 'completed')
    """

    least_seconds = 0.5
    """How long the board stays as it was painted, at least."""

    _made = False

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
        asked = [(Tool.of(tool), params) for tool, params in items]
        sent = [(tool, checked(tool, params)) for tool, params in asked]
        embed = check_embed(embed)
        queue = JobQueue(
            sent,
            client=client or default_client(),
            max_running=max_running,
            timeout=timeout,
            reuse=settings.reuse(reuse).value,
            about={"embed": embed},
        )
        self._make(queue, embed)
        if autostart:
            self.start()

    @classmethod
    def restored(cls, record: BatchRecord, *, client: NovaKitClient | None = None) -> JobBoard:
        """Bring back the board of a kernel that died. It costs nothing: what waits is held until `resume`.

        Args:
            record: the batch, as the history has it; `recover` finds them.
            client: as for `JobBoard`.

        Raises:
            ConfigurationError: there is no usable key or base URL.
        """
        board = cls.__new__(cls)
        embed = record.about.get("embed", "auto")
        queue = JobQueue.restored(record, client=client or default_client())
        grid = Grid.from_json(record.about.get("axes"), count=len(queue.places))
        board._make(queue, embed if embed in ("auto", "inline", "file", "link") else "auto", grid)
        return board

    def _make(self, queue: JobQueue, embed: Embed, grid: Grid | None = None) -> None:
        self._queue = queue
        self._made = True
        self._keeper = Keeper(queue.client, embed)
        self._painter = BoardPainter(queue, ask=self._ask_to_be_painted, grid=grid)
        super().__init__(children=self._painter.parts.rows)
        self.add_class("novakit-card")
        self.add_class("novakit-board")
        self._display = BoardDisplay(self, queue, self._keeper, words=self._painter.words, grid=grid)
        queue.on_change = self._changed
        self._changed(None)

    def __repr__(self) -> str:
        return f"<JobBoard {self._painter.words()}>"

    # What a user may ask for

    @property
    def failed(self) -> dict[int, NovaKitError]:
        """Why the jobs that ended without a result have none, by number; those that somebody cancelled are not among them.

        A `JobTimeoutError` among them stands for a job that still runs and is no longer watched.
        """
        failed = (place for place in self._queue.places if place.state in FAILED)
        return {place.number: place.run.error for place in failed if place.run.error is not None}

    def start(self) -> None:
        """Begin, if it has not. Without a running event loop it begins when it is waited for."""
        self._queue.start()

    def cancel(self) -> None:
        """Drop the jobs that wait, which cost nothing, and cancel those that run. From any thread."""
        self._queue.cancel()

    def resume(self) -> None:
        """Go on after the quota ran out, or with a board of a kernel that died. From any thread."""
        self._queue.resume()

    def retry_failed(self) -> None:
        """Try again what is in `failed`: submitted and billed like new jobs. From any thread.

        A job whose watching timed out is watched again, at no cost. One whose answer was lost is looked up first, and submitted
        only when the service has no such job.
        """
        self._queue.retry([place for place in self._queue.places if place.state in FAILED])

    def __await__(self) -> Generator[Any, None, list[Job]]:
        """Wait until all have ended, without blocking the kernel; a board that nobody has shown yet shows itself."""
        self._display.show_if_hidden()
        return self._jobs().__await__()

    def wait(self, timeout: float | None = None) -> list[Job]:
        """Block until all have ended; the page goes on moving.

        Args:
            timeout: seconds to block; the jobs and the board go on after that.

        Returns:
            The completed jobs, in order. `failed` has the others.

        Raises:
            JobTimeoutError: the time is over. The jobs go on.
            QuotaExceededError: the plan has not enough left for the jobs that wait; see `resume`. What ran has ended.
            JobNotStartedError: it is a board of a kernel that died, and waits for `resume`.
            KeyboardInterrupt: the user interrupted the kernel. The jobs go on.
        """
        self._display.show_if_hidden()
        if not self._queue.wait_blocking(timeout, self._display.wait):
            raise JobTimeoutError(
                f"After {timeout:g} s: {self._painter.words()}. They go on: wait again, or look at the board."
            )
        return self._completed()

    async def as_completed(self) -> AsyncIterator[Job]:
        """Yield the completed jobs in the order in which they end; those that fail are in `failed`.

        Raises:
            QuotaExceededError: as for `wait`.
            JobNotStartedError: as for `wait`.
        """
        self._display.show_if_hidden()
        self._display.waiting += 1
        try:
            async for place in self._queue.settled_places():
                if place.state is PlaceState.COMPLETED and place.run.job is not None:
                    yield place.run.job
            await self._display.wait()
        finally:
            self._display.waiting -= 1
        self._completed()

    async def _jobs(self) -> list[Job]:
        await self._display.wait()
        return self._completed()

    def _completed(self) -> list[Job]:
        """Return the completed jobs, or raise what holds the others."""
        if self._queue.held is not None and not self._queue.settled:
            raise self._queue.held.with_traceback(None)
        done = (place.run.job for place in self._queue.places if place.state is PlaceState.COMPLETED)
        return [job for job in done if job is not None]

    def save(self, path: str | Path = ".") -> list[Path]:
        """Save all media and transcriptions, blocking until they are there. One that can't be saved does not stop the others.

        Args:
            path: a folder, which is made.

        Returns:
            The files that were written, by number. Their names begin with it, as in ``007-novakit-job_abc123-1.png``.

        Raises:
            MediaError: some can't be fetched or written; the others are there, and `to_records` has their names.
            OSError: the folder can't be made.
        """
        done = [place for place in self._queue.places if place.state is PlaceState.COMPLETED]
        saved = job_loop.run_blocking(
            save_places(self._queue.client, done, Path(path), count=len(self._queue.places)),
            farewell=self._queue.client.aclose,
        )
        return [file for files in saved.values() for file in files]

    def to_records(self) -> list[dict[str, Any]]:
        """Return a flat dict for each job, which `pandas.DataFrame` takes as it is.

        Their keys are ``number``, ``tool``, the parameters' own names, ``status``, ``seconds``, ``credits``, ``job_id``, ``urls``,
        ``text`` (of a transcription), ``files`` and ``error``; a parameter that is called like one of them gets ``parameter_``
        before its name.
        """
        return records(self._queue.places)

    def show(self) -> None:
        """Show the board in the cell that runs: as plain HTML, which stays with the saved notebook, once all have ended."""
        self._display.show()

    def close(self) -> None:
        """Take the board off the page and release all that it is made of. The jobs go on, and those that wait start too."""
        if not self._made:
            return  # refused in the making, or closed before
        self._made = False
        self._queue.on_change = lambda _place: None
        loop = job_loop.home()
        if loop is not None:
            job_loop.hand_over(loop, lambda: painter(loop).forget(self))
        close_all(self.children)
        self._painter.parts.close()
        if self.layout is not None:
            self.layout.close()
        super().close()

    def _ipython_display_(self) -> None:
        if in_kernel():
            self.show()
        else:
            print(repr(self))  # noqa: T201 # a terminal has no page

    # What keeps it up to date

    @property
    def ticking(self) -> bool:
        """Whether the board changes with time alone: elapsed times do."""
        return not self._queue.settled

    def paint(self) -> int:
        """Send what has changed since the last time, and return in how many messages."""
        return self._painter.paint() if self._made else 0

    def _changed(self, place: Place | None) -> None:
        """Take in a change of the queue, on its loop."""
        self._ask_to_be_painted()
        if job_loop.current() is not None:
            self._display.changed(place)

    def _ask_to_be_painted(self) -> None:
        loop = job_loop.home()  # a board can be made in a callback, on a thread with a loop of its own
        if loop is None:
            self.paint()  # a plain script: nobody looks, but the state is right
        else:
            job_loop.hand_over(loop, lambda: painter(loop).ask(self))


Sequence.register(JobBoard)  # a subclass would have two metaclasses
