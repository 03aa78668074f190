"""A queue against the real sandbox: every item once, one failure among many, holds, limits, cancelling."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
import tracemalloc
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import pytest
from loops import leave
from programs import run_program

from novakit_widgets import NovaKitClient, Sandbox, settings
from novakit_widgets.batches.queue import ItemState, JobQueue
from novakit_widgets.engine.run import JobRun
from novakit_widgets.errors import (
    AuthenticationError,
    ConfigurationError,
    JobFailedError,
    QuotaExceededError,
    SubmissionUncertainError,
)
from novakit_widgets.job_history.jobs import JobHistory
from novakit_widgets.limits import tool_limits
from novakit_widgets.model.tools import Tool
from novakit_widgets.runtime import registry
from novakit_widgets.runtime.clock import Clock
from novakit_widgets.sandbox import Fault


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
        await leave(queue)


async def nap(_seconds):
    """Wait for next to nothing."""
    await asyncio.sleep(0.005)


async def until(come, seconds=30.0):
    """Wait for something that comes about beside the test."""
    end = time.monotonic() + seconds
    while not come():
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.005)


def free_port():
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def states(queue):
    """Count the items by state."""
    return Counter(str(item.state) for item in queue.items)


def progress(queue):
    """Return how far the running items are."""
    return [item.run.job.progress for item in queue.items if item.state is ItemState.RUNNING]


def answers(sandbox, method="POST"):
    """Count the answers to requests of a kind by status."""
    return Counter(record.status for record in sandbox.requests if record.method == method)


async def test_queue_submits_each_item_once_in_order(serve, queue_of):
    """Each item becomes one job, submitted in the items' order, and the result belongs to its item."""
    sandbox = serve()
    queue = queue_of(sandbox, [f"Lighthouse {number}" for number in range(12)], max_running=1)
    await asyncio.wait_for(queue.wait(), 20)
    assert states(queue) == {"completed": 12}
    assert queue.settled
    assert [job.params["prompt"] for job in sandbox.jobs.values()] == [f"Lighthouse {number}" for number in range(12)]
    assert [item.run.job_id for item in queue.items] == list(sandbox.jobs)
    assert all(item.run.result().media for item in queue.items)


async def test_queue_with_a_failed_job_continues(serve, queue_of):
    """A job that fails and one that is refused are told at their items; the others are made."""
    sandbox = serve()
    queue = queue_of(sandbox, ["one", "fail please", "", "four"])
    ended = [item async for item in queue.settled_items()]
    assert sorted(item.number for item in ended) == [0, 1, 2, 3]
    assert [str(item.state) for item in queue.items] == ["completed", "failed", "refused", "completed"]
    with pytest.raises(JobFailedError):
        queue.items[1].run.result()


async def test_queue_quota_exceeded_is_on_hold(serve, queue_of):
    """A 402 is no failure of its item: it waits, and after the word of the user all goes on."""
    sandbox = serve(quotas={"image_generations": 3})
    queue = queue_of(sandbox, [f"Lighthouse {number}" for number in range(5)], max_running=1)
    await asyncio.wait_for(queue.wait(), 20)
    assert isinstance(queue.held, QuotaExceededError)
    assert states(queue) == {"completed": 3, "waiting": 2}
    assert queue.items[3].starts_at is None
    assert queue.items[3].reason == "on hold"
    assert not queue.settled
    queue.resume()
    await asyncio.wait_for(queue.wait(), 20)
    assert answers(sandbox) == {200: 3, 402: 2}  # asked once more, in vain


async def test_queue_quota_exceeded_submits_one_at_a_time(serve, queue_of):
    """While jobs run, too, each word of the user brings one POST, not a burst that is all refused."""
    sandbox = serve(speed=20.0, quotas={"image_generations": 4}, durations={"image": (100, 200)})
    queue = queue_of(sandbox, [f"Lighthouse {number}" for number in range(40)])
    queue.start()
    await until(lambda: queue.held is not None and not len(queue._throttle))
    assert states(queue) == {"running": 4, "waiting": 36}
    refused = answers(sandbox)[402]
    for more in (1, 2, 3):
        queue.resume()
        await until(lambda: queue.held is not None and not len(queue._throttle))
        heard = progress(queue)
        await until(lambda heard=heard: heard != progress(queue))
        assert answers(sandbox)[402] == refused + more
    queue.cancel()
    await asyncio.wait_for(queue.wait(), 20)


