"""One generation from its submission to its result: every phase, every way out, every thread."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import stamina
from programs import run_program
from runs import FOREVER, image, until

from novakit_widgets import NovaKitClient, settings
from novakit_widgets.batches.queue import JobQueue
from novakit_widgets.engine import start
from novakit_widgets.engine.messages import error_of_job
from novakit_widgets.engine.run import JobRun
from novakit_widgets.engine.state import Phase
from novakit_widgets.engine.stopwatch import Stopwatch
from novakit_widgets.engine.tracker import tracker_of
from novakit_widgets.errors import (
    ConfigurationError,
    InvalidParameterError,
    JobCancelledError,
    JobError,
    JobFailedError,
    JobNotStartedError,
    JobTimeoutError,
    LoopStandsStillError,
    NotFoundError,
    NovaKitConnectionError,
    PermissionDeniedError,
    SubmissionUncertainError,
)
from novakit_widgets.job_history.jobs import JobHistory
from novakit_widgets.model.job import Job, JobStatus
from novakit_widgets.model.tools import Tool
from novakit_widgets.runtime import loop as job_loop
from novakit_widgets.runtime.clock import Clock
from novakit_widgets.runtime.waiting import check_timeout
from novakit_widgets.sandbox import Fault


class Listener:
    """Notes the phases that a run goes through."""

    def __init__(self, run):
        self.run = run
        self.phases = []
        run.on_change = self

    def __call__(self):
        if self.phases[-1:] != [self.run.phase]:
            self.phases.append(self.run.phase)


def ends_soon(sandbox, run):
    """Let a job that ends by itself in no test end a little later, while it is waited for."""
    threading.Timer(0.1, sandbox.finish, (run.job_id,)).start()


async def test_run_started_reaches_its_end(client):
    """Submitting, watching, ended; then nothing is left running and the result stays."""
    run = image(client)
    listener = Listener(run)
    assert (run.phase, run.job_id, run.elapsed, run.settled) == (Phase.NEW, None, None, False)
    with pytest.raises(JobNotStartedError):
        run.result()
    run.start()
    run.start()  # starting twice starts once
    job = await run.wait()
    assert listener.phases == [Phase.SUBMITTING, Phase.WATCHING, Phase.ENDED]
    assert job.status == JobStatus.COMPLETED
    assert job is run.job is run.result() is await run.wait()
    assert run.error is None
    assert run.elapsed == job.seconds
    await until(lambda: not tracker_of(client).busy)  # a held poll that was cancelled takes some steps to end


async def test_run_params_changed_later_keeps_its_copy(client):
    """Neither those who gave them nor those who are given the job change what is sent, or sent once more."""
    inputs = {"steps": [10]}
    run = JobRun(Tool.MUSIC, {"prompt": "Jazz", "model_inputs": inputs}, client=client)
    inputs["steps"].append(20)
    submitted = []
    run.on_change = lambda: submitted.append(run.job) if run.job is not None else None
    job = await run.wait()
    submitted[0].params["model_inputs"]["steps"].append(30)
    assert job.raw["inputParams"]["model_inputs"] == run.params["model_inputs"] == {"steps": [10]}


async def test_result_before_the_end_raises(client, sandbox):
    """A job that runs was submitted and will be billed: nobody may take it for one that was never started, and start another."""
    sandbox.next_duration(FOREVER)
    run = image(client)
    with pytest.raises(JobNotStartedError, match="not been submitted"):
        run.result()
    run.start()
    with pytest.raises(JobError, match=r"The job has not ended yet.*wait\(\) for it first") as caught:
        run.result()
    assert not isinstance(caught.value, JobNotStartedError)
    await until(lambda: run.job_id is not None)
    attached = JobRun.attached(run.job_id, client=client)
    for unfinished in (run, attached):
        with pytest.raises(JobError, match=f"{run.job_id} has not ended yet") as caught:
            unfinished.result()
        assert not isinstance(caught.value, JobNotStartedError)
        assert caught.value.job_id == run.job_id
    run.cancel()
    with pytest.raises(JobCancelledError):
        await run.wait()


async def test_run_of_failing_job_raises(client):
    """It ends with the service's words and what it cost, and waiting again tells the same."""
    run = JobRun(Tool.IMAGE, {"prompt": "fail please"}, client=client)
    for _ in range(2):
        with pytest.raises(JobFailedError, match="could not finish") as caught:
            await run.wait()
        assert caught.value.job is run.job
        assert "not billed" in str(caught.value)
    assert run.phase is Phase.ENDED


async def test_run_answered_at_once_is_ended(serve, nothing_left):
    """A result without a job is ended without being watched."""
    sandbox = serve(sync_tools=("tts",))
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    run = JobRun(Tool.TTS, {"input": "Hello"}, client=client)
    listener = Listener(run)
    job = await run.wait()
    assert listener.phases == [Phase.SUBMITTING, Phase.ENDED]
    assert job.id is None
    assert job.media
    await client.aclose()


