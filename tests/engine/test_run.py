"""One generation from its submission to its result: every phase, every way out, every thread."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import stamina
from runs import FOREVER, image, until

from novakit_widgets import NovaKitClient, settings
from novakit_widgets.batches.queue import JobQueue
from novakit_widgets.engine import run as module
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
    NotFoundError,
    NovaKitConnectionError,
    PermissionDeniedError,
    SubmissionUncertainError,
)
from novakit_widgets.job_history.jobs import JobHistory
from novakit_widgets.model.job import Job, JobStatus
from novakit_widgets.model.tools import Tool
from novakit_widgets.runtime import loop as job_loop
from novakit_widgets.runtime.clock import Clockwork
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


async def test_from_new_to_ended(client):
    """Submitting, watching, ended; then nothing is left running and the result stays."""
    run = image(client)
    listener = Listener(run)
    assert (run.phase, run.job_id, run.elapsed, run.settled) == (Phase.NEW, None, None, False)
    with pytest.raises(JobNotStartedError):
        run.result()
    assert run.start() is True
    assert run.start() is True, "starting twice starts once"
    job = await run.wait()
    assert listener.phases == [Phase.SUBMITTING, Phase.WATCHING, Phase.ENDED]
    assert job.status == JobStatus.COMPLETED
    assert job is run.job is run.result() is await run.wait()
    assert run.error is None
    assert run.elapsed == job.seconds
    assert not tracker_of(client).busy


async def test_its_parameters_are_its_own(client):
    """Neither those who gave them nor those who are given the job change what is sent, or sent once more."""
    inputs = {"steps": [10]}
    run = JobRun(Tool.MUSIC, {"prompt": "Jazz", "model_inputs": inputs}, client=client)
    inputs["steps"].append(20)
    submitted = []
    run.on_change = lambda: submitted.append(run.job) if run.job is not None else None
    job = await run.wait()
    submitted[0].params["model_inputs"]["steps"].append(30)
    assert job.raw["inputParams"]["model_inputs"] == run.params["model_inputs"] == {"steps": [10]}


async def test_a_result_that_is_not_there_yet(client, sandbox):
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


async def test_a_job_that_fails(client):
    """It ends with the service's words and what it cost, and waiting again tells the same."""
    run = JobRun(Tool.IMAGE, {"prompt": "fail please"}, client=client)
    for _ in range(2):
        with pytest.raises(JobFailedError, match="could not finish") as caught:
            await run.wait()
        assert caught.value.job is run.job
        assert "not billed" in str(caught.value)
    assert run.phase is Phase.ENDED


async def test_a_service_that_answers_at_once(serve, nothing_left):
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


async def test_it_is_refused(client, sandbox):
    """The service's own words end it, and nothing was started."""
    run = JobRun(Tool.VIDEO, {"prompt": "x", "fps": 29}, client=client)
    with pytest.raises(Exception, match="Invalid fps"):
        await run.wait()
    assert run.phase is Phase.REFUSED
    assert run.elapsed is not None


# Cancelling, in each phase


async def test_cancelled_before_it_was_submitted(client, sandbox):
    """Nothing is ever sent."""
    before = len(sandbox.requests)
    run = image(client)
    run.cancel()
    assert run.phase is Phase.REFUSED
    with pytest.raises(JobCancelledError, match="nothing was billed"):
        await run.wait()
    run.cancel()
    assert len(sandbox.requests) == before


def test_cancelled_before_it_was_submitted_in_a_plain_script():
    """Without any loop it is the same."""
    run = image(NovaKitClient("sk_" + "a" * 64))
    assert run.start() is False
    run.keep_watching()
    run.cancel()
    assert run.phase is Phase.REFUSED


async def test_cancelled_while_it_is_submitted(client, sandbox):
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


async def test_cancelled_before_its_request_is_on_its_way(client, sandbox, tmp_path):
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
async def test_cancelled_while_a_submission_sits_out_a_429(client, sandbox, tmp_path, before):
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