@pytest.mark.parametrize("fault", [Fault.status(500), Fault.not_json(status_code=502), Fault.status(503)])
async def test_queue_during_an_outage_keeps_its_items(serve, queue_of, fault):
    """After two lost answers in a row the rest is held; each word of the user tries one; in the end all are made, once."""
    sandbox = serve()
    sandbox.inject(fault, method="POST", times=None)
    queue = queue_of(sandbox, [f"Lighthouse {number}" for number in range(12)], clock=Clock(sleep=nap))
    await asyncio.wait_for(queue.wait(), 20)
    assert states(queue) == {"uncertain": 2, "waiting": 10}
    assert isinstance(queue.held, SubmissionUncertainError)
    assert "2 submissions in a row were lost" in queue.held.message
    assert "resume" in queue.held.message
    status = queue.held.status_code
    assert answers(sandbox) == {status: 2}
    assert answers(sandbox, "GET")[200] <= 6  # three looks, and one list for both
    queue.resume()
    await asyncio.wait_for(queue.wait(), 20)
    assert states(queue) == {"uncertain": 3, "waiting": 9}
    assert answers(sandbox) == {status: 3}
    sandbox.clear_faults()
    queue.resume()
    await asyncio.wait_for(queue.wait(), 20)
    assert states(queue) == {"uncertain": 3, "completed": 9}
    asked = answers(sandbox, "GET")[200]
    queue.retry(queue.items)
    await until(lambda: queue.count(ItemState.UNCERTAIN) == 0)
    assert [record.path for record in sandbox.requests if record.method == "GET"][asked:].count("/jobs") <= 4
    await asyncio.wait_for(queue.wait(), 20)
    assert states(queue) == {"completed": 12}
    assert len(sandbox.jobs) == 12


async def test_queue_with_one_lost_answer_continues(serve, queue_of):
    """Every other answer is lost: what arrived is found, and the batch goes on by itself."""
    sandbox = serve()
    for after in range(0, 12, 2):
        sandbox.inject(Fault.reset_after(), method="POST", times=1, after=after)
    queue = queue_of(sandbox, [f"Lighthouse {number}" for number in range(12)], clock=Clock(sleep=nap))
    await asyncio.wait_for(queue.wait(), 20)
    assert states(queue) == {"completed": 12}
    assert len(sandbox.jobs) == 12


async def test_equal_items_get_a_job_each(serve, queue_of):
    """Both answers are lost and one never arrived: it is told, and trying it again makes the job that is missing."""
    sandbox = serve()
    sandbox.inject(Fault.reset_after(), method="POST", times=1)
    sandbox.inject(Fault.reset_before(), method="POST", times=1)
    queue = queue_of(sandbox, ["A lighthouse"] * 2, clock=Clock(sleep=nap))
    await asyncio.wait_for(queue.wait(), 20)
    assert states(queue) == {"completed": 1, "uncertain": 1}
    queue.retry(queue.items)
    await until(lambda: queue.count(ItemState.COMPLETED) == 2)
    assert {item.run.job_id for item in queue.items} == set(sandbox.jobs)
    assert len(sandbox.jobs) == 2


def test_max_running_invalid_is_refused(sandbox):
    """How many may run at once is a whole number from 1 on."""
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    for wrong in (0, -1, 1.5, True, "3"):
        with pytest.raises(ConfigurationError, match="max_running"):
            JobQueue([], client=client, max_running=wrong)


async def test_queue_within_the_limits_gets_no_429(serve, queue_of):
    """Ten images a minute, at 200 times the speed: thirty take two windows, and the service refuses none."""
    sandbox = serve(speed=200.0, limits="documented", durations={"image": 1})
    queue = queue_of(sandbox, [f"Lighthouse {number}" for number in range(30)])
    began = asyncio.get_running_loop().time()
    queue.start()
    while not sandbox.jobs:
        await asyncio.sleep(0.005)
    first, last = queue.items[10], queue.items[29]
    assert last.state is ItemState.WAITING
    assert last.reason == "10 images a minute"
    assert 0.2 < (last.starts_at - first.starts_at).total_seconds() < 0.4
    await asyncio.wait_for(queue.wait(), 20)
    seconds = asyncio.get_running_loop().time() - began
    assert states(queue) == {"completed": 30}
    assert answers(sandbox) == {200: 30}
    assert seconds >= 0.6


async def test_queue_of_many_takes_the_least_time(serve, queue_of):
    """Ten videos of five an hour, an hour in six seconds: one hour, with less than another on top, and no 429."""
    sandbox = serve(speed=600.0, limits="documented", durations={"video": 30})
    queue = queue_of(sandbox, [f"Lighthouse {number}" for number in range(10)], Tool.VIDEO)
    began = asyncio.get_running_loop().time()
    await asyncio.wait_for(queue.wait(), 20)
    seconds = asyncio.get_running_loop().time() - began
    assert states(queue) == {"completed": 10}
    assert answers(sandbox) == {200: 10}
    assert 6.0 <= seconds < 12.0  # the benchmark measures it


