"""Batches on disk: what waits when a kernel dies goes on in another, and nothing is submitted twice."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
import weakref
from collections import Counter
from datetime import datetime, timedelta, timezone

import pytest
from batcher import go_on
from killing import kill_batches
from loops import leave, owning

from novakit_widgets import NovaKitClient, Sandbox, settings
from novakit_widgets.batches import work
from novakit_widgets.batches.queue import ItemState, JobQueue
from novakit_widgets.errors import ConfigurationError, JobNotStartedError, SubmissionUncertainError
from novakit_widgets.job_history.batches import LARGEST_ITEM, BatchItem, BatchRecord
from novakit_widgets.job_history.jobs import HistoryWarning, JobHistory
from novakit_widgets.model.job import Job, JobStatus
from novakit_widgets.model.tools import Tool
from novakit_widgets.notebook.recover import recover_all
from novakit_widgets.sandbox import Fault

BASE = "https://x.example/api/v1"
MADE = datetime(2026, 11, 23, 10, tzinfo=timezone.utc)
KEY = "sk_" + "0f" * 32


@pytest.fixture(autouse=True)
def _nothing_active(monkeypatch):
    """As in a new process: the queues of other tests, of the same names, are not at work any more."""
    monkeypatch.setattr(work, "_active", weakref.WeakSet())


@pytest.fixture
def history(tmp_path):
    """An empty history."""
    return JobHistory(tmp_path / "history.sqlite3")


@pytest.fixture
def sandbox():
    """A fast sandbox without limits."""
    with Sandbox(speed=300.0, limits="off", quotas="off", media="canned", seed=1) as running:
        settings.configure(speed=running.speed, limits="off")
        yield running


def record(*params, batch="b1", base_url=BASE, **more):
    """A batch of images."""
    items = tuple(BatchItem(Tool.IMAGE, one) for one in params)
    return BatchRecord(batch, base_url, MADE, items, 100, **more)


def elsewhere(history, code, *arguments):
    """Do something in a process that has ended since."""
    head = (
        "import sys, json; from pathlib import Path; from datetime import *; from novakit_widgets import Tool;"
        "from novakit_widgets.job_history.jobs import JobHistory; from novakit_widgets.job_history.batches import *;"
        "history = JobHistory(Path(sys.argv[1]));"
    )
    subprocess.run([sys.executable, "-c", head + code, history.path, *arguments], check=True)


def left_behind(history, base_url, *prompts, batch="b1"):
    """Open a batch as a process did that has died since."""
    code = (
        "items = tuple(BatchItem(Tool.IMAGE, {'prompt': prompt}) for prompt in json.loads(sys.argv[2]));"
        "history.batches.open(BatchRecord(sys.argv[4], sys.argv[3], datetime.now(timezone.utc), items, 100))"
    )
    elsewhere(history, code, json.dumps(prompts), base_url, batch)


def begun(history, base_url, place, prompt, batch="b1"):
    """Begin to submit a place as a process did that had the batch then, and has died since."""
    code = "history.begin(Tool.IMAGE, {'prompt': sys.argv[2]}, base_url=sys.argv[3], batch=sys.argv[4], place=int(sys.argv[5]))"
    elsewhere(history, "history.batches.claim(base_url=sys.argv[3]);" + code, prompt, base_url, batch, str(place))


def test_batch_opened_is_read_unchanged(history):
    """Parameters are whole, not shortened as a row's are; what else is kept comes back too."""
    params = ({"prompt": "A " * 20_000, "seed": 3}, {"prompt": "snow ❄ \ud800", "nested": {"a": [1, None, True]}})
    history.batches.open(record(*params, timeout=30.0, notebook="a.ipynb", about={"embed": "link"}))
    found = history.batches.find("b1")
    assert [dict(item.params) for item in found.items] == list(params)
    assert (found.base_url, found.made_at, found.max_running) == (BASE, MADE, 100)
    assert (found.timeout, found.notebook, dict(found.about)) == (30.0, "a.ipynb", {"embed": "link"})
    assert all(item.waits for item in found.items)


