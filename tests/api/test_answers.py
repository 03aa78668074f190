"""What an HTTP answer means: its error, its message, its rate limit, and how long it asks to wait."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import JSON

from novakit_widgets.api.answers import Action, Answer, answer_of, error_of, retry_after
from novakit_widgets.api.bodies import job_of_submission, jobs_of, object_of, parsed
from novakit_widgets.api.client import NovaKitClient
from novakit_widgets.errors import (
    APIError,
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    UnreadableAnswerError,
)
from novakit_widgets.limits.tool_limits import limit_of
from novakit_widgets.model.job import JobStatus
from novakit_widgets.model.rate_limit import RateLimit
from novakit_widgets.model.tools import Tool

NOW = datetime(2025, 6, 1, 10, tzinfo=timezone.utc)
ACTION = Action("show the job", "The job itself is not affected.", "job_1", reads_jobs=True)
SUBMIT = Action("submit the video job", "Nothing was started or billed.")
KEY = "sk_" + "a" * 64
HEADERS = st.dictionaries(
    st.sampled_from(["age", "date", "retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]),
    st.text(max_size=20)
    | st.integers().map(str)
    | st.sampled_from(
        [
            "9" * 400,
            "9" * 5_000,
            "-1",
            "1e999",
            "nan",
            "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
            "Mon, 01 Jan 2024 00:00:00 +9999",
        ]
    ),
)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, APIError),
        (401, AuthenticationError),
        (402, QuotaExceededError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (409, APIError),
        (429, RateLimitError),
        (500, APIError),
        (502, APIError),
        (503, APIError),
        (307, APIError),
    ],
)
def test_each_status_has_its_error(status, kind):
    """The error is exactly the documented kind, and carries all that a program needs."""
    error = error_of(status, {}, {"error": "Something odd."}, ACTION)
    assert type(error) is kind
    assert (error.status_code, error.response, error.job_id) == (status, {"error": "Something odd."}, "job_1")
    assert f"({status}: Something odd)" in error.message
    assert ("The job itself is not affected." in error.message) == (status != 404)


@pytest.mark.parametrize(
    ("status", "hints"),
    [
        (401, ["nk.configure(api_key=…)", "nk.attach('job_1')"]),
        (403, ["'usage' or 'jobs'", "nk.attach('job_1')"]),
        (404, ["no job 'job_1': it may be another key's, or too old. Check the id"]),
        (429, ["in a minute"]),
        (302, ["redirect"]),
        (500, ["Try again later", "could not"]),
        (400, ["would not", "Check the parameters"]),
    ],
)
def test_the_message_says_what_to_do(status, hints):
    """Each message ends in advice."""
    message = error_of(status, {}, None, ACTION).message
    assert all(hint in message for hint in hints), message


@pytest.mark.parametrize(
    ("wait", "told"),
    [
        ("7", "in 7 s."),
        ("120", "in 120 s."),
        ("1749", "in 30 minutes (about 12:30)."),
        ("7200", "in 120 minutes (about 14:00)."),
        ("9000", "in 3 hours (about 01 Jun 14:30)."),
        ("8640000", "in 100 days."),
        ("1e300", " days."),
    ],
)
def test_a_long_wait_is_told_by_the_clock(wait, told, monkeypatch):
    """In the machine's own time zone."""
    monkeypatch.setenv("TZ", "XYZ-2")
    time.tzset()
    try:
        message = error_of(429, {"retry-after": wait}, None, SUBMIT, now=lambda: NOW).message
    finally:
        monkeypatch.undo()
        time.tzset()
    assert message.endswith(told)


def test_too_many_requests_may_be_the_tools_limit():
    """Which is named where it is known; a request that is no submission has none."""
    submit = replace(SUBMIT, limit=limit_of(Tool.VIDEO))
    assert "with this key, or of this tool (documented: 5 in an hour): try" in error_of(429, {}, None, submit).message
    assert "with this key: try" in error_of(429, {}, None, ACTION).message


def test_half_a_character_in_the_services_words():
    """Waited for in a cell, an error that has one would end the kernel's answer to that cell."""
    assert "bad \ufffd)" in error_of(400, {}, {"error": "bad \ud83d"}, ACTION).message


def test_a_quota_error_has_the_services_figures():
    """What the documentation names is in the message; what is odd is left out."""
    body = {"error": "Quota", "generations_remaining": 0, "generations_needed": 2, "quota_multiplier": "x"}
    message = error_of(402, {}, body, SUBMIT).message
    assert "generations remaining: 0, generations needed: 2" in message
    assert "multiplier" not in message
    assert "(402)" in error_of(402, {}, [1], SUBMIT).message
    assert "There is nothing at this address" in error_of(404, {}, None, SUBMIT).message
    assert "usage" not in error_of(403, {}, None, SUBMIT).message