async def test_queues_of_one_key_share_the_limits(serve, queue_of):
    """Of one key, whoever asks: neither makes the other run into a 429."""
    sandbox = serve(speed=200.0, limits="documented", durations={"image": 1})
    queues = [queue_of(sandbox, [f"{name} {number}" for number in range(12)]) for name in ("a", "b")]
    await asyncio.wait_for(asyncio.gather(*(queue.wait() for queue in queues)), 20)
    assert answers(sandbox) == {200: 24}


async def test_submissions_of_an_earlier_kernel_count(serve, queue_of, history):
    """A restarted kernel knows from the history that the window is full."""
    sandbox = serve(speed=60.0, limits="documented", durations={"image": 1})
    first = queue_of(sandbox, [f"a {number}" for number in range(10)])
    await asyncio.wait_for(first.wait(), 20)
    registry.forget_all()  # as a new process begins
    await asyncio.wait_for(queue_of(sandbox, ["b 1", "b 2"]).wait(), 20)
    assert answers(sandbox) == {200: 12}


async def test_retry_after_long_is_waited_for(serve, queue_of):
    """A 429 that asks for more than a call sits out is no failure: the item waits, and says until when."""
    sandbox = serve()
    sandbox.inject(Fault.status(429, retry_after=90), method="POST", times=1)
    queue = queue_of(sandbox, ["one", "two"], max_running=1)
    queue.start()
    await until(lambda: queue.items[0].reason == "NovaKit asked for a pause")
    assert states(queue) == {"waiting": 2}
    ahead = queue.items[0].starts_at - datetime.now(timezone.utc)
    assert 80.0 < ahead.total_seconds() <= 90.0
    queue._allowance._paused.clear()  # as if it were over
    queue._allowance.pause(None, 0.0)
    await asyncio.wait_for(queue.wait(), 20)
    assert states(queue) == {"completed": 2}
    assert len(sandbox.jobs) == 2


async def test_queue_with_a_shared_key_slows_down(serve, queue_of):
    """Once it was refused for what others did, a tool is tried one at a time: no burst of POSTs that are all refused."""
    sandbox = serve(speed=20.0, limits="documented", durations={"video": 1})
    queue = queue_of(sandbox, [f"ours {number}" for number in range(6)], Tool.VIDEO)
    for number in range(4):
        await queue.client.submit("video", {"prompt": f"theirs {number}"})
    queue.start()
    await until(lambda: states(queue) == {"completed": 1, "waiting": 5})
    refused = answers(sandbox)[429]
    assert answers(sandbox) == {200: 5, 429: refused}
    assert refused <= 2
    queue._allowance._paused.clear()  # as if it were over, and the others had been faster again
    queue._allowance.pause(None, 0.0)
    await until(lambda: answers(sandbox)[429] > refused)
    await until(lambda: states(queue) == {"completed": 1, "waiting": 5})
    assert answers(sandbox) == {200: 5, 429: refused + 1}


async def test_queue_with_a_revoked_key_is_on_hold(serve, queue_of):
    """What every other item would be refused for as well, stops the queue rather than refuse them one by one."""
    sandbox = serve()
    queue = queue_of(sandbox, [f"Lighthouse {number}" for number in range(30)])
    sandbox.revoke(sandbox.api_key)
    await asyncio.wait_for(queue.wait(), 20)
    assert isinstance(queue.held, AuthenticationError)
    assert states(queue) == {"waiting": 30}
    assert len(sandbox.requests) <= 10


async def test_queue_without_a_network_waits(nothing_left, history):
    """Nothing is refused because nobody could be reached; once the service is there again, all are made."""
    sandbox = Sandbox(speed=1000.0, limits="off", quotas="off", media="canned", seed=1, port=free_port())
    with sandbox:
        url = sandbox.base_url
    settings.configure(speed=1000.0, limits="off")
    client = NovaKitClient(sandbox.api_key, url)
    queue = JobQueue([(Tool.IMAGE, {"prompt": str(number)}) for number in range(3)], client=client, history=history)
    queue.start()
    await until(lambda: queue._throttle._failures >= 2)
    assert states(queue).keys() <= {"waiting", "running"}
    await until(lambda: queue.items[2].reason == "NovaKit can't be reached")
    with sandbox:
        await asyncio.wait_for(queue.wait(), 30)
        assert states(queue) == {"completed": 3}
        assert len(sandbox.jobs) == 3
        await leave(queue)


