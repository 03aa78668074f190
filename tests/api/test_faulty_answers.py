"""Every fault of the sandbox on every endpoint: the right error, nothing lost, nothing left running."""

from __future__ import annotations

import asyncio

import pytest

from novakit_widgets.engine import matching
from novakit_widgets.engine.run import JobRun
from novakit_widgets.engine.state import Phase
from novakit_widgets.errors import (
    APIError,
    AuthenticationError,
    JobTimeoutError,
    MediaError,
    MediaExpiredError,
    NotFoundError,
    NovaKitConnectionError,
    NovaKitError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    SubmissionUncertainError,
    UnreadableAnswerError,
)
from novakit_widgets.model.job import JobStatus
from novakit_widgets.model.tools import Tool
from novakit_widgets.sandbox import Fault

OK = None
UNSURE = SubmissionUncertainError
LOST = NovaKitConnectionError
ODD = UnreadableAnswerError
# fault: what a submission, a get, a list, a cancellation and a quota make of it
TABLE = {
    "400": (Fault.status(400), [APIError] * 5),
    "401": (Fault.status(401), [AuthenticationError] * 5),
    "402": (Fault.status(402), [QuotaExceededError] * 5),
    "403": (Fault.status(403), [PermissionDeniedError] * 5),
    "404": (Fault.status(404), [NotFoundError] * 5),
    "429": (Fault.status(429), [RateLimitError] * 5),
    "429 in an hour": (Fault.status(429, retry_after=3600), [RateLimitError] * 5),
    "500": (Fault.status(500), [UNSURE, *[APIError] * 4]),
    "502": (Fault.status(502), [UNSURE, *[APIError] * 4]),
    "503": (Fault.status(503), [UNSURE, *[APIError] * 4]),
    "503, come back": (Fault.status(503, retry_after=1), [APIError] * 5),
    "504": (Fault.status(504), [UNSURE, *[APIError] * 4]),
    "an odd error body": (Fault.status(400, body=b"<html>"), [APIError] * 5),
    "an error that is a list": (Fault.status(400, body=["x"]), [APIError] * 5),
    "redirect": (Fault.redirect("https://elsewhere.example/"), [APIError] * 5),
    "a broken redirect": (Fault.redirect("http://[broken"), [APIError] * 5),
    "reset before": (Fault.reset_before(), [UNSURE, *[LOST] * 4]),
    "reset after": (Fault.reset_after(), [UNSURE, *[LOST] * 4]),
    "truncated": (Fault.truncated(), [UNSURE, *[LOST] * 4]),
    "not JSON": (Fault.not_json(), [UNSURE, *[ODD] * 4]),
    "empty": (Fault.not_json(""), [UNSURE, *[ODD] * 4]),
    "not JSON, 502": (Fault.not_json(status_code=502), [UNSURE, *[APIError] * 4]),
    "huge": (Fault.huge(8_100_000), [UNSURE, *[ODD] * 4]),
    "delay": (Fault.delay(0.02), [OK] * 5),
    "odd status": (Fault.odd_status("queued_somewhere"), [OK] * 5),
    "a status that is no text": (Fault.odd_status(7), [UNSURE, ODD, OK, OK, OK]),
    "no id": (Fault.missing_fields("id"), [UNSURE, ODD, OK, OK, OK]),
    "null fields": (Fault.null_fields("progress", "inputParams", "tool", "createdAt", "model"), [OK] * 5),
    "no optional field": (Fault.missing_fields("progress", "inputParams", "createdAt", "tool"), [OK] * 5),
    "odd fields": (
        Fault.fields(progress="oops", inputParams=[], createdAt=[1], estimatedCredits={}, outputData="x", tool=5),
        [OK] * 5,
    ),
    "no jobs, no success": (Fault.missing_fields("jobs", "success"), [OK, OK, ODD, OK, OK]),
}


@pytest.mark.parametrize("name", TABLE)
async def test_every_fault_on_every_endpoint(client, sandbox, name):
    """Each call raises exactly the error that tells what happened, or reads past the fault."""
    fault, expected = TABLE[name]
    job = await client.submit("image", {"prompt": "x"})
    calls = [
        lambda: client.submit("image", {"prompt": "x"}),
        lambda: client.get(job.id, poll=True),
        client.list,
        lambda: client.cancel(job.id),
        client.quota,
    ]
    for call, error in zip(calls, expected, strict=True):
        sandbox.clear_faults()
        injected = sandbox.inject(fault, times=None)
        if error is OK:
            await call()
        else:
            with pytest.raises(NovaKitError) as caught:
                await call()
            assert type(caught.value) is error, caught.value
            assert caught.value.message
            assert sandbox.api_key not in repr(caught.value.__dict__)
        assert injected.hits >= 1


