"""Faults on demand: each does what its name says, to whom it was meant for, as often as was asked."""

from __future__ import annotations

import json
import time

import httpx
import pytest

from novakit_widgets.model.tools import Tool
from novakit_widgets.sandbox import Fault
from novakit_widgets.sandbox.faults import usual_faults

SPEECH = {"file": "https://example.org/a.mp3"}


@pytest.fixture
def sandbox(serve):
    """A sandbox of its own for every test."""
    return serve()


@pytest.fixture
def client(sandbox, client_of):
    """Its client."""
    return client_of(sandbox)


def submit(client):
    """POST a transcription job."""
    return client.post(Tool.STT.endpoint, params={"async": "true"}, json=SPEECH)


def test_status(sandbox, client):
    """An error status comes before any work, with the given Retry-After and body, and with the limit's headers."""
    sandbox.inject(Fault.status(503, retry_after=2, body={"error": "Busy"}), method="POST")
    answer = submit(client)
    assert (answer.status_code, answer.json(), answer.headers["retry-after"]) == (503, {"error": "Busy"}, "2")
    assert "x-ratelimit-limit" in answer.headers
    assert sandbox.jobs == {}
    assert sandbox.requests[-1].fault == "status"
    assert submit(client).status_code == 200


def test_status_with_a_date_and_bytes(sandbox, client):
    """Retry-After can be a date, and a body anything."""
    date = "Wed, 21 Oct 2026 07:28:00 GMT"
    sandbox.inject(Fault.status(429, retry_after=date, body=b"\xff"))
    answer = client.get("jobs")
    assert (answer.headers["retry-after"], answer.content) == (date, b"\xff")


def test_reset_before(sandbox, client):
    """The connection is reset and nothing was done."""
    sandbox.inject(Fault.reset_before(), method="POST")
    with pytest.raises(httpx.ReadError, match="reset"):
        submit(client)
    assert sandbox.jobs == {}
    assert sandbox.requests[-1].status is None


def test_reset_after(sandbox, client):
    """The connection is reset, but the job is there."""
    sandbox.inject(Fault.reset_after(), method="POST")
    with pytest.raises(httpx.ReadError, match="reset"):
        submit(client)
    assert [job.tool for job in sandbox.jobs.values()] == [Tool.STT]
    assert client.get("jobs").json()["jobs"][0]["inputParams"] == SPEECH


def test_truncated(sandbox, client):
    """The body ends before its Content-Length."""
    sandbox.inject(Fault.truncated(), method="POST")
    with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|without sending complete"):
        submit(client)
    assert len(sandbox.jobs) == 1


def test_not_json(sandbox, client):
    """A web page comes with status 200."""
    sandbox.inject(Fault.not_json())
    answer = client.get("jobs")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.startswith("<html>")


def test_huge(sandbox, client):
    """An answer of the asked size is streamed without saying how large it will be."""
    sandbox.inject(Fault.huge(3_000_000))
    with client.stream("GET", "jobs") as answer:
        assert "content-length" not in answer.headers
        body = b"".join(answer.iter_bytes())
    assert len(body) == 3_000_000
    assert json.loads(body)["status"] == "pending"


def test_a_huge_answer_can_be_left(sandbox, client):
    """A client that goes away in the middle of it harms nobody."""
    sandbox.inject(Fault.huge(200_000_000))
    with client.stream("GET", "jobs") as answer:
        next(answer.iter_raw())
    assert client.get("jobs").status_code == 200


def test_delay(sandbox, client):
    """The answer is late by real seconds, and right."""
    sandbox.inject(Fault.delay(0.25))
    start = time.monotonic()
    assert client.get("jobs").json() == {"jobs": []}
    assert time.monotonic() - start >= 0.25


def test_redirect(sandbox, client):
    """The client is sent elsewhere."""
    sandbox.inject(Fault.redirect("https://evil.example/"))
    answer = client.get("jobs")
    assert (answer.status_code, answer.headers["location"]) == (307, "https://evil.example/")


def test_odd_status(sandbox, client):
    """A job, and every job of a list, has a status that nobody knows."""
    job_id = submit(client).json()["id"]
    sandbox.inject(Fault.odd_status("queued_somewhere"), times=2)
    assert client.get(f"jobs/{job_id}").json()["status"] == "queued_somewhere"
    listed = client.get("jobs").json()
    assert listed.keys() == {"jobs"}
    assert listed["jobs"][0]["status"] == "queued_somewhere"
    assert client.get(f"jobs/{job_id}").json()["status"] != "queued_somewhere"


