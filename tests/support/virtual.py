"""An event loop whose time is virtual, and a service that lives on it: hours of watching in milliseconds."""

from __future__ import annotations

import asyncio
import gc
import selectors
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timezone
from random import Random
from typing import TYPE_CHECKING

from novakit_widgets.errors import NotFoundError, NovaKitError
from novakit_widgets.model.job import Job, JobStatus
from novakit_widgets.model.rate_limit import RateLimit
from novakit_widgets.runtime import loop as job_loop
from novakit_widgets.runtime.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable


class _NoWait(selectors.DefaultSelector):
    """Where a real selector would wait, this one moves the loop's time on."""

    def __init__(self):
        super().__init__()
        self.now = 0.0

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise AssertionError("the loop would wait for ever")
            self.now += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop on which an hour's sleep takes no time."""

    def __init__(self):
        self._virtual = _NoWait()
        super().__init__(self._virtual)
        self.problems = []
        self.set_exception_handler(lambda _loop, context: self.problems.append(context))

    def time(self):
        return self._virtual.now


def clock_of(loop, random=lambda: 0.5):
    """Return the clock of a loop's virtual time, which is the wall's as well."""
    return Clock(now=lambda: datetime.fromtimestamp(loop.time(), tz=timezone.utc), monotonic=loop.time, random=random)


def run(main):
    """Run a coroutine on a loop of its own; whatever it left behind, or nobody looked at, is a failure."""
    loop = VirtualLoop()
    try:
        with job_loop.use(loop):
            result = loop.run_until_complete(main)
        for _ in range(5):  # what was cancelled in the last step needs some more to be gone
            loop.run_until_complete(asyncio.sleep(0))
        left = [task for task in asyncio.all_tasks(loop) if not task.done()]
        assert not left, f"tasks left running: {left}"
        gc.collect()
        assert not loop.problems, loop.problems
        return result
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def linear(done, _chance):
    """Progress that tells the truth."""
    return 100.0 * done


def noisy(done, chance):
    """Progress with a noise of 4 %."""
    return 100.0 * done + chance.gauss(0.0, 4.0)


def none(_done, _chance):
    """No progress at all."""
    return


def zero(_done, _chance):
    """Nothing until the end."""
    return 0.0


def jumping(done, _chance):
    """A few steps that tell little."""
    return (0.0, 10.0, 90.0, 95.0)[min(3, int(4 * done))]


def hasty(done, _chance):
    """Progress that lies: fast at first, slower and slower."""
    return 95.0 * (1.0 - (1.0 - done) ** 4)


def backwards(done, _chance):
    """Progress that begins again and again."""
    return 300.0 * done % 100.0


PROGRESS = {kind.__name__: kind for kind in (linear, noisy, none, zero, jumping, hasty, backwards)}


@dataclass
class Served:
    """A job as the service keeps it."""

    job_id: str
    created: float
    seconds: float
    outcome: JobStatus = JobStatus.COMPLETED
    tool: str = "video"
    progress: Callable[[float, Random], float | None] = linear

    def at(self, now):
        """Show the job as it is at a moment."""
        ended = now >= self.created + self.seconds
        if not ended:
            percent = self.progress((now - self.created) / self.seconds, Random(f"{self.job_id} {now:.3f}"))
            progress = None if percent is None else min(99.0, max(0.0, percent))
            return Job(self.job_id, JobStatus.PROCESSING, progress=progress, tool=self.tool)
        output = {"video": {"url": f"https://cdn.example/{self.job_id}.mp4"}}
        return Job(self.job_id, self.outcome, progress=100.0, tool=self.tool, output=output)


class Service:
    """A service in virtual time: what a tracker asks, and how often."""

    def __init__(self, *, hold=30.0, latency=0.02, limit=None, strict=False, progress=linear):
        self.hold = hold
        self.latency = latency
        self.limit = limit
        self.strict = strict
        self.progress = progress
        self.jobs = {}
        self.requests = []
        self.faults = []

    @property
    def now(self):
        return asyncio.get_running_loop().time()

    @property
    def rate_limit(self):
        return None if self.limit is None else RateLimit(self.limit)

    def add(self, seconds, outcome=JobStatus.COMPLETED, tool="video"):
        """Start a job that takes so many seconds."""
        job_id = f"job_{len(self.jobs)}"
        self.jobs[job_id] = Served(job_id, self.now, seconds, outcome, tool, self.progress)
        return self.jobs[job_id].at(self.now)

    def fail(self, error, *, times=1, kind=None):
        """Answer the next requests (of a kind) with an error."""
        self.faults.append([kind, times, error])

    def counts(self):
        """Count the requests by kind."""
        return Counter(kind for _, kind, _ in self.requests)

    def most_in_a_window(self, window=60.0):
        """Return the most requests that any window saw."""
        times = [at for at, _, _ in self.requests]
        return max((sum(1 for t in times if at <= t < at + window) for at in times), default=0)

    async def _arrive(self, kind, what):
        self.requests.append((self.now, kind, what))
        await asyncio.sleep(self.latency)
        for fault in self.faults:
            if fault[0] in (None, kind) and fault[1] > 0:
                fault[1] -= 1
                error = fault[2]
                raise error if isinstance(error, NovaKitError) else error()

    async def get(self, job_id, *, poll=False, retry=True):
        assert retry is False, "the tracker counts its own requests"
        await self._arrive("poll" if poll else "get", job_id)
        job = self.jobs.get(job_id)
        if job is None:
            raise NotFoundError("no such job", 404, job_id=job_id)
        if poll:
            left = job.created + job.seconds - self.now
            if left > 0:
                await asyncio.sleep(min(self.hold, left))
        return job.at(self.now)

    async def list(self, *, pending=None, limit=None, retry=True):
        assert retry is False, "the tracker counts its own requests"
        await self._arrive("list", pending)
        shown = [job.at(self.now) for job in reversed(self.jobs.values())]
        if pending:
            shown = [job for job in shown if not job.ended]
        return tuple(shown[: limit or 20])