@pytest.mark.parametrize(
    "params",
    [{"image": "x" * (LARGEST_ITEM + 1)}, {"prompt": f"my key {KEY}"}, {"seed": float("nan")}, {"mask": object()}],
    ids=["large", "key", "nan", "object"],
)
def test_batch_params_with_a_key_are_not_recorded(history, params):
    """More than 1 MB, a key, or what is no JSON: the place is there, without its parameters."""
    history.batches.open(record({"prompt": "small"}, params))
    small, other = history.batches.find("b1").items
    assert small.params == {"prompt": "small"}
    assert other.params is None
    assert KEY.encode() not in history.path.read_bytes()


def test_batch_item_has_the_state_of_its_newest_row(history):
    """No row, or one that was never sent: it waits. After another try was asked for, earlier rows are of no account."""
    history.batches.open(record({"prompt": "a"}, {"prompt": "b"}, {"prompt": "c"}))

    def begin(place):
        return history.begin(Tool.IMAGE, {"prompt": "abc"[place]}, base_url=BASE, batch="b1", place=place)

    history.unsent(begin(0), "no network")
    history.started(begin(1), Job("job_1", JobStatus.FAILED), base_url=BASE)
    items = history.batches.find("b1").items
    assert [item.waits for item in items] == [True, False, True]
    assert items[1].entry.job.status is JobStatus.FAILED
    assert (items[1].entry.batch, items[1].entry.place) == ("b1", 1)
    history.batches.open(record({"prompt": "a"}, {"prompt": "b"}, {"prompt": "c"}), again=[1])
    assert history.batches.find("b1").items[1].waits
    history.started(begin(1), Job("job_2", JobStatus.PENDING), base_url=BASE)
    assert history.batches.find("b1").items[1].entry.job.id == "job_2"


def test_begun_returns_what_counts_against_the_limits(history):
    """What was submitted, from when its answer came, or some seconds after it was begun; another machine's, too."""
    now = [MADE]
    other = JobHistory(history.path, now=lambda: now[0])
    answered = other.begin(Tool.VIDEO, {"prompt": "a"}, base_url=BASE)
    other.begin(Tool.MUSIC, {"prompt": "b"}, base_url=BASE)
    other.unsent(other.begin(Tool.VIDEO, {"prompt": "c"}, base_url=BASE), "refused")
    other.begin(Tool.VIDEO, {"prompt": "d"}, base_url="https://other.example")
    other.update(Job("job_9", JobStatus.PENDING, tool="image"), base_url=BASE)
    now[0] += timedelta(seconds=3)
    other.started(answered, Job("job_1", JobStatus.PENDING), base_url=BASE)
    hour = timedelta(hours=1)
    asked = {"base_url": BASE, "late": timedelta(seconds=5)}
    found = other.begun(since=MADE - hour, before=MADE + hour, **asked)
    late = MADE + timedelta(seconds=5)
    assert sorted(found) == [(Tool.IMAGE, late), (Tool.MUSIC, late), (Tool.VIDEO, MADE + timedelta(seconds=3))]
    assert other.begun(since=MADE + hour, before=MADE + 2 * hour, **asked) == []
    assert other.begun(since=MADE - hour, before=MADE, **asked) == []


def test_begun_ignores_other_accounts(history):
    """Each has limits of its own; what is nobody's, as rows of an older version are, counts for all."""
    for tool, account in ((Tool.VIDEO, "ours"), (Tool.MUSIC, "theirs"), (Tool.IMAGE, None)):
        history.begin(tool, {"prompt": "a"}, base_url=BASE, account=account)
    hour = timedelta(hours=1)
    now = datetime.now(timezone.utc)
    found = history.begun(base_url=BASE, since=now - hour, before=now + hour, late=timedelta(0), account="ours")
    assert sorted(tool for tool, _ in found) == [Tool.IMAGE, Tool.VIDEO]