async def test_cancel_cancels_all_items(serve, queue_of, monkeypatch):
    """With 100 running: what waits is never submitted, what runs is deleted within the requests, what had ended stays."""
    sandbox = serve(speed=30.0, limits="requests", plan="business", durations={"image": (60, 6000)})
    queue = queue_of(sandbox, [f"Lighthouse {number}" for number in range(120)])
    queue.start()
    await until(lambda: len(sandbox.jobs) >= 100 and queue.count(ItemState.COMPLETED) >= 2, seconds=60)
    left, delete = [], JobRun.delete

    async def noted(run, **options):
        left.append(queue._allowance._requests._moments[-1])
        return await delete(run, **options)

    monkeypatch.setattr(JobRun, "delete", noted)
    told = len(sandbox.requests)
    queue.cancel()
    assert queue.count(ItemState.WAITING) == 0
    await asyncio.wait_for(queue.wait(), 60)
    assert queue.settled
    assert queue.count(ItemState.COMPLETED) + queue.count(ItemState.CANCELLED) == 120
    assert all(item.run.result().media for item in queue.items if item.state is ItemState.COMPLETED)
    assert {str(job.status) for job in sandbox.jobs.values()} == {"completed", "cancelled"}
    after = sandbox.requests[told:]
    assert Counter(record.method for record in after)["POST"] <= 10  # those that were on their way
    # A question can still be on its way when all have ended; whatever changes something has its answer.
    assert {record.status for record in after if record.method != "GET" or record.status is not None} == {200}
    assert 90 <= Counter(record.method for record in after)["DELETE"] <= len(left)
    # Half of 120 a minute, at 30 times the speed, as they leave: a busy machine may have several arrive at once.
    assert all(later - earlier > 1.999 for earlier, later in zip(left, left[60:], strict=False))


async def test_cancel_item_drops_or_cancels_it(serve, queue_of):
    """An item that waits is never submitted; one that runs is cancelled at the service."""
    sandbox = serve(speed=10.0)
    queue = queue_of(sandbox, ["one", "two", "three"], max_running=1)
    queue.start()
    await until(lambda: sandbox.jobs)
    queue.cancel_item(queue.items[1])
    queue.cancel_item(queue.items[0])
    await until(lambda: queue.items[0].state is ItemState.CANCELLED)
    await asyncio.wait_for(queue.wait(), 20)
    assert [str(item.state) for item in queue.items] == ["cancelled", "cancelled", "completed"]
    assert [job.params["prompt"] for job in sandbox.jobs.values()] == ["one", "three"]


async def test_cancel_item_refused_meanwhile_is_cancelled(serve, queue_of):
    """Nothing was started, so it is cancelled, and not taken back to be submitted later."""
    sandbox = serve(quotas={"image_generations": 0})
    sandbox.inject(Fault.delay(0.3), method="POST", times=1)
    queue = queue_of(sandbox, ["one", "two"], max_running=1)
    queue.start()
    await until(lambda: sandbox.requests)
    queue.cancel_item(queue.items[0])
    await asyncio.wait_for(queue.wait(), 20)
    assert [str(item.state) for item in queue.items] == ["cancelled", "waiting"]
    assert isinstance(queue.held, QuotaExceededError)
    queue.cancel_item(queue.items[1])
    assert queue.settled
    assert queue.held is None


async def test_retry_submits_failed_items_again(serve, queue_of, history):
    """Failed, cancelled and refused items get another job each when asked for; completed ones do not."""
    sandbox = serve(quotas={"image_generations": 100})
    sandbox.inject(Fault.status(500), method="POST", times=None)
    sandbox.clear_faults()
    queue = queue_of(sandbox, ["one", "fail please", ""])
    await asyncio.wait_for(queue.wait(), 20)
    first = queue.items[1].run
    ended = [item.number async for item in queue.settled_items()]
    assert sorted(ended) == [0, 1, 2]
    queue.retry(queue.items)
    assert queue.items[1].run is not first
    await asyncio.wait_for(queue.wait(), 20)
    assert states(queue) == {"completed": 1, "failed": 1, "refused": 1}
    assert [job.params["prompt"] for job in sandbox.jobs.values()].count("fail please") == 2
    assert answers(sandbox)[400] == 2
    await until(lambda: history.batches.find(queue.batch_id) is None)


