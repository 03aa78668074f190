"""A run whose answer was lost, and could not be looked up at once: looking again finds its job, or that there is none."""

from __future__ import annotations

import asyncio

import pytest
from test_run import FOREVER, image

from novakit_widgets.errors import JobCancelledError, JobNotStartedError, SubmissionUncertainError
from novakit_widgets.jobhistory import JobHistory
from novakit_widgets.jobs import JobStatus
from novakit_widgets.phases import Phase
from novakit_widgets.sandbox import Fault
from novakit_widgets.submission import Clockwork, Ticket


@pytest.fixture
def sandbox(serve):
    """One whose list shows no other test's jobs."""
    return serve()


async def at_once(_seconds):
    """Sleep no longer than another task needs to be asked."""
    await asyncio.sleep(0)


async def lost(client, sandbox, fault, **options):
    """Lose the answer to a submission at a time when the list can't be had."""
    sandbox.inject(fault, method="POST", times=1)
    sandbox.inject(Fault.status(403), method="GET", path="/jobs*", times=None)
    run = image(client, **options)
    run.begin(Ticket(works=Clockwork(sleep=at_once)))
    with pytest.raises(SubmissionUncertainError):
        await run.wait()
    assert run.phase is Phase.UNCERTAIN
    return run


@pytest.mark.parametrize("kept", [True, False], ids=["with a history", "without"])
async def test_the_job_is_found_and_watched(client, sandbox, tmp_path, kept):
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
        assert entry.intent == run.ticket.intent


async def test_there_is_none(client, sandbox):
    """Then that is what is said, and nothing was submitted for it."""
    run = await lost(client, sandbox, Fault.reset_before())
    sandbox.clear_faults()
    run.look_again()
    with pytest.raises(JobNotStartedError, match="not started and not billed"):
        await run.wait()
    assert run.phase is Phase.REFUSED
    assert not sandbox.jobs


async def test_it_still_can_not_be_told(client, sandbox):
    """It stays where it was, and can be asked for again."""
    run = await lost(client, sandbox, Fault.reset_after())
    for _ in range(2):
        run.look_again()
        with pytest.raises(SubmissionUncertainError, match="can't be looked up"):
            await run.wait()
        assert run.phase is Phase.UNCERTAIN
    assert len(sandbox.jobs) == 1


async def test_cancelled_while_it_is_looked_for(client, sandbox):
    """What is found then is cancelled at once."""
    sandbox.next_duration(FOREVER)
    run = await lost(client, sandbox, Fault.reset_after())
    sandbox.clear_faults()
    run.look_again()
    run.cancel()
    with pytest.raises(JobCancelledError):
        await run.wait()
    assert sandbox.jobs[run.job_id].status is JobStatus.CANCELLED


async def test_an_equal_job_of_another_submission_is_not_taken(client, sandbox):
    """The same was asked for meanwhile: that job is its own."""
    run = await lost(client, sandbox, Fault.reset_before())
    sandbox.clear_faults()
    other = image(client)
    other.start()
    await other.wait()
    run.look_again()
    with pytest.raises(JobNotStartedError):
        await run.wait()
    assert [*sandbox.jobs] == [other.job_id]


async def test_only_what_is_in_question_is_looked_for(client, sandbox):
    """Anything else goes on as it was."""
    run = image(client)
    run.look_again()
    assert run.phase is Phase.NEW
    await run.wait()
    run.look_again()
    assert run.phase is Phase.ENDED


async def test_what_would_have_done_is_looked_for_first(client, sandbox):
    """Nothing was submitted because an earlier one may run: that one is looked for, and nothing is submitted now either."""
    answers = [SubmissionUncertainError("Whether it runs can't be told."), None]

    async def earlier(_run):
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    run = image(client, earlier=earlier)
    with pytest.raises(SubmissionUncertainError):
        await run.wait()
    run.look_again()
    with pytest.raises(JobNotStartedError, match="up to you"):
        await run.wait()
    assert not answers
    assert not sandbox.jobs