def test_restored_queue_counts_earlier_submissions(history):
    """Its kernel had used up the limit, so that what waits has to wait; with another key it would not."""
    with Sandbox(speed=300.0, limits="off", quotas="off", media="canned", seed=1) as sandbox:
        settings.configure(speed=sandbox.speed, limits={"image": (2, 1_000_000)})
        left_behind(history, sandbox.base_url, "a", "b")
        client = NovaKitClient(sandbox.api_key, sandbox.base_url)
        for prompt in ("c", "d"):
            history.begin(Tool.IMAGE, {"prompt": prompt}, base_url=sandbox.base_url, account=client.account)

        async def goes_on(client):
            queue = JobQueue.restored(history.batches.find("b1"), client=client, history=history)
            queue.resume()
            while not (queue._allowance.seeded and (sandbox.requests or queue.items[0].reason)):
                await asyncio.sleep(0.01)
            reason = queue.items[0].reason
            await leave(queue)
            return reason

        history.batches.claim(base_url=sandbox.base_url)
        assert owning(asyncio.wait_for(goes_on(client), 20)) == "2 images in 1e+06 s"
        assert not sandbox.requests
        another = NovaKitClient(sandbox.add_key(), sandbox.base_url)
        assert owning(asyncio.wait_for(goes_on(another), 20)) == ""
        assert sandbox.requests


def test_batch_dropped_and_closed_is_not_recovered(history):
    """What is dropped never waits again; a closed batch is not brought back, and its items are not kept."""
    history.batches.open(record({"prompt": "a"}, {"prompt": "b"}))
    history.batches.drop("b1", [1])
    assert [item.waits for item in history.batches.find("b1").items] == [True, False]
    history.batches.close("b1")
    assert history.batches.find("b1") is None
    assert history.batches.claim(base_url=BASE) == []
    database = sqlite3.connect(history.path)
    assert database.execute("SELECT count(*) FROM batch_items").fetchone() == (0,)
    database.close()


def test_claim_takes_only_batches_of_dead_processes(history):
    """Of this service, and not what this process is at work on."""
    left_behind(history, BASE, "a", batch="dead")
    left_behind(history, "https://other.example", "a", batch="other")
    history.batches.open(record({"prompt": "a"}, batch="mine"))
    assert history.batches.claim(base_url=BASE, active={"mine"}) == ["dead"]
    assert history.batches.claim(base_url=BASE, active={"mine", "dead"}) == []
    # Not shown on any board, it is offered again.
    assert history.batches.claim(base_url=BASE) == ["mine", "dead"]


def test_claim_by_two_processes_only_one_succeeds(history):
    """Processes that recover at the same time share the batches out."""
    for number in range(5):
        left_behind(history, BASE, "a", batch=f"b{number}")
    code = (
        "import sys; from pathlib import Path; from novakit_widgets.job_history.jobs import JobHistory;"
        "print(*JobHistory(Path(sys.argv[1])).batches.claim(base_url=sys.argv[2]), flush=True); sys.stdin.read()"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, history.path, BASE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(4)
    ]
    claimed = [batch for process in processes for batch in process.stdout.readline().split()]
    for process in processes:
        process.communicate()
    assert sorted(claimed) == [b"b0", b"b1", b"b2", b"b3", b"b4"]


def test_claim_of_unknown_process_needs_silence(history):
    """A batch of another host is claimed when it has given no sign of life for some minutes."""
    now = [MADE]
    other = JobHistory(history.path, now=lambda: now[0])
    other.batches.open(record({"prompt": "a"}))
    database = sqlite3.connect(history.path)
    with database:
        database.execute("UPDATE batches SET process = 'elsewhere 1 x/1'")
    database.close()
    now[0] += timedelta(minutes=4)
    assert other.batches.claim(base_url=BASE) == []
    now[0] += timedelta(minutes=2)
    assert other.batches.claim(base_url=BASE) == ["b1"]


def test_begin_after_a_takeover_is_refused(history):
    """Whoever has lost its batch to another is told so at its next submission, before anything is sent."""
    history.batches.open(record({"prompt": "a"}))
    database = sqlite3.connect(history.path)
    with database:
        database.execute("UPDATE batches SET process = 'elsewhere 1 x/1'")
    database.close()
    with pytest.raises(JobNotStartedError, match="taken this batch over"):
        history.begin(Tool.IMAGE, {"prompt": "a"}, base_url=BASE, batch="b1", place=0)
    assert history.entries() == []
    with pytest.raises(JobNotStartedError, match="taken this batch over"):
        history.batches.open(record({"prompt": "a"}))
    history.batches.drop("b1", [0])
    assert history.batches.find("b1").items[0].waits  # there