async def test_retry_of_uncertain_item_looks_it_up_first(serve, queue_of):
    """It arrived after all: trying it again finds its job, and none is made twice."""
    sandbox = serve()
    sandbox.inject(Fault.reset_after(), method="POST", times=1)
    sandbox.inject(Fault.status(403), method="GET", path="/jobs*", times=1)
    queue = queue_of(sandbox, ["one"])
    await asyncio.wait_for(queue.wait(), 20)
    assert states(queue) == {"uncertain": 1}
    assert queue.settled
    queue.retry(queue.items)
    await until(lambda: queue.items[0].state is ItemState.COMPLETED)
    assert len(sandbox.jobs) == 1


async def test_retry_of_uncertain_item_not_found_submits_it(serve, queue_of):
    """The service has no such job; only the user's own word brings another POST."""
    sandbox = serve()
    sandbox.inject(Fault.reset_before(), method="POST", times=1)
    sandbox.inject(Fault.status(403), method="GET", path="/jobs*", times=2)
    queue = queue_of(sandbox, ["one"], clock=Clock(sleep=nap))
    await asyncio.wait_for(queue.wait(), 20)
    assert states(queue) == {"uncertain": 1}
    queue.retry(queue.items)
    await until(lambda: "can't be looked up" in queue.items[0].run.note)
    assert states(queue) == {"uncertain": 1}
    queue.retry(queue.items)
    await until(lambda: queue.items[0].state is ItemState.COMPLETED)
    assert answers(sandbox) == {None: 1, 200: 1}


async def test_retry_of_uncertain_item_with_several_matches_submits_nothing(serve, queue_of):
    """Somebody else made the same just now: neither job is taken, and none is submitted."""
    sandbox = serve()
    sandbox.inject(Fault.reset_after(), method="POST", times=1)
    sandbox.inject(Fault.status(403), method="GET", path="/jobs*", times=1)
    queue = queue_of(sandbox, ["one"])
    await asyncio.wait_for(queue.wait(), 20)
    await queue.client.submit("image", {"prompt": "one"})
    queue.retry(queue.items)
    await until(lambda: "2 jobs could be it" in queue.items[0].run.note)
    assert states(queue) == {"uncertain": 1}
    assert len(sandbox.jobs) == 2


async def test_reuse_takes_jobs_of_the_history(serve, queue_of):
    """The same batch again submits nothing, and its items have the results; without reuse they say that there are some."""
    sandbox = serve()
    first = queue_of(sandbox, ["one", "two"])
    await asyncio.wait_for(first.wait(), 20)
    again = queue_of(sandbox, ["two", "one", "three"], reuse=True)
    await asyncio.wait_for(again.wait(), 5)
    assert states(again) == {"completed": 3}
    assert [item.run.job_id for item in again.items[:2]] == [first.items[1].run.job_id, first.items[0].run.job_id]
    assert again.items[0].run.reused
    assert all(item.run.result().media for item in again.items)
    assert len(sandbox.jobs) == 3
    anew = queue_of(sandbox, ["one"])
    await asyncio.wait_for(anew.wait(), 20)
    assert "You generated the same" in anew.items[0].run.equal.note
    assert len(sandbox.jobs) == 4


async def test_reuse_takes_jobs_of_lost_answers(serve, queue_of, history):
    """Of two equal items one was submitted before, and its answer lost: its job is found first, and only the other one paid."""
    sandbox = serve()
    sandbox.inject(Fault.reset_after(), method="POST", times=1)
    sandbox.inject(Fault.status(403), method="GET", path="/jobs*", times=1)
    first = queue_of(sandbox, ["one"])
    await asyncio.wait_for(first.wait(), 20)
    assert states(first) == {"uncertain": 1}
    again = queue_of(sandbox, ["one", "two"], reuse=True)
    await asyncio.wait_for(again.wait(), 20)
    assert states(again) == {"completed": 2}
    assert again.items[0].run.reused
    assert len(sandbox.jobs) == 2
    assert history.lost() == []


async def test_reuse_of_uncertain_submission_submits_nothing(serve, queue_of):
    """Whether an equal job runs can't be told: its item is not submitted, and trying again asks again."""
    sandbox = serve()
    sandbox.inject(Fault.reset_after(), method="POST", times=1)
    denied = sandbox.inject(Fault.status(403), method="GET", path="/jobs", times=None)
    first = queue_of(sandbox, ["one"])
    await asyncio.wait_for(first.wait(), 20)
    again = queue_of(sandbox, ["one"], reuse=True)
    await asyncio.wait_for(again.wait(), 20)
    assert states(again) == {"uncertain": 1}
    assert "Nothing was submitted now" in again.items[0].run.error.message
    assert len(sandbox.jobs) == 1
    sandbox.clear_faults()
    assert denied.hits
    again.retry(again.items)
    await until(lambda: states(again) == {"completed": 1})
    assert len(sandbox.jobs) == 1


