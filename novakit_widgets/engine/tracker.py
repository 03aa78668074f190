"""Watches jobs: asks what `novakit_widgets.limits.schedule` says, and decides what an answer means. Knows no widgets."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from ..config import settings
from ..errors import AuthenticationError, NovaKitError, RateLimitError
from ..limits.budget import PollingBudget
from ..limits.prediction import reliable
from ..limits.schedule import Kind, Pace, Question, Schedule, Situation
from ..limits.tool_limits import allowance_of
from ..model.rate_limit import DEFAULT_RETRY_AFTER
from ..runtime import loop as job_loop
from ..runtime.clock import Clock
from ..runtime.loop_cache import LoopLocal
from ..runtime.registry import of_account
from ..runtime.sleep import sleep_or_wake
from .asking import Asking, Asks, is_final
from .lists import Lists
from .watch import Watch, WatchedJob, WatchedJobs, timed_out

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from ..api.client import NovaKitClient
    from ..model.job import Job

__all__ = ["JobTracker", "Watch", "tracker_of"]

_LOOKS = 2  # a window: how often the time-outs are looked at, so that a sleep of the machine is noticed
_ASLEEP = 12  # of a window: later than that by 5 s, nobody was awake
_AGAIN = 12  # of a window, 5 s: how often the schedule is asked at least, because expectations change with time
_HELD = 3  # of a window, 20 s: a request that was held for longer without an end was aimed wrongly
_MARGIN = 0.25  # seconds by which two requests may come closer to each other on their way to the service
_MANY = 64  # jobs: to ask the schedule again for each one that comes would take a time that grows with their square
_SHORTEST = 1e-3  # seconds of a wait, so that a rounding error does not turn the loop for ever


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
        self._pace = pace or Pace()
        self._clock = clock or Clock()
        self._budget = budget or PollingBudget(self._pace.window, clock=self._clock)
        self._schedule = Schedule(self._pace)
        self._asking = Asking(client, self._budget, self._pace, self._clock)
        self._jobs = WatchedJobs(self._clock, self._pace.window, self._left)
        self._lists = Lists(
            self._asking, self._jobs, self._budget, room=lambda: self._schedule.spare(self._situation())
        )
        self._helpers: list[asyncio.Task[None]] = []
        self._listing: asyncio.Task[None] | None = None
        self._stopping: set[asyncio.Task[None]] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._progress_due = 0.0
        self._interval = self._pace.first
        self._list_failures = 0

    @property
    def watched(self) -> int:
        """How many jobs are being watched."""
        return len(self._jobs)

    @property
    def busy(self) -> bool:
        """Whether any task is running."""
        asking = (job.asking for job in self._jobs.values())
        tasks = (*self._helpers, self._listing, *asking, *self._stopping, *self._leaving)
        return any(task is not None and not task.done() for task in tasks)

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
        self._jobs.add(watch)
        self._asking.observe()  # what the submission was told
        self._interval = self._pace.first
        due = self._clock.monotonic() + self._interval
        # Adding jobs faster than they are asked about must not put the asking off for ever.
        self._progress_due = min(self._progress_due, due) if self._helpers else due
        if len(self._jobs) <= _MANY or not self._helpers:
            self._arrange()

    def stop(self, watch: Watch) -> None:
        """End a watch; the job goes on."""
        watch.over = True
        job_loop.hand_over(partial(self._jobs.remove, watch))

    def _left(self, job: WatchedJob | None) -> None:
        """Stop asking for a job that nobody watches any more."""
        if job is not None and job.asking is not None:
            self._end(job.asking)
        self._arrange()

    def heard(self, job: Job) -> None:
        """Take in a snapshot that came from elsewhere, such as the answer to a cancellation."""
        if job.id is not None:
            job_loop.hand_over(partial(self._jobs.receive, job.id, job))

    @job_loop.hops
    async def aclose(self) -> None:
        """End all watches, and return when no task is left."""
        for watch in self._jobs.watches():
            self.stop(watch)
        self._arrange()
        await asyncio.gather(*self._stopping, return_exceptions=True)

    # What runs

    def _arrange(self) -> None:
        """Start the tasks that watching needs, and stop them where no job is left."""
        if self._jobs and not self._helpers:
            self._helpers = [self._begin(self._follow()), self._begin(self._deadlines())]
        elif not self._jobs:
            while self._helpers:
                self._end(self._helpers.pop())
            if self._listing is not None:
                self._end(self._listing)
                self._listing = None
        self._wake.set()

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
        self._jobs.give_up(
            list(self._jobs),
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

    async def _follow(self) -> None:
        """Ask what the schedule says, when it says."""
        while self._jobs and self._wanted:
            question = self._schedule.decide(self._situation())
            seconds = question.at - self._clock.monotonic()
            if question.kind is not Kind.WAIT:
                seconds = max(seconds, self._delay(question))
            if seconds > 0:
                seconds = min(max(seconds, _SHORTEST), self._pace.window / _AGAIN)
                await sleep_or_wake(seconds, self._wake, self._clock.sleep)
            elif question.kind is Kind.LIST:
                self._budget.spend()
                self._listing = self._begin(self._list(question))
            else:
                self._budget.spend()
                job = self._jobs[question.job_id]
                job.asking = self._begin(self._hold(job))

    def _situation(self) -> Situation:
        now = self._clock.monotonic()
        # While nobody knows who else uses the key, a list tells; the answer to a request that is held does not.
        unsure = self._budget.unsure and not self._budget.shared
        return Situation(
            now=now,
            jobs=[job.seen(now) for job in self._jobs.values()],
            places=self._budget.places,
            used=self._budget.used,
            listed_at=self._asking.listed_at,
            listing=self._listing is not None,
            progress_due=self._progress_due,
            holds=self._asking.holds and not (unsure and not all(job.quick for job in self._jobs.values())),
            lists=self._asking.lists,
            crowded=self._budget.shared,
            reliable=reliable(self._jobs.outcomes, now=now, window=self._pace.window),
        )

    def _delay(self, question: Question) -> float:
        """Return the seconds until the budget has a place for a question."""
        if question.kind is Kind.HOLD:
            job = self._jobs[question.job_id]
            return self._budget.delay(urgent=job.heard_at is None and job.quick)
        return self._budget.delay()

    async def _hold(self, job: WatchedJob) -> None:
        """Ask for one job, held by the service until it ends."""
        failures = 0
        try:
            while self._jobs.get(job.job_id) is job and self._wanted:
                if failures:
                    await self._budget.take()
                asked = self._clock.monotonic()
                try:
                    answer = await self._asking.held(job.job_id)
                except NovaKitError as error:
                    failures += 1
                    await self._after_failure(error, [job.job_id], failures)
                    continue
                if self._clock.monotonic() - asked > self._pace.window / _HELD and not answer.ended:
                    self._jobs.aimed_wrongly(job)
                self._jobs.receive(job.job_id, answer)
                break
        finally:
            job.asking = None
            if not self._asking.holds:
                self._restart_progress()
            self._wake.set()

    async def _list(self, question: Question) -> None:
        """Ask for all jobs at once, once."""
        try:
            await (self._lists.progress() if question.progress else self._lists.all())
        except NovaKitError as error:
            self._list_failures += 1
            # While all jobs are held, a list that fails costs the progress only; the held requests tell of real trouble.
            await self._after_failure(error, [] if question.progress else list(self._jobs), self._list_failures)
        else:
            self._list_failures = 0
            self._interval = self._pace.after(self._interval)
            self._progress_due = self._clock.monotonic() + self._interval
        finally:
            if self._listing is asyncio.current_task():
                self._listing = None
            self._wake.set()

    async def _deadlines(self) -> None:
        """End the watches whose time is over. Time in which nobody could ask, since the machine slept, does not count."""
        while self._jobs and self._wanted:
            look = self._clock.monotonic() + self._pace.window / _LOOKS

            def moment(look: float = look) -> float:
                return min((look, *(watch.deadline for watch in self._jobs.watches())))

            while (seconds := moment() - self._clock.monotonic()) > 0:
                await sleep_or_wake(seconds, self._wake, self._clock.sleep)
            now = self._clock.monotonic()
            slept = now - moment()
            if slept > self._pace.window / _ASLEEP:
                for watch in self._jobs.watches():
                    watch.deadline += slept
            for watch in [watch for watch in self._jobs.watches() if watch.deadline <= now]:
                self._jobs.finish(watch, timed_out(watch))

    # What an answer means

    async def _after_failure(self, error: NovaKitError, job_ids: Iterable[str], failures: int) -> None:
        """Decide what a failed request means, and wait as long as it asks for."""
        if isinstance(error, AuthenticationError):
            self._jobs.give_up(list(self._jobs), error)
        elif is_final(error):
            self._jobs.give_up(job_ids, error)
        else:
            self._jobs.trouble(job_ids, error)
            if isinstance(error, RateLimitError):
                self._budget.refused(DEFAULT_RETRY_AFTER if error.retry_after is None else error.retry_after)
            else:
                await self._clock.sleep(self._pace.retry(failures, self._clock.random))

    def _restart_progress(self) -> None:
        self._interval = self._pace.first
        self._progress_due = min(self._progress_due, self._clock.monotonic() + self._interval)


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
        lambda: PollingBudget(pace.window, margin=_MARGIN, fair=allowance_of(client.account).fair),
        still_fits=lambda budget: budget.window == pace.window,
    )
    return JobTracker(client, pace=pace, budget=budget)