def test_begin_of_a_submitted_item_is_refused(history):
    """Two boards of one batch, made from two recoveries: the history lets one of them submit, until it is to be tried again."""
    history.batches.open(record({"prompt": "a"}, {"prompt": "b"}))

    def begin(place):
        return history.begin(Tool.IMAGE, {"prompt": "ab"[place]}, base_url=BASE, batch="b1", place=place)

    history.unsent(begin(0), "no network")
    intent = begin(0)
    with pytest.raises(JobNotStartedError, match="submitted already"):
        begin(0)
    history.started(intent, Job("job_1", JobStatus.FAILED), base_url=BASE)
    with pytest.raises(JobNotStartedError, match="submitted already"):
        begin(0)
    history.batches.open(record({"prompt": "a"}, {"prompt": "b"}), again=[0])
    assert begin(0)
    history.batches.close("b1")
    with pytest.raises(JobNotStartedError, match="submitted already"):
        begin(1)


def test_item_submitted_again_keeps_waiting_after_later_records(history):
    """Its kernel died before it was submitted again; the next one opens the batch for another place."""
    batch = record({"prompt": "a"}, {"prompt": "b"})
    history.batches.open(batch)
    for place in (0, 1):
        intent = history.begin(Tool.IMAGE, {"prompt": "ab"[place]}, base_url=BASE, batch="b1", place=place)
        history.started(intent, Job(f"job_{place}", JobStatus.FAILED), base_url=BASE)
    history.batches.open(batch, again=[0])
    history.batches.open(batch, again=[1])
    assert [item.waits for item in history.batches.find("b1").items] == [True, True]
    assert history.begin(Tool.IMAGE, {"prompt": "a"}, base_url=BASE, batch="b1", place=0)


async def recovered(sandbox, history):
    """Recover in a process that was not there before, and return its one queue."""
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    (queue,) = await go_on(client, history)
    return queue


def test_restored_queue_has_the_states_of_before(sandbox, history):
    """Submitted places are watched or done, one that never arrived waits, and nothing is submitted before resume()."""
    left_behind(history, sandbox.base_url, "arrived", "never arrived", "waiting")

    async def before():
        client = NovaKitClient(sandbox.api_key, sandbox.base_url)
        job = await client.submit("image", {"prompt": "arrived"})
        await client.aclose()
        return job

    job = owning(before())
    begun(history, sandbox.base_url, 0, "arrived")
    begun(history, sandbox.base_url, 1, "never arrived")

    async def after():
        queue = await recovered(sandbox, history)
        assert isinstance(queue.held, JobNotStartedError)
        assert "2 of 3 had not been submitted" in str(queue.held)
        await asyncio.wait_for(queue.wait(), 20)
        assert [str(place.state) for place in queue.items] == ["completed", "waiting", "waiting"]
        assert len(sandbox.jobs) == 1
        queue.resume()
        await asyncio.wait_for(queue.wait(), 20)
        assert [str(place.state) for place in queue.items] == ["completed"] * 3
        assert queue.items[0].run.job_id == job.id
        await leave(queue)

    owning(after())
    assert Counter(job.params["prompt"] for job in sandbox.jobs.values()) == {
        "arrived": 1,
        "never arrived": 1,
        "waiting": 1,
    }
    assert history.batches.claim(base_url=sandbox.base_url) == []  # it is closed


def test_restored_queue_fetches_missing_results(sandbox, history):
    """The job was found in the service's list, which need not have results; what waits goes on waiting for the user."""
    left_behind(history, sandbox.base_url, "made", "waits")
    history.batches.claim(base_url=sandbox.base_url)
    intent = history.begin(Tool.IMAGE, {"prompt": "made"}, base_url=sandbox.base_url, batch="b1", place=0)

    async def main():
        client = NovaKitClient(sandbox.api_key, sandbox.base_url)
        job = await client.submit("image", {"prompt": "made"})
        history.started(intent, Job(job.id, JobStatus.COMPLETED), base_url=sandbox.base_url)
        queue = JobQueue.restored(history.batches.find("b1"), client=client, history=history)
        await asyncio.wait_for(queue.wait(), 20)
        assert [str(place.state) for place in queue.items] == ["completed", "waiting"]
        assert queue.items[0].run.result().media
        await leave(queue)

    owning(main())
    assert len(sandbox.jobs) == 1


