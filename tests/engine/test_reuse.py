"""Equal submissions that are on their way at the same time: with reuse the first is made, and the others show its job."""

from __future__ import annotations

import asyncio

import pytest
from runs import FOREVER, image, until

from novakit_widgets.engine.reuse import equal_job, lost_job
from novakit_widgets.engine.run import JobRun
from novakit_widgets.engine.state import Phase
from novakit_widgets.errors import APIError, JobCancelledError
from novakit_widgets.job_history.jobs import JobHistory
from novakit_widgets.model.job import Job, JobStatus
from novakit_widgets.model.tools import Tool
from novakit_widgets.sandbox import Fault

PARAMS = {"prompt": "A lighthouse"}


@pytest.fixture
def sandbox(serve):
    """One whose list shows no other test's jobs."""
    return serve()


@pytest.fixture
def history(tmp_path):
    """An empty history."""
    return JobHistory(tmp_path / "history.sqlite3")


def posts(sandbox):
    return sum(request.method == "POST" for request in sandbox.requests)


def others_row(history, client):
    """Note a submission that is on its way in a kernel that lives."""
    return history.begin(Tool.IMAGE, PARAMS, base_url=client.base_url, account=client.account)


async def test_reuse_of_equal_runs_at_once_submits_one(client, sandbox, history):
    """The first is submitted, and the others take its job."""
    sandbox.inject(Fault.delay(0.3), method="POST")
    runs = [image(client, history=history, earlier=equal_job) for _ in range(4)]
    for run in runs:
        run.start()
    jobs = [await run.wait() for run in runs]
    assert {job.id for job in jobs} == set(sandbox.jobs)
    assert posts(sandbox) == 1
    assert [run.reused for run in runs] == [False, True, True, True]
    assert "not billed again" in runs[-1].note
    assert [entry.job.id for entry in history.entries()] == [*sandbox.jobs]


async def test_equal_runs_without_reuse_submit_one_each(client, sandbox, history):
    """Two calls without reuse are two jobs."""
    runs = [image(client, history=history) for _ in range(2)]
    assert len({(await run.wait()).id for run in runs}) == len(sandbox.jobs) == 2


async def test_reuse_at_a_late_start_takes_a_newer_job(client, sandbox, history):
    """There was no equal job when the run was made."""
    late, first = (image(client, history=history, earlier=equal_job) for _ in range(2))
    job = await first.wait()
    assert (await late.wait()).id == job.id
    assert (late.reused, posts(sandbox)) == (True, 1)
    # The result's address may have expired since: the job itself is asked for.
    assert sandbox.requests[-1].path == f"/jobs/{job.id}"


async def test_reuse_waits_for_another_kernels_submission(client, sandbox, history):
    """It began earlier, so its job is taken as soon as there is one."""
    sandbox.next_duration(FOREVER)
    theirs = await client.submit("images/generations", PARAMS)
    intent = others_row(history, client)
    run = image(client, history=history, earlier=equal_job)
    run.start()
    await until(lambda: "is being submitted already" in run.note)
    history.started(intent, theirs, base_url=client.base_url, account=client.account)
    await until(lambda: run.phase is Phase.WATCHING)
    assert (run.job_id, posts(sandbox)) == (theirs.id, 1)
    assert [entry.intent for entry in history.entries()] == [intent]
    run.cancel()
    with pytest.raises(JobCancelledError):
        await run.wait()


async def test_reuse_submits_when_the_first_is_refused(client, sandbox, history):
    """A refusal leaves no job to reuse."""
    sandbox.inject(Fault.status(400), method="POST", times=1)
    first, second = (image(client, history=history, earlier=equal_job) for _ in range(2))
    first.start()
    second.start()
    job = await second.wait()
    with pytest.raises(APIError):
        await first.wait()
    assert [*sandbox.jobs] == [job.id]
    assert not second.reused