async def gone(sandbox, queue):
    """Have a queue's one job made, and the service forget it."""
    await asyncio.wait_for(queue.wait(), 20)
    job_id = queue.items[0].run.job_id
    sandbox.inject(Fault.status(404), method="GET", path=f"/jobs/{job_id}", times=None)
    return job_id


async def test_reuse_of_unknown_job_submits_in_its_turn(serve, queue_of, history):
    """A reused job that is gone: its item waits as any other does, within the limits, and is an item of its batch."""
    sandbox = serve()
    first = queue_of(sandbox, ["one"])
    job_id = await gone(sandbox, first)
    settings.configure(limits={"image": (2, 1_000_000)})
    items = [(Tool.IMAGE, {"prompt": prompt}) for prompt in ("two", "one")]
    again = JobQueue(items, client=first.client, history=history, reuse=True)
    again.start()
    await until(lambda: states(again) == {"completed": 1, "waiting": 1} and again.items[1].reason.startswith("2 im"))
    assert len(sandbox.jobs) == 2
    assert job_id in again.items[1].run.note
    assert not again.items[1].run.reused
    await until(lambda: history.batches.find(again.batch_id).items[1].waits)  # written down a moment later
    again._allowance._tools.clear()  # as if the time were over
    again._allowance.pause(None, 0.0)
    await asyncio.wait_for(again.wait(), 20)
    assert states(again) == {"completed": 2}
    assert len(sandbox.jobs) == 3
    (row,) = [entry for entry in history.entries() if entry.job.id == again.items[1].run.job_id]
    assert (row.batch, row.place) == (again.batch_id, 1)
    await leave(again)


async def test_reuse_of_unknown_job_cancelled_submits_nothing(serve, queue_of):
    """The user wanted it no more while it was being asked for."""
    sandbox = serve()
    await gone(sandbox, queue_of(sandbox, ["one"]))
    sandbox.inject(Fault.delay(0.3), method="GET", path="/jobs/*", times=1)
    again = queue_of(sandbox, ["one"], reuse=True)
    again.start()
    await until(lambda: again.items[0].state is ItemState.RUNNING)
    again.cancel()
    await asyncio.wait_for(again.wait(), 20)
    assert states(again) == {"cancelled": 1}
    assert len(sandbox.jobs) == 1


async def test_listener_that_raises_does_not_affect_jobs(serve, queue_of, nothing_left):
    """It is told to the loop, and the jobs go on; each change of an item is told, and the end as a whole."""
    sandbox, told = serve(), []

    def listen(item):
        told.append(item and (item.number, str(item.state)))
        raise RuntimeError("the user's own")

    queue = queue_of(sandbox, ["one", "two"], on_change=listen)
    await asyncio.wait_for(queue.wait(), 20)
    assert {(0, "running"), (0, "completed"), (1, "completed"), None} <= set(told)
    assert {str(problem["exception"]) for problem in nothing_left} == {"the user's own"}
    nothing_left.clear()


async def test_internal_error_puts_the_queue_on_hold(serve, queue_of, nothing_left, monkeypatch):
    """Whatever it is, it is told to the loop and shown, and nobody waits for ever."""
    sandbox = serve()
    queue = queue_of(sandbox, ["one"])
    monkeypatch.setattr(queue._submitting, "_submit", lambda item: 1 / 0)
    await asyncio.wait_for(queue.wait(), 20)
    assert "fault of novakit_widgets itself (ZeroDivisionError" in str(queue.held)
    assert [type(problem["exception"]) for problem in nothing_left] == [ZeroDivisionError]
    nothing_left.clear()


async def test_retry_of_unwatched_job_watches_it_again(serve, queue_of):
    """A time-out is no end of the job: retry() goes on watching, and submits nothing."""
    sandbox = serve(speed=1.0, durations={"image": 600.0})
    queue = queue_of(sandbox, ["one"], timeout=0.2)
    await asyncio.wait_for(queue.wait(), 20)
    assert states(queue) == {"left": 1}
    assert [item.number async for item in queue.settled_items()] == [0]
    queue.timeout = 20.0
    queue.items[0].run.timeout = 20.0
    queue.retry(queue.items)
    await until(lambda: queue.items[0].state is ItemState.RUNNING)
    sandbox.finish()
    await until(lambda: queue.items[0].state is ItemState.COMPLETED)
    assert len(sandbox.jobs) == 1