def test_a_loop_that_ends_while_a_submission_sits_out_a_429(script_client, sandbox):
    """Nothing was on its way, so there is certainly no job."""
    stamina.set_testing(False)
    sandbox.inject(Fault.status(429, retry_after=50), method="POST", times=None)
    run = image(script_client)

    async def give_up():
        run.start()
        await until(lambda: run.trouble is not None)
        await script_client.aclose()

    asyncio.run(give_up())
    assert run.phase is Phase.REFUSED
    with pytest.raises(JobNotStartedError, match="nothing was started or billed"):
        run.result()


def test_a_script_that_waits_too_short_for_a_busy_service_waits_again(script_client, sandbox, tmp_path):
    """A 429 is sat out; whoever gives up meanwhile is told that nothing was taken, and submits it by waiting again."""
    stamina.set_testing(False)
    refused = sandbox.inject(Fault.status(429, retry_after=50), method="POST", times=1)
    history = JobHistory(tmp_path / "history.sqlite3")
    run = image(script_client, history=history)
    with pytest.raises(JobTimeoutError, match=r"has not been submitted within 4 s.*Nothing is started or billed"):
        run.wait_blocking(4.0)
    assert refused.hits == 1
    assert not run.settled
    assert run.wait_blocking(30.0).status == JobStatus.COMPLETED
    assert [entry.stage for entry in history.entries()] == ["job", "unsent"]


async def test_cancelled_while_a_submission_is_refused(client, sandbox, monkeypatch):
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


async def test_cancelled_while_it_is_watched(client, sandbox):
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


async def test_cancelled_too_late(client, sandbox):
    """A job that has ended meanwhile keeps its end."""
    run = image(client)
    await run.wait()
    before = len(sandbox.requests)
    run.cancel()
    assert not run.cancelling
    assert len(sandbox.requests) == before


async def test_a_cancellation_that_fails(client, sandbox):
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


async def test_a_cancellation_that_takes_its_time(client, sandbox):
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


async def test_a_cancellation_that_was_not_to_be(client, sandbox):
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


async def test_cancelled_after_we_left_it_without_its_knowing(client, sandbox):
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


async def test_cancelled_after_we_left_it(client, sandbox):
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


async def test_a_cancellation_that_fails_after_we_left(client, sandbox):
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


async def test_a_job_that_ended_while_nobody_watched(client, sandbox):
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


async def test_watching_ends_and_goes_on(client, sandbox):
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


async def test_waiting_again_watches_on(client, sandbox):
    """Who waits for a job that was left means it."""
    sandbox.next_duration(FOREVER)
    run = image(client, timeout=0.1)
    with pytest.raises(JobTimeoutError):
        await run.wait()
    run.timeout = 10.0
    ends_soon(sandbox, run)
    assert (await run.wait()).status == JobStatus.COMPLETED


async def test_how_long_is_watched(client):
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
async def test_an_attached_jobs_time_is_its_own(client, sandbox, hours, seconds):
    """It counts from the job's beginning, not from ours, but for two clocks that disagree."""
    sandbox.next_duration(FOREVER)
    job = await client.get((await client.submit("image", {"prompt": "A lighthouse"})).id)
    begun = None if hours is None else job.created_at - timedelta(hours=hours)
    known = replace(job, created_at=begun)
    works = Clockwork(now=lambda: job.created_at, clock=lambda: 5.0)
    run = JobRun.known(Tool.IMAGE, {}, known, client=client, clockwork=works)
    run.begin()
    assert run.phase is Phase.WATCHING
    assert round(run.elapsed, 3) == seconds
    sandbox.finish(job.id)
    await run.wait()
    assert run.elapsed == run.job.seconds


