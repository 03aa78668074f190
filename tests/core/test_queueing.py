"""A queue against the real sandbox: every item once, one failure among many, holds, limits, cancelling."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from novakit_widgets import NovaKitClient, settings
from novakit_widgets.errors import ConfigurationError, JobFailedError, QuotaExceededError
from novakit_widgets.jobhistory import JobHistory
from novakit_widgets.jobs import Tool
from novakit_widgets.queueing import JobQueue, PlaceState


@pytest.fixture
def history(tmp_path):
    """An empty history."""
    return JobHistory(tmp_path / "history.sqlite3")


@pytest.fixture
async def queue_of(nothing_left, history):
    """Make queues on a sandbox; their connections and tasks end with the test."""
    made = []

    def make(sandbox, prompts, tool=Tool.IMAGE, **options):
        settings.configure(speed=sandbox.speed, limits=sandbox.tool_limits)
        client = NovaKitClient(sandbox.api_key, sandbox.base_url)
        items = [(tool, {"prompt": prompt}) for prompt in prompts]
        made.append(JobQueue(items, client=client, **{"history": history, **options}))
        return made[-1]

    yield make
    for queue in made:
        await queue.leave_loop()


def states(queue):
    """Count the places by state."""
    return Counter(str(place.state) for place in queue.places)


def answers(sandbox, method="POST"):
    """Count the answers to requests of a kind by status."""
    return Counter(record.status for record in sandbox.requests if record.method == method)


async def test_all_are_made_once_in_order(serve, queue_of):
    """Each item becomes one job, submitted in the items' order, and the result belongs to its place."""
    sandbox = serve()
    queue = queue_of(sandbox, [f"Lighthouse {number}" for number in range(12)], max_running=1)
    await asyncio.wait_for(queue.wait(), 20)
    assert states(queue) == {"completed": 12}
    assert queue.settled
    assert [job.params["prompt"] for job in sandbox.jobs.values()] == [f"Lighthouse {number}" for number in range(12)]
    assert [place.run.job_id for place in queue.places] == list(sandbox.jobs)
    assert all(place.run.result().media for place in queue.places)


async def test_one_failure_stops_nobody(serve, queue_of):
    """A job that fails and one that is refused are told at their places; the others are made."""
    sandbox = serve()
    queue = queue_of(sandbox, ["one", "fail please", "", "four"])
    ended = [place async for place in queue.settled_places()]
    assert sorted(place.number for place in ended) == [0, 1, 2, 3]
    assert [str(place.state) for place in queue.places] == ["completed", "failed", "refused", "completed"]
    with pytest.raises(JobFailedError):
        queue.places[1].run.result()


async def test_a_quota_that_runs_out_holds_the_queue(serve, queue_of):
    """A 402 is no failure of its place: it waits, and after the word of the user all goes on."""
    sandbox = serve(quotas={"image_generations": 3})
    queue = queue_of(sandbox, [f"Lighthouse {number}" for number in range(5)], max_running=1)
    await asyncio.wait_for(queue.wait(), 20)
    assert isinstance(queue.held, QuotaExceededError)
    assert states(queue) == {"completed": 3, "waiting": 2}
    assert queue.places[3].starts_at is None
    assert queue.places[3].reason == "on hold"
    assert not queue.settled
    queue.resume()
    await asyncio.wait_for(queue.wait(), 20)
    assert answers(sandbox) == {200: 3, 402: 2}  # asked once more, in vain


def test_no_such_number(sandbox):
    """How many may run at once is a whole number from 1 on."""
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    for wrong in (0, -1, 1.5, True, "3"):
        with pytest.raises(ConfigurationError, match="max_running"):
            JobQueue([], client=client, max_running=wrong)


async def test_limits_are_kept_without_a_429(serve, queue_of):
    """Ten images a minute, at 200 times the speed: thirty take two windows, and the service refuses none."""
    sandbox = serve(speed=200.0, limits="documented", durations={"image": 1})
    queue = queue_of(sandbox, [f"Lighthouse {number}" for number in range(30)])
    began = asyncio.get_running_loop().time()
    queue.start()
    while not sandbox.jobs:
        await asyncio.sleep(0.005)
    first, last = queue.places[10], queue.places[29]
    assert last.state is PlaceState.WAITING
    assert last.reason == "10 images a minute"
    assert 0.2 < (last.starts_at - first.starts_at).total_seconds() < 0.4
    await asyncio.wait_for(queue.wait(), 20)
    seconds = asyncio.get_running_loop().time() - began
    assert states(queue) == {"completed": 30}
    assert answers(sandbox) == {200: 30}
    assert 0.6 <= seconds < 3.0