async def test_run_refused_raises(client, sandbox):
    """The service's own words end it, and nothing was started."""
    run = JobRun(Tool.VIDEO, {"prompt": "x", "fps": 29}, client=client)
    with pytest.raises(Exception, match="Invalid fps"):
        await run.wait()
    assert run.phase is Phase.REFUSED
    assert run.elapsed is not None


# Cancelling, in each phase


async def test_cancel_before_submission_sends_nothing(client, sandbox):
    """Nothing is ever sent."""
    before = len(sandbox.requests)
    run = image(client)
    run.cancel()
    assert run.phase is Phase.REFUSED
    with pytest.raises(JobCancelledError, match="nothing was billed"):
        await run.wait()
    run.cancel()
    assert len(sandbox.requests) == before


def test_cancel_before_submission_in_a_script_sends_nothing():
    """It is the same, and done when the call returns."""
    run = image(NovaKitClient("sk_" + "a" * 64))
    run.keep_watching()
    assert run.phase is Phase.NEW
    run.cancel()
    assert run.phase is Phase.REFUSED


async def test_cancel_during_submission_cancels_the_job(client, sandbox):
    """As soon as it has an id it is cancelled; meanwhile the run says so."""
    sandbox.next_duration(FOREVER)
    posted = sandbox.inject(Fault.delay(0.5), method="POST")
    run = image(client)
    run.start()
    await until(lambda: posted.hits)
    run.cancel()
    assert run.cancelling
    with pytest.raises(JobCancelledError, match="was cancelled"):
        await run.wait()
    assert sandbox.jobs[run.job_id].status is JobStatus.CANCELLED
    assert not run.cancelling


async def test_cancel_before_the_request_sends_nothing(client, sandbox, tmp_path):
    """It has begun, and the history has its row; nothing is sent, and the row is gone."""
    history = JobHistory(tmp_path / "history.sqlite3")
    run = image(client, history=history)
    before = len(sandbox.requests)
    run.start()
    await asyncio.sleep(0)  # its row is being written
    assert run.phase is Phase.SUBMITTING
    run.cancel()
    with pytest.raises(JobCancelledError, match="nothing was started or billed"):
        await run.wait()
    assert len(sandbox.requests) == before
    assert history.entries() == []


@pytest.mark.parametrize("before", [True, False])
async def test_cancel_during_retry_after_sends_nothing_more(client, sandbox, tmp_path, before):
    """It is not sent again: nothing is started, and the history knows it."""
    stamina.set_testing(False)
    sandbox.inject(Fault.status(429, retry_after=50), method="POST", times=None)
    jobs = set(sandbox.jobs)
    history = JobHistory(tmp_path / "history.sqlite3")
    run = image(client, history=history)
    run.start()
    await until(lambda: run.phase is Phase.SUBMITTING)
    if not before:
        await until(lambda: run.trouble is not None)
    run.cancel()
    with pytest.raises(JobCancelledError, match="nothing was started or billed"):
        await asyncio.wait_for(run.wait(), 5.0)
    assert run.phase is Phase.REFUSED
    assert not run.cancelling
    assert set(sandbox.jobs) == jobs
    await asyncio.wait((run._answering,))
    assert history.lost(base_url=client.base_url, asked=[(Tool.IMAGE, run.params)]) == []


def test_loop_ended_during_retry_after_still_submits(script_client, sandbox):
    """The submission is not that loop's: it goes on, and is made as soon as the service takes it."""
    stamina.set_testing(False)
    sandbox.inject(Fault.status(429, retry_after=1), method="POST", times=1)
    run = image(script_client)

    async def give_up():
        run.start()
        await until(lambda: run.trouble is not None)

    asyncio.run(give_up())
    assert run.phase is Phase.SUBMITTING
    assert run.wait_blocking(30.0).status == JobStatus.COMPLETED


def test_wait_again_after_timeout_during_retry_after_submits(script_client, sandbox, tmp_path):
    """A 429 is sat out; whoever gives up meanwhile is told that nothing was taken yet, and waits again."""
    stamina.set_testing(False)
    refused = sandbox.inject(Fault.status(429, retry_after=2), method="POST", times=1)
    history = JobHistory(tmp_path / "history.sqlite3")
    run = image(script_client, history=history)
    with pytest.raises(JobTimeoutError, match=r"has not been submitted within 1 s.*Nothing is started or billed"):
        run.wait_blocking(1.0)
    assert refused.hits == 1
    assert not run.settled
    assert run.wait_blocking(30.0).status == JobStatus.COMPLETED
    assert [entry.stage for entry in history.entries()] == ["job"]


async def test_cancel_during_refused_submission_is_settled(client, sandbox, monkeypatch):
    """There is nothing to cancel, and the run does not say so for ever."""
    sandbox.inject(Fault.status(403), method="POST")
    run = image(client)
    submit = client.submit

    async def submit_what_is_cancelled(*arguments, **options):
        run.cancel()  # too late not to send it
        assert run.cancelling
        return await submit(*arguments, **options)

    monkeypatch.setattr(client, "submit", submit_what_is_cancelled)
    run.start()
    with pytest.raises(PermissionDeniedError):
        await run.wait()
    assert run.phase is Phase.REFUSED
    assert not run.cancelling