def test_restored_queue_without_a_loop_shows_running_jobs(sandbox, history):
    """In a plain script nothing is watched yet; cancelling there says nothing untrue, and is done when one waits."""
    left_behind(history, sandbox.base_url, "runs", "waits")
    history.batches.claim(base_url=sandbox.base_url)
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)

    async def submitted():
        job = await client.submit("image", {"prompt": "runs"})
        await client.aclose()
        return job

    intent = history.begin(Tool.IMAGE, {"prompt": "runs"}, base_url=sandbox.base_url, batch="b1", place=0)
    sandbox.next_duration(60.0 * sandbox.speed)
    history.started(intent, owning(submitted()), base_url=sandbox.base_url)
    queue = JobQueue.restored(history.batches.find("b1"), client=client, history=history)
    assert [str(place.state) for place in queue.items] == ["running", "waiting"]
    assert "1 of 2" in str(queue.held)
    queue.cancel()
    assert [str(place.state) for place in queue.items] == ["running", "cancelled"]
    assert queue.wait_blocking(20) is True
    assert [str(place.state) for place in queue.items] == ["cancelled", "cancelled"]
    assert [str(job.status) for job in sandbox.jobs.values()] == ["cancelled"]


def test_restored_queue_keeps_dropped_items(sandbox, history):
    """A place that was cancelled while it waited is not brought back to life with its batch."""

    async def main():
        client = NovaKitClient(sandbox.api_key, sandbox.base_url)
        items = [(Tool.IMAGE, {"prompt": prompt}) for prompt in ("a", "b", "c")]
        queue = JobQueue(items, client=client, history=history, max_running=1)
        sandbox.next_duration(60.0 * sandbox.speed)
        queue.start()
        while not sandbox.jobs:
            await asyncio.sleep(0.01)
        queue.cancel_item(queue.items[1])
        await leave(queue)  # as far as it gets
        record = history.batches.find(queue.batch_id)
        again = JobQueue.restored(record, client=client, history=history)
        assert [str(place.state) for place in again.items] == ["running", "cancelled", "waiting"]
        again.cancel()
        await asyncio.wait_for(again.wait(), 20)
        assert [str(place.state) for place in again.items] == ["cancelled"] * 3
        await leave(again)

    owning(main())
    assert [job.params["prompt"] for job in sandbox.jobs.values()] == ["a"]


@pytest.mark.parametrize("what", ["one", "all"])
def test_item_cancelled_after_retry_is_not_restored(history, what):
    """What the history has of a batch is older by then; what is dropped is noted all the same, and that nothing waits any more."""

    async def main(sandbox):
        client = NovaKitClient(sandbox.api_key, sandbox.base_url)
        items = [(Tool.IMAGE, {"prompt": prompt}) for prompt in ("fail please", "b", "c", "d")]
        queue = JobQueue(items, client=client, history=history, max_running=1)
        await asyncio.wait_for(queue.wait(), 20)
        assert [str(place.state) for place in queue.items] == ["failed", "completed", "waiting", "waiting"]
        queue.retry(queue.items[:1])
        if what == "one":
            queue.cancel_item(queue.items[2])
        else:
            queue.cancel()
        assert queue.settled is (what == "all")
        await leave(queue)
        return queue.batch_id

    with Sandbox(speed=300.0, limits="off", quotas={"image_generations": 1}, media="canned", seed=1) as sandbox:
        settings.configure(speed=sandbox.speed, limits="off")
        batch = owning(main(sandbox))
    found = history.batches.find(batch)
    if what == "one":
        assert [item.waits for item in found.items] == [False, False, False, True]
    else:
        assert found is None