@pytest.mark.parametrize("why", ["time-out", "404"])
def test_script_watches_unwatched_jobs_again(serve, history, why):
    """retry() goes on watching, and nothing more is submitted."""
    sandbox = serve(speed=1.0)
    settings.configure(limits="off")
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    queue = JobQueue([(Tool.IMAGE, {"prompt": "one"})], client=client, history=history, timeout=0.2)
    sandbox.next_duration(600.0)
    if why == "404":
        sandbox.inject(Fault.status(404), method="GET", path="/jobs*", times=None)
    assert queue.wait_blocking(20) is True
    assert states(queue) == {"left": 1}
    assert queue.settled
    sandbox.clear_faults()
    queue.items[0].run.timeout = 20.0
    queue.retry(queue.items)
    assert not queue.settled
    threading.Timer(0.2, sandbox.finish).start()
    assert queue.wait_blocking(20) is True
    assert states(queue) == {"completed": 1}
    assert queue.settled
    assert len(sandbox.jobs) == 1


def test_script_wait_timed_out_keeps_the_batch(serve, history):
    """Its jobs run on; once they are cancelled there is nothing to watch, and nothing is kept for another process."""
    sandbox = serve(speed=1.0)
    settings.configure(limits="off")
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    queue = JobQueue([(Tool.IMAGE, {"prompt": "one"})], client=client, history=history)
    sandbox.next_duration(1_000_000.0)
    assert queue.wait_blocking(0.3) is False
    script_until(lambda: states(queue) == {"running": 1})
    assert not queue.settled
    assert history.batches.find(queue.batch_id) is not None
    queue.cancel()
    script_until(lambda: states(queue) == {"cancelled": 1})
    assert queue.settled
    script_until(lambda: history.batches.find(queue.batch_id) is None)


def script_until(condition):
    """Wait for something in a test that has no loop."""
    asyncio.run(until(condition))


def test_script_waits_for_its_batch(serve, history):
    """It begins at the call, and goes on whether somebody waits or not."""
    sandbox = serve(speed=100.0, limits="off", durations={"image": 30})
    settings.configure(speed=100.0, limits="off")
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    items = [(Tool.IMAGE, {"prompt": str(number)}) for number in range(6)]
    queue = JobQueue(items, client=client, history=history, max_running=2)
    queue.start()
    script_until(lambda: len(sandbox.jobs) > 2)
    assert queue.wait_blocking(20) is True
    assert states(queue) == {"completed": 6}
    assert sorted(job.params["prompt"] for job in sandbox.jobs.values()) == [str(number) for number in range(6)]
    queue = JobQueue(items, client=client, history=history)
    queue.cancel()
    assert states(queue) == {"cancelled": 6}
    assert queue.wait_blocking(5) is True
    assert len(sandbox.jobs) == 6