async def test_an_attached_card_counts_from_the_jobs_beginning(client, sandbox):
    """As the service's own answer tells it."""
    sandbox.next_duration(FOREVER)
    job = await client.get((await client.submit("image", {"prompt": "A lighthouse"})).id)
    attached = JobRun.attached(job.id, client=client)
    attached._time = Stopwatch(Clockwork(now=lambda: job.created_at + timedelta(minutes=2)))
    attached.begin()
    await until(lambda: attached.phase is Phase.WATCHING)
    assert 120.0 <= attached.elapsed < 180.0
    sandbox.finish(job.id)
    await attached.wait()


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), True, "5", []])
def test_a_time_out_is_a_length_of_time(timeout):
    """Anything else is refused before anything is sent."""
    with pytest.raises(ConfigurationError, match="Nothing was sent or billed"):
        check_timeout(timeout)
    with pytest.raises(ConfigurationError):
        image(None, timeout=timeout)
    with pytest.raises(ConfigurationError):
        image(NovaKitClient("sk_" + "a" * 64)).wait_blocking(timeout)


async def test_a_time_out_that_is_none_says_nothing_against_the_job(client, sandbox):
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


async def test_attaching_to_a_job(client, sandbox):
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


async def test_attaching_to_no_job(client, sandbox):
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
def test_attaching_to_what_is_no_job_id(job_id):
    """It is refused at once."""
    with pytest.raises(InvalidParameterError, match="no job id"):
        JobRun.attached(job_id, client=None)


async def test_cancelling_while_a_job_is_looked_for(client, sandbox):
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


async def test_cancelling_a_job_that_could_not_be_looked_at(client, sandbox):
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


async def test_giving_up_waiting_does_nothing_to_the_job(client, sandbox):
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


async def test_many_wait_for_one_job(client, sandbox):
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


async def test_another_thread_starts_cancels_and_attaches(client, sandbox):
    """A callback on a thread with a running loop of its own only hands work over: all of it happens on the main loop."""
    sandbox.next_duration(FOREVER)
    loop = asyncio.get_running_loop()
    assert job_loop.home() is loop
    loops = set()

    def elsewhere(work):
        async def callback():
            return work()

        return asyncio.run(callback())

    run = image(client)
    run.on_change = lambda: loops.add(asyncio.get_running_loop())
    assert await asyncio.to_thread(elsewhere, run.start) is True
    await until(lambda: run.phase is Phase.WATCHING)
    attached = JobRun.attached(run.job_id, client=client)
    await asyncio.to_thread(elsewhere, attached.start)
    await until(lambda: attached.phase is Phase.WATCHING)
    await asyncio.to_thread(elsewhere, run.cancel)
    await until(lambda: run.phase is attached.phase is Phase.ENDED)
    assert loops == {loop}


async def test_another_thread_waits_again_for_a_job_that_was_left(client, sandbox):
    """It does not get the old time-out once more, but the job."""
    sandbox.next_duration(FOREVER)
    assert job_loop.home() is asyncio.get_running_loop()
    run = image(client, timeout=0.1)
    with pytest.raises(JobTimeoutError):
        await run.wait()
    run.timeout = 10.0
    ends_soon(sandbox, run)
    job = await asyncio.to_thread(lambda: asyncio.run(run.wait()))
    assert job.status == JobStatus.COMPLETED


async def test_another_thread_gives_up(client, sandbox):
    """A loop that is gone with its waiter is no trouble to the others."""
    sandbox.next_duration(200.0)
    assert job_loop.home() is asyncio.get_running_loop()
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


async def test_a_blocking_wait_on_another_thread_has_a_time_out(client, sandbox):
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
    assert not client._connections, "every loop's connections were closed before the loop"


def test_threads_that_begin_at_once_submit_once(script_client, sandbox):
    """Each has a loop of its own, as in a plain script, and all wait for one run."""
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


def test_a_plain_script_waits(script_client):
    """wait_blocking makes a loop, and leaves nothing on it."""
    run = image(script_client)
    job = run.wait_blocking()
    assert job.status == JobStatus.COMPLETED
    assert run.wait_blocking() is job


