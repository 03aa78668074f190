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
from novakit_widgets.limits.fair_share import FairShare
from novakit_widgets.model.rate_limit import RateLimit
from novakit_widgets.runtime.clock import Clock
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

    async def submit(self, seconds, tool="video"):
        """Submit a job, again and again while that is refused."""

        async def add():
            await asyncio.sleep(self.key.latency)
            return self.key.add(seconds, tool=tool)

        while True:
            try:
                return await self._asking(add())
            except RateLimitError as error:
                await asyncio.sleep(error.retry_after)

    async def run(self, count, seconds, timeout=3_000.0, tool="video"):
        """Submit jobs and return how long each took from its submission until its end was noticed."""
        began = self.key.now
        noticed = []
        watches = []
        for _ in range(count):
            job = await self.submit(seconds, tool)
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
    # A limit of 10 needs minutes for the submissions and the notices of 36 jobs alone.
    assert max(times) < 60.0 + (10 + 2 * kernels * jobs / limit) * MINUTE


def predecessors(processes, *, limit, jobs=1, seconds=3.0, pause=1.0, tool="image"):
    """Run processes one after the other on one key, each with some jobs; return how late each end is noticed, and the key."""

    async def main():
        key = Key(limit)
        late = []
        for number in range(processes):
            times = await Kernel(key, Random(number).random).run(jobs, seconds, tool=tool)
            late += [time - seconds for time in times]
            await asyncio.sleep(pause)
        return late, key

    return run(main())


@pytest.mark.parametrize(
    ("processes", "options"),
    [
        (10, {"limit": 60}),
        (10, {"limit": 30, "pause": 2.0}),
        (8, {"limit": 60, "tool": "video"}),
        (8, {"limit": 60, "tool": "music", "seconds": 5.0}),
        (6, {"limit": 60, "seconds": 12.0}),
        (6, {"limit": 60, "seconds": 40.0, "tool": "video"}),
        (3, {"limit": 60, "jobs": 3, "seconds": 10.0}),
        (2, {"limit": 60, "jobs": 4, "seconds": 20.0, "tool": "video"}),
    ],
    ids=[
        "one-line script",
        "on the smallest plan",
        "videos",
        "music",
        "papermill",
        "papermill, videos",
        "run all",
        "restart and run all",
    ],
)
def test_fair_share_processes_that_ended_are_no_rivals(processes, options):
    """What was used before the first answer puts nothing off: the last process takes as long as the first."""
    late, key = predecessors(processes, **options)
    assert max(late) < 2.5
    assert key.refused == 0


def test_fair_share_ten_jobs_in_sequence_each_noticed_at_once():
    """As a test suite has them, in one process on the smallest plan: its own jobs that have ended are no rivals either."""

    async def main():
        key = Key(30)
        kernel = Kernel(key, Random(1).random)
        return [time - 3.0 for _ in range(10) for time in await kernel.run(1, 3.0, tool="image")], key

    late, key = run(main())
    assert max(late) < 0.5
    assert key.refused == 0


def told(fair, remaining, *, sent, now, took=0.1, limit=30):
    """Give an answer to a share."""
    fair.observe(RateLimit(limit, remaining, sent=sent, sent_at=now - took, answered_at=now))


def test_fair_share_held_answer_left_out():
    """Nobody documents whether it counts when it is asked or when it is answered."""
    now = [100.0]
    fair = FairShare(MINUTE, clock=Clock(monotonic=lambda: now[0], random=lambda: 0.5))
    told(fair, 29, sent=1, now=100.0)
    now[0] = 110.0
    told(fair, 10, sent=2, now=110.0, took=9.0)
    assert fair.requests is None
    told(fair, 9, sent=3, now=110.0)
    assert fair.requests is not None


def test_fair_share_load_that_ends_is_forgotten_after_a_window():
    """Others that have gone leave their share to us."""
    now = [100.0]
    fair = FairShare(MINUTE, clock=Clock(monotonic=lambda: now[0], random=lambda: 0.5))
    told(fair, 29, sent=1, now=100.0)
    now[0] = 110.0
    told(fair, 10, sent=2, now=110.0)
    assert fair.crowded
    now[0] = 171.0
    told(fair, 29, sent=1, now=171.0)
    assert not fair.crowded


def test_fair_share_first_question_of_a_quick_job_goes_out_while_the_key_has_room():
    """A newcomer that finds most of the key used puts off what can wait, and nothing else."""
    now = [100.0]
    fair = FairShare(MINUTE, clock=Clock(monotonic=lambda: now[0], random=lambda: 0.5))
    told(fair, 2, sent=1, now=100.0)
    assert fair.wait() > 0.0
    assert fair.wait(urgent=True) == 0.0
    fair.taken()
    fair.taken()
    assert fair.wait(urgent=True) > 0.0