async def test_cancel_of_watched_job_cancels_it(client, sandbox):
    """The service's word counts: cancelled, and not billed."""
    sandbox.next_duration(FOREVER)
    run = image(client)
    run.start()
    await until(lambda: run.phase is Phase.WATCHING)
    run.cancel()
    run.cancel()
    assert run.cancelling
    with pytest.raises(JobCancelledError):
        await run.wait()
    assert run.phase is Phase.ENDED
    assert [r.method for r in sandbox.requests if r.path.endswith(run.job_id)].count("DELETE") == 1


async def test_cancel_after_the_end_keeps_the_result(client, sandbox):
    """A job that has ended meanwhile keeps its end."""
    run = image(client)
    await run.wait()
    before = len(sandbox.requests)
    run.cancel()
    assert not run.cancelling
    assert len(sandbox.requests) == before


async def test_cancel_that_fails_is_shown(client, sandbox):
    """It is told, the job is watched on, and it can be asked for again."""
    sandbox.next_duration(FOREVER)
    sandbox.inject(Fault.status(500), method="DELETE", times=None)
    run = image(client)
    run.start()
    await until(lambda: run.phase is Phase.WATCHING)
    run.cancel()
    await until(lambda: "Not cancelled" in run.note)
    assert not run.cancelling
    assert run.trouble is None
    assert run.phase is Phase.WATCHING
    sandbox.clear_faults()
    run.cancel()
    with pytest.raises(JobCancelledError):
        await run.wait()


async def test_cancel_with_slow_status_waits_for_the_end(client, sandbox):
    """NovaKit has agreed: one answer that does not know of it yet is no reason to say that it has not."""
    sandbox.next_duration(FOREVER)
    run = image(client)
    notes = set()
    run.on_change = lambda: notes.add(run.note)
    run.start()
    await until(lambda: any(r.query.get("poll") for r in sandbox.requests if r.path.endswith(str(run.job_id))))
    sandbox.inject(Fault.fields(status="processing"), method="GET", path=f"*/jobs/{run.job_id}")
    run.cancel()
    with pytest.raises(JobCancelledError):
        await run.wait()
    await until(lambda: not run.cancelling)
    assert notes == {""}


async def test_cancel_refused_by_the_service_is_shown(client, sandbox):
    """What was said of it holds until the end, and no longer."""
    sandbox.next_duration(FOREVER)
    sandbox.inject(Fault.not_json('{"success": false}', content_type="application/json"), method="DELETE")
    run = image(client)
    run.start()
    await until(lambda: run.phase is Phase.WATCHING)
    run.cancel()
    await until(lambda: "did not cancel" in run.note)
    assert not run.cancelling
    sandbox.finish(run.job_id)
    assert (await run.wait()).status == JobStatus.COMPLETED
    assert run.note == ""


async def test_cancel_of_unwatched_job_with_stale_status_is_noted(client, sandbox):
    """Nobody hears of the end, so that is what is said."""
    sandbox.next_duration(FOREVER)
    run = image(client, timeout=0.05)
    with pytest.raises(JobTimeoutError):
        await run.wait()
    sandbox.inject(Fault.fields(status="processing"), method="GET", path=f"*/jobs/{run.job_id}", times=None)
    run.cancel()
    await until(lambda: "accepted the cancellation" in run.note)
    assert not run.cancelling
    sandbox.clear_faults()
    run.timeout = None  # however busy the machine is
    with pytest.raises(JobCancelledError):
        await run.wait()
    assert run.note == ""


async def test_cancel_of_unwatched_job_cancels_it(client, sandbox):
    """A job that is not watched any more can still be cancelled."""
    sandbox.next_duration(FOREVER)
    run = image(client, timeout=0.05)
    with pytest.raises(JobTimeoutError):
        await run.wait()
    run.cancel()
    await until(lambda: run.phase is Phase.ENDED)
    assert isinstance(run.error, JobCancelledError)
    with pytest.raises(JobCancelledError):
        await run.wait()


async def test_cancel_of_unwatched_job_that_fails_is_shown(client, sandbox):
    """The run stays left, with its job."""
    sandbox.next_duration(FOREVER)
    run = image(client, timeout=0.05)
    with pytest.raises(JobTimeoutError):
        await run.wait()
    sandbox.inject(Fault.status(403), method="DELETE")
    run.cancel()
    await until(lambda: "Not cancelled" in run.note)
    assert run.phase is Phase.LEFT
    assert not run.cancelling
    run.cancel()
    await until(lambda: run.phase is Phase.ENDED)


async def test_keep_watching_job_ended_meanwhile_is_settled(client, sandbox):
    """Cancelling it learns of its end."""
    sandbox.next_duration(FOREVER)
    run = image(client, timeout=0.05)
    with pytest.raises(JobTimeoutError):
        await run.wait()
    sandbox.finish(run.job_id)
    await until(lambda: sandbox.jobs[run.job_id].status.is_final)
    run.cancel()
    await until(lambda: run.phase is Phase.ENDED)
    assert run.result().status == JobStatus.COMPLETED


