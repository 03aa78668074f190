"""Recovering what nobody saw the end of, and not paying twice."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import warnings
from collections import Counter

import httpx
import pytest
from killing import kill
from loops import owning
from runs import until

from novakit_widgets import JobWidget, NovaKitClient, Sandbox, SubmissionUncertainError, Tool, batch, configure
from novakit_widgets.engine.reconcile import look_up_all
from novakit_widgets.engine.reuse import lost_job
from novakit_widgets.engine.run import JobRun
from novakit_widgets.engine.submit import Submission, submit
from novakit_widgets.job_history.jobs import JobHistory, default_history
from novakit_widgets.model.job import Job, JobStatus
from novakit_widgets.notebook.recover import recover, recover_all
from novakit_widgets.runtime.clock import Clock
from novakit_widgets.sandbox import Fault


@pytest.fixture
def sandbox():
    """A fast sandbox."""
    with Sandbox(speed=300.0, limits="off", quotas="off", media="canned", seed=1) as running:
        yield running


@pytest.fixture
def history(tmp_path):
    """An empty history."""
    return JobHistory(tmp_path / "history.sqlite3")


def go(sandbox, work):
    """Run work with a client of its own."""

    async def main():
        client = NovaKitClient(sandbox.api_key, sandbox.base_url)
        try:
            return await work(client)
        finally:
            await client.aclose()

    return owning(main())


async def nap(_seconds):
    """Wait for nothing."""
    await asyncio.sleep(0)


QUICK = Clock(sleep=nap)
PARAMS = {"prompt": "A lighthouse", "seed": 3}


def begin_elsewhere(history, sandbox, params):
    """Write an intent as a process did that has died since."""
    code = (
        "import sys, json; from pathlib import Path; from novakit_widgets import Tool;"
        "from novakit_widgets.job_history.jobs import JobHistory;"
        "JobHistory(Path(sys.argv[1])).begin(Tool.IMAGE, json.loads(sys.argv[2]), base_url=sys.argv[3])"
    )
    subprocess.run([sys.executable, "-c", code, history.path, json.dumps(params), sandbox.base_url], check=True)


def test_submit_with_a_lost_answer_finds_its_job(sandbox, history):
    """The connection breaks after the POST: the job is looked up, attached to, and not submitted again."""
    sandbox.inject(Fault.reset_after(), method="POST", path="/images/*")
    job = go(sandbox, lambda client: submit(client, Tool.IMAGE, PARAMS, history=history, clock=QUICK))
    assert list(sandbox.jobs) == [job.id]
    (entry,) = history.entries()
    assert (entry.stage, entry.job.id) == ("job", job.id)


def test_submit_that_never_arrived_is_not_sent_again(sandbox, history):
    """The connection breaks before the work: the user decides."""
    sandbox.inject(Fault.reset_before(), method="POST", path="/images/*")
    with pytest.raises(SubmissionUncertainError, match=r"no such job.*Nothing was submitted twice.*nk\.recover"):
        go(sandbox, lambda client: submit(client, Tool.IMAGE, PARAMS, history=history, clock=QUICK))
    assert not sandbox.jobs
    assert history.entries()[0].stage == "uncertain"
    outcome = go(sandbox, lambda client: look_up_all(client, history, clock=QUICK))
    assert len(outcome.unsent) == 1
    assert history.lost() == []


def test_submit_does_not_take_an_earlier_equal_job(sandbox, history):
    """A job that the history knows is no candidate."""
    first = go(sandbox, lambda client: submit(client, Tool.IMAGE, PARAMS, history=history, clock=QUICK))
    sandbox.inject(Fault.reset_after(), method="POST", path="/images/*")
    second = go(sandbox, lambda client: submit(client, Tool.IMAGE, PARAMS, history=history, clock=QUICK))
    assert first.id != second.id
    assert set(sandbox.jobs) == {first.id, second.id}


def test_submit_without_a_history_does_not_take_an_earlier_equal_job(sandbox):
    """The process knows its own submissions."""
    off = JobHistory(None)
    first = go(sandbox, lambda client: submit(client, Tool.IMAGE, PARAMS, history=off, clock=QUICK))
    sandbox.inject(Fault.reset_before(), method="POST", path="/images/*")
    with pytest.raises(SubmissionUncertainError, match="no such job"):
        go(sandbox, lambda client: submit(client, Tool.IMAGE, PARAMS, history=off, clock=QUICK))
    assert list(sandbox.jobs) == [first.id]


@pytest.mark.parametrize("off", [False, True])
def test_submit_of_two_equal_ones_gives_each_its_job(sandbox, history, off):
    """Both answers are lost and one arrived, or both did, or the other answer is late."""
    kept = JobHistory(None) if off else history

    async def both(client):
        one = [submit(client, Tool.IMAGE, PARAMS, history=kept, clock=QUICK) for _ in range(2)]
        return await asyncio.gather(*one, return_exceptions=True)

    def ids(outcomes):
        return [getattr(outcome, "id", type(outcome)) for outcome in outcomes]

    for faults, made in (
        ((Fault.reset_after(), Fault.reset_before()), 1),
        ((Fault.reset_after(), Fault.reset_after()), 2),
        ((Fault.delay(0.5), Fault.reset_before()), 1),
        ((Fault.delay(0.5), Fault.reset_after()), 2),
    ):
        before = set(sandbox.jobs)
        for fault in faults:
            sandbox.inject(fault, method="POST", path="/images/*")
        told = ids(go(sandbox, both))
        new = set(sandbox.jobs) - before
        assert len(new) == made
        assert Counter(told) == Counter([*new, *[SubmissionUncertainError] * (2 - made)])


def test_claim_by_two_processes_gives_the_job_to_one(history):
    """Checking and taking are one transaction."""
    one, two = (history.begin(Tool.IMAGE, PARAMS, base_url="https://x.example") for _ in range(2))
    job = Job("job_1", JobStatus.PENDING)
    assert history.claim(one, job, base_url="https://x.example")
    assert not JobHistory(history.path).claim(two, job, base_url="https://x.example")
    assert history.claim(one, job, base_url="https://x.example")
    history.uncertain(two, "not there")
    assert [entry.job and entry.job.id for entry in history.entries()] == [None, "job_1"]


def test_submit_with_two_candidates_names_them(sandbox, history):
    """Another program with the key generated the same just now."""
    go(sandbox, lambda client: client.submit("image", PARAMS))
    sandbox.inject(Fault.reset_after(), method="POST", path="/images/*")
    with pytest.raises(SubmissionUncertainError, match="2 jobs could be it") as caught:
        go(sandbox, lambda client: submit(client, Tool.IMAGE, PARAMS, history=history, clock=QUICK))
    assert {job.id for job in caught.value.candidates} == set(sandbox.jobs)


def test_recover_tells_started_submissions_from_others(sandbox, history):
    """Equal submissions share the jobs that there are."""
    for params in (PARAMS, PARAMS, {"prompt": "never arrived"}):
        begin_elsewhere(history, sandbox, params)
    go(sandbox, lambda client: client.submit("image", PARAMS))  # the dead kernel's own, as far as the service knows
    outcome = go(sandbox, lambda client: recover_all(client, history, clock=QUICK))
    assert [job.id for job in outcome.found] == list(sandbox.jobs)
    assert len(outcome.unsent) == 2
    assert "1 found, 2 never started, 0 unclear" in repr(outcome)
    assert "nk.attach" in outcome._repr_html_()
    assert len(sandbox.jobs) == 1


@pytest.mark.parametrize(("others", "unsent"), [(99, 1), (100, 0)])
def test_look_up_all_with_a_full_list_uses_how_far_it_reaches(sandbox, history, others, unsent):
    """A job that was answered before the lost POST is older, whatever the clocks say."""
    go(sandbox, lambda client: submit(client, Tool.IMAGE, {"prompt": "earlier"}, history=history))
    begin_elsewhere(history, sandbox, PARAMS)  # it never arrived

    async def class_work(client):
        for number in range(others):
            await client.submit("image", {"prompt": f"class work {number}"})

    go(sandbox, class_work)
    outcome = go(sandbox, lambda client: look_up_all(client, history, clock=QUICK))
    assert (len(outcome.unsent), len(outcome.unclear)) == (unsent, 1 - unsent)
    assert outcome.found == ()


def test_look_up_all_without_a_list_leaves_submissions_unclear(sandbox, history):
    """The reason is given, and they stay for the next look."""
    begin_elsewhere(history, sandbox, PARAMS)
    fault = sandbox.inject(Fault.status(403), method="GET", path="/jobs*", times=None)
    outcome = go(sandbox, lambda client: look_up_all(client, history, clock=QUICK))
    assert len(outcome.unclear) == 1
    assert "scope" in outcome.reasons[0]
    assert len(history.lost()) == 1
    assert fault.hits


def test_look_up_all_takes_a_job_that_the_history_only_listed(sandbox, history):
    """Such a row belongs to no submission, and joins the lost one."""
    begin_elsewhere(history, sandbox, PARAMS)

    async def listed(client):
        await client.submit("image", PARAMS)
        for job in await client.list():  # as nk.history() does
            history.update(job, base_url=client.base_url)

    go(sandbox, listed)
    assert len(history.entries()) == 2
    outcome = go(sandbox, lambda client: look_up_all(client, history, clock=QUICK))
    assert [job.id for job in outcome.found] == list(sandbox.jobs)
    (entry,) = history.entries()
    assert (entry.stage, entry.job.id) == ("job", outcome.found[0].id)


@pytest.mark.parametrize("full", [True, False], ids=["pushed off the list", "without its parameters"])
def test_look_up_all_with_an_incomplete_list_leaves_it_unclear(sandbox, history, full):
    """A paid job that the list leaves out, or lists without parameters, stays unclear."""
    begin_elsewhere(history, sandbox, PARAMS)

    async def others(client):
        job = await client.submit("image", PARAMS)
        for number in range(100 if full else 0):
            await client.submit("image", {"prompt": f"class work {number}"})
        if not full:
            sandbox.inject(Fault.null_fields("inputParams"), method="GET", path="/jobs", times=3)
        return job, await look_up_all(client, history, clock=QUICK)

    job, outcome = go(sandbox, others)
    assert (outcome.found, outcome.unsent, len(outcome.unclear)) == ((), (), 1)
    assert ("newest 100" if full else job.id) in outcome.reasons[0]
    assert len(history.lost()) == 1
    if not full:
        outcome = go(sandbox, lambda client: look_up_all(client, history, clock=QUICK))
        assert [found.id for found in outcome.found] == [job.id]


FILE = "data:image/png;base64," + "iVBORw0KGgo" * 200_000  # of 2.2 MB: four of them are too long for one answer


def test_look_up_of_jobs_with_files_uses_a_shorter_list(sandbox, history):
    """The list repeats the files of jobs, so that neither a hundred nor twenty can be read."""

    async def lose_one(client):
        for number in range(4):
            await client.submit("image_edit", {"prompt": f"edit {number}", "operation": "edit", "image": FILE})
        sandbox.inject(Fault.reset_after(), method="POST", path="/images/*")
        asked = {"prompt": "the lost one", "operation": "edit", "image": FILE}
        found = await submit(client, Tool.IMAGE_EDIT, asked, history=history, clock=QUICK)
        # Of another that never arrived these say nothing: it may be one of those that are not shown.
        history.begin(Tool.IMAGE_EDIT, {"prompt": "another"}, base_url=client.base_url, account=client.account)
        (other,) = history.entries(limit=1)
        history.uncertain(other.intent, "its answer was lost")
        return found, await look_up_all(client, history, clock=QUICK)

    job, outcome = go(sandbox, lose_one)
    assert job.id == list(sandbox.jobs)[-1]
    assert (outcome.found, outcome.unsent, len(outcome.unclear)) == ((), (), 1)
    assert "too long to be read, and this may be an older one" in outcome.reasons[0]


def test_recover_uses_the_history_of_the_settings(sandbox, tmp_path):
    """nk.recover() needs no argument; without losses it says so."""
    configure(api_key=sandbox.api_key, base_url=sandbox.base_url, history=str(tmp_path / "h.sqlite3"))
    assert "Nothing to recover" in recover()._repr_html_()


def test_kills_at_random_moments_lose_and_double_nothing(tmp_path):
    """Before, during and after the POST: every job of the service is known once, and has its result."""
    toll = kill(12, tmp_path, jobs=3)
    assert (toll.unknown, toll.doubled, toll.unclear, toll.unfinished) == (0, 0, 0, 0)


def test_reuse_takes_the_job_of_the_history(sandbox, tmp_path):
    """The same call again attaches to what there is: no POST, and the card says so; generate anew makes a new one."""
    configure(api_key=sandbox.api_key, base_url=sandbox.base_url, history=str(tmp_path / "h.sqlite3"))
    first = JobWidget("image", PARAMS).wait()
    again = JobWidget("image", {**PARAMS, "n": 1}, reuse=True)
    assert again.wait().id == first.id
    assert len(sandbox.jobs) == 1
    again.paint()
    assert "not billed again" in again._parts.body.value
    assert again._parts.button.description == "Again"
    again._act("anew")
    assert again.wait().id != first.id
    assert len(sandbox.jobs) == 2


def test_without_reuse_an_equal_job_of_today_is_mentioned(sandbox, tmp_path):
    """A new job is made, and one quiet line tells of the other; configure(reuse=True) turns reuse on for all."""
    configure(api_key=sandbox.api_key, base_url=sandbox.base_url, history=str(tmp_path / "h.sqlite3"))
    first = JobWidget("image", PARAMS).wait()
    second = JobWidget("image", PARAMS)
    assert second.wait().id != first.id
    second.paint()
    assert first.id in second._parts.body.value
    configure(reuse=True)
    assert JobWidget("image", PARAMS).wait().id == second.job_id


def test_a_failed_job_is_not_reused(sandbox, tmp_path):
    """There is nothing to be had from a failure, so reuse makes a new job."""
    configure(api_key=sandbox.api_key, base_url=sandbox.base_url, history=str(tmp_path / "h.sqlite3"))
    params = {"prompt": "fail please"}
    for _ in range(2):
        with pytest.raises(Exception, match="could not finish"):
            JobWidget("image", params, reuse=True).wait()
    assert len(sandbox.jobs) == 2


def test_reuse_takes_the_job_of_a_kernel_that_died_in_mid_submission(sandbox, tmp_path):
    """Its answer was never seen, so no row has its id: it is looked up before it is paid again, and the card says so."""
    configure(api_key=sandbox.api_key, base_url=sandbox.base_url, history=str(tmp_path / "h.sqlite3"))
    begin_elsewhere(default_history(), sandbox, PARAMS)
    lost = go(sandbox, lambda client: client.submit("image", PARAMS))
    card = JobWidget("image", PARAMS, reuse=True)
    assert card.wait().id == lost.id
    card.paint()
    assert "not billed again" in card._parts.body.value
    assert card._parts.button.description == "Again"
    assert list(sandbox.jobs) == [lost.id]
    assert default_history().lost() == []
    assert [entry.job.id for entry in default_history().entries()] == [lost.id]


def test_reuse_pays_nothing_while_a_lost_submission_is_unclear(sandbox, tmp_path):
    """The list can't be had: nothing is submitted. Once it shows that the job never started, a new one is."""
    configure(api_key=sandbox.api_key, base_url=sandbox.base_url, history=str(tmp_path / "h.sqlite3"))
    begin_elsewhere(default_history(), sandbox, PARAMS)
    sandbox.inject(Fault.status(403), method="GET", path="/jobs")
    card = JobWidget("image", PARAMS, reuse=True)
    with pytest.raises(
        SubmissionUncertainError, match=r"equal submission was lost.*Nothing was submitted now.*reuse=False"
    ):
        card.wait()
    assert card.status == "uncertain"
    assert not sandbox.jobs
    run = JobRun(Tool.IMAGE, PARAMS, client=NovaKitClient(sandbox.api_key, sandbox.base_url))

    async def look():
        found = await lost_job(run, clock=QUICK)
        await run.client.aclose()
        return found

    assert owning(look()) is None
    assert JobWidget("image", PARAMS, reuse=True).wait().id in sandbox.jobs
    assert len(sandbox.jobs) == 1


