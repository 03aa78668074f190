"""A run whose answer was lost, and could not be looked up at once: looking again finds its job, or that there is none."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from loops import leave
from runs import FOREVER, image

from novakit_widgets import NovaKitClient
from novakit_widgets.batches.queue import JobQueue
from novakit_widgets.engine.reconcile import look_up_all
from novakit_widgets.engine.reuse import lost_job
from novakit_widgets.engine.run import JobRun
from novakit_widgets.engine.state import Phase
from novakit_widgets.engine.submit import Submission
from novakit_widgets.errors import (
    AuthenticationError,
    JobCancelledError,
    JobNotStartedError,
    NotFoundError,
    NovaKitError,
    SubmissionUncertainError,
)
from novakit_widgets.job_history.jobs import JobHistory
from novakit_widgets.model.job import JobStatus
from novakit_widgets.model.tools import Tool
from novakit_widgets.runtime.clock import Clock
from novakit_widgets.sandbox import Fault


@pytest.fixture
def sandbox(serve):
    """One whose list shows no other test's jobs."""
    return serve()


async def at_once(_seconds):
    """Sleep no longer than another task needs to be asked."""
    await asyncio.sleep(0)


QUICK = Clock(sleep=at_once)


async def lost(client, sandbox, fault, **options):
    """Lose the answer to a submission at a time when the list can't be had."""
    sandbox.inject(fault, method="POST", times=1)
    sandbox.inject(Fault.status(403), method="GET", path="/jobs*", times=None)
    run = image(client, **options)
    run.begin(Submission(clock=QUICK))
    with pytest.raises(SubmissionUncertainError):
        await run.wait()
    assert run.phase is Phase.UNCERTAIN
    return run


async def in_question(client, sandbox):
    """Lose an answer, and ask for the same with reuse: nothing is submitted for that."""
    first = await lost(client, sandbox, Fault.reset_after())
    second = image(client, earlier=lost_job)
    with pytest.raises(SubmissionUncertainError):
        await second.wait()
    sandbox.clear_faults()
    return first, second


@pytest.mark.parametrize("kept", [True, False], ids=["with a history", "without"])
async def test_look_again_finds_and_watches_the_job(client, sandbox, tmp_path, kept):
    """It was started once and is paid once; its row in the history has it."""
    history = JobHistory(tmp_path / "kept.sqlite3" if kept else None)
    run = await lost(client, sandbox, Fault.reset_after(), history=history)
    sandbox.clear_faults()
    run.look_again()
    assert (run.phase, run.error) == (Phase.SUBMITTING, None)
    assert (await run.wait()).status == JobStatus.COMPLETED
    assert [*sandbox.jobs] == [run.job_id]
    if kept:
        entry = history.find(run.job_id, base_url=client.base_url)
        assert entry is not None
        assert entry.intent == run.submission.intent


async def test_look_again_without_a_job_says_not_started(client, sandbox):
    """Nothing is submitted by looking."""
    run = await lost(client, sandbox, Fault.reset_before())
    sandbox.clear_faults()
    run.look_again()
    with pytest.raises(JobNotStartedError, match="not started and not billed"):
        await run.wait()
    assert run.phase is Phase.REFUSED
    assert not sandbox.jobs


async def test_look_again_without_a_list_stays_uncertain(client, sandbox):
    """It can be looked up again."""
    run = await lost(client, sandbox, Fault.reset_after())
    for _ in range(2):
        run.look_again()
        with pytest.raises(SubmissionUncertainError, match=r"it may run and be billed\. It can't be looked up"):
            await run.wait()
        assert run.phase is Phase.UNCERTAIN
    assert len(sandbox.jobs) == 1


async def test_look_again_cancelled_meanwhile_cancels_the_job(client, sandbox):
    """A job that is found is cancelled at once."""
    sandbox.next_duration(FOREVER)
    run = await lost(client, sandbox, Fault.reset_after())
    sandbox.clear_faults()
    run.look_again()
    run.cancel()
    with pytest.raises(JobCancelledError):
        await run.wait()
    assert sandbox.jobs[run.job_id].status is JobStatus.CANCELLED