# Watching, leaving, watching on


async def test_keep_watching_after_timeout_reaches_the_end(client, sandbox):
    """A time-out stops the watching only; kept watching, the job ends as ever."""
    sandbox.next_duration(FOREVER)
    run = image(client, timeout=0.1)
    listener = Listener(run)
    with pytest.raises(JobTimeoutError, match="not cancelled") as caught:
        await run.wait()
    assert caught.value.job_id == run.job_id
    elapsed = run.elapsed
    await asyncio.sleep(0.02)
    assert run.elapsed == elapsed
    run.timeout = 10.0
    run.keep_watching()
    run.keep_watching()
    assert run.error is None
    sandbox.finish(run.job_id)
    await until(lambda: run.phase is Phase.ENDED)
    assert listener.phases == [Phase.SUBMITTING, Phase.WATCHING, Phase.LEFT, Phase.WATCHING, Phase.ENDED]
    assert run.result().status == JobStatus.COMPLETED


async def test_wait_after_timeout_watches_again(client, sandbox):
    """Who waits for a job that was left means it."""
    sandbox.next_duration(FOREVER)
    run = image(client, timeout=0.1)
    with pytest.raises(JobTimeoutError):
        await run.wait()
    run.timeout = 10.0
    ends_soon(sandbox, run)
    assert (await run.wait()).status == JobStatus.COMPLETED


async def test_watch_seconds_come_from_argument_or_tool(client):
    """The time-out given, or the tool's, or the longest where the tool is unknown."""
    assert image(client, timeout=7).watch_seconds == 7.0
    assert image(client).watch_seconds == Tool.IMAGE.timeout
    attached = JobRun.attached("job_1", client=client)
    assert attached.watch_seconds == 300.0
    assert attached.typical_seconds is None
    attached.job = Job("job_1", JobStatus.PENDING, tool="music")
    assert attached.watch_seconds == 180.0
    settings.configure(speed=10)
    assert image(client).typical_seconds == (0.5, 3.0)


@pytest.mark.parametrize(("hours", "seconds"), [(0.02, 72.0), (-0.02, 0.0), (50, 0.0), (None, 0.0)])
async def test_elapsed_of_attached_run_counts_from_the_jobs_start(client, sandbox, hours, seconds):
    """It counts from the job's beginning, not from ours, but for two clocks that disagree."""
    sandbox.next_duration(FOREVER)
    job = await client.get((await client.submit("image", {"prompt": "A lighthouse"})).id)
    begun = None if hours is None else job.created_at - timedelta(hours=hours)
    known = replace(job, created_at=begun)
    clock = Clock(now=lambda: job.created_at, monotonic=lambda: 5.0)
    run = JobRun.known(Tool.IMAGE, {}, known, client=client, clock=clock)
    run.begin()
    assert run.phase is Phase.WATCHING
    assert round(run.elapsed, 3) == seconds
    sandbox.finish(job.id)
    await run.wait()
    assert run.elapsed == run.job.seconds


async def test_elapsed_of_attached_card_counts_from_the_jobs_start(client, sandbox):
    """As the service's own answer tells it."""
    sandbox.next_duration(FOREVER)
    job = await client.get((await client.submit("image", {"prompt": "A lighthouse"})).id)
    attached = JobRun.attached(job.id, client=client)
    attached._time = Stopwatch(Clock(now=lambda: job.created_at + timedelta(minutes=2)))
    attached.begin()
    await until(lambda: attached.phase is Phase.WATCHING)
    assert 120.0 <= attached.elapsed < 180.0
    sandbox.finish(job.id)
    await attached.wait()


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), True, "5", []])
def test_timeout_invalid_is_refused(timeout):
    """Anything else is refused before anything is sent."""
    with pytest.raises(ConfigurationError, match="Nothing was sent or billed"):
        check_timeout(timeout)
    with pytest.raises(ConfigurationError):
        image(None, timeout=timeout)
    with pytest.raises(ConfigurationError):
        image(NovaKitClient("sk_" + "a" * 64)).wait_blocking(timeout)


async def test_wait_with_invalid_timeout_leaves_the_job_running(client, sandbox):
    """Where the job runs already it can't be said that nothing was sent or billed."""
    sandbox.next_duration(FOREVER)
    run = image(client)
    queue = JobQueue([(Tool.IMAGE, {"prompt": "A boat"})], client=client)
    run.start()
    await until(lambda: run.job_id is not None)
    for wait in (run.wait_blocking, queue.wait_blocking):
        with pytest.raises(ConfigurationError, match="not 0") as caught:
            wait(0)
        assert "Nothing was sent" not in str(caught.value)
        assert "what was submitted goes on" in str(caught.value)
    run.cancel()
    with pytest.raises(JobCancelledError):
        await run.wait()


