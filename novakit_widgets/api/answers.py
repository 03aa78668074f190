"""What an HTTP answer of the service means: its rate limit, and the error it stands for. No I/O."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from ..config.redaction import redact
from ..errors import (
    APIError,
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    UnreadableAnswerError,
)
from ..model.parsing import readable
from ..runtime.clock import utc_now

__all__ = ["HEADERS", "Action", "Answer", "answer_of", "error_of", "retry_after"]

# All that we read; the others are left alone, since an error's traceback may show what its frames hold.
HEADERS = ("retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
_WITH_RETRY_AFTER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)

_KEPT_BYTES = 2_000  # of an unreadable answer, for the error's ``response``
_DAY = 86_400
_LONG_WAIT = 120  # seconds; nobody counts more of them
_MOST_MINUTES = 120
_LONGEST_WAIT = 30 * _DAY  # seconds; of more, the hour does not matter
_MESSAGE_LIMIT = 500  # characters of the service's own words that an error repeats


@dataclass(frozen=True, slots=True)
class Action:
    """What a request was for, so that its error can say what it means for the job.

    Attributes:
        name: such as ``"submit the job"``, for "NovaKit would not …".
        meaning: what holds when the service refused it, such as ``"Nothing was started or billed."``
        job_id: the job it is about.
        reads_jobs: whether it needs a scope to read jobs.
        limit: how many of the tool's jobs are documented to be let through, in words such as ``"5 in an hour"``.
    """

    name: str
    meaning: str
    job_id: str | None = None
    reads_jobs: bool = False
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A success, decoded.

    Attributes:
        status: the HTTP status.
        body: what its JSON said.
    """

    status: int
    body: Any


def retry_after(headers: Mapping[str, str], body: object, *, now: Callable[[], datetime]) -> float | None:
    """Find how long the service asks to wait, in seconds.

    Args:
        headers: the answer's; ``Retry-After`` may be seconds or a date.
        body: the decoded answer; ``retryAfter`` serves where the header is missing.
        now: the present moment with time zone, to hold a date against.
    """
    for value in (headers.get("retry-after"), body.get("retryAfter") if isinstance(body, Mapping) else None):
        seconds = _seconds(value, now)
        if seconds is not None:
            return seconds
    return None


def answer_of(status: int, headers: Mapping[str, str], content: bytes | None, action: Action) -> Answer:
    """Decode an answer, and raise it if it is an error.

    Args:
        status: the HTTP status.
        headers: the answer's, with names in lower case.
        content: the body; ``None`` when it was too long to be read.
        action: what the request was for.

    Raises:
        APIError: it is no success, or can't be read.
    """
    body, readable = (None, False) if content is None else _decoded(content)
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        raise error_of(status, headers, body, action)
    if content is None:
        too_long = "NovaKit's answer is too long, so it was not read."
        unread = UnreadableAnswerError(too_long, status, job_id=action.job_id)
        unread.too_long = True
        raise unread
    if not readable:
        raise UnreadableAnswerError("NovaKit's answer is not JSON.", status, body, job_id=action.job_id)
    return Answer(status, body)


def _decoded(content: bytes) -> tuple[Any, bool]:
    try:
        return json.loads(content), True
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return content[:_KEPT_BYTES].decode("utf-8", "replace"), False


def error_of(
    status: int,
    headers: Mapping[str, str],
    body: object,
    action: Action,
    *,
    now: Callable[[], datetime] = utc_now,
) -> APIError:
    """Turn an answer that is no success into the error to raise."""
    said = _said(body)
    wait = retry_after(headers, body, now=now) if status in _WITH_RETRY_AFTER else None
    kind, explanation = _explain(status, body, action, None if wait is None else _when(wait, now()))
    verb = "could not" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "would not"
    # Of a job that it does not know, nobody can say how it is.
    meaning = "" if status == HTTPStatus.NOT_FOUND and action.reads_jobs else f"{action.meaning} "
    message = f"NovaKit {verb} {action.name} ({status}{': ' + said if said else ''}). {meaning}{explanation}"
    return kind(message, status, body, job_id=action.job_id, retry_after=wait)