def test_reuse_takes_a_result_without_a_job_id(tmp_path):
    """The row has the result, in a card and in a batch."""
    with Sandbox(speed=300.0, limits="off", quotas="off", media="canned", seed=1, sync_tools=("tts",)) as sandbox:
        configure(api_key=sandbox.api_key, base_url=sandbox.base_url, history=str(tmp_path / "h.sqlite3"))
        params = {"input": "Good morning"}
        first = JobWidget("tts", params).wait()

        async def mentioned():
            waiting = JobWidget("tts", params, autostart=False)
            await until(lambda: waiting.run.equal)
            waiting.close()
            return waiting.run.equal.note

        assert "reuse=True shows that" in owning(mentioned())
        card = JobWidget("tts", params, reuse=True)
        again = card.wait()
        assert (again.id, again.media) == (None, first.media)
        card.paint()
        assert "not billed again" in card._parts.body.value
        assert card._parts.button.description == "Again"
        board = batch("tts", [params], reuse=True)
        assert [job.media for job in board.wait()] == [first.media]
        assert sum(request.method == "POST" for request in sandbox.requests) == 1


def test_lost_answer_of_a_tool_that_answers_at_once_is_not_called_free(tmp_path):
    """It was billed without a job, so no list has it: no message calls it free, and no board repeats it."""
    with Sandbox(
        speed=300.0, limits="off", quotas={"tts_chars": 1000}, media="canned", seed=1, sync_tools=("tts",)
    ) as sandbox:
        configure(api_key=sandbox.api_key, base_url=sandbox.base_url, history=str(tmp_path / "h.sqlite3"), speed=300.0)
        sandbox.inject(Fault.reset_after(), method="POST", times=1)
        board = batch("tts", ["Good morning"])
        board.wait()
        (error,) = board.failed.values()
        assert "can be answered and billed at once" in str(error)
        assert "not billed" not in str(error)
        board.retry_failed()
        board.wait()
        recovery = recover()
        assert len(recovery.unclear) == 1
        assert not recovery.unsent
        assert sum(request.method == "POST" for request in sandbox.requests) == 1
        recovery.dismiss()
        assert not default_history().lost()
        assert batch("tts", ["Good morning"], reuse=True).wait()
        assert [entry.stage for entry in default_history().entries()] == ["job", "dismissed"]