# Attaching


async def test_attached_job_is_watched(client, sandbox):
    """Running or ended, it is picked up with its tool and its parameters, and not submitted again."""
    sandbox.next_duration(200.0)
    job = await client.submit("image", {"prompt": "A lighthouse"})
    before = set(sandbox.jobs)
    run = JobRun.attached(job.id, client=client)
    assert run.job_id == job.id
    assert (await run.wait()).status == JobStatus.COMPLETED
    assert run.tool is Tool.IMAGE
    assert run.params == {"prompt": "A lighthouse"}
    again = JobRun.attached(job.id, client=client)
    listener = Listener(again)
    assert (await again.wait()).id == job.id
    assert listener.phases == [Phase.SUBMITTING, Phase.ENDED]
    assert set(sandbox.jobs) == before


async def test_attached_unknown_job_raises(client, sandbox):
    """The error says so; nothing is known against the job, so it can be looked for again."""
    run = JobRun.attached("job_unknown", client=client)
    with pytest.raises(NotFoundError):
        await run.wait()
    assert run.phase is Phase.LEFT
    assert run.job_id == "job_unknown"
    with pytest.raises(NotFoundError):
        await run.wait()
    job = await client.submit("image", {"prompt": "x"})
    sandbox.inject(Fault.reset_before(), method="GET", times=2)
    run = JobRun.attached(job.id, client=client)
    with pytest.raises(NovaKitConnectionError):
        await run.wait()
    assert (await run.wait()).id == job.id


@pytest.mark.parametrize("job_id", [5, None, "", "job 1"])
def test_attached_malformed_id_is_refused(job_id):
    """It is refused at once."""
    with pytest.raises(InvalidParameterError, match="no job id"):
        JobRun.attached(job_id, client=None)


async def test_cancel_during_look_up_cancels_the_job(client, sandbox):
    """It is cancelled as soon as it is found; where it is not, the run does not say so for ever."""
    sandbox.next_duration(FOREVER)
    job = await client.submit("image", {"prompt": "x"})
    run = JobRun.attached(job.id, client=client)
    run.start()
    run.cancel()
    assert run.cancelling
    with pytest.raises(JobCancelledError):
        await run.wait()
    lost = JobRun.attached("job_unknown", client=client)
    lost.start()
    lost.cancel()
    with pytest.raises(NotFoundError):
        await lost.wait()
    assert not lost.cancelling


async def test_cancel_of_attached_job_without_answer_is_sent(client, sandbox):
    """The id is enough."""
    sandbox.next_duration(FOREVER)
    job = await client.submit("image", {"prompt": "x"})
    sandbox.inject(Fault.status(403), method="GET")
    run = JobRun.attached(job.id, client=client)
    with pytest.raises(PermissionDeniedError):
        await run.wait()
    run.cancel()
    await until(lambda: run.phase is Phase.ENDED)
    assert isinstance(run.error, JobCancelledError)


# Waiting, on any thread


async def test_wait_cancelled_leaves_the_job_running(client, sandbox):
    """An interrupted await leaves the job running; waiting again works."""
    sandbox.next_duration(FOREVER)
    run = image(client)
    waiting = asyncio.ensure_future(run.wait())
    await until(lambda: run.phase is Phase.WATCHING)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert run.phase is Phase.WATCHING
    assert not run._waiters
    sandbox.finish(run.job_id)
    assert (await run.wait()).status == JobStatus.COMPLETED


async def test_wait_by_many_submits_once(client, sandbox):
    """On this loop, on other loops, and blocking on other threads: all get the same job, which is submitted once."""
    sandbox.next_duration(200.0)
    before = set(sandbox.jobs)
    run = image(client)

    def on_a_loop_of_its_own():
        return asyncio.run(run.wait())

    jobs = await asyncio.gather(
        run.wait(),
        run.wait(),
        asyncio.to_thread(on_a_loop_of_its_own),
        asyncio.to_thread(on_a_loop_of_its_own),
        asyncio.to_thread(run.wait_blocking),
        asyncio.to_thread(run.wait_blocking, 10.0),
    )
    assert all(job is jobs[0] for job in jobs)
    assert len(set(sandbox.jobs) - before) == 1


async def test_run_on_another_thread_starts_cancels_and_attaches(client, sandbox):
    """A callback on a thread with a running loop of its own only hands work over: all of it happens on the main loop."""
    sandbox.next_duration(FOREVER)
    loop = asyncio.get_running_loop()
    assert job_loop.get() is loop
    loops = set()

    def elsewhere(work):
        async def callback():
            return work()

        return asyncio.run(callback())

    run = image(client)
    run.on_change = lambda: loops.add(asyncio.get_running_loop())
    await asyncio.to_thread(elsewhere, run.start)
    await until(lambda: run.phase is Phase.WATCHING)
    attached = JobRun.attached(run.job_id, client=client)
    await asyncio.to_thread(elsewhere, attached.start)
    await until(lambda: attached.phase is Phase.WATCHING)
    await asyncio.to_thread(elsewhere, run.cancel)
    await until(lambda: run.phase is attached.phase is Phase.ENDED)
    assert loops == {loop}


