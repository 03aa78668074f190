"""Several kernels on one key, which never talk to each other: in virtual time, with the service's own sliding window."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual import Service, clock_of, run

from novakit_widgets.engine.tracker import JobTracker
from novakit_widgets.errors import RateLimitError
from novakit_widgets.limits.budget import PollingBudget
from novakit_widgets.model.rate_limit import RateLimit
from novakit_widgets.runtime.sliding_window import SlidingWindow

MINUTE = 60.0


class Key(Service):
    """A service that counts all requests of one key, tells what is left, and refuses what is too much."""

    def __init__(self, limit=30, *, tells=True):
        super().__init__(limit=limit)
        self.window = SlidingWindow(limit, MINUTE)
        self.tells = tells
        self.refused = 0

    def admit(self):
        """Count a request, or refuse it; return what is left."""
        wait = self.window.wait(self.now)
        if wait > 0:
            self.refused += 1
            raise RateLimitError("too many", 429, retry_after=math.ceil(wait))  # the header has whole seconds
        self.window.add(self.now)
        return self.limit - self.window.used(self.now)


class Kernel:
    """What one kernel's tracker asks, all with the same key."""

    def __init__(self, key, random):
        self.key = key
        self.sent = deque()
        self.rate_limit = None
        loop = asyncio.get_running_loop()
        clock = clock_of(loop, random)
        self.tracker = JobTracker(self, clock=clock, budget=PollingBudget(MINUTE, clock=clock))

    async def _asking(self, request):
        now = self.key.now
        try:
            left = self.key.admit()
        except RateLimitError:
            request.close()
            raise
        self.sent.append(now)
        while self.sent[0] <= now - MINUTE:
            self.sent.popleft()
        sent = len(self.sent)
        answer = await request
        if self.key.tells:
            # As the service does: what was left when the request came in.
            self.rate_limit = RateLimit(self.key.limit, left, sent=sent, sent_at=now)
        return answer

    async def get(self, job_id, *, poll=False, retry=True):
        return await self._asking(self.key.get(job_id, poll=poll, retry=retry))

    async def list(self, *, pending=None, limit=None, retry=True):
        return await self._asking(self.key.list(pending=pending, limit=limit, retry=retry))

    async def submit(self, seconds):
        """Submit a job, again and again while that is refused."""

        async def add():
            await asyncio.sleep(self.key.latency)
            return self.key.add(seconds)

        while True:
            try:
                return await self._asking(add())
            except RateLimitError as error:
                await asyncio.sleep(error.retry_after)

    async def run(self, count, seconds, timeout=3_000.0):
        """Submit jobs and return how long each took from its submission until its end was noticed."""
        began = self.key.now
        noticed = []
        watches = []
        for _ in range(count):
            job = await self.submit(seconds)
            watch = self.tracker.watch(job, timeout=timeout)
            watch.on_change = lambda watch=watch: watch.over and noticed.append(self.key.now - began)
            watches.append(watch)
        while not all(watch.over for watch in watches):
            await asyncio.sleep(0.5)
        assert [watch.job.status for watch in watches] == ["completed"] * count
        await self.tracker.aclose()
        return noticed


def share(kernels, *, jobs=1, seconds=60.0, spread=3.0, seed=0, limit=30, tells=True, foreign=None):
    """Run kernels on one key; return all times from submission to notice, and the key."""

    async def main():
        key = Key(limit, tells=tells)
        chance = Random(seed)

        async def one():
            await asyncio.sleep(chance.random() * spread)
            return await Kernel(key, Random(chance.random()).random).run(jobs, seconds)

        other = None if foreign is None else asyncio.ensure_future(foreign(key))
        times = [time for times in await asyncio.gather(*(one() for _ in range(kernels))) for time in times]
        if other is not None:
            other.cancel()
        return times, key

    return run(main())


async def greedy(key):
    """Ask without end, as a pasted loop does."""
    while True:
        try:
            key.admit()
        except RateLimitError as error:
            await asyncio.sleep(error.retry_after)
        await asyncio.sleep(2.5)


@pytest.mark.parametrize(("spread", "most"), [(0.0, 0.04), (1.0, 0.02), (3.0, 0.02), (30.0, 0.02)])
def test_twenty_kernels_on_the_smallest_plan_see_every_end(spread, most):
    """None is starved, and hardly a request is refused, even if all start at the same moment."""
    refused = asked = 0
    for seed in range(10):
        times, key = share(20, spread=spread, seed=seed)
        assert len(times) == 20
        assert max(times) < 2 * median(times)
        refused += key.refused
        asked += key.refused + len(key.requests) + 20
    assert refused / asked < most


def test_one_kernel_alone_is_not_slowed_down():
    """The end is noticed at once, and the bar moves meanwhile."""
    times, key = share(1)
    assert times[0] == pytest.approx(60.0, abs=0.2)
    assert key.counts()["list"] >= 6
    assert key.refused == 0


@pytest.mark.parametrize(("kernels", "jobs"), [(2, 1), (5, 1), (10, 1), (5, 3)])
def test_some_kernels_with_some_jobs_see_each_end_within_a_minute(kernels, jobs):
    """Nothing is refused."""
    for seed in range(5):
        times, key = share(kernels, jobs=jobs, seed=seed)
        assert len(times) == kernels * jobs
        assert max(times) < 60.0 + MINUTE
        assert key.refused == 0


def test_a_greedy_client_does_not_starve_us():
    """Another loop on the same key sends as much as it can."""
    for seed in range(5):
        times, _ = share(3, seed=seed, foreign=greedy)
        assert max(times) < 60.0 + 3 * MINUTE


@given(
    st.integers(1, 12),
    st.integers(1, 3),
    st.floats(0.0, 90.0),
    st.integers(0, 10_000),
    st.sampled_from([10, 30, 120]),
    st.booleans(),
)
def test_any_number_of_kernels_sees_every_end(kernels, jobs, spread, seed, limit, tells):
    """Also where the service does not tell how many requests are left."""
    times, _ = share(kernels, jobs=jobs, spread=spread, seed=seed, limit=limit, tells=tells)
    assert len(times) == kernels * jobs
    assert max(times) < 60.0 + 10 * MINUTE