def test_a_plain_script_waits_again(script_client, sandbox):
    """After a time-out the job is left, not lost: the next wait watches it on a new loop, and it is billed once."""
    sandbox.next_duration(FOREVER)
    before = set(sandbox.jobs)
    run = image(script_client)
    left_on_its_loop(run, script_client)  # it has its id, however long the submission took
    with pytest.raises(JobTimeoutError, match=r"0\.5 s") as caught:
        run.wait_blocking(0.5)
    assert caught.value.job_id == run.job_id
    assert f"nk.attach({run.job_id!r})" in str(caught.value)
    assert run.phase is Phase.LEFT
    ends_soon(sandbox, run)
    assert run.wait_blocking(30.0).status == JobStatus.COMPLETED
    assert len(set(sandbox.jobs) - before) == 1


def test_a_plain_script_cancels_after_a_time_out(script_client, sandbox):
    """There is no loop any more, so it is done at once."""
    sandbox.next_duration(FOREVER)
    run = image(script_client)
    with pytest.raises(JobTimeoutError):
        run.wait_blocking(0.1)
    sandbox.inject(Fault.status(403), method="DELETE")
    run.cancel()
    assert (run.phase, run.cancelling) == (Phase.LEFT, False)
    run.cancel()
    assert run.phase is Phase.ENDED
    assert sandbox.jobs[run.job_id].status is JobStatus.CANCELLED
    with pytest.raises(JobCancelledError):
        run.wait_blocking()
    run.cancel()


def test_a_plain_script_cancels_a_job_of_yesterday(script_client, sandbox):
    """Attached to and cancelled: without a loop it is done at once, and what is not done is said."""
    sandbox.next_duration(FOREVER)
    run = image(script_client)
    with pytest.raises(JobTimeoutError):
        run.wait_blocking(0.1)
    attached = JobRun.attached(run.job_id, client=script_client)
    sandbox.inject(Fault.status(403), method="DELETE")
    attached.cancel()
    assert "Not cancelled" in attached.note
    assert (attached.phase, attached.cancelling) == (Phase.NEW, False)
    attached.cancel()
    assert attached.phase is Phase.ENDED
    assert attached.tool is Tool.IMAGE
    assert sandbox.jobs[run.job_id].status is JobStatus.CANCELLED
    with pytest.raises(JobCancelledError):
        attached.wait_blocking()


def test_a_plain_script_is_interrupted(script_client, sandbox):
    """Ctrl-C ends the waiting; the job goes on, and waiting again works."""
    sandbox.next_duration(FOREVER)
    run = image(script_client)

    def interrupt():
        asyncio.run(until(lambda: run.phase is Phase.WATCHING))
        os.kill(os.getpid(), signal.SIGINT)

    user = threading.Thread(target=interrupt)
    user.start()
    with pytest.raises(KeyboardInterrupt):
        run.wait_blocking()
    user.join()
    assert run.phase is Phase.LEFT
    ends_soon(sandbox, run)
    assert run.wait_blocking(10.0).status == JobStatus.COMPLETED


def test_an_answer_on_its_way_is_worth_some_seconds(script_client, sandbox):
    """A time-out in the middle of the submission does not lose the job's id."""
    sandbox.next_duration(FOREVER)
    sandbox.inject(Fault.delay(0.3), method="POST")
    run = image(script_client)
    with pytest.raises(JobTimeoutError, match="The job has not ended") as caught:
        run.wait_blocking(0.1)
    assert "None" not in str(caught.value)
    assert run.phase is Phase.LEFT
    assert run.job_id in sandbox.jobs
    run.cancel()