async def test_wait_on_another_thread_watches_again(client, sandbox):
    """It does not get the old time-out once more, but the job."""
    sandbox.next_duration(FOREVER)
    run = image(client, timeout=0.1)
    with pytest.raises(JobTimeoutError):
        await run.wait()
    run.timeout = 10.0
    ends_soon(sandbox, run)
    job = await asyncio.to_thread(lambda: asyncio.run(run.wait()))
    assert job.status == JobStatus.COMPLETED


async def test_wait_on_a_closed_loop_does_not_affect_others(client, sandbox):
    """A loop that is gone with its waiter is no trouble to the others."""
    sandbox.next_duration(200.0)
    run = image(client)
    run.start()

    def give_up():
        loop = asyncio.new_event_loop()
        task = loop.create_task(run.wait())
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()
        return task

    task = await asyncio.to_thread(give_up)
    assert (await run.wait()).status == JobStatus.COMPLETED
    task._log_destroy_pending = False
    task.get_coro().close()


async def test_wait_blocking_on_another_thread_times_out(client, sandbox):
    """The job goes on; the thread is free."""
    sandbox.next_duration(FOREVER)
    run = image(client)
    run.start()
    with pytest.raises(JobTimeoutError, match="wait again"):
        await asyncio.to_thread(run.wait_blocking, 0.05)
    assert not run.settled
    await until(lambda: run.phase is Phase.WATCHING)
    sandbox.finish(run.job_id)
    assert (await run.wait()).status == JobStatus.COMPLETED


# In a plain script


@pytest.fixture
def script_client(sandbox):
    """A client for tests that have no loop, as a plain script has none."""
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    yield client
    job_loop.run_blocking(tracker_of(client).aclose)
    job_loop.run_blocking(client.aclose)


def test_start_by_many_threads_submits_once(script_client, sandbox):
    """As in a plain script: all wait for one run."""
    before = len(sandbox.jobs)
    for _ in range(10):
        run = image(script_client)
        gate = threading.Barrier(4)

        def wait(run=run, gate=gate):
            gate.wait()
            return run.wait_blocking(30.0).id

        with ThreadPoolExecutor(4) as pool:
            ids = {future.result() for future in [pool.submit(wait) for _ in range(4)]}
        assert len(ids) == 1
    assert len(sandbox.jobs) == before + 10


def test_script_waits(script_client):
    """It gets the job, and the same one again."""
    run = image(script_client)
    job = run.wait_blocking()
    assert job.status == JobStatus.COMPLETED
    assert run.wait_blocking() is job


def test_script_waits_again(script_client, sandbox):
    """After a time-out the job goes on: the next wait waits for the same job, and it is billed once."""
    sandbox.next_duration(FOREVER)
    before = set(sandbox.jobs)
    run = image(script_client)
    run.start()
    script_until(lambda: run.phase is Phase.WATCHING)
    with pytest.raises(JobTimeoutError, match=r"0\.5 s") as caught:
        run.wait_blocking(0.5)
    assert caught.value.job_id == run.job_id
    assert f"nk.attach({run.job_id!r})" in str(caught.value)
    assert run.phase is Phase.WATCHING
    ends_soon(sandbox, run)
    assert run.wait_blocking(30.0).status == JobStatus.COMPLETED
    assert len(set(sandbox.jobs) - before) == 1


def script_until(condition):
    """Wait for something in a test that has no loop."""
    asyncio.run(until(condition))


def test_script_cancels_after_timeout(script_client, sandbox):
    """In the background; what is not done is said."""
    sandbox.next_duration(FOREVER)
    run = image(script_client, timeout=0.1)
    with pytest.raises(JobTimeoutError):
        run.wait_blocking()
    assert run.phase is Phase.LEFT
    sandbox.inject(Fault.status(403), method="DELETE")
    run.cancel()
    script_until(lambda: "Not cancelled" in run.note and not run.cancelling)
    assert run.phase is Phase.LEFT
    run.cancel()
    script_until(lambda: run.phase is Phase.ENDED)
    assert sandbox.jobs[run.job_id].status is JobStatus.CANCELLED
    with pytest.raises(JobCancelledError):
        run.wait_blocking()
    run.cancel()


def test_script_cancels_attached_job(script_client, sandbox):
    """Attached to and cancelled, without being watched; what is not done is said."""
    sandbox.next_duration(FOREVER)
    job = job_loop.run_blocking(lambda: script_client.submit("image", {"prompt": "x"}))
    attached = JobRun.attached(job.id, client=script_client)
    sandbox.inject(Fault.status(403), method="DELETE")
    attached.cancel()
    script_until(lambda: "Not cancelled" in attached.note and not attached.cancelling)
    assert attached.phase is Phase.NEW
    attached.cancel()
    script_until(lambda: attached.phase is Phase.ENDED)
    assert attached.tool is Tool.IMAGE
    assert sandbox.jobs[job.id].status is JobStatus.CANCELLED
    with pytest.raises(JobCancelledError):
        attached.wait_blocking()