def _explain(status: int, body: object, action: Action, when: str | None) -> tuple[type[APIError], str]:
    """Find the error for a status, and say what to do about it."""
    again = f", then nk.attach({action.job_id!r})" if action.job_id else ""
    if status == HTTPStatus.UNAUTHORIZED:
        return AuthenticationError, (
            "The API key is missing, wrong or revoked. Set a valid one with nk.configure(api_key=…) or "
            f"NOVAKIT_API_KEY{again}."
        )
    if status == HTTPStatus.PAYMENT_REQUIRED:
        return QuotaExceededError, (
            f"The quota is exceeded{_figures(body)}. nk.quota() shows what there is and when it renews."
        )
    if status == HTTPStatus.FORBIDDEN:
        # Two pages of the documentation name two scopes for jobs, so we name both.
        scopes = " Reading jobs needs the scope 'usage' or 'jobs'." if action.reads_jobs else ""
        return PermissionDeniedError, (
            f"The key lacks a scope, or the plan a feature or a model tier.{scopes} Change the key in the dashboard{again}."
        )
    if status == HTTPStatus.NOT_FOUND:
        unknown = f"This key knows no job {action.job_id!r}: it may be another key's, or too old"
        what = unknown if action.job_id else "There is nothing at this address"
        return NotFoundError, f"{what}. Check the id, the key and the base URL."
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        which = f", or of this tool (documented: {action.limit})" if action.limit else ""
        return RateLimitError, f"Too many requests with this key{which}: try again in {when or 'a minute'}."
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return APIError, "A redirect is not followed with an API key. Check the base URL."
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return APIError, "Try again later."
    return APIError, "Check the parameters."


def _when(wait: float, now: datetime) -> str:
    """Say how long a wait is, and a long one also by the clock on the wall, in this machine's time zone.

    Args:
        wait: seconds.
        now: the present moment with time zone.
    """
    if wait <= _LONG_WAIT:
        return f"{wait:.0f} s"
    if wait >= _LONGEST_WAIT:
        return f"{wait / _DAY:.0f} days"
    minutes = math.ceil(wait / 60)  # who comes too early is refused once more
    then = (now + timedelta(seconds=wait + 59)).astimezone()
    if minutes <= _MOST_MINUTES:
        return f"{minutes} minutes (about {then:%H:%M})"
    return f"{math.ceil(wait / 3600)} hours (about {then:%d %b %H:%M})"


def _said(body: object) -> str:
    """Return the service's own words, bounded and without a key that it may have repeated."""
    text = body.get("error") if isinstance(body, Mapping) else None
    if isinstance(text, Mapping):  # some gateways wrap it once more
        text = text.get("message")
    if not isinstance(text, str):
        return ""
    text = redact(readable(" ".join(text.split()))).rstrip(".")
    return text if len(text) <= _MESSAGE_LIMIT else text[: _MESSAGE_LIMIT - 1] + "…"


def _figures(body: object) -> str:
    """Put the documented figures of a 402 into words."""
    if not isinstance(body, Mapping):
        return ""
    names = ("generations_remaining", "generations_needed", "quota_multiplier", "credits_estimated")
    shown = [f"{name.replace('_', ' ')}: {body[name]}" for name in names if isinstance(body.get(name), int | float)]
    return f" ({', '.join(shown)})" if shown else ""


def _seconds(value: Any, now: Callable[[], datetime]) -> float | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    except (TypeError, ValueError):
        pass
    else:
        return max(0.0, seconds) if seconds < float("inf") else None
    try:
        moment = parsedate_to_datetime(str(value))
    except (TypeError, ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - now()).total_seconds())
