"""How soon the end of a job is noticed, and how many requests that takes: in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual import PROGRESS, Service, clock_of, run

from novakit_widgets.engine.tracker import JobTracker

LATENCY = 0.04


@dataclass
class Noticed:
    """What a run told.

    Attributes:
        late: how many seconds after its end each job was noticed, by its seconds since the beginning of the run.
        gaps: the longest time in which the service told nothing of a running job, for each job.
        service: with all its requests.
    """

    late: dict[float, float] = field(default_factory=dict)
    gaps: list[float] = field(default_factory=list)
    service: Service | None = None

    @property
    def mean(self):
        return mean(self.late.values())


def notice(jobs, *, limit, progress="linear", tool="video", limits=()):
    """Watch jobs, each with the moment at which it is submitted and the seconds that it takes.

    Args:
        jobs: as said.
        limit: the key's requests a minute.
        progress: the kind of their progress.
        tool: of all jobs.
        limits: further limits, each with the moment from which on it holds.
    """

    async def main():
        service = Service(limit=limit, latency=LATENCY, progress=PROGRESS[progress])
        tracker = JobTracker(service, clock=clock_of(asyncio.get_running_loop()))
        noticed = Noticed(service=service)

        async def one(at, seconds):
            await asyncio.sleep(at)
            over = asyncio.Event()
            ended = at + seconds
            watch = tracker.watch(
                service.add(seconds, tool=tool), timeout=3_000.0, on_change=lambda: watch.over and over.set()
            )
            await over.wait()
            assert watch.job.status == "completed"
            noticed.late[ended] = service.now - ended

        async def change():
            for at, new in limits:
                await asyncio.sleep(at - service.now)
                service.limit = new

        await asyncio.gather(change(), *(one(*job) for job in jobs))
        await tracker.aclose()
        return noticed

    return run(main())


def at_once(count, least, most, seed=0):
    """Return jobs that are all submitted at the beginning."""
    chance = Random(seed)
    return [(0.0, chance.uniform(least, most)) for _ in range(count)]


def steadily(count, each, least, most, seed=0):
    """Return jobs that are submitted every few seconds."""
    chance = Random(seed)
    return [(number * each, chance.uniform(least, most)) for number in range(count)]


def test_notice_twelve_jobs_on_the_smallest_plan():
    """Of 20 to 60 s, started at once: 1.2 s late on average, with at most 15 requests in any minute."""
    runs = [notice(at_once(12, 20.0, 60.0, seed), limit=30) for seed in range(12)]
    assert mean(run.mean for run in runs) <= 1.2
    assert max(run.service.most_in_a_window() for run in runs) <= 15


@pytest.mark.parametrize("progress", ["linear", "noisy", "none", "jumping"])
def test_notice_forty_jobs_on_a_large_plan(progress):
    """At most 0.3 s late on average."""
    noticed = notice(at_once(40, 20.0, 60.0), limit=300, progress=progress)
    assert noticed.mean <= 0.3
    assert noticed.service.most_in_a_window() <= 150


def test_notice_one_job_a_few_requests_and_milliseconds():
    """At most 16 requests in a minute, and the end at once."""
    noticed = notice([(0.0, 60.0)], limit=30)
    assert noticed.mean <= 0.1
    assert len(noticed.service.requests) <= 16


@pytest.mark.parametrize("progress", ["linear", "noisy"])
@pytest.mark.parametrize(
    ("limit", "each", "most"),
    [(30, 6.0, 2.0), (30, 12.0, 0.3), (60, 6.0, 0.15), (120, 6.0, 0.15), (300, 6.0, 0.15)],
)
def test_notice_images_at_the_documented_limit(progress, limit, each, most):
    """Ten a minute, or five, in a steady stream."""
    noticed = notice(steadily(40, each, 5.0, 30.0), limit=limit, progress=progress, tool="image")
    assert noticed.mean <= most
    assert noticed.service.most_in_a_window() <= limit // 2


@pytest.mark.parametrize("progress", ["none", "zero", "hasty", "backwards", "jumping"])
def test_notice_progress_that_says_nothing_or_lies(progress):
    """After the first minute, never later than by a list every 60 / budget s, and no later than that on average before."""
    runs = [notice(at_once(12, 100.0, 190.0, seed), limit=30, progress=progress) for seed in range(4)]
    assert mean(run.mean for run in runs) <= 60 / 15
    assert max(late for run in runs for late in run.late.values()) <= 120 / 15 + 3 * LATENCY


def test_notice_a_larger_limit_is_used_at_once():
    """Ends are noticed as on the large plan as soon as a header says so."""
    jobs = at_once(40, 100.0, 160.0)
    noticed = notice(jobs, limit=30, limits=[(60.0, 300)])
    assert noticed.mean <= 0.3
    requests = [at for at, _, _ in noticed.service.requests]
    assert sum(1 for at in requests if at < 60.0) <= 15
    assert sum(1 for at in requests if 100.0 <= at < 160.0) > 15


def test_notice_a_smaller_limit_is_obeyed_at_once():
    """As far as the requests before it allow."""
    noticed = notice(at_once(40, 100.0, 220.0), limit=300, limits=[(60.0, 30)])
    requests = [at for at, _, _ in noticed.service.requests]
    assert max(sum(1 for at in requests if began <= at < began + 60.0) for began in range(122, 200)) <= 15


@given(
    jobs=st.lists(st.tuples(st.floats(0.0, 90.0), st.floats(0.5, 120.0)), min_size=1, max_size=30),
    limit=st.sampled_from([20, 30, 60, 120, 300]),
    progress=st.sampled_from(sorted(PROGRESS)),
    tool=st.sampled_from(["video", "image"]),
)
def test_notice_any_jobs_within_the_budget_and_in_time(jobs, limit, progress, tool):
    """No window has more than half of the key's requests, and no end is later than two windows over them."""
    noticed = notice(jobs, limit=limit, progress=progress, tool=tool)
    budget = limit // 2
    assert len(noticed.late) == len({at + seconds for at, seconds in jobs})
    assert noticed.service.most_in_a_window() <= budget
    assert max(noticed.late.values()) <= max(2.0, 120 / budget) + 4 * LATENCY


@given(
    jobs=st.lists(st.tuples(st.floats(0.0, 30.0), st.floats(15.0, 90.0)), min_size=1, max_size=20),
    limit=st.sampled_from([30, 60, 120]),
)
def test_notice_progress_moves_every_ten_seconds(jobs, limit):
    """Each running job is told of by a list, whatever is held."""
    service = notice(jobs, limit=limit).service
    told = [at for at, kind, _ in service.requests if kind == "list"]
    for began, seconds in jobs:
        ended = began + seconds
        heard = [began, *(at for at in told if began < at < ended), ended]
        assert max(after - before for before, after in pairwise(heard)) <= 10.0 + 4 * LATENCY