def test_history_keeps_a_long_transcript_without_a_job_id(tmp_path):
    """The history is the only place that has it."""
    text = "And then he said a word. " * 1000
    answers = {"POST": {"text": text, "language": "en"}, "GET": {"jobs": []}}
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=answers[request.method]))
    configure(history=str(tmp_path / "h.sqlite3"))
    client = NovaKitClient("sk_" + "a" * 64, "https://api.example/v1", transport=transport)
    params = {"file": "https://example.org/talk.mp3"}
    assert JobWidget("stt", params, client=client).wait().text == text
    again = JobWidget("stt", params, client=client, reuse=True)
    assert again.wait().text == text
    assert "not billed again" in again.run.note


def test_save_to_saves_every_finished_job(sandbox, tmp_path):
    """configure(save_to=…): the file is there when wait() returns, and the history knows where."""
    folder = tmp_path / "results.v2"  # a folder, though its name has what a file's has
    configure(api_key=sandbox.api_key, base_url=sandbox.base_url, history=str(tmp_path / "h.sqlite3"), save_to=folder)
    job = JobWidget("image", PARAMS).wait()
    (file,) = folder.iterdir()
    JobWidget("image", {"prompt": "another"}).wait()
    assert len(list(folder.iterdir())) == 2
    assert default_history().find(job.id, base_url=sandbox.base_url).files == (file.absolute(),)