def test_the_services_words_are_bounded_and_without_keys():
    """A key that the service repeats is taken out, a novel is cut, and a wrapped message is found."""
    assert KEY not in error_of(401, {}, {"error": f"No such key: {KEY}"}, ACTION).message
    assert len(error_of(400, {}, {"error": "x" * 10_000}, ACTION).message) < 1_000
    assert "inner" in error_of(400, {}, {"error": {"message": "inner"}}, ACTION).message
    assert "(400)" in error_of(400, {}, {"error": ["x"]}, ACTION).message


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after": "30"}, None, 30.0),
        ({"retry-after": "0"}, None, 0.0),
        ({"retry-after": "1.5"}, None, 1.5),
        ({"retry-after": "-5"}, None, 0.0),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}, None, 90.0),
        ({"retry-after": format_datetime(NOW - timedelta(seconds=90), usegmt=True)}, None, 0.0),
        ({"retry-after": "Sun, 01 Jun 2025 10:01:00"}, None, 60.0),
        ({}, {"retryAfter": 30}, 30.0),
        ({"retry-after": "soon"}, {"retryAfter": 30}, 30.0),
        ({"retry-after": "10"}, {"retryAfter": 30}, 10.0),
        ({}, {"retryAfter": True}, None),
        ({}, {"retryAfter": 10**400}, None),
        ({"retry-after": "inf"}, None, None),
        ({"retry-after": "nan"}, None, None),
        ({}, {}, None),
        ({}, "x", None),
    ],
)
def test_how_long_it_asks_to_wait(headers, body, seconds):
    """Seconds or a date, in the header or the body; the header comes first."""
    assert retry_after(headers, body, now=lambda: NOW) == seconds


@pytest.mark.parametrize("wrong", [-14 * 3600, -60, 3 * 3600, 86_400 * 400])
@pytest.mark.parametrize("where", ["header", "body"])
def test_retry_after_date_is_compared_with_the_answers_own_date(wrong, where):
    """A wrong clock of this machine changes nothing: both dates are the service's."""
    then = format_datetime(NOW + timedelta(seconds=40), usegmt=True)
    date = {"date": format_datetime(NOW, usegmt=True)}
    headers, body = ({**date, "retry-after": then}, None) if where == "header" else (date, {"retryAfter": then})
    here = NOW + timedelta(seconds=wrong)
    assert retry_after(headers, body, now=lambda: here) == 40.0
    error = error_of(429, headers, body, ACTION, now=lambda: here)
    assert error.retry_after == 40.0
    assert "try again in 40 s" in error.message


def test_retry_after_date_of_a_cached_answer_counts_from_now():
    """A cache says how long it has kept the answer; without that, a wait would be too long."""
    then = format_datetime(NOW + timedelta(seconds=40), usegmt=True)
    headers = {"date": format_datetime(NOW, usegmt=True), "age": "15", "retry-after": then}
    assert retry_after(headers, None, now=lambda: NOW) == 25.0


@given(headers=HEADERS, body=JSON | st.fixed_dictionaries({"retryAfter": JSON}))
def test_no_header_breaks_an_answer(headers, body):
    """Whatever headers say: a wait is a finite number of seconds or none, a limit is at least one request."""
    seconds = retry_after(headers, body, now=lambda: NOW)
    assert seconds is None or 0.0 <= seconds < float("inf")
    limit = RateLimit.from_headers(headers)
    assert limit is None or limit.limit >= 1


@given(status=st.integers(100, 599), headers=HEADERS, body=JSON, raw=st.none() | st.binary(max_size=50))
def test_any_answer_is_a_success_or_an_api_error(status, headers, body, raw):
    """Status, headers and body may be anything: decoded, or raised as an error with a message."""
    content = raw if raw is not None else json.dumps(body).encode()
    try:
        outcome = answer_of(status, headers, content, ACTION)
    except APIError as error:
        outcome = error
    if isinstance(outcome, Answer):
        assert 200 <= status < 300
    else:
        assert outcome.message
        assert outcome.status_code == status


def test_only_429_and_503_have_a_retry_after():
    """Elsewhere the header means nothing."""
    for status, wait in [(429, 7.0), (503, 7.0), (500, None), (301, None)]:
        assert error_of(status, {"retry-after": "7"}, None, ACTION).retry_after == wait
    assert "in 7 s" in error_of(429, {"retry-after": "7"}, None, ACTION).message


def test_the_rate_limit_headers():
    """Three numbers, of which the limit alone is needed."""
    whole = {"x-ratelimit-limit": "30", "x-ratelimit-remaining": " 7 ", "x-ratelimit-reset": "1700000000"}
    assert RateLimit.from_headers(whole) == RateLimit(30, 7, 1_700_000_000.0)
    assert RateLimit.from_headers({"x-ratelimit-limit": "30", "x-ratelimit-reset": "soon"}) == RateLimit(30)
    for odd in ({}, {"x-ratelimit-limit": "0"}, {"x-ratelimit-limit": "many"}, {"x-ratelimit-limit": "9" * 400}):
        assert RateLimit.from_headers(odd) is None