def test_script_interrupted_leaves_the_job_running(script_client, sandbox):
    """Ctrl-C ends the waiting; the job goes on, and waiting again works."""
    sandbox.next_duration(FOREVER)
    run = image(script_client)

    def interrupt():
        script_until(lambda: run.phase is Phase.WATCHING)
        os.kill(os.getpid(), signal.SIGINT)

    user = threading.Thread(target=interrupt)
    user.start()
    with pytest.raises(KeyboardInterrupt):
        run.wait_blocking()
    user.join()
    assert run.phase is Phase.WATCHING
    ends_soon(sandbox, run)
    assert run.wait_blocking(10.0).status == JobStatus.COMPLETED


def test_wait_timed_out_during_post_keeps_the_job(script_client, sandbox):
    """The submission goes on, and the next wait has its job."""
    sandbox.inject(Fault.delay(0.5), method="POST")
    run = image(script_client)
    with pytest.raises(JobTimeoutError, match="The job has not ended") as caught:
        run.wait_blocking(0.1)
    assert "None" not in str(caught.value)
    assert run.phase is Phase.SUBMITTING
    assert run.wait_blocking(30.0).id in sandbox.jobs


@pytest.mark.parametrize("again", [lambda run: run.wait_blocking(30.0), lambda run: asyncio.run(run.wait())])
def test_loop_ended_leaves_the_job_running(script_client, sandbox, again):
    """It is watched on the job loop, whoever waits for it where."""
    sandbox.next_duration(FOREVER)
    run = image(script_client)

    async def give_up():
        waiting = asyncio.ensure_future(run.wait())
        await until(lambda: run.phase is Phase.WATCHING)
        waiting.cancel()

    asyncio.run(give_up())
    assert run.phase is Phase.WATCHING
    ends_soon(sandbox, run)
    assert again(run).status == JobStatus.COMPLETED


def test_loop_stopped_between_cells_continues(script_client, sandbox):
    """As IPython's does in a terminal: the job ends meanwhile, and the loop is told when it goes on."""
    paused = asyncio.new_event_loop()
    sandbox.next_duration(FOREVER)
    run = image(script_client)
    waiting = paused.create_task(run.wait())
    paused.run_until_complete(until(lambda: run.phase is Phase.WATCHING))
    sandbox.finish(run.job_id)
    script_until(lambda: run.phase is Phase.ENDED)
    assert not waiting.done()
    assert paused.run_until_complete(waiting) is run.job
    paused.close()


def test_a_thread_that_gives_up_does_not_leave_the_others(script_client, sandbox):
    """Three threads wait for one job, and two of them give up: the third hears of its end."""
    sandbox.next_duration(FOREVER)
    run = image(script_client)
    with ThreadPoolExecutor(3) as pool:
        impatient = [pool.submit(run.wait_blocking, 0.1) for _ in range(2)]
        third = pool.submit(run.wait_blocking, 30.0)
        script_until(lambda: run.phase is Phase.WATCHING)
        for one in impatient:
            with pytest.raises(JobTimeoutError):
                one.result(30.0)
        # By somebody else, so that only who watches it hears of it.
        asyncio.run(cancelled_elsewhere(sandbox, run.job_id))
        with pytest.raises(JobCancelledError):
            third.result(30.0)


async def cancelled_elsewhere(sandbox, job_id):
    """Cancel a job with another client."""
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    await client.cancel(job_id)
    await client.aclose()


def test_many_threads_of_a_plain_script(script_client, sandbox):
    """A pool of threads, each waiting for its own job with the same client."""
    client = script_client

    def make(seed):
        return JobRun(Tool.IMAGE, {"prompt": "x", "seed": seed}, client=client, timeout=20).wait_blocking()

    with ThreadPoolExecutor(4) as pool:
        jobs = list(pool.map(make, range(8)))
    assert {job.status for job in jobs} == {JobStatus.COMPLETED}
    assert len({job.id for job in jobs}) == 8


# What else


async def test_a_fault_of_ours_does_not_keep_anybody_waiting(client, sandbox, nothing_left, monkeypatch):
    """Whoever waits is told; the exception itself comes out where the loop shows such things."""

    async def broken(*_args, **_options):
        raise ZeroDivisionError

    monkeypatch.setattr(start, "submit", broken)
    run = image(client)
    with pytest.raises(SubmissionUncertainError, match="ZeroDivisionError"):
        await run.wait()
    with pytest.raises(ZeroDivisionError):
        await run._answering


async def test_results_are_saved_where_all_are(client, sandbox, tmp_path, monkeypatch):
    """With configure(save_to=…) each finished job's media are there; what fails is told, and the job is done."""
    settings.configure(save_to=tmp_path / "all")
    run = image(client)
    await run.wait()
    assert [file.parent for file in run.saved] == [tmp_path / "all"]
    assert all(isinstance(file, Path) and file.stat().st_size for file in run.saved)
    assert run.note.startswith(f"Saved as {run.saved[0].name}")
    sandbox.inject(Fault.status(410), path="/media/*", times=None)
    run = image(client)
    job = await run.wait()
    assert job.status == JobStatus.COMPLETED
    assert run.saved == ()
    assert run.note.startswith("Not saved in")