def test_batch_with_found_lost_answer_is_closed(sandbox, history):
    """Nothing of it waits any more, though what the history has of it was not written anew."""

    async def main():
        sandbox.inject(Fault.reset_after(), method="POST", after=1)
        sandbox.inject(Fault.status(403), method="GET", path="/jobs", times=None)
        sandbox.next_duration(60.0 * sandbox.speed)
        client = NovaKitClient(sandbox.api_key, sandbox.base_url)
        items = [(Tool.IMAGE, {"prompt": prompt}) for prompt in ("runs", "lost")]
        queue = JobQueue(items, client=client, history=history)
        queue.start()
        while queue.items[1].state is not ItemState.UNCERTAIN:
            await asyncio.sleep(0.01)
        sandbox.clear_faults()
        queue.retry(queue.items[1:])
        while queue.items[1].state is not ItemState.COMPLETED:
            await asyncio.sleep(0.01)
        queue.cancel_item(queue.items[0])
        await asyncio.wait_for(queue.wait(), 20)
        assert queue.settled
        await leave(queue)
        return queue.batch_id

    assert history.batches.find(owning(main())) is None


def test_queue_cancelled_before_recording_is_not_recorded(sandbox, history, monkeypatch):
    """All are dropped while equal jobs are being looked for: there is nothing to come back to."""
    reading, cancelled = threading.Event(), threading.Event()
    twins = history.twins

    def slowly(*args, **kwargs):
        reading.set()
        assert cancelled.wait(20)
        return twins(*args, **kwargs)

    monkeypatch.setattr(history, "twins", slowly)

    async def main():
        client = NovaKitClient(sandbox.api_key, sandbox.base_url)
        queue = JobQueue([(Tool.IMAGE, {"prompt": "a"})], client=client, history=history)
        queue.start()
        while not reading.is_set():
            await asyncio.sleep(0.01)
        queue.cancel()
        assert queue.settled
        cancelled.set()
        await asyncio.wait_for(queue._tasks["submit"], 20)
        await leave(queue)
        return queue.batch_id

    assert history.batches.find(owning(main())) is None


@pytest.mark.parametrize("moment", ["before it begins", "in mid-work"])
def test_queue_taken_over_stops(sandbox, history, moment):
    """Another kernel goes on with it: this one submits nothing more, and says where to go on."""

    async def main():
        client = NovaKitClient(sandbox.api_key, sandbox.base_url)
        items = [(Tool.IMAGE, {"prompt": prompt}) for prompt in ("a", "b", "c")]
        queue = JobQueue(items, client=client, history=history, max_running=1)
        if moment == "before it begins":
            history.batches.open(record({"prompt": "a"}, batch=queue.batch_id, base_url=sandbox.base_url))
        else:
            sandbox.next_duration(2.0 * sandbox.speed)
            queue.start()
            while not sandbox.jobs:
                await asyncio.sleep(0.01)
        database = sqlite3.connect(history.path)
        with database:
            database.execute("UPDATE batches SET process = 'elsewhere 1 x/1'")
        database.close()
        await asyncio.wait_for(queue.wait(), 20)
        assert isinstance(queue.held, JobNotStartedError)
        assert "taken this batch over" in str(queue.held)
        await leave(queue)

    owning(main())
    assert len(sandbox.jobs) == (0 if moment == "before it begins" else 1)


@pytest.mark.parametrize("reuse", [True, False])
def test_restored_queue_reuses_newer_jobs(sandbox, history, reuse):
    """As it did before, whatever the settings say by now: with reuse nothing is paid twice."""
    settings.configure(reuse=not reuse)
    items = [(Tool.IMAGE, {"prompt": prompt}) for prompt in ("a", "b", "c")]

    async def main():
        client = NovaKitClient(sandbox.api_key, sandbox.base_url)
        first = JobQueue(items, client=client, history=history, max_running=1, reuse=reuse)
        sandbox.next_duration(60.0 * sandbox.speed)
        first.start()
        while not sandbox.jobs:
            await asyncio.sleep(0.01)
        await leave(first)
        between = JobQueue(items[1:2], client=client, history=history)
        await asyncio.wait_for(between.wait(), 20)
        queue = JobQueue.restored(history.batches.find(first.batch_id), client=client, history=history)
        queue.cancel_item(queue.items[0])
        queue.resume()
        await asyncio.wait_for(queue.wait(), 20)
        assert [str(place.state) for place in queue.items] == ["cancelled", "completed", "completed"]
        assert (queue.items[1].run.job_id == between.items[0].run.job_id) is reuse
        await leave(queue)

    owning(main())
    made = Counter(job.params["prompt"] for job in sandbox.jobs.values())
    assert made == {"a": 1, "b": 1 if reuse else 2, "c": 1}