@pytest.mark.parametrize("content", [b"", b"<html>", b'{"id": "job_1"', b"\xff\xfe\xfd", b"[" * 100_000])
def test_a_success_that_is_no_json(content):
    """It is unreadable, and the error keeps the beginning of it."""
    with pytest.raises(UnreadableAnswerError, match="not JSON") as caught:
        answer_of(200, {}, content, ACTION)
    assert caught.value.status_code == 200
    assert len(caught.value.response) <= 2_000
    assert caught.value.job_id == "job_1"


def test_an_answer_that_is_too_long():
    """It was not read, which is an error only where it would have been a success."""
    with pytest.raises(UnreadableAnswerError, match="too long") as raised:
        answer_of(200, {}, None, ACTION)
    assert raised.value.too_long
    with pytest.raises(NotFoundError):
        answer_of(404, {}, None, ACTION)


def test_a_submission_is_answered_with_a_job_or_with_the_result():
    """An id and a status make a job, with what we know of it; anything else is the result itself."""
    job = job_of_submission(Tool.VIDEO, {"prompt": "x"}, Answer(200, {"id": "job_1", "status": "pending"}))
    assert (job.id, job.status, job.tool, job.params) == ("job_1", JobStatus.PENDING, "video", {"prompt": "x"})
    told = {"id": "job_1", "status": "pending", "inputParams": {"prompt": "y"}, "tool": "image"}
    assert job_of_submission(Tool.VIDEO, {"prompt": "x"}, Answer(200, told)).params == {"prompt": "y"}
    done = job_of_submission(Tool.STT, {"file": "x"}, Answer(200, {"text": "Hello"}))
    assert (done.id, done.status, done.text) == (None, JobStatus.COMPLETED, "Hello")
    for odd in ({}, [], None, {"id": "job_1"}, {"status": "pending"}, {"id": None, "status": None}):
        with pytest.raises(UnreadableAnswerError):
            job_of_submission(Tool.VIDEO, {}, Answer(200, odd))


@given(body=JSON)
def test_any_body_of_a_success(body):
    """A submission, a list and a quota read what they can, and raise nothing but UnreadableAnswerError."""
    for read in (
        lambda: job_of_submission(Tool.VIDEO, {}, Answer(200, body)),
        lambda: jobs_of(body),
        lambda: object_of(body),
    ):
        with suppress(UnreadableAnswerError):
            read()


def test_one_odd_entry_does_not_hide_the_others():
    """A list keeps what can be read."""
    entries = [{"id": "job_2", "status": "pending"}, None, {"id": "job_x"}, "x", {"id": "job_1", "status": "failed"}]
    assert [job.id for job in jobs_of({"jobs": entries})] == ["job_2", "job_1"]
    for odd in ([], {}, {"jobs": None}, {"jobs": {}}, None):
        with pytest.raises(UnreadableAnswerError):
            jobs_of(odd)


def test_an_unreadable_body_is_completed_with_what_the_answer_was():
    """Status, body and job id are added to the error."""
    with pytest.raises(UnreadableAnswerError) as caught:
        parsed(Answer(200, [1]), jobs_of, "job_1")
    error = caught.value
    assert (error.status_code, error.response, error.job_id) == (200, [1], "job_1")
    assert error.__context__ is None


@pytest.mark.parametrize("what", ["quota", "list", "get"])
async def test_key_of_a_restarted_sandbox_is_told_as_such(serve, what):
    """A new sandbox at the old address has another key; the advice is to use it, not to look for a key."""
    sandbox = serve()
    async with NovaKitClient("sk_" + "0" * 64, sandbox.base_url) as client:
        calls = {"quota": client.quota, "list": client.list, "get": lambda: client.get("job_1")}
        with pytest.raises(AuthenticationError, match=r"it was restarted.*Call nk\.use_sandbox\(\)") as refused:
            await calls[what]()
    assert "nk.configure" not in refused.value.message
    revoked = sandbox.add_key()
    sandbox.revoke(revoked)
    async with NovaKitClient(revoked, sandbox.base_url) as client:
        with pytest.raises(AuthenticationError, match=r"has been revoked.*nk\.configure"):
            await client.quota()


@pytest.mark.parametrize(("local", "advice"), [(True, "nk.use_sandbox()"), (False, "nk.configure(api_key=…)")])
def test_unknown_key_elsewhere_is_a_matter_of_the_key(local, advice):
    """Only on this machine it may be a sandbox."""
    error = error_of(
        401, {}, {"error": "Invalid API key"}, Action("show the quota", "No job is affected.", local=local)
    )
    assert advice in error.message
