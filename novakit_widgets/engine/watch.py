"""The jobs that are watched, who listens, and what their progress says of their ends. Asks nobody."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from ..errors import JobTimeoutError, NovaKitError
from ..limits.prediction import SAMPLES, Prediction, expected_end, predict
from ..limits.schedule import AIM, Watched
from ..model.job import JobStatus
from ..model.rate_limit import LIMIT_WINDOW
from ..model.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..model.job import Job
    from ..runtime.clock import Clock

__all__ = ["Watch", "WatchedJob", "WatchedJobs", "timed_out"]

_OUTCOMES = 12  # predictions whose outcomes are remembered
_FROM, _TO = 30.0, 120.0  # seconds that jobs of a tool that we don't know usually take: as a video's
_QUICK = 10.0  # seconds: a tool is quick if its jobs usually take so long at least; of those, few a minute are allowed anyway


class Watch:
    """One job being watched, for one listener.

    Attributes:
        job: the newest snapshot.
        error: why the watching ended without the job having ended; ``None`` otherwise.
        trouble: why there is no news at the moment ("reconnecting"); ``None`` when all is well.
        over: whether the watching has ended.
        deadline: when it ends at the latest, by the tracker's clock.
        timeout: the seconds that it was given.
    """

    def __init__(
        self, job: Job, job_id: str, *, deadline: float, timeout: float, on_change: Callable[[], None]
    ) -> None:
        self.job = job
        self.job_id = job_id
        self.error: NovaKitError | None = None
        self.trouble: NovaKitError | None = None
        self.over = False
        self.deadline = deadline
        self.timeout = timeout
        self.on_change = on_change

    def tell(self) -> None:
        """Call the listener. A fault of its own must not cost the other jobs their tracker."""
        try:
            self.on_change()
        except Exception as error:  # noqa: BLE001 # whatever it is, it is shown, and the others go on
            context = {"message": "A listener of JobTracker failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)


class WatchedJob:
    """A job with all its watches, and the samples of its progress.

    Args:
        watch: the first of them.
        now: the present, by the tracker's clock.
        window: of the rate limit, in seconds.

    Attributes:
        watches: those that are not over.
        added_at: when the first of them began.
        heard_at: when the service last told of the job; ``None`` before it has.
        asking: the task that asks for this job alone; ``None`` while there is none.
        prediction: of its end, by its progress.
    """

    def __init__(self, watch: Watch, *, now: float, window: float) -> None:
        self.job_id = watch.job_id
        self.watches = [watch]
        self.added_at = now
        self.heard_at: float | None = None
        self.asking: asyncio.Task[None] | None = None
        self.prediction: Prediction | None = None
        self._window = window
        self._samples: deque[tuple[float, float]] = deque([(now, watch.job.progress or 0.0)], maxlen=SAMPLES)
        tool = Tool.known(watch.job.tool)
        typical = (_FROM, _TO) if tool is None else tool.typical_seconds
        self.quick = tool is None or typical[0] <= _QUICK
        self._typical = (typical[0] * window / LIMIT_WINDOW, typical[1] * window / LIMIT_WINDOW)

    def __iter__(self) -> Iterator[Watch]:
        return iter(tuple(self.watches))

    def sample(self, progress: float | None, now: float) -> None:
        """Take in the progress of an answer as the service said it, which may go backwards."""
        self.heard_at = now
        if progress is not None:
            self._samples.append((now, progress))
            self.prediction = predict(self._samples, window=self._window)

    def seen(self, now: float) -> Watched:
        """Return the job as the schedule sees it."""
        end = expected_end(self.prediction, now=now, added_at=self.added_at, typical=self._typical, window=self._window)
        spread = 0.0 if self.prediction is None else self.prediction.spread
        return Watched(
            self.job_id, self.added_at, end, spread, held=self.asking is not None, heard=self.heard_at is not None
        )


class WatchedJobs(dict[str, WatchedJob]):
    """All jobs of a tracker, by id: who watches them, and what an answer means for them.

    Args:
        clock: see `Clock`.
        window: of the rate limit, in seconds.
        left: called after a watch has gone, with its job if nobody watches that any more.

    Attributes:
        outcomes: when a prediction was tested, and whether it was right.
    """

    def __init__(self, clock: Clock, window: float, left: Callable[[WatchedJob | None], None]) -> None:
        super().__init__()
        self.outcomes: deque[tuple[float, bool]] = deque(maxlen=_OUTCOMES)
        self._clock = clock
        self._window = window
        self._left = left

    def add(self, watch: Watch) -> None:
        """Begin a watch."""
        if watch.job_id in self:
            self[watch.job_id].watches.append(watch)
        else:
            self[watch.job_id] = WatchedJob(watch, now=self._clock.monotonic(), window=self._window)

    def remove(self, watch: Watch) -> None:
        """Forget a watch."""
        job = self.get(watch.job_id)
        if job is None:
            return
        job.watches = [other for other in job.watches if other is not watch]
        if not job.watches:
            del self[watch.job_id]
        self._left(None if job.watches else job)

    def watches(self) -> list[Watch]:
        """Return all watches."""
        return [watch for job in self.values() for watch in job]

    def receive_all(self, answers: Iterable[Job]) -> set[str]:
        """Take in a list, and return which jobs it told all about."""
        told = set()
        for answer in answers:
            if answer.id is None or answer.id not in self:
                continue
            if answer.status == JobStatus.COMPLETED and answer.output is None:
                continue  # the list leaves the result out, so the job is still to be asked for
            told.add(answer.id)
            self.receive(answer.id, answer)
        return told

    def receive(self, job_id: str, answer: Job) -> None:
        """Take in an answer about one job."""
        job = self.get(job_id)
        if job is None:
            return
        now = self._clock.monotonic()
        if not answer.ended:
            job.sample(answer.progress, now)
        elif job.prediction is not None:
            self.outcomes.append((now, abs(now - job.prediction.end) <= AIM * self._window))
        for watch in job:
            before, trouble = watch.job, watch.trouble
            watch.job = before.advanced(answer)
            watch.trouble = None
            if watch.job.ended:
                watch.over = True
                self.remove(watch)
            if watch.job != before or trouble is not None:
                watch.tell()

    def aimed_wrongly(self, job: WatchedJob) -> None:
        """Note that a request for a job was held for long without its end."""
        if job.prediction is not None:
            self.outcomes.append((self._clock.monotonic(), False))

    def trouble(self, job_ids: Iterable[str], error: NovaKitError) -> None:
        """Tell the listeners of jobs why there is no news."""
        for job_id in job_ids:
            for watch in self.get(job_id, ()):
                watch.trouble = error
                watch.tell()

    def give_up(self, job_ids: Iterable[str], error: NovaKitError) -> None:
        """End all watches of jobs with an error; the jobs go on."""
        for job_id in job_ids:
            for watch in self.get(job_id, ()):
                self.finish(watch, error)

    def finish(self, watch: Watch, error: NovaKitError) -> None:
        """End a watch with an error; the job goes on."""
        watch.error = error
        watch.over = True
        self.remove(watch)
        watch.tell()


def timed_out(watch: Watch) -> JobTimeoutError:
    """Return the error of a watch whose time is over."""
    return JobTimeoutError(
        f"We stopped watching {watch.job_id} after {watch.timeout:g} s. It was not cancelled: it may still end and be "
        f"billed. Watch on with nk.attach({watch.job_id!r}), which takes a longer timeout, too.",
        job=watch.job,
    )