def test_restored_queue_without_recorded_reuse_follows_the_settings(sandbox, history):
    """It is an older version's. Of its own equal places each still has its job."""
    settings.configure(reuse=True)
    left_behind(history, sandbox.base_url, "twice", "twice", "made since")

    async def before():
        client = NovaKitClient(sandbox.api_key, sandbox.base_url)
        await client.submit("image", {"prompt": "twice"})
        made = JobQueue([(Tool.IMAGE, {"prompt": "made since"})], client=client, history=history)
        await asyncio.wait_for(made.wait(), 20)
        await leave(made)

    owning(before())
    begun(history, sandbox.base_url, 0, "twice")

    async def after():
        queue = await recovered(sandbox, history)
        queue.resume()
        await asyncio.wait_for(queue.wait(), 20)
        assert [str(place.state) for place in queue.items] == ["completed"] * 3
        await leave(queue)

    owning(after())
    assert Counter(job.params["prompt"] for job in sandbox.jobs.values()) == {"twice": 2, "made since": 1}


def test_restored_queue_with_missing_job_waits_for_resume(sandbox, history):
    """The service has forgotten a job that a dead kernel's batch had reused: asking for it submits nothing by itself."""

    async def main():
        client = NovaKitClient(sandbox.api_key, sandbox.base_url)
        items = [(Tool.IMAGE, {"prompt": "a"})]
        first = JobQueue(items, client=client, history=history)
        await asyncio.wait_for(first.wait(), 20)
        job = first.items[0].run.job
        while history.find(job.id, base_url=client.base_url).job.output is None:
            await asyncio.sleep(0.01)  # noted in a thread, a moment after its end
        taken = BatchItem(Tool.IMAGE, {"prompt": "a"}, job_id=job.id)
        left = BatchRecord("b1", sandbox.base_url, MADE, (taken,), 100, about={"reuse": True})
        history.batches.open(left)
        history._change("UPDATE jobs SET output = NULL", [])  # it was still running then
        sandbox.inject(Fault.status(404), method="GET", path=f"/jobs/{job.id}", times=None)
        queue = JobQueue.restored(history.batches.find("b1"), client=client, history=history)
        assert queue.items[0].run.reused
        await asyncio.wait_for(queue.wait(), 20)
        assert isinstance(queue.held, JobNotStartedError)
        assert "no longer knows" in str(queue.held)
        assert "until you resume: Continue, or board.resume()." in str(queue.held)
        assert queue.items[0].state is ItemState.WAITING
        assert len(sandbox.jobs) == 1
        queue.resume()
        await asyncio.wait_for(queue.wait(), 20)
        assert queue.items[0].state is ItemState.COMPLETED
        assert queue.items[0].run.job_id != job.id
        await leave(queue)

    owning(main())
    assert len(sandbox.jobs) == 2


def test_restored_queue_shows_unresolved_submissions_as_uncertain(sandbox, history):
    """It is not submitted by itself; tried again, it is looked up first, and found."""
    left_behind(history, sandbox.base_url, "arrived", "second")

    async def before():
        client = NovaKitClient(sandbox.api_key, sandbox.base_url)
        await client.submit("image", {"prompt": "arrived"})
        await client.aclose()

    owning(before())
    begun(history, sandbox.base_url, 0, "arrived")
    fault = sandbox.inject(Fault.status(403), method="GET", path="/jobs*", times=1)

    async def after():
        queue = await recovered(sandbox, history)
        assert fault.hits == 1
        assert queue.items[0].state is ItemState.UNCERTAIN
        assert isinstance(queue.items[0].run.error, SubmissionUncertainError)
        queue.resume()
        await asyncio.wait_for(queue.wait(), 20)
        assert [str(place.state) for place in queue.items] == ["uncertain", "completed"]
        queue.retry(queue.items)
        while queue.items[0].state is ItemState.UNCERTAIN:
            await asyncio.sleep(0.01)
        await asyncio.wait_for(queue.wait(), 20)
        assert [str(place.state) for place in queue.items] == ["completed", "completed"]
        await leave(queue)

    owning(after())
    assert len(sandbox.jobs) == 2