async def test_look_again_does_not_take_an_equal_job_of_another_run(client, sandbox):
    """An equal run was submitted meanwhile, and the job belongs to it."""
    run = await lost(client, sandbox, Fault.reset_before())
    sandbox.clear_faults()
    other = image(client)
    other.start()
    await other.wait()
    run.look_again()
    with pytest.raises(JobNotStartedError):
        await run.wait()
    assert [*sandbox.jobs] == [other.job_id]


async def test_look_again_of_another_run_does_nothing(client, sandbox):
    """Only an uncertain run is looked up."""
    run = image(client)
    run.look_again()
    assert run.phase is Phase.NEW
    await run.wait()
    run.look_again()
    assert run.phase is Phase.ENDED


async def test_look_again_of_a_reusing_run_looks_for_the_earlier_one(client, sandbox):
    """Nothing was submitted because an equal submission was uncertain: that one is looked up, and nothing is submitted."""
    answers = [SubmissionUncertainError("Whether it runs can't be told."), None]

    async def earlier(_run, _intent):
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    run = image(client, earlier=earlier)
    with pytest.raises(SubmissionUncertainError):
        await run.wait()
    run.look_again()
    with pytest.raises(JobNotStartedError, match="Submit it to generate it"):
        await run.wait()
    assert not answers
    assert not sandbox.jobs


async def test_look_again_takes_job_found_by_recover(client, sandbox):
    """recover() has given the job to the row of the submission."""
    run = await lost(client, sandbox, Fault.reset_after())
    sandbox.clear_faults()
    outcome = await look_up_all(client, run.history, clock=QUICK)
    assert len(outcome.found) == 1
    run.look_again()
    assert (await run.wait()).status == JobStatus.COMPLETED
    assert [*sandbox.jobs] == [run.job_id] == [outcome.found[0].id]


async def test_retry_of_an_item_takes_job_found_by_recover(client, sandbox):
    """A batch submits a place again only if there is no job."""
    sandbox.inject(Fault.reset_after(), method="POST", times=1)
    sandbox.inject(Fault.status(403), method="GET", path="/jobs*", times=1)
    queue = JobQueue([(Tool.IMAGE, {"prompt": "A lighthouse"})], client=client, clock=QUICK)
    await queue.wait()
    assert str(queue.items[0].state) == "uncertain"
    assert len((await look_up_all(client, queue.history, clock=QUICK)).found) == 1
    queue.retry(queue.items)
    await queue.wait()
    assert str(queue.items[0].state) == "completed"
    assert len(sandbox.jobs) == 1
    await leave(queue)


async def test_retry_of_equal_items_gives_each_a_job(client, sandbox):
    """They are interchangeable."""
    runs = [await lost(client, sandbox, Fault.reset_after()) for _ in range(2)]
    sandbox.clear_faults()
    for run in runs:
        run.look_again()
        await run.wait()
    assert {run.job_id for run in runs} == {*sandbox.jobs}
    assert len(sandbox.jobs) == 2


async def test_look_again_with_a_job_that_can_not_be_fetched_keeps_it(client, sandbox):
    """The run watches it when the service answers again, and submits nothing."""
    run = await lost(client, sandbox, Fault.reset_after(), earlier=lost_job)
    sandbox.clear_faults()
    sandbox.inject(Fault.status(404), method="GET", path="/jobs/*", times=1)
    run.look_again()
    with pytest.raises(NotFoundError):
        await run.wait()
    assert run.phase is Phase.LEFT
    run.keep_watching()
    assert (await run.wait()).status == JobStatus.COMPLETED
    assert [*sandbox.jobs] == [run.job_id]


@pytest.mark.parametrize("status", ["completed", "cancelled"])
async def test_look_again_of_a_reusing_run_takes_job_found_meanwhile(client, sandbox, status):
    """A cancelled one is not reused, and nothing is submitted."""
    if status == "cancelled":
        sandbox.next_duration(FOREVER)
    first, second = await in_question(client, sandbox)
    if status == "cancelled":
        await client.cancel(next(iter(sandbox.jobs)))
    await look_up_all(client, first.history, clock=QUICK)
    second.look_again()
    if status == "completed":
        assert (await second.wait()).id == next(iter(sandbox.jobs))
        assert second.reused
    else:
        with pytest.raises(JobNotStartedError, match="no earlier job can be reused"):
            await second.wait()
    assert len(sandbox.jobs) == 1


