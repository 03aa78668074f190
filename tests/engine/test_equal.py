"""A new job mentions an equal one of the last day, of this kernel or of the history; nothing waits for it or fails of it."""

from __future__ import annotations

import threading
import warnings
from datetime import timedelta

import pytest
from runs import FOREVER, until

from novakit_widgets.engine.equal import EqualJob
from novakit_widgets.engine.ownership import Ownership
from novakit_widgets.engine.reuse import run_of
from novakit_widgets.errors import JobCancelledError, JobFailedError
from novakit_widgets.job_history import submissions
from novakit_widgets.job_history.jobs import JobHistory, default_history
from novakit_widgets.model.job import Job
from novakit_widgets.model.tools import Tool
from novakit_widgets.runtime.clock import utc_now
from novakit_widgets.sandbox import Fault

PARAMS = {"prompt": "A lighthouse"}


@pytest.fixture
def sandbox(serve):
    """One that knows no other test's jobs."""
    return serve()


@pytest.fixture(params=["history on", "history off"])
def remembered(request, monkeypatch):
    """With a history and without one: the kernel knows its own jobs."""
    if request.param == "history off":
        monkeypatch.setenv("NOVAKIT_HISTORY", "off")
    return request.param == "history on"


def new(client, params=PARAMS):
    """Start a run as a card does."""
    run = run_of(Tool.IMAGE, params, client=client, reuse=False)
    run.start()
    return run


async def end(*runs):
    """Cancel runs that would never end."""
    for run in runs:
        run.cancel()
    for run in runs:
        with pytest.raises(JobCancelledError):
            await run.wait()


async def test_equal_job_that_runs_is_mentioned(client, sandbox, remembered):
    """A cell that is run twice: the second card names the first job, and both are submitted."""
    sandbox.next_duration(FOREVER, FOREVER)
    first = new(client)
    await until(lambda: first.job_id)
    second = new(client)
    await until(lambda: second.job_id)
    assert first.equal is None
    assert second.equal.job_id == first.job_id != second.job_id
    assert "and that job still runs; " in second.equal.note
    assert f"nk.attach({first.job_id!r}) shows it at no cost." in second.equal.note
    await end(first)
    assert second.equal is None, "a cancelled one does not count"
    await end(second)


async def test_equal_job_that_is_done_is_mentioned(client, remembered):
    """Equal parameters in another order, and a default, are the same job."""
    first = new(client, {"prompt": "A boat", "seed": 3})
    await first.wait()
    second = new(client, {"seed": 3, "prompt": "A boat", "n": 1})
    await second.wait()
    assert second.equal.job_id == first.job_id
    assert second.equal.note.startswith("You generated the same at ")
    other = new(client, {"prompt": "A boat", "seed": 4})
    await other.wait()
    assert other.equal is None


async def test_equal_jobs_of_one_cell_mention_each_other(client, remembered):
    """A loop in one cell makes them before the first is submitted."""
    runs = [new(client) for _ in range(3)]
    for run in runs:
        await run.wait()
    assert [run.equal is not None for run in runs] == [False, True, True]


@pytest.mark.parametrize("how", ["failed", "cancelled", "refused"])
async def test_equal_job_without_result_is_not_mentioned(client, sandbox, remembered, how):
    """A job that failed or was cancelled, and one that was never started, are nothing to show."""
    params = {"prompt": "fail please"} if how == "failed" else PARAMS
    if how == "refused":
        sandbox.inject(Fault.status(400), method="POST", times=1)
    if how == "cancelled":
        sandbox.next_duration(FOREVER)
    first = new(client, params)
    if how == "cancelled":
        await until(lambda: first.job_id)
        await end(first)
    else:
        with pytest.raises(Exception, match=r"could not finish|400"):
            await first.wait()
    again = new(client, params)
    if how == "failed":
        with pytest.raises(JobFailedError):
            await again.wait()
    else:
        await again.wait()
    assert again.equal is None


@pytest.mark.parametrize("status", ["pending", "processing", "completed", "failed", "cancelled"])
async def test_equal_job_of_the_history_is_mentioned(client, status):
    """One that another kernel submitted, unless it has failed or was cancelled; also before this one is started."""
    history = default_history()
    theirs = history.begin(Tool.IMAGE, PARAMS, base_url=client.base_url, account=client.account)
    job = Job.from_json({"id": "job_1", "status": status, "tool": "image"})
    history.started(theirs, job, base_url=client.base_url, account=client.account)
    run = run_of(Tool.IMAGE, PARAMS, client=client, reuse=False, starts=False)
    await history.off_loop(lambda: None)  # it is asked in turn
    counts = status not in ("failed", "cancelled")
    if counts:
        await until(lambda: run.equal is not None)
        assert "nk.attach('job_1')" in run.equal.note
        assert ("You generated" in run.equal.note) is (status == "completed")
    await run.wait()
    assert (run.equal is not None) is counts


async def test_equal_job_older_than_a_day_is_not_mentioned(client):
    """Neither of the history nor of this kernel."""
    history = JobHistory(default_history().path, now=lambda: utc_now() - timedelta(hours=25))
    theirs = history.begin(Tool.IMAGE, PARAMS, base_url=client.base_url, account=client.account)
    done = Job.from_json({"id": "job_1", "status": "completed", "tool": "image"})
    history.started(theirs, done, base_url=client.base_url, account=client.account)
    run = new(client)
    await run.wait()
    assert run.equal is None
    ownership = Ownership()
    found = []
    for hours in (0, 23, 50):
        with ownership.submitting("digest", begun_at=utc_now() + timedelta(hours=hours)) as submission:
            submission.answered(done)
            found.append(ownership.earlier(submission) is not None)
    assert found == [False, True, False]


async def test_history_that_does_not_answer_delays_nothing(client, monkeypatch):
    """A disk that hangs: the job is submitted and ends, and the loop turns meanwhile."""
    await new(client).wait()
    history = default_history()
    asked, answers = threading.Event(), threading.Event()

    def hang(*_args):
        asked.set()
        assert answers.wait(60), "the loop waited for the disk"
        return [None]

    monkeypatch.setattr(submissions, "equal", hang)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # once for each history, so perhaps before, on a busy machine
            run = new(client)
            await run.wait()
        assert asked.is_set()
        assert run.equal is not None, "this kernel knows its own"
    finally:
        answers.set()
    await history.off_loop(lambda: None)


def test_equal_job_note_names_the_day():
    """A time of yesterday is not taken for one of today."""
    assert " yesterday at " in EqualJob(utc_now() - timedelta(days=1), "job_1", "completed").note
    assert "yesterday" not in EqualJob(utc_now(), "job_1", "processing").note
    assert EqualJob(utc_now(), None, "completed").note.endswith("reuse=True shows that at no cost.")
    assert EqualJob(utc_now(), "job_1", "failed").note == ""
