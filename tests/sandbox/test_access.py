"""Keys, scopes, rate limits and quotas over HTTP."""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import time
from urllib.parse import urlsplit

import httpx
import pytest

from novakit_widgets.model.tools import Tool
from novakit_widgets.sandbox import Limits, Sandbox
from novakit_widgets.sandbox.accounts import SCOPES

HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


def test_the_key_has_the_documented_form(shared):
    """A key is ``sk_`` and 64 hexadecimal digits."""
    assert re.fullmatch(r"sk_[0-9a-f]{64}", shared.api_key)


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (None, "Missing or invalid Authorization header"),
        ("Bearer", "Missing or invalid Authorization header"),
        ("Basic abc", "Missing or invalid Authorization header"),
        (f"Bearer sk_{'0' * 64}", "Invalid API key"),
    ],
)
def test_without_a_good_key(shared, header, text):
    """No key or a wrong one is a 401, on every address of the API."""
    headers = {"Authorization": header} if header else {}
    for path in ("/jobs", "/quota", "/nothing"):
        answer = httpx.get(f"{shared.base_url}{path}", headers=headers, trust_env=False)
        assert (answer.status_code, answer.json()) == (401, {"error": text})
        assert all(name in answer.headers for name in HEADERS)


def test_a_revoked_key(serve, client_of):
    """A key can be taken back while it is used."""
    sandbox = serve()
    key = sandbox.add_key()
    client = client_of(sandbox, key)
    assert client.get("jobs").status_code == 200
    sandbox.revoke(key)
    assert (client.get("jobs").status_code, client.get("jobs").json()) == (401, {"error": "API key has been revoked"})
    with pytest.raises(KeyError):
        sandbox.revoke("sk_unknown")


@pytest.mark.parametrize("tool", list(Tool))
def test_each_tool_needs_its_scope(shared, client_of, small, tool):
    """A key without the tool's scope is told which one is missing; one with it alone suffices."""
    without = client_of(shared, shared.add_key(set(SCOPES) - {tool.value}))
    answer = without.post(tool.endpoint, params={"async": "true"}, json=small[tool])
    assert answer.status_code == 403
    assert answer.json() == {
        "error": f"API key is missing the required scope: {tool.value}",
        "required_scope": tool.value,
    }
    alone = client_of(shared, shared.add_key({tool.value}))
    assert alone.post(tool.endpoint, params={"async": "true"}, json=small[tool]).status_code == 200


def test_scopes_of_jobs_and_quota(shared, client_of):
    """Jobs open with either of two scopes, and a refusal names both; quota needs ``usage``."""
    for scope in ("usage", "jobs"):
        assert client_of(shared, shared.add_key({scope})).get("jobs").status_code == 200
    neither = client_of(shared, shared.add_key({"video"}))
    for answer in (neither.get("jobs"), neither.get("jobs/job_1"), neither.delete("jobs/job_1")):
        assert answer.status_code == 403
        assert answer.json()["error"] == "API key is missing the required scope: usage or jobs"
    answer = client_of(shared, shared.add_key({"jobs"})).get("quota")
    assert (answer.status_code, answer.json()["required_scope"]) == (403, "usage")


def test_unknown_scopes_and_plans(shared):
    """A slip in a scope or a plan is an error where it is made."""
    with pytest.raises(ValueError, match="no scope vidoe"):
        shared.add_key({"vidoe"})
    with pytest.raises(ValueError, match="no plan 'gold'"):
        shared.add_key(plan="gold")


def test_limit_headers(serve, client_of):
    """Every answer says how many requests are left, and when more will be, in real unix seconds."""
    client = client_of(serve(limits="documented", speed=1.0))
    answers = [client.get("jobs"), client.get("nothing"), client.post("videos/generations", json={})]
    assert [answer.headers["x-ratelimit-limit"] for answer in answers] == ["30"] * 3
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["29", "28", "27"]
    assert all(55 < int(answer.headers["x-ratelimit-reset"]) - time.time() <= 62 for answer in answers)


def test_too_many_requests(serve, client_of):
    """Past the limit every request is a 429 with body and header as documented, until the window has moved on."""
    client = client_of(serve(limits=Limits({"free": 3}, {"free": 3}), speed=60.0))
    assert [client.get("jobs").status_code for _ in range(3)] == [200] * 3
    answer = client.get("jobs")
    assert (answer.status_code, answer.json()) == (429, {"error": "Rate limit exceeded", "retryAfter": 1})
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["x-ratelimit-remaining"] == "0"
    time.sleep(1.02)
    assert client.get("jobs").status_code == 200