async def test_look_again_cancelled_stays_uncertain(client, sandbox):
    """A job that was just being taken can be taken by the next look."""
    run = await lost(client, sandbox, Fault.reset_after())
    before = run.error
    sandbox.clear_faults()
    claiming, loop, cancelled = run.history.claim, asyncio.get_running_loop(), threading.Event()

    def broken_off(*args, **kwargs):
        loop.call_soon_threadsafe(run._answering.cancel)
        loop.call_soon_threadsafe(cancelled.set)
        assert cancelled.wait(30)
        return claiming(*args, **kwargs)

    run.history.claim = broken_off
    run.look_again()
    with pytest.raises(SubmissionUncertainError):
        await run.wait()
    assert (run.phase, run.error) == (Phase.UNCERTAIN, before)
    del run.history.claim
    run.look_again()
    assert (await run.wait()).status == JobStatus.COMPLETED
    assert [*sandbox.jobs] == [run.job_id]


def test_look_again_of_what_cannot_be_looked_up_stays_uncertain():
    """Nobody listens there: the error says so, and that it may run."""
    client = NovaKitClient("sk_" + "0" * 64, "http://127.0.0.1:9/api/v1")
    run = JobRun(Tool.IMAGE, {"prompt": "A lighthouse"}, client=client)
    run.give_up(SubmissionUncertainError("It may run."))
    run.look_again()
    while run.phase is Phase.SUBMITTING:
        time.sleep(0.01)
    with pytest.raises(NovaKitError):
        run.result()


async def test_look_again_of_a_reusing_run_keeps_a_job_that_can_not_be_fetched(client, sandbox):
    """The run watches it when the service answers again, and submits nothing."""
    first, second = await in_question(client, sandbox)
    await look_up_all(client, first.history, clock=QUICK)
    sandbox.inject(Fault.status(401), method="GET", path="/jobs/*", times=1)
    second.look_again()
    with pytest.raises(AuthenticationError):
        await second.wait()
    assert second.phase is Phase.LEFT
    second.keep_watching()
    assert (await second.wait()).id == next(iter(sandbox.jobs))
    assert len(sandbox.jobs) == 1


async def test_cancel_of_an_uncertain_item_says_that_the_job_may_run(client, sandbox):
    """The list still can't be had."""
    run = await lost(client, sandbox, Fault.reset_after())
    run.look_again()
    run.cancel()
    with pytest.raises(SubmissionUncertainError):
        await run.wait()
    assert run.note == "Not cancelled, since there was no answer about it."
    assert not run.cancelling


@pytest.mark.parametrize("fault", [Fault.reset_before(), Fault.reset_after()], ids=["never started", "started"])
async def test_cancel_of_an_item_during_look_up_submits_nothing(client, sandbox, fault):
    """A job that is found is cancelled."""
    sandbox.next_duration(FOREVER)
    sandbox.inject(fault, method="POST", times=1)
    sandbox.inject(Fault.status(403), method="GET", path="/jobs*", times=1)
    queue = JobQueue([(Tool.IMAGE, {"prompt": "A lighthouse"})], client=client, clock=QUICK)
    await queue.wait()
    started = len(sandbox.jobs)
    queue.retry(queue.items)
    queue.cancel()
    await queue.wait()
    assert str(queue.items[0].state) == "cancelled"
    assert len(sandbox.jobs) == started
    assert all(job.status is JobStatus.CANCELLED for job in sandbox.jobs.values())
    await leave(queue)


async def test_look_again_of_a_run_cancelled_after_its_answer_knows_the_job(client, sandbox, tmp_path):
    """Without a usable history, the submission has the job."""
    history = JobHistory(None)
    run = image(client, history=history)
    history.started = lambda *_args, **_kwargs: run._answering.cancel()
    history.off_loop = _slow
    run.begin(Submission(clock=QUICK))
    with pytest.raises(SubmissionUncertainError):
        await run.wait()
    run.look_again()
    assert (await run.wait()).status == JobStatus.COMPLETED
    assert [*sandbox.jobs] == [run.job_id]


async def _slow(work, *args, **kwargs):
    result = work(*args, **kwargs)
    await asyncio.sleep(0)
    return result
