"""When to ask, how often, and what an answer means. Knows no widgets.

A user wants to learn at once that a job has ended, and to see its progress move. A long poll gives the first with one
request but is silent meanwhile; short polls give the second and eat the key's requests. So a few jobs get one long
poll each, and all share one list of the pending jobs for their progress; many jobs live on the list alone.
"""

from __future__ import annotations

import asyncio
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..api.listing import LIST_LIMIT
from ..config import settings
from ..errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    JobTimeoutError,
    NovaKitError,
    RateLimitError,
    UnreadableAnswerError,
)
from ..limits.budget import PollingBudget
from ..limits.schedule import Pace
from ..limits.tool_limits import allowance_of
from ..model.job import Job, JobStatus
from ..model.rate_limit import DEFAULT_RETRY_AFTER
from ..model.tools import Tool
from ..runtime import loop as job_loop
from ..runtime.clock import Clock
from ..runtime.loop_cache import LoopLocal
from ..runtime.registry import of_account
from ..runtime.sleep import sleep_or_wake

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from ..api.client import NovaKitClient
    from ..model.rate_limit import RateLimit

__all__ = ["JobTracker", "Watch", "tracker_of"]

MOST_LONG_POLLS = 8  # each holds a connection; with the smallest plan the budget allows four
_POLLS_A_WINDOW = 2  # a long poll is held for half a window
_LOOKS = 2  # a window: how often the time-outs are looked at, so that a sleep of the machine is noticed
_ASLEEP = 12  # of a window: later than that by 5 s, nobody was awake
_SOON = 10.0  # seconds: a tool is quick if its jobs typically take so long at least; of those, few a minute are allowed anyway
# Of the 4xx, only these may be different the next time.
_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


_T = TypeVar("_T")


class Asks(Protocol):
    """What the tracker needs of a `NovaKitClient`."""

    @property
    def rate_limit(self) -> RateLimit | None:
        """What the latest answer said of the key's requests a minute."""
        ...

    async def get(self, job_id: str, *, poll: bool = False, retry: bool = True) -> Job:
        """Ask for one job."""
        ...

    async def list(
        self, *, pending: bool | None = None, limit: int | None = None, retry: bool = True
    ) -> tuple[Job, ...]:
        """Ask for the newest jobs."""
        ...