def test_an_answer_that_does_not_come(script_client, sandbox, monkeypatch):
    """After those seconds we say that there may be a job; an attached one is only left."""
    monkeypatch.setattr(module, "_PARTING_SECONDS", 0.05)
    made = len(sandbox.jobs)
    late = sandbox.inject(Fault.delay(0.6), times=2)
    run = image(script_client)

    async def until_it_has_come():
        waiting = asyncio.create_task(run.wait())
        await until(lambda: late.hits == 1)
        waiting.cancel()
        raise JobTimeoutError("It takes too long.")

    with pytest.raises(JobTimeoutError):
        run.wait_blocking(None, until_it_has_come)
    assert run.phase is Phase.UNCERTAIN
    with pytest.raises(SubmissionUncertainError, match="may run and be billed"):
        run.wait_blocking()
    attached = JobRun.attached("job_unknown", client=script_client)
    with pytest.raises(JobTimeoutError, match="job_unknown"):
        attached.wait_blocking(0.05)
    assert attached.phase is Phase.LEFT
    assert type(attached.error) is JobError
    assert "not affected" in str(attached.error)
    with pytest.raises(NotFoundError):
        attached.wait_blocking()
    asyncio.run(until(lambda: len(sandbox.jobs) > made))  # or it would take the next test's duration


def left_on_its_loop(run, client):
    """Wait for a run on a loop that ends while its job runs, as `asyncio.run` and a time-out of one's own make it."""

    async def give_up():
        waiting = asyncio.ensure_future(run.wait())
        await until(lambda: run.phase is Phase.WATCHING)
        await asyncio.sleep(0.02)
        waiting.cancel()
        await client.aclose()

    asyncio.run(give_up())


def wait_on_a_loop(run, client):
    async def wait():
        try:
            return await run.wait()
        finally:
            await client.aclose()

    return asyncio.run(wait())


@pytest.mark.parametrize("again", [lambda run, _: run.wait_blocking(30.0), wait_on_a_loop])
def test_a_loop_that_ends_leaves_the_job(script_client, sandbox, again):
    """Nothing is heard on it any more, so the job is left: whoever waits watches it on another loop."""
    sandbox.next_duration(FOREVER)
    run = image(script_client)
    left_on_its_loop(run, script_client)
    assert (run.phase, run.error) == (Phase.LEFT, None)
    run.keep_watching()
    ends_soon(sandbox, run)
    assert again(run, script_client).status == JobStatus.COMPLETED


def test_what_was_left_with_its_loop_can_be_watched_on(script_client, sandbox):
    """On the next loop, without anybody waiting for it."""
    sandbox.next_duration(FOREVER)
    run = image(script_client)
    left_on_its_loop(run, script_client)

    async def watch_on():
        run.keep_watching()
        sandbox.finish(run.job_id)
        await until(lambda: run.phase is Phase.ENDED)
        await run._leave_loop()

    asyncio.run(watch_on())
    assert run.result().status == JobStatus.COMPLETED


def test_what_was_left_with_its_loop_can_be_cancelled(script_client, sandbox):
    """There is no loop, so it is done at once."""
    sandbox.next_duration(FOREVER)
    run = image(script_client)
    left_on_its_loop(run, script_client)
    run.cancel()
    assert isinstance(run.error, JobCancelledError)
    assert sandbox.jobs[run.job_id].status is JobStatus.CANCELLED