def test_a_history_that_fails_costs_no_job(sandbox, tmp_path):
    """With a path that can't be written the job runs as ever, after one warning."""
    (tmp_path / "file").write_text("no folder")
    configure(api_key=sandbox.api_key, base_url=sandbox.base_url, history=str(tmp_path / "file" / "h.sqlite3"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert JobWidget("image", PARAMS).wait().status == "completed"
    assert len(caught) == 1


@pytest.mark.parametrize("kept", [True, False], ids=["with a history", "without"])
def test_lost_answer_without_a_history_advises_client_list(sandbox, tmp_path, kept):
    """Without a history nothing is looked up, and no message says that all is accounted for."""
    history = JobHistory(tmp_path / "history.sqlite3" if kept else None)
    sandbox.inject(Fault.reset_after(), method="POST")
    sandbox.inject(Fault.status(403), method="GET", path="/jobs*", times=None)

    async def work(client):
        run = JobRun(Tool.IMAGE, PARAMS, client=client, history=history)
        run.begin(Submission(clock=QUICK))
        said = []
        for again in (False, True):
            if again:
                run.look_again()
            with pytest.raises(SubmissionUncertainError) as caught:
                await run.wait()
            said.append(str(caught.value))
        sandbox.clear_faults()
        return said, await recover_all(client, history, clock=QUICK)

    said, recovery = go(sandbox, work)
    told = recovery._repr_html_()
    assert "end of each submission is known" not in told
    for text in said:
        assert ("nk.recover()" in text) is kept
        assert ("client.list()" in text) is not kept
    if kept:
        assert [job.id for job in recovery.found] == list(sandbox.jobs)
    else:
        assert "there is no history" in repr(recovery)
        assert "client.list()" in told
    assert len(sandbox.jobs) == 1