def test_item_too_large_is_not_recorded(sandbox, history):
    """After the kernel's death its place says that it has to be given again; the others go on."""
    code = (
        "items = (BatchItem(Tool.IMAGE, {'prompt': 'x' * 1_100_000}), BatchItem(Tool.IMAGE, {'prompt': 'small'}));"
        "history.batches.open(BatchRecord('b1', sys.argv[2], datetime.now(timezone.utc), items, 100))"
    )
    elsewhere(history, code, sandbox.base_url)

    async def after():
        queue = await recovered(sandbox, history)
        queue.resume()
        await asyncio.wait_for(queue.wait(), 20)
        assert [str(place.state) for place in queue.items] == ["refused", "completed"]
        assert isinstance(queue.items[0].run.error, ConfigurationError)
        assert "give them again" in str(queue.items[0].run.error)
        queue.retry(queue.items)
        await asyncio.wait_for(queue.wait(), 20)
        assert queue.items[0].state is ItemState.REFUSED
        await leave(queue)

    owning(after())
    assert len(sandbox.jobs) == 1


def test_queue_with_broken_history_still_submits(sandbox, tmp_path):
    """Off, or of no use: the queue works all the same."""
    folder = tmp_path / "no_file"
    folder.mkdir()

    async def work(history):
        client = NovaKitClient(sandbox.api_key, sandbox.base_url)
        queue = JobQueue([(Tool.IMAGE, {"prompt": "a"}), (Tool.IMAGE, {"prompt": "b"})], client=client, history=history)
        await asyncio.wait_for(queue.wait(), 20)
        await leave(queue)
        return queue.count(ItemState.COMPLETED)

    assert owning(work(JobHistory(None))) == 2
    with pytest.warns(HistoryWarning):
        assert owning(work(JobHistory(folder))) == 2


def test_recover_returns_boards(sandbox, history):
    """Each batch is on one board, however often one recovers and asks; its queue is held until resume()."""
    left_behind(history, sandbox.base_url, "a", "b")

    async def main():
        client = NovaKitClient(sandbox.api_key, sandbox.base_url)
        first = await recover_all(client, history)
        second = await recover_all(client, history)
        assert [batch.id for batch in first.batches] == [batch.id for batch in second.batches] == ["b1"]
        settings.configure(history=history.path)
        (board,) = second.boards
        assert second.boards == (board,)
        assert first.boards == ()
        assert (await recover_all(client, history)).batches == ()
        board.resume()
        await asyncio.wait_for(board, 20)
        assert len(board) == 2
        await client.aclose()

    owning(main())
    assert len(sandbox.jobs) == 2


def test_recover_reports_what_it_found(sandbox, history):
    """A batch with what waits, in words."""
    left_behind(history, sandbox.base_url, "a", "b")

    async def main():
        client = NovaKitClient(sandbox.api_key, sandbox.base_url)
        outcome = await recover_all(client, history)
        await client.aclose()
        return outcome

    outcome = owning(main())
    assert "1 batch with 2 waiting" in repr(outcome)
    assert "BatchRecord of 2" in repr(outcome.batches)


def test_killed_in_mid_batch_everything_is_made_once(tmp_path):
    """SIGKILL at random moments, several times for each batch: in the end every item is one job, and completed."""
    toll = kill_batches(3, tmp_path, kills=3)
    assert toll.kills == 9
    assert toll.cut
    assert (toll.doubled, toll.missing, toll.unfinished) == (0, 0, 0)