async def test_reuse_cancelled_while_waiting_submits_nothing(client, sandbox, history):
    """The first goes on, and the other leaves no row."""
    intent = others_row(history, client)
    run = image(client, history=history, earlier=equal_job)
    run.start()
    await until(lambda: "is being submitted already" in run.note)
    run.cancel()
    with pytest.raises(JobCancelledError, match="nothing was started or billed"):
        await run.wait()
    assert (run.phase, posts(sandbox)) == (Phase.REFUSED, 0)
    assert [entry.intent for entry in history.entries()] == [intent]


async def test_reuse_does_not_wait_for_a_submission_that_takes_too_long(client, history):
    """Its kernel lives, but no submission takes as long."""
    others_row(history, client)
    intent = others_row(history, client)
    assert history.ahead(intent)
    later = JobHistory(history.path, now=lambda: history.entries()[0].begun_at.replace(year=2100))
    assert not later.ahead(intent)
    assert not history.ahead("no such row")


async def test_forget_removes_intents_only(client, history):
    """A submission with a result stays in the history."""
    intent, other = (others_row(history, client) for _ in range(2))
    history.started(intent, Job("job_1", JobStatus.PENDING), base_url=client.base_url)
    history.forget(intent)
    history.forget(other)
    assert [entry.intent for entry in history.entries()] == [intent]


async def test_reuse_fetches_a_lost_job_without_its_result(client, sandbox, history):
    """The list says that it is completed, and leaves out the result."""
    sandbox.inject(Fault.reset_after(), method="POST", times=1)
    sandbox.inject(Fault.fields(outputData=None), method="GET", path="/jobs", times=None)
    sandbox.inject(Fault.delay(0.3), method="GET", path="/jobs", times=None)  # until it has ended
    sandbox.next_duration(0.0)
    run = image(client, history=history, earlier=lost_job)
    job = await run.wait()
    assert job.media
    assert [*sandbox.jobs] == [job.id]


async def test_reuse_cancelled_during_the_look_up_submits_nothing(client, sandbox, history):
    """A lost equal submission is looked up first, which takes some seconds."""
    lost = others_row(history, client)
    history.uncertain(lost, "lost")
    run = image(client, history=history, earlier=equal_job)
    run.start()
    await until(lambda: [request for request in sandbox.requests if request.path == "/jobs"])
    run.cancel()
    with pytest.raises(JobCancelledError, match="nothing was started or billed"):
        await run.wait()
    assert posts(sandbox) == 0
    assert [(entry.intent, entry.stage) for entry in history.entries()] == [(lost, "uncertain")]


async def test_reuse_of_a_job_that_is_gone_submits_a_new_one(client, sandbox, history):
    """Whether its id was known from the beginning or found on the way."""
    old = await image(client, history=history).wait()
    history.update(old, base_url=client.base_url)
    sandbox.inject(Fault.status(404), method="GET", path=f"/jobs/{old.id}", times=None)
    attached = JobRun.attached(old.id, client=client, tool=Tool.IMAGE, params=PARAMS, earlier=equal_job)
    attached.history = history
    new = await attached.wait()
    assert new.id != old.id
    assert attached.note == f"Made anew: the service no longer knows {old.id} of your history."
    assert not attached.reused
    late = image(client, history=history, earlier=equal_job)
    sandbox.inject(Fault.status(404), method="GET", path=f"/jobs/{new.id}", times=None)
    assert (await late.wait()).id not in (old.id, new.id)
    assert posts(sandbox) == 3


@pytest.mark.parametrize("attached", [True, False])
async def test_reuse_of_a_job_that_has_failed_meanwhile_submits_a_new_one(client, sandbox, history, attached):
    """Its kernel died while it ran, so the history still has it as running."""
    dead = await client.submit("images/generations", {"prompt": "A lighthouse, fail please"})
    while not (await client.get(dead.id)).ended:
        await asyncio.sleep(0.01)
    row = others_row(history, client)
    history.started(row, dead, base_url=client.base_url, account=client.account)
    if attached:
        run = JobRun.attached(dead.id, client=client, tool=Tool.IMAGE, params=PARAMS, earlier=equal_job)
        run.history = history
    else:
        run = image(client, history=history, earlier=equal_job)
    job = await run.wait()
    assert job.id != dead.id
    assert run.note == f"Made anew: {dead.id} of your history is failed."
    assert not run.reused