MEDIA = {
    "403": (Fault.status(403), MediaExpiredError),
    "404": (Fault.status(404), MediaExpiredError),
    "410": (Fault.status(410), MediaExpiredError),
    "500": (Fault.status(500), MediaError),
    "reset": (Fault.reset_before(), MediaError),
    "truncated": (Fault.truncated(), MediaError),
    "a page": (Fault.not_json(), MediaError),
    "a page that says it is a video": (Fault.not_json(content_type="video/mp4"), MediaError),
    "nothing": (Fault.not_json(""), MediaError),
    "a page of JSON": (Fault.huge(100_000), MediaError),
    "a redirect to nowhere": (Fault.redirect("http://127.0.0.1:1/x.mp4"), MediaError),
    "a redirect to a file": (Fault.redirect("file:///etc/passwd"), MediaError),
    "redirects without end": (Fault.redirect("/media/x/y"), MediaError),
}


@pytest.mark.parametrize("name", MEDIA)
async def test_every_fault_of_media(client, sandbox, tmp_path, name):
    """A download raises what happened, and leaves no file behind."""
    fault, error = MEDIA[name]
    job = await client.submit("image", {"prompt": "x"})
    done = await client.get(job.id, poll=True)
    sandbox.inject(fault, path="/media/*", times=None)
    with pytest.raises(MediaError) as caught:
        await client.download(done.media[0].url, tmp_path / "a.png")
    assert type(caught.value) is error
    assert list(tmp_path.iterdir()) == [] or [file.name for file in tmp_path.iterdir()] == ["history.sqlite3"]


async def settled(run):
    """Wait for a run; return its error."""
    try:
        await run.wait()
    except NovaKitError as error:
        return error
    return None


PASSING = [
    Fault.status(500),
    Fault.status(502),
    Fault.status(503, retry_after=0),
    Fault.status(429, retry_after=0),
    Fault.reset_before(),
    Fault.reset_after(),
    Fault.truncated(),
    Fault.not_json(),
    Fault.huge(8_100_000),
    Fault.delay(0.02),
    Fault.odd_status("queued_somewhere"),
    Fault.missing_fields("id"),
    Fault.null_fields("progress", "inputParams", "outputData"),
]


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: f"{fault.name} {fault.status_code}")
async def test_a_run_outlives_what_passes(client, sandbox, fault):
    """One fault on each read of a run costs nothing but time: the job is completed, and there is one of it."""
    before = set(sandbox.jobs)
    sandbox.inject(fault, method="GET", times=2)
    run = JobRun(Tool.IMAGE, {"prompt": "x"}, client=client)
    job = await run.wait()
    assert job.status == JobStatus.COMPLETED
    assert len(set(sandbox.jobs) - before) == 1


@pytest.mark.parametrize("fault", PASSING[4:9], ids=lambda fault: f"{fault.name}")
async def test_a_submission_whose_answer_is_lost(client, sandbox, fault, monkeypatch):
    """The job is found in the list where there is one, and never started twice; where there is none we say so."""
    monkeypatch.setattr(matching, "_LOOKS", (0.0, 0.0))
    before = set(sandbox.jobs)
    sandbox.inject(fault, method="POST")
    run = JobRun(Tool.IMAGE, {"prompt": f"lost by {fault.name}"}, client=client)
    error = await settled(run)
    made = set(sandbox.jobs) - before
    if fault.name in ("reset_after", "truncated"):
        assert error is None
        assert {run.job_id} == made
    else:
        assert isinstance(error, SubmissionUncertainError)
        assert run.phase is Phase.UNCERTAIN
        assert made == set()


@pytest.mark.parametrize(
    ("code", "kind", "phase"),
    [
        (400, APIError, Phase.REFUSED),
        (401, AuthenticationError, Phase.REFUSED),
        (402, QuotaExceededError, Phase.REFUSED),
        (403, PermissionDeniedError, Phase.REFUSED),
    ],
)
async def test_a_submission_that_is_refused(client, sandbox, code, kind, phase):
    """It is refused, with the service's error, and there is no job."""
    before = set(sandbox.jobs)
    sandbox.inject(Fault.status(code), method="POST")
    run = JobRun(Tool.IMAGE, {"prompt": "x"}, client=client)
    error = await settled(run)
    assert type(error) is kind
    assert run.phase is phase
    assert run.job_id is None
    assert set(sandbox.jobs) == before


@pytest.mark.parametrize("code", [401, 403, 404])
async def test_a_job_that_may_not_be_asked_about(client, sandbox, code):
    """What no repetition mends leaves the job at once, with its id; asked again it is picked up."""
    sandbox.next_duration(300.0)
    sandbox.inject(Fault.status(code), method="GET", path="/jobs/*", times=None)
    run = JobRun(Tool.IMAGE, {"prompt": "x"}, client=client)
    error = await settled(run)
    assert error.status_code == code
    assert run.phase is Phase.LEFT
    sandbox.clear_faults()
    assert (await run.wait()).id == run.job_id


async def test_a_service_that_is_gone_for_good(client, sandbox):
    """Watching ends with its time, says that the job goes on, and leaves no task."""
    sandbox.inject(Fault.reset_before(), method="GET", times=None)
    run = JobRun(Tool.IMAGE, {"prompt": "x"}, client=client, timeout=0.3)
    seen = set()
    run.on_change = lambda: seen.add(type(run.trouble))
    error = await settled(run)
    assert type(error) is JobTimeoutError
    assert run.job_id in str(error)
    assert NovaKitConnectionError in seen
    assert run.phase is Phase.LEFT
    await asyncio.sleep(0)