def test_limits_are_those_of_a_key(serve, client_of):
    """Two keys do not share a window, and each has its plan's."""
    sandbox = serve(limits="documented")
    first, second = client_of(sandbox), client_of(sandbox, sandbox.add_key(plan="cli_team"))
    first.get("jobs")
    answer = second.get("jobs")
    assert (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == ("300", "299")


def test_five_videos_an_hour(serve, client_of, small):
    """Each tool has a limit of its own; a bad request does not count against it."""
    client = client_of(serve(limits="documented", speed=1.0))
    submit = [client.post("videos/generations", params={"async": "true"}, json=small[Tool.VIDEO]) for _ in range(5)]
    assert {answer.status_code for answer in submit} == {200}
    assert client.post("videos/generations", params={"async": "true"}, json={}).status_code == 400
    answer = client.post("videos/generations", params={"async": "true"}, json=small[Tool.VIDEO])
    assert answer.status_code == 429
    assert 3590 <= answer.json()["retryAfter"] <= 3600
    assert client.post("audio/transcriptions", params={"async": "true"}, json=small[Tool.STT]).status_code == 200


def test_quota_shape(serve, client_of):
    """``GET /quota`` has the documented shape; an unlimited bucket is null."""
    body = client_of(serve(quotas={"tts_chars": None, "music_tracks": 3}, plan="pro")).get("quota").json()
    assert body.keys() == {"org_id", "plan", "quotas"}
    assert body["plan"].keys() == {"code", "name", "kind", "entitled", "period_end"}
    assert (body["plan"]["code"], body["plan"]["name"]) == ("pro", "Pro")
    assert body["quotas"]["tts_chars"] is None
    assert body["quotas"]["music_tracks"] == {"remaining": 3, "limit": 3, "used": 0}
    assert body["quotas"].keys() == {
        "credits",
        "image_generations",
        "image_edits",
        "video_seconds",
        "stt_seconds",
        "tts_chars",
        "music_tracks",
    }


def test_quotas_go_down_until_402(serve, client_of, finish):
    """What is made is taken from its bucket and the credits; what does not fit is a 402 with the figures."""
    client = client_of(serve(quotas={"video_seconds": 12}))
    params = {"prompt": "x", "duration_seconds": 5, "resolution": "1080p"}
    finish(client, Tool.VIDEO, {**params, "duration_seconds": 1})
    quotas = client.get("quota").json()["quotas"]
    assert quotas["video_seconds"] == {"remaining": 10, "limit": 12, "used": 2}
    assert quotas["credits"]["used"] == 20
    finish(client, Tool.VIDEO, {**params, "prompt": "fail please"})
    answer = client.post("videos/generations", params={"async": "true"}, json={**params, "duration_seconds": 6})
    assert answer.status_code == 402
    assert answer.json() == {
        "error": "Quota exceeded: video_seconds",
        "bucket": "video_seconds",
        "generations_remaining": 10,
        "generations_needed": 12,
        "quota_multiplier": 2,
        "credits_estimated": 120,
    }


def test_the_log_has_no_key(serve, client_of, caplog):
    """The log of requests has what arrived and what was answered; of the key its last four characters."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpcore").setLevel(logging.INFO)
    sandbox = serve()
    client_of(sandbox).post("videos/generations", params={"async": "true"}, json={"prompt": ""})
    record = sandbox.requests[-1]
    assert (record.method, record.path, record.query) == ("POST", "/videos/generations", {"async": "true"})
    assert (record.body, record.status, record.key) == ({"prompt": ""}, 400, sandbox.api_key[-4:])
    assert record.at <= time.monotonic()
    for text in (caplog.text, repr(sandbox), repr(sandbox.requests), repr(sandbox.jobs)):
        assert sandbox.api_key[:-4] not in text


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"speed": 0}, "speed"),
        ({"hold_seconds": -1}, "hold_seconds"),
        ({"host": "0.0.0.0"}, "loopback"),
        ({"port": 65_536}, "port must be a whole number from 0 to 65535, got 65536"),
        ({"port": -1}, "port"),
        ({"plan": "gold"}, "plan must be one of free, pro"),
        ({"quotas": {"videos": 1}}, "quotas must be 'off' or amounts by bucket: credits, "),
        ({"durations": {"video": (5, 1)}}, "durations"),
        ({"durations": {"cinema": 1}}, "for tools: video, music, .*got {'cinema': 1}"),
    ],
)
def test_bad_options(options, text):
    """A slip in the options is an error at once."""
    with pytest.raises(ValueError, match=text):
        Sandbox(**options)


def test_starting_and_stopping():
    """A sandbox can be started again, not twice at once; what it knows is there after the end."""
    sandbox = Sandbox()
    with pytest.raises(RuntimeError, match="not been started"):
        _ = sandbox.base_url
    with sandbox:
        with pytest.raises(RuntimeError, match="already"):
            sandbox.start()
        with pytest.raises(OSError, match="in use"):
            Sandbox(port=int(sandbox.origin.rpartition(":")[2])).start()
    sandbox.stop()
    assert sandbox.requests == ()
    with sandbox:
        assert httpx.get(f"{sandbox.origin}/sandbox", trust_env=False).json()["api_key"] == sandbox.api_key


def test_stop_closes_connections_that_have_just_been_made():
    """Nothing was asked on them yet."""
    sandbox = Sandbox(speed=1000)
    sandbox.start()
    address = (urlsplit(sandbox.base_url).hostname, urlsplit(sandbox.base_url).port)
    made = [socket.create_connection(address, timeout=30) for _ in range(50)]
    sandbox.stop()
    for connection in made:
        with connection, contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""