def test_a_plain_script_waits_for_the_saving(script_client, tmp_path):
    """The files are there when the wait is over."""
    settings.configure(save_to=tmp_path / "all")
    run = image(script_client)
    run.wait_blocking()
    assert len(run.saved) == 1


async def test_a_listener_that_fails_costs_the_job_nothing(client, nothing_left):
    """Its exception is shown in the note and told to the loop, and the job is completed."""
    run = image(client)
    run.on_change = lambda: 1 / 0
    assert (await run.wait()).status == JobStatus.COMPLETED
    assert "ZeroDivisionError" in run.note
    assert nothing_left
    assert all(isinstance(problem["exception"], ZeroDivisionError) for problem in nothing_left)
    nothing_left.clear()


def test_a_listener_that_fails_in_a_script(caplog):
    """The job loop logs it, since nobody else could be told."""
    run = image(NovaKitClient("sk_" + "a" * 64))
    run.on_change = lambda: 1 / 0
    run.cancel()
    assert "ZeroDivisionError" in run.note
    assert "An observer of a job failed" in caplog.text


def test_a_listener_is_called_in_the_context_of_its_maker(script_client):
    """So that what it prints goes to the cell that made the run, whoever is told first; what it sets stays its own."""
    cell = contextvars.ContextVar("cell", default=0)
    seen = []

    def make(number):
        cell.set(number)
        run = image(script_client)

        def listener():
            seen.append((number, cell.get()))
            cell.set(100)

        run.on_change = listener
        return run

    runs = [contextvars.copy_context().run(make, number) for number in range(1, 8)]
    for run in runs:
        run.start()
    for run in runs:
        run.wait_blocking(30.0)
    assert {number for number, _ in seen} == set(range(1, 8))
    assert all(number == its_cell for number, its_cell in seen)


def test_a_blocking_call_of_a_listener_is_refused_at_once(script_client, caplog):
    """On the job loop it would wait for itself; the job is completed all the same."""
    run, refused = image(script_client), []

    def listener():
        try:
            run.wait_blocking(30.0)
        except LoopStandsStillError as error:
            refused.append(error)

    run.on_change = listener
    assert run.wait_blocking(30.0).status == JobStatus.COMPLETED
    assert refused
    assert not caplog.records


def test_a_run_under_way_in_a_forked_process():
    """The child watches the parent's job on a loop of its own; what has no id yet stays the parent's."""
    ended = run_program("""
        import multiprocessing, os
        os.environ["NOVAKIT_HISTORY"] = "off"
        import novakit_widgets as nk
        from novakit_widgets.sandbox import Fault

        def child(told, card, other):
            try:
                other.wait(20)
            except nk.SubmissionUncertainError as error:
                told.put(str(error))
            told.put(card.wait(20).id)
            told.put(nk.image("z").wait(20).status)

        with nk.Sandbox(speed=20, durations={"image": 20}) as s:
            nk.configure(api_key=s.api_key, base_url=s.base_url)
            card = nk.image("x")
            while card.job_id is None:
                pass
            s.inject(Fault.delay(1.5), method="POST")
            other = nk.image("y")
            context = multiprocessing.get_context("fork")
            told = context.SimpleQueue()
            process = context.Process(target=child, args=(told, card, other))
            process.start()
            print("forked" in told.get(), told.get() == card.job_id, told.get())
            process.join(20)
            print(card.wait(20).status, other.wait(20).status, process.exitcode)
    """)
    assert (ended.stdout.split(), ended.stderr) == (["True", "True", "completed", "completed", "completed", "0"], "")


@pytest.mark.parametrize(
    ("job", "kind", "said"),
    [
        (Job("job_1", JobStatus.COMPLETED), None, None),
        (Job("job_1", "odd"), None, None),
        (Job("job_1", JobStatus.FAILED), JobFailedError, "it gave no reason"),
        (Job("job_1", JobStatus.FAILED, error="No machine."), JobFailedError, "job_1: No machine. Try again"),
        (Job("job_1", JobStatus.FAILED, actual_credits=0.0), JobFailedError, "not billed"),
        (Job("job_1", JobStatus.FAILED, actual_credits=2.5), JobFailedError, "It cost 2.5 credits"),
        (Job(None, JobStatus.FAILED), JobFailedError, "the job"),
        (Job("job_1", JobStatus.CANCELLED), JobCancelledError, "job_1 was cancelled."),
    ],
)
def test_what_an_end_stands_for(job, kind, said):
    """A completed job is no error; the others carry the job, the service's words and the cost."""
    error = error_of_job(job)
    if kind is None:
        assert error is None
    else:
        assert type(error) is kind
        assert said in str(error)
        assert error.job is job