@pytest.mark.parametrize("how", ["looks for twins", "counts what was submitted"])
async def test_queue_loop_ended_before_the_first_submission_continues(serve, history, monkeypatch, how):
    """What it was reading in the history is read when it goes on: nothing is paid again, and no limit is forgotten."""
    sandbox = serve()
    settings.configure(speed=sandbox.speed, limits={"image": (3, 1_000_000)})
    items = [(Tool.IMAGE, {"prompt": prompt}) for prompt in ("one", "two")]
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    await JobQueue(items, client=client, history=history).wait()
    registry.forget_all()  # as a new process begins
    again = JobQueue([*items, (Tool.IMAGE, {"prompt": "three"})], client=client, history=history, reuse=True)
    method = "twins" if how == "looks for twins" else "begun"
    reading, ended = threading.Event(), threading.Event()
    read = getattr(history, method)

    def slowly(*args, **kwargs):
        reading.set()
        assert ended.wait(20)
        return read(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(history, method, slowly)
        waiting = asyncio.ensure_future(again.wait())
        await until(reading.is_set)
        waiting.cancel()
        again._tasks["submit"].cancel()
        await until(again._tasks["submit"].done)
        ended.set()
    await asyncio.wait_for(again.wait(), 20)
    assert states(again) == {"completed": 3}
    assert len(sandbox.jobs) == 3
    assert again._allowance.wait(Tool.IMAGE) > 0.0  # three are all that it lets through
    await client.aclose()


def test_wait_on_two_threads_one_times_out(serve, history):
    """The other one gets what it waits for, and each job is made once."""
    sandbox = serve(speed=100.0, durations={"image": 100})
    settings.configure(speed=100.0, limits="off")
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    queue = JobQueue(
        [(Tool.IMAGE, {"prompt": str(number)}) for number in range(4)], client=client, history=history, max_running=1
    )
    with ThreadPoolExecutor() as threads:
        waiting = [threads.submit(queue.wait_blocking, seconds) for seconds in (0.5, 20)]
        assert [one.result(30) for one in waiting] == [False, True]
    assert states(queue) == {"completed": 4}
    assert sorted(job.params["prompt"] for job in sandbox.jobs.values()) == [str(number) for number in range(4)]


def test_loop_ended_leaves_the_jobs_running(serve, history):
    """An `asyncio.run` of one's own, with a time-out: the jobs are watched on, and the next wait has them."""
    sandbox = serve(speed=100.0, limits="off", durations={"image": 100})
    settings.configure(speed=100.0, limits="off")
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    queue = JobQueue([(Tool.IMAGE, {"prompt": str(number)}) for number in range(4)], client=client, history=history)

    async def give_up():
        waiting = asyncio.ensure_future(queue.wait())
        await until(lambda: sum("poll" in request.query for request in sandbox.requests) == 4)
        waiting.cancel()

    asyncio.run(give_up())
    assert states(queue) == {"running": 4}
    assert queue.wait_blocking(20) is True
    assert states(queue) == {"completed": 4}
    assert len(sandbox.jobs) == 4


def test_queue_in_a_forked_process_is_refused():
    """Two processes would submit what waits, so the child is told to wait for it in the parent."""
    ended = run_program("""
        import multiprocessing, os
        os.environ["NOVAKIT_HISTORY"] = "off"
        import novakit_widgets as nk

        def child(told, board):
            try:
                board.wait(20)
            except nk.NovaKitError as error:
                told.put(str(error))

        with nk.Sandbox(speed=20, limits="off") as s:
            nk.configure(api_key=s.api_key, base_url=s.base_url, limits="off")
            board = nk.batch("image", ["x", "y"])
            context = multiprocessing.get_context("fork")
            told = context.SimpleQueue()
            process = context.Process(target=child, args=(told, board))
            process.start()
            print("forked" in told.get(), len(board.wait(30)), len(s.jobs))
            process.join(20)
    """)
    assert (ended.stdout.split(), ended.stderr) == (["True", "2", "2"], "")


async def test_wait_returns_after_the_files_are_saved(serve, history, tmp_path):
    """With configure(save_to=…): waiting, and each item that is told of as ended."""
    sandbox = serve()
    settings.configure(save_to=tmp_path / "all", limits="off")
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    items = [(Tool.IMAGE, {"prompt": str(number)}) for number in range(3)]
    queue = JobQueue(items, client=client, history=history)
    async for item in queue.settled_items():
        assert len(item.run.saved) == 1
    await queue.wait()
    files = [file.name for file in (tmp_path / "all").iterdir()]
    assert len(files) == 3
    assert not any(name.startswith(".") for name in files)
    await client.aclose()


async def test_queue_methods_work_on_other_threads(serve, queue_of):
    """A click may come on any thread; another thread may wait, too."""
    sandbox = serve()
    queue = queue_of(sandbox, [f"Lighthouse {number}" for number in range(5)], max_running=1)
    queue.start()
    await asyncio.to_thread(queue.cancel_item, queue.items[4])
    assert await asyncio.to_thread(lambda: asyncio.run(asyncio.wait_for(queue.wait(), 20))) is None
    assert states(queue) == {"completed": 4, "cancelled": 1}


async def test_queue_of_a_thousand_uses_little_memory(sandbox):
    """Under 60 kB each, and as many forecasts as the board asks for cost one look at the order."""
    settings.configure(limits="documented")
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    items = [(Tool.IMAGE, {"prompt": f"Lighthouse {number}"}) for number in range(1000)]
    tracemalloc.start()
    # A clock that stands still, so that all forecasts are of the same moment.
    noon = datetime(2026, 11, 25, 12, tzinfo=timezone.utc)
    clock = Clock(now=lambda: noon, monotonic=lambda: 0.0)
    queue = JobQueue(items, client=client, history=JobHistory(None), clock=clock)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 60_000 * 1000
    queue._submitting._allowance = tool_limits.Allowance(speed=sandbox.speed, clock=clock)
    looks, count = [], queue._lines._count
    queue._lines._count = lambda: looks.append(1) or count()
    times = [item.starts_at for item in queue.items]
    assert times == sorted(times)
    assert 99 * 60 / 1000 <= (times[-1] - times[0]).total_seconds() < 100
    assert len(looks) == 1


def test_queue_without_items_is_settled(sandbox, history):
    """Nothing to do is done at once."""
    queue = JobQueue([], client=NovaKitClient(sandbox.api_key, sandbox.base_url), history=history)
    assert queue.settled
    assert queue.wait_blocking(5) is True
    assert repr(queue) == "<JobQueue of nothing>"