def test_missing_and_null_fields(sandbox, client):
    """Fields are left out, made null, or replaced."""
    job_id = submit(client).json()["id"]
    sandbox.inject(Fault.missing_fields("id", "progress"))
    assert not {"id", "progress"} & client.get(f"jobs/{job_id}").json().keys()
    sandbox.inject(Fault.null_fields("tool", "createdAt"))
    body = client.get("jobs").json()["jobs"][0]
    assert (body["tool"], body["createdAt"], body["id"]) == (None, None, job_id)
    sandbox.inject(Fault.fields(progress="many"))
    assert client.get(f"jobs/{job_id}").json()["progress"] == "many"
    sandbox.inject(Fault.missing_fields("jobs"))
    assert client.get("jobs").json() == {}


@pytest.mark.parametrize(
    "fault",
    [Fault.status(503), Fault.reset_before(), Fault.reset_after(), Fault.truncated()],
    ids=lambda fault: fault.name,
)
def test_media_have_faults_too(sandbox, client, finish, small, fault):
    """``/media/*`` matches the files, and the API goes on."""
    url = finish(client, Tool.TTS, small[Tool.TTS])["outputData"]["audio"]["url"]
    injected = sandbox.inject(fault, path="/media/*")
    assert client.get("jobs").status_code == 200
    if fault.name == "status":
        assert httpx.get(url, trust_env=False).status_code == 503
    else:
        with pytest.raises(httpx.TransportError):
            httpx.get(url, trust_env=False)
    assert injected.hits == 1
    assert httpx.get(url, trust_env=False).status_code == 200


def test_who_is_hit(sandbox, client):
    """A fault waits for its method and path, lets the first pass if asked, and ends after its times."""
    injected = sandbox.inject(Fault.status(500), method="get", path="/jobs/*", times=2, after=1)
    job_id = submit(client).json()["id"]
    assert client.get("jobs").status_code == 200
    assert [client.get(f"jobs/{job_id}").status_code for _ in range(4)] == [200, 500, 500, 200]
    assert injected.hits == 2
    assert repr(injected) == "<InjectedFault status on GET /jobs/*, 2 hits>"


def test_for_ever_until_cleared(sandbox, client):
    """``times=None`` goes on until the faults are cleared; the first injected wins."""
    first = sandbox.inject(Fault.status(500), times=None)
    second = sandbox.inject(Fault.status(502))
    assert [client.get("jobs").status_code for _ in range(3)] == [500] * 3
    sandbox.clear_faults()
    assert client.get("jobs").status_code == 200
    assert (first.hits, second.hits) == (3, 0)


def test_random_faults(serve, client_of):
    """A share of the requests goes wrong, the same ones for the same seed."""
    patterns = []
    for _ in range(2):
        sandbox = serve()
        injected = sandbox.random_faults(0.3, [Fault.status(500), Fault.status(502)], seed=3, path="/jobs")
        client = client_of(sandbox)
        patterns.append([client.get("jobs").status_code for _ in range(60)])
        assert injected.hits == sum(status != 200 for status in patterns[-1])
    assert patterns[0] == patterns[1]
    assert 8 <= sum(status != 200 for status in patterns[0]) <= 28
    assert set(patterns[0]) == {200, 500, 502}


def test_bad_random_faults(sandbox):
    """A rate that is no share, or no kinds at all, are errors."""
    with pytest.raises(ValueError, match="share"):
        sandbox.random_faults(5)
    with pytest.raises(ValueError, match="at least one"):
        sandbox.random_faults(0.5, [])


def test_every_usual_fault_leaves_the_server_well(sandbox, client, caplog):
    """Whatever goes wrong, the next request is answered and nothing is logged as an error of the server's."""
    for fault in usual_faults():
        for request in (lambda: submit(client), lambda: client.get("jobs"), lambda: client.delete("jobs/job_1")):
            injected = sandbox.inject(fault)
            try:
                request()
            except httpx.TransportError:
                assert fault.name in ("reset_before", "reset_after", "truncated")
            assert injected.hits == 1
            assert client.get("jobs").status_code == 200
    assert [record for record in caplog.records if record.name.startswith(("uvicorn", "asyncio"))] == []
