"""How late the end of a job is noticed, by the number of jobs, the plan and the kind of progress: in virtual time.

The real `JobTracker` runs beside models of other ways to poll, each against the same simulated service, which counts every request
of the key in a sliding window and refuses what is above its limit. The same seed gives the same numbers.
The oracle knows when each job ends, and asks for it then, with the requests that our policy's lists leave; lists notice the others.
"""

from __future__ import annotations

import asyncio
import selectors
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from random import Random
from statistics import mean, median
from typing import TYPE_CHECKING, Any

from novakit_widgets.engine.tracker import JobTracker
from novakit_widgets.errors import RateLimitError
from novakit_widgets.limits.schedule import MOST_HELD
from novakit_widgets.model.job import Job, JobStatus
from novakit_widgets.model.rate_limit import RateLimit
from novakit_widgets.runtime import loop as job_loop
from novakit_widgets.runtime.clock import Clock
from novakit_widgets.runtime.sliding_window import SlidingWindow

from ..report import Report, percentile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

__all__ = ["run"]

_MINUTE = 60.0
_HOLD = 30.0  # seconds; documented: a long poll is held for as long
_ROUND_TRIP = 0.08  # seconds
_SNAPSHOTS = 10.0  # seconds between two lists of the policy before this one
_FEW = 0.1  # seconds: lateness that nobody notices; a ratio to less says nothing
_NOISE = 4.0  # percent
_LARGE = 300  # requests a minute: with fewer, a thousand jobs at once take hours
_SMALL = 30
_TYPICAL = 12  # jobs
_DOZENS = 8
_APART = 300.0  # seconds
_ROUNDING = 1e-6  # seconds