@pytest.fixture
def paused(script_client):
    """A loop that stands still between two cells, as IPython's does in a terminal."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.run_until_complete(script_client.aclose())
    # What was cancelled needs some steps to be gone, and a row of the history its time on the disk.
    if left := asyncio.all_tasks(loop):
        _, left = loop.run_until_complete(asyncio.wait(left, timeout=2.0))
    assert not left, left
    loop.close()


def test_a_loop_that_stands_still(script_client, sandbox, paused):
    """A blocking wait goes on elsewhere; when the loop goes on, it knows of the end and asks for nothing more."""
    sandbox.next_duration(FOREVER)
    run = image(script_client)
    paused.run_until_complete(stay(run, Phase.WATCHING))
    assert run.phase is Phase.WATCHING
    ends_soon(sandbox, run)
    job = run.wait_blocking(30.0)
    assert job.status == JobStatus.COMPLETED
    assert paused.run_until_complete(run.wait()) is job


def test_a_loop_that_goes_on(script_client, sandbox, paused):
    """The job comes back to it."""
    sandbox.next_duration(FOREVER)
    run = image(script_client)
    paused.run_until_complete(stay(run, Phase.WATCHING))
    with pytest.raises(JobTimeoutError):
        run.wait_blocking(0.2)
    assert run.phase is Phase.LEFT
    ends_soon(sandbox, run)
    assert paused.run_until_complete(run.wait()).status == JobStatus.COMPLETED


def test_a_loop_that_stands_still_in_mid_post(script_client, sandbox, paused):
    """Nobody reads the answer, so there may be a job; nothing is sent when the loop goes on."""
    sandbox.inject(Fault.delay(0.3), method="POST")
    run = image(script_client)
    paused.run_until_complete(stay(run, Phase.SUBMITTING))
    with pytest.raises(SubmissionUncertainError, match="has stopped"):
        run.wait_blocking(5.0)
    paused.run_until_complete(asyncio.sleep(0.01))
    assert run.phase is Phase.UNCERTAIN


def test_a_loop_that_stands_still_while_a_job_is_looked_for(script_client, sandbox, paused):
    """It is asked for again, and the first question is of no account any more."""
    earlier = image(script_client)
    job_id = earlier.wait_blocking(30.0).id
    sandbox.inject(Fault.delay(0.3), path=f"*/jobs/{job_id}")
    run = JobRun.attached(job_id, client=script_client)
    paused.run_until_complete(stay(run, Phase.SUBMITTING))
    job = run.wait_blocking(5.0)
    assert paused.run_until_complete(run.wait()) is job


async def stay(run, phase):
    """Begin, and leave the loop in a phase."""
    run.start()
    await until(lambda: run.phase is phase)
    await asyncio.sleep(0.02)


def test_a_thread_that_leaves_does_not_leave_the_others(script_client, sandbox):
    """Three threads wait for one job, and the one on whose loop it is watched gives up, as does another: the third watches it."""
    sandbox.next_duration(FOREVER)
    run = image(script_client)
    watched, others_wait = threading.Event(), threading.Event()

    async def until_the_others_wait():
        waiting = asyncio.create_task(run.wait())
        await until(lambda: run.phase is Phase.WATCHING)
        watched.set()
        await asyncio.to_thread(others_wait.wait, 30.0)
        waiting.cancel()
        raise JobTimeoutError("It takes too long.")

    async def to_the_end():
        others_wait.set()
        return await run.wait()

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(run.wait_blocking, None, until_the_others_wait)
        assert watched.wait(30.0)
        second = pool.submit(run.wait_blocking, 0.1)
        third = pool.submit(run.wait_blocking, 30.0, to_the_end)
        for impatient in (first, second):
            with pytest.raises(JobTimeoutError):
                impatient.result(30.0)
        # By somebody else, so that only who still watches it hears of it.
        asyncio.run(cancelled_elsewhere(sandbox, run.job_id))
        with pytest.raises(JobCancelledError):
            third.result(30.0)


async def cancelled_elsewhere(sandbox, job_id):
    """Cancel a job with another client."""
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    await client.cancel(job_id)
    await client.aclose()


def test_many_threads_of_a_plain_script(sandbox):
    """A pool of threads, each waiting for its own job with its own loop and the same client."""
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)

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
    await run.saving
    assert [file.parent for file in run.saved] == [tmp_path / "all"]
    assert all(isinstance(file, Path) and file.stat().st_size for file in run.saved)
    assert run.note.startswith(f"Saved as {run.saved[0].name}")
    sandbox.inject(Fault.status(410), path="/media/*", times=None)
    run = image(client)
    job = await run.wait()
    await run.saving
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


def test_a_listener_that_fails_without_a_loop():
    """There is nobody to tell but the caller."""
    run = image(NovaKitClient("sk_" + "a" * 64))
    run.on_change = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        run.cancel()


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