class Watch:
    """One job being watched, for one listener.

    Attributes:
        job: the newest snapshot.
        error: why the watching ended without the job having ended; ``None`` otherwise.
        trouble: why there is no news at the moment ("reconnecting"); ``None`` when all is well.
        over: whether the watching has ended.
        deadline: when it ends at the latest, by the tracker's clock.
        timeout: the seconds that it was given.
        heard_at: when the service last told of the job, by the tracker's clock.
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
        self.heard_at = float("-inf")


class JobTracker:
    """Watches the jobs of one client on the job loop, within half of the key's requests.

    Its methods can be called on any thread, and awaited on any event loop.

    Args:
        client: asks the service.
        pace: the lengths of its waits.
        clock: see `Clock`.
        budget: the polling requests of the key, where several trackers share it.

    Example:
        >>> tracker = JobTracker(client)                                # doctest: +SKIP
        >>> watch = tracker.watch(job, timeout=300, on_change=redraw)   # doctest: +SKIP
    """

    def __init__(
        self,
        client: Asks,
        *,
        pace: Pace | None = None,
        clock: Clock | None = None,
        budget: PollingBudget | None = None,
    ) -> None:
        self._client = client
        self._pace = pace or Pace()
        self._clock = clock or Clock()
        self._budget = budget or PollingBudget(self._pace.window, clock=self._clock)
        self._watches: dict[str, list[Watch]] = {}
        self._polls: dict[str, asyncio.Task[None]] = {}
        self._helpers: list[asyncio.Task[None]] = []
        self._stopping: set[asyncio.Task[None]] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._due = 0.0
        self._interval = self._pace.first
        self._unheld_until = float("-inf")
        self._unlisted_until = float("-inf")
        self._partial_until = float("-inf")

    @property
    def watched(self) -> int:
        """How many jobs are being watched."""
        return len(self._watches)

    @property
    def busy(self) -> bool:
        """Whether any task is running."""
        tasks = (*self._helpers, *self._polls.values(), *self._stopping, *self._leaving)
        return any(not task.done() for task in tasks)

    def watch(self, job: Job, *, timeout: float, on_change: Callable[[], None] = lambda: None) -> Watch:
        """Begin to watch a job that runs.

        Args:
            job: a snapshot of it, with an id.
            timeout: seconds after which the watching ends with a `JobTimeoutError`. The job goes on.
            on_change: called on the loop after each change of the watch, the last time when it is over.

        Raises:
            ValueError: the job has no id.
        """
        if job.id is None:
            raise ValueError("A job that was answered at once has no id and nothing to watch.")
        deadline = self._clock.monotonic() + timeout
        watch = Watch(job, job.id, deadline=deadline, timeout=timeout, on_change=on_change)
        if job.ended:
            watch.over = True
        else:
            job_loop.hand_over(partial(self._add, watch))
        return watch

    def _add(self, watch: Watch) -> None:
        self._watches.setdefault(watch.job_id, []).append(watch)
        # What the submission was told: on a busy key the first question has to wait.
        self._budget.observe(self._client.rate_limit, wall=self._clock.now().timestamp())
        self._interval = self._pace.first
        due = self._clock.monotonic() + self._interval
        # Adding jobs faster than they are asked about must not put the asking off for ever.
        self._due = min(self._due, due) if self._helpers else due
        self._wake.set()
        self._arrange()

    def stop(self, watch: Watch) -> None:
        """End a watch; the job goes on."""
        watch.over = True
        job_loop.hand_over(partial(self._remove, watch))

    def _remove(self, watch: Watch) -> None:
        siblings = [other for other in self._watches.get(watch.job_id, ()) if other is not watch]
        if siblings:
            self._watches[watch.job_id] = siblings
        else:
            self._watches.pop(watch.job_id, None)
        self._arrange()

    def heard(self, job: Job) -> None:
        """Take in a snapshot that came from elsewhere, such as the answer to a cancellation."""
        if job.id is not None:
            job_loop.hand_over(partial(self._receive, job.id, job))

    @job_loop.hops
    async def aclose(self) -> None:
        """End all watches, and return when no task is left."""
        for watches in list(self._watches.values()):
            for watch in watches:
                self.stop(watch)
        self._arrange()
        await asyncio.gather(*self._stopping, return_exceptions=True)

    # What runs

    def _arrange(self) -> None:
        """Start the tasks that the watched jobs need, and stop the others."""
        wanted = set(self._watches) if self._few else set()
        for job_id in self._polls.keys() - wanted:
            self._end(self._polls.pop(job_id))
        for job_id in wanted - self._polls.keys():
            self._polls[job_id] = self._begin(self._long_poll(job_id))
        if self._watches and not self._helpers:
            self._helpers = [self._begin(self._snapshots()), self._begin(self._deadlines())]
        elif not self._watches:
            while self._helpers:
                self._end(self._helpers.pop())

    @property
    def _few(self) -> bool:
        """Whether each job can have a long poll of its own, and the service holds them."""
        if self._budget.shared:
            # One request must do for all jobs; for one job, the one that is held tells the most.
            return len(self._watches) <= 1 and self._clock.monotonic() >= self._unheld_until
        if self._budget.unsure and not all(map(self._may_end_soon, self._watches)):
            return False  # a list tells who else uses the key; the answer to a request that is held does not
        snapshots = self._pace.window / self._pace.most
        fits = len(self._watches) * _POLLS_A_WINDOW + snapshots <= self._budget.places
        return fits and len(self._watches) <= MOST_LONG_POLLS and self._clock.monotonic() >= self._unheld_until

    def _may_end_soon(self, job_id: str) -> bool:
        """Whether a job's tool is quick, so that nobody should wait for its first question."""
        tool = Tool.known(self._watches[job_id][0].job.tool)
        return tool is None or tool.typical_seconds[0] <= _SOON

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._broke)
        return task

    def _broke(self, task: asyncio.Task[None]) -> None:
        """End all watches when a task ends by something that nobody foresaw: their owners must not wait in vain."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        context = {"message": "A task of JobTracker failed", "exception": error, "task": task}
        task.get_loop().call_exception_handler(context)
        self._give_up(
            list(self._watches),
            NovaKitError(
                f"Watching stopped by a fault of novakit_widgets itself ({type(error).__name__}: {error}). The job goes on: keep "
                "watching, or nk.attach(id). Please report this."
            ),
        )

    def _end(self, task: asyncio.Task[None]) -> None:
        """Cancel a task, and hold it until it is gone. The one that runs now is left to end itself: see `_wanted`."""
        if task.done():
            return
        ending = self._leaving if task is asyncio.current_task() else self._stopping
        ending.add(task)
        task.add_done_callback(ending.discard)
        if ending is self._stopping:
            task.cancel()

    @property
    def _wanted(self) -> bool:
        """Whether the running task is still one of ours: a listener that watches on at once has others in its place."""
        return asyncio.current_task() not in self._leaving

    async def _long_poll(self, job_id: str) -> None:
        """Ask for one job, held by the service until it ends."""
        failures = 0
        while job_id in self._watches and self._wanted:
            first = self._watches[job_id][0].heard_at == float("-inf")
            await self._budget.take(urgent=first and self._may_end_soon(job_id))
            asked = self._clock.monotonic()
            try:
                job = await self._ask(self._client.get(job_id, poll=True, retry=False))
            except NovaKitError as error:
                failures += 1
                await self._after_failure(error, [job_id], failures)
                continue
            failures = 0
            self._receive(job_id, job)
            if job_id in self._watches and self._clock.monotonic() - asked < self._pace.unheld:
                # Asked again at once, such a service would be asked hundreds of times a second.
                # At a sandbox's speed a window can be over before the first list of all jobs is due.
                self._unheld_until = self._clock.monotonic() + max(self._pace.window, 2 * self._pace.most)
                self._restart_snapshots()
                self._arrange()
                return

    async def _snapshots(self) -> None:
        """Ask for the progress of all jobs at once, at an interval that backs off."""
        failures = 0
        while self._watches and self._wanted:
            await self._until(lambda: self._due)
            self._interval = self._pace.after(self._interval)
            self._arrange()  # a service that held no long polls is given another chance
            try:
                await (self._snapshot_for_progress() if self._few else self._snapshot_for_all())
            except NovaKitError as error:
                failures += 1
                # While long polls run, a list that fails costs the progress only; they tell of real trouble.
                await self._after_failure(error, [] if self._few else list(self._watches), failures)
                continue
            failures = 0
            self._due = self._clock.monotonic() + self._interval

    async def _snapshot_for_progress(self) -> None:
        if self._clock.monotonic() >= self._unlisted_until and not self._budget.shared:
            # Places are left so that a long poll, which tells of the end, never waits for a progress bar: of jobs that follow
            # one another, each needs one.
            await self._budget.take(keep=self._budget.places // 3 if len(self._watches) == 1 else 1)
            self._receive_all(await self._list(pending=True))

    async def _snapshot_for_all(self) -> None:
        """Learn all from one list where it can tell, and ask for each job that it does not show."""
        whole = self._clock.monotonic() >= self._partial_until
        shown: set[str] = set()
        if self._clock.monotonic() >= self._unlisted_until:
            await self._budget.take()
            jobs = await self._list(pending=None if whole else True)
            shown = self._receive_all(jobs)
            if whole and self._watches.keys() - shown:
                # Others' newer jobs fill the list. The pending ones alone reach further back.
                self._partial_until = self._clock.monotonic() + self._pace.window
                whole = False
                await self._budget.take()
                shown |= self._receive_all(await self._list(pending=True))
        await self._ask_for_each(self._watches.keys() - shown)

    async def _ask_for_each(self, job_ids: Iterable[str]) -> None:
        """Ask for single jobs, the longest unheard first, as many as the budget has room for before the next list."""
        waiting = sorted(job_ids, key=lambda job_id: self._watches[job_id][0].heard_at)
        for asked, job_id in enumerate(waiting):
            if asked and self._budget.delay(keep=1) > 0:
                return
            if job_id not in self._watches:
                continue
            await self._budget.take()
            try:
                self._receive(job_id, await self._ask(self._client.get(job_id, retry=False)))
            except NovaKitError as error:
                if not _is_final(error):
                    raise
                self._give_up([job_id], error)

    async def _deadlines(self) -> None:
        """End the watches whose time is over. Time in which nobody could ask, since the machine slept, does not count."""
        while self._watches and self._wanted:
            look = self._clock.monotonic() + self._pace.window / _LOOKS

            def moment(look: float = look) -> float:
                return min((look, *(watch.deadline for watch in self._all())))

            await self._until(moment)
            now = self._clock.monotonic()
            slept = now - moment()
            if slept > self._pace.window / _ASLEEP:
                for watch in self._all():
                    watch.deadline += slept
            for watch in [watch for watch in self._all() if watch.deadline <= now]:
                self._finish(watch, _timed_out(watch))

    async def _until(self, moment: Callable[[], float]) -> None:
        """Wait for a moment that a new job may bring forward."""
        while (seconds := moment() - self._clock.monotonic()) > 0:
            await sleep_or_wake(seconds, self._wake, self._clock.sleep)

    # What an answer means

    async def _ask(self, request: Awaitable[_T]) -> _T:
        try:
            return await request
        finally:
            self._budget.observe(self._client.rate_limit, wall=self._clock.now().timestamp())

    async def _list(self, *, pending: bool | None) -> tuple[Job, ...]:
        try:
            return await self._ask(self._client.list(pending=pending, limit=LIST_LIMIT, retry=False))
        except APIError as error:
            # Jobs carry their sources along, so that many may be too long together for what one answer may have.
            too_long = isinstance(error, UnreadableAnswerError) and error.too_long
            if isinstance(error, AuthenticationError) or not (too_long or _is_final(error)):
                raise
            # As with a key that may read jobs one by one only: their progress then moves with each answer.
            self._unlisted_until = self._clock.monotonic() + self._pace.window
            return ()

    def _receive_all(self, jobs: Iterable[Job]) -> set[str]:
        """Take in a list, and return which jobs it told all about."""
        told = set()
        for job in jobs:
            if job.id is None or job.id not in self._watches:
                continue
            if job.status == JobStatus.COMPLETED and job.output is None:
                continue  # the list leaves the result out, so the job is still to be asked for
            told.add(job.id)
            self._receive(job.id, job)
        return told

    def _receive(self, job_id: str, job: Job) -> None:
        for watch in list(self._watches.get(job_id, ())):
            before, trouble = watch.job, watch.trouble
            watch.job = before.advanced(job)
            watch.trouble = None
            watch.heard_at = self._clock.monotonic()
            if watch.job.ended:
                self.stop(watch)
            if watch.job != before or trouble is not None:
                _call(watch)

    async def _after_failure(self, error: NovaKitError, job_ids: Iterable[str], failures: int) -> None:
        """Decide what a failed request means, and wait as long as it asks for."""
        if isinstance(error, AuthenticationError):
            self._give_up(list(self._watches), error)
        elif _is_final(error):
            self._give_up(job_ids, error)
        else:
            for job_id in job_ids:
                for watch in self._watches.get(job_id, ()):
                    watch.trouble = error
                    _call(watch)
            if isinstance(error, RateLimitError):
                self._budget.refused(DEFAULT_RETRY_AFTER if error.retry_after is None else error.retry_after)
            else:
                await self._clock.sleep(self._pace.retry(failures, self._clock.random))

    def _give_up(self, job_ids: Iterable[str], error: NovaKitError) -> None:
        for job_id in job_ids:
            for watch in list(self._watches.get(job_id, ())):
                self._finish(watch, error)

    def _finish(self, watch: Watch, error: NovaKitError) -> None:
        watch.error = error
        self.stop(watch)
        _call(watch)

    def _restart_snapshots(self) -> None:
        self._interval = self._pace.first
        self._due = min(self._due, self._clock.monotonic() + self._interval)
        self._wake.set()

    def _all(self) -> list[Watch]:
        return [watch for watches in self._watches.values() for watch in watches]


def _is_final(error: NovaKitError) -> bool:
    """Whether asking again would bring the same answer."""
    if isinstance(error, ConfigurationError):
        return True  # such as an id that no request can have
    status = error.status_code
    return (
        status is not None
        and HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        and status not in _PASSING
    )


def _timed_out(watch: Watch) -> JobTimeoutError:
    return JobTimeoutError(
        f"We stopped watching {watch.job_id} after {watch.timeout:g} s. It was not cancelled: it may still end and be "
        f"billed. Watch on with nk.attach({watch.job_id!r}), which takes a longer timeout, too.",
        job=watch.job,
    )


def _call(watch: Watch) -> None:
    """Tell the listener. A fault of its own must not cost the other jobs their tracker."""
    try:
        watch.on_change()
    except Exception as error:  # noqa: BLE001 # whatever it is, it is shown, and the others go on
        context = {"message": "A listener of JobTracker failed", "exception": error}
        asyncio.get_running_loop().call_exception_handler(context)


def tracker_of(client: NovaKitClient) -> JobTracker:
    """Return the one tracker of a client.

    Args:
        client: whose jobs are to be watched.
    """
    # Kept with the client, so that it goes with it.
    tracker: LoopLocal[JobTracker] = vars(client).setdefault("_tracker", LoopLocal(partial(_new_tracker, client)))
    return tracker.get()


def _new_tracker(client: NovaKitClient) -> JobTracker:
    pace = Pace.at(settings.speed().value)
    # Limits and pauses are the key's, whichever client of this process meets them.
    budget = of_account(
        client.account,
        PollingBudget,
        lambda: PollingBudget(pace.window, fair=allowance_of(client.account).fair),
        still_fits=lambda budget: budget.window == pace.window,
    )
    return JobTracker(client, pace=pace, budget=budget)