class _NoWait(selectors.DefaultSelector):
    """Where a real selector waits, this one moves the time on."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            self.now += max(timeout or 0.0, 0.0)
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _NoWait()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def _linear(done: float, _chance: Random) -> float | None:
    return 100.0 * done


def _noisy(done: float, chance: Random) -> float | None:
    return 100.0 * done + chance.gauss(0.0, _NOISE)


def _none(_done: float, _chance: Random) -> float | None:
    return None


def _jumping(done: float, _chance: Random) -> float | None:
    return (0.0, 10.0, 90.0, 95.0)[min(3, int(4 * done))]


_PROGRESS: dict[str, Callable[[float, Random], float | None]] = {
    "linear": _linear,
    "noisy": _noisy,
    "none": _none,
    "jumping": _jumping,
}


@dataclass(frozen=True)
class _Case:
    """Some jobs on a plan.

    Attributes:
        name: for people.
        limit: requests a minute.
        progress: its kind.
        jobs: when each is submitted, and how many seconds it takes.
        tool: of all jobs.
    """

    name: str
    limit: int
    progress: str
    jobs: Sequence[tuple[float, float]]
    tool: str = "video"


@dataclass
class _Service:
    """The simulated service; a client of `JobTracker`."""

    case: _Case
    jobs: dict[str, tuple[float, float]] = field(default_factory=dict)
    asked: list[float] = field(default_factory=list)
    refused: int = 0

    def __post_init__(self) -> None:
        self._window = SlidingWindow(self.case.limit, _MINUTE)

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def rate_limit(self) -> RateLimit:
        return RateLimit(self.case.limit)

    def add(self, seconds: float) -> Job:
        job_id = f"job_{len(self.jobs)}"
        self.jobs[job_id] = (self.now, self.now + seconds)
        return self.shown(job_id)

    def ended(self, job_id: str) -> bool:
        return self.now >= self.jobs[job_id][1]

    def shown(self, job_id: str) -> Job:
        began, ends = self.jobs[job_id]
        if self.now >= ends:
            return Job(
                job_id, JobStatus.COMPLETED, progress=100.0, tool=self.case.tool, output={"url": "https://a.example/a"}
            )
        chance = Random(f"{job_id} {self.now:.3f}")  # noqa: S311 # noise
        percent = _PROGRESS[self.case.progress]((self.now - began) / (ends - began), chance)
        progress = None if percent is None else min(99.0, max(0.0, percent))
        return Job(job_id, JobStatus.PROCESSING, progress=progress, tool=self.case.tool)

    async def _arrive(self) -> None:
        await asyncio.sleep(_ROUND_TRIP / 2)
        self.asked.append(self.now)
        wait = self._window.wait(self.now)
        if wait > 0:
            self.refused += 1
            await asyncio.sleep(_ROUND_TRIP / 2)
            raise RateLimitError("too many", 429, retry_after=wait)
        self._window.add(self.now)

    async def get(self, job_id: str, *, poll: bool = False, retry: bool = True) -> Job:
        del retry
        await self._arrive()
        if poll:
            await asyncio.sleep(max(0.0, min(_HOLD, self.jobs[job_id][1] - self.now)))
        job = self.shown(job_id)
        await asyncio.sleep(_ROUND_TRIP / 2)
        return job

    async def list(
        self, *, pending: bool | None = None, limit: int | None = None, retry: bool = True
    ) -> tuple[Job, ...]:
        del retry
        await self._arrive()
        newest = (job_id for job_id in reversed(self.jobs) if not (pending and self.ended(job_id)))
        jobs = tuple(self.shown(job_id) for job_id, _ in zip(newest, range(limit or 20), strict=False))
        await asyncio.sleep(_ROUND_TRIP / 2)
        return jobs


def _ours(service: _Service) -> Callable[[Job], Awaitable[None]]:
    loop = asyncio.get_running_loop()
    clock = Clock(now=lambda: datetime.fromtimestamp(loop.time(), tz=timezone.utc), monotonic=loop.time)
    tracker = JobTracker(service, clock=clock)

    async def watch(job: Job) -> None:
        over = asyncio.Event()
        watched = tracker.watch(job, timeout=1e6, on_change=lambda: over.set() if watched.over else None)
        await over.wait()

    return watch


def _each(pause: float, *, poll: bool) -> Callable[[_Service], Callable[[Job], Awaitable[None]]]:
    """Make a contender that asks for each job on its own, as a pasted loop does."""

    def contender(service: _Service) -> Callable[[Job], Awaitable[None]]:
        async def watch(job: Job) -> None:
            assert job.id is not None
            while True:
                try:
                    if (await service.get(job.id, poll=poll)).ended:
                        return
                except RateLimitError:
                    pass  # these loops wait as after any other answer
                await asyncio.sleep(pause)

        return watch

    return contender


def _before(service: _Service) -> Callable[[Job], Awaitable[None]]:
    """The policy before this one: a long poll for each of a few jobs, one list every 10 s for more."""
    waiting: dict[str, asyncio.Event] = {}
    tasks: set[asyncio.Task[None]] = set()

    async def lists() -> None:
        while waiting:
            await asyncio.sleep(_SNAPSHOTS)
            for job in await service.list(limit=100):
                if job.ended and job.id in waiting:
                    waiting[job.id].set()

    async def watch(job: Job) -> None:
        assert job.id is not None
        over = waiting[job.id] = asyncio.Event()
        if not tasks:
            task = asyncio.ensure_future(lists())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        while not over.is_set():
            fits = 2 * len(waiting) + _MINUTE / _SNAPSHOTS <= service.case.limit // 2
            if fits and len(waiting) <= MOST_HELD:
                if (await service.get(job.id, poll=True)).ended:
                    break
            else:
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(over.wait(), 1.0)
        del waiting[job.id]

    return watch


def _oracle(service: _Service) -> Callable[[Job], Awaitable[None]]:
    """Asks for each job when it has ended, with the requests that lists leave; those notice the others."""
    every = max(1.0, 2 * _MINUTE / (service.case.limit // 2))
    places = SlidingWindow(max(1, int(service.case.limit // 2 - _MINUTE / every)), _MINUTE)

    async def watch(job: Job) -> None:
        assert job.id is not None
        end = service.jobs[job.id][1]
        await asyncio.sleep(end - service.now)
        if places.wait(service.now) > 0:
            await asyncio.sleep(-end % every)
        else:
            places.add(service.now)
            service.asked.append(service.now)
        await asyncio.sleep(_ROUND_TRIP / 2)

    return watch


_CONTENDERS: dict[str, tuple[Callable[[_Service], Callable[[Job], Awaitable[None]]], int]] = {
    # With the most jobs that it is tried with: a storm of refused requests takes long to simulate, and tells no more.
    "JobTracker": (_ours, 1000),
    "one list every 10 s": (_before, 100),
    "the guide's loop": (_each(5.0, poll=True), 100),
    "polling every 0.5 s": (_each(0.5, poll=False), 96),
    "polling every 5 s": (_each(5.0, poll=False), 100),
    "polling every 10 s": (_each(10.0, poll=False), 100),
    "an oracle": (_oracle, 1000),
}


def _run(name: str, case: _Case) -> tuple[list[float], _Service]:
    """Run one contender; return how late each end was noticed, and the service."""
    loop = _VirtualLoop()

    async def main() -> tuple[list[float], _Service]:
        service = _Service(case)
        watch = _CONTENDERS[name][0](service)

        async def one(at: float, seconds: float) -> float:
            await asyncio.sleep(at)
            await watch(service.add(seconds))
            return service.now - at - seconds

        late = await asyncio.gather(*(one(*job) for job in case.jobs))
        return list(late), service

    try:
        with job_loop.use(loop):
            return loop.run_until_complete(main())
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def _most(moments: Sequence[float]) -> int:
    """Return the most events in any minute."""
    recent: deque[float] = deque()
    most = 0
    for at in sorted(moments):
        recent.append(at)
        while recent[0] <= at - _MINUTE + _ROUNDING:
            recent.popleft()
        most = max(most, len(recent))
    return most


def _cases(chance: Random) -> list[_Case]:
    cases = []
    for limit in (30, 60, 120, 300):
        for count in (1, 4, 12, 40, 100, 1000) if limit == _LARGE else (1, 4, 12, 40, 100):
            for progress in _PROGRESS if count == _TYPICAL else ("noisy",):
                # Twelve jobs are few for an average: several dozens, each long after those before.
                begins = [_APART * number for number in range(_DOZENS if count == _TYPICAL else 1)]
                jobs = [(begin, chance.uniform(20.0, 60.0)) for begin in begins for _ in range(count)]
                cases.append(_Case(f"{count:,} at once", limit, progress, jobs))
        for progress in _PROGRESS:
            jobs = [(6.0 * number, chance.uniform(5.0, 30.0)) for number in range(60)]
            cases.append(_Case("images, 10 a minute", limit, progress, jobs, "image"))
    return cases


def run(seed: int = 1) -> Report:
    """Simulate all cases, which takes a minute.

    Args:
        seed: how long the jobs take.
    """
    others = [name for name in _CONTENDERS if name != "JobTracker"]
    report = Report(
        "notice: how late the end of a job is noticed, in virtual time",
        (
            *("jobs", "requests a minute", "progress", "mean, s", "median, s", "p99, s", "most polls a minute"),
            *(f"{name}, mean / ours" for name in others),
        ),
    )
    for case in _cases(Random(seed)):  # noqa: S311 # how long jobs take
        late, service = _run("JobTracker", case)
        ours, most = mean(late), _most(service.asked)
        ratios = [
            round(max(mean(_run(name, case)[0]), _FEW) / max(ours, _FEW), 2)
            if len(case.jobs) <= _CONTENDERS[name][1]
            else None
            for name in others
        ]
        numbers = (round(ours, 3), round(median(late), 3), round(percentile(late, 0.99), 3), most)
        report.add(case.name, case.limit, case.progress, *numbers, *ratios)
        _goals(report, case, ours, most)
    report.notes.append(
        f"a ratio takes less than {_FEW:g} s for {_FEW:g} s; left out where a loop would be refused for hours"
    )
    report.notes.append("jobs at once take 20 to 60 s, images 5 to 30 s; a round trip takes 0.08 s")
    return report


def _goals(report: Report, case: _Case, late: float, most: int) -> None:
    where = f"{case.name}, {case.limit} requests a minute, {case.progress}"
    if most > case.limit // 2:
        report.goal(f"polls in a minute, {where}", most, case.limit // 2)
    known = case.progress in ("linear", "noisy")
    if case.name == "12 at once" and case.limit == _SMALL and known:
        report.goal(f"mean lateness, {where}", late, 1.2, " s")
    elif case.name == "40 at once" and case.limit == _LARGE:
        report.goal(f"mean lateness, {where}", late, 0.3, " s")
    elif case.name.startswith("images") and known and case.limit in (_SMALL, 2 * _SMALL):
        report.goal(f"mean lateness, {where}", late, 2.0 if case.limit == _SMALL else 0.15, " s")
