"""Decode HTTP answers of the service, and turn errors into exceptions. No I/O."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
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
from ..model.rate_limit import answered_at, http_date
from ..runtime.clock import utc_now

__all__ = ["HEADERS", "Action", "Answer", "answer_of", "error_of", "retry_after"]

# The headers that are read. The others are not kept, since a traceback may show the variables of its frames.
HEADERS = ("age", "date", "retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
_WITH_RETRY_AFTER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)

_KEPT_BYTES = 2_000  # bytes of an unreadable answer that the error's ``response`` keeps
_DAY = 86_400
_LONG_WAIT = 120  # seconds; a longer wait is shown in minutes
_MOST_MINUTES = 120
_LONGEST_WAIT = 30 * _DAY  # seconds; a longer wait is shown in days
_MESSAGE_LIMIT = 500  # characters of the service's message in an error


@dataclass(frozen=True, slots=True)
class Action:
    """The purpose of a request, so that its error can say what it means for the job.

    Attributes:
        name: such as ``"submit the job"``, for "NovaKit would not …".
        meaning: the consequence of a refusal, such as ``"Nothing was started or billed."``
        job_id: the id of the job.
        reads_jobs: whether the request needs a scope for reading jobs.
        limit: the documented limit of the tool in words, such as ``"5 in an hour"``.
        local: whether the service is on this machine, as a sandbox is.
    """

    name: str
    meaning: str
    job_id: str | None = None
    reads_jobs: bool = False
    limit: str = ""
    local: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer, decoded.

    Attributes:
        status: the HTTP status.
        body: the decoded JSON.
    """

    status: int
    body: Any


def retry_after(headers: Mapping[str, str], body: object, *, now: Callable[[], datetime]) -> float | None:
    """Return the seconds that the service asks to wait; ``None`` where it does not say.

    Args:
        headers: the answer's; ``Retry-After`` may be seconds or a date, which is compared with the answer's own ``Date``.
        body: the decoded answer; ``retryAfter`` serves where the header is missing.
        now: returns the current time with time zone, for an answer without a ``Date``.
    """

    def present() -> datetime:
        return answered_at(headers) or now()

    for value in (headers.get("retry-after"), body.get("retryAfter") if isinstance(body, Mapping) else None):
        seconds = _seconds(value, present)
        if seconds is not None:
            return seconds
    return None


def answer_of(status: int, headers: Mapping[str, str], content: bytes | None, action: Action) -> Answer:
    """Decode an answer, or raise the error that it stands for.

    Args:
        status: the HTTP status.
        headers: the headers, with names in lower case.
        content: the body; ``None`` if it was too long to be read.
        action: the purpose of the request.

    Raises:
        APIError: the status is not a success, or the body can't be read.
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
    """Return the exception for an answer that is not a success."""
    said = _said(body)
    wait = retry_after(headers, body, now=now) if status in _WITH_RETRY_AFTER else None
    kind, explanation = _explain(status, body, action, None if wait is None else _when(wait, now()))
    verb = "could not" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "would not"
    # Nothing is known of a job that the service does not know.
    meaning = "" if status == HTTPStatus.NOT_FOUND and action.reads_jobs else f"{action.meaning} "
    message = f"NovaKit {verb} {action.name} ({status}{': ' + said if said else ''}). {meaning}{explanation}"
    return kind(message, status, body, job_id=action.job_id, retry_after=wait)


def _explain(status: int, body: object, action: Action, when: str | None) -> tuple[type[APIError], str]:
    """Return the exception class for a status, and what to do about it."""
    again = f", then nk.attach({action.job_id!r})" if action.job_id else ""
    if status == HTTPStatus.UNAUTHORIZED and action.local and "revoked" not in _said(body).lower():
        return AuthenticationError, (
            "The sandbox at this address does not know the key: it was restarted, and its earlier jobs are gone. Call "
            "nk.use_sandbox() to use it again."
        )
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
        # Two pages of the documentation name different scopes for jobs, so both are named.
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
    minutes = math.ceil(wait / 60)  # rounded up, since a request that comes too early is refused
    then = (now + timedelta(seconds=wait + 59)).astimezone()
    if minutes <= _MOST_MINUTES:
        return f"{minutes} minutes (about {then:%H:%M})"
    return f"{math.ceil(wait / 3600)} hours (about {then:%d %b %H:%M})"


def _said(body: object) -> str:
    """Return the service's message, shortened and without any key."""
    text = body.get("error") if isinstance(body, Mapping) else None
    if isinstance(text, Mapping):  # some gateways nest it
        text = text.get("message")
    if not isinstance(text, str):
        return ""
    text = redact(readable(" ".join(text.split()))).rstrip(".")
    return text if len(text) <= _MESSAGE_LIMIT else text[: _MESSAGE_LIMIT - 1] + "…"


def _figures(body: object) -> str:
    """Format the documented figures of a 402."""
    if not isinstance(body, Mapping):
        return ""
    names = ("generations_remaining", "generations_needed", "quota_multiplier", "credits_estimated")
    shown = [f"{name.replace('_', ' ')}: {body[name]}" for name in names if isinstance(body.get(name), int | float)]
    return f" ({', '.join(shown)})" if shown else ""


def _seconds(value: Any, present: Callable[[], datetime]) -> float | None:
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
    moment = http_date(str(value))
    return None if moment is None else max(0.0, (moment - present()).total_seconds())
