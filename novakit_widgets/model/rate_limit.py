"""What the ``X-RateLimit-*`` and ``Date`` headers of an answer say. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from ..runtime.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "DEFAULT_LIMIT",
    "DEFAULT_RETRY_AFTER",
    "LIMIT_WINDOW",
    "RateLimit",
    "answered_at",
    "http_date",
    "whole",
]

DEFAULT_LIMIT = 30  # requests a minute; documented for the smallest plan, until a header says otherwise
DEFAULT_RETRY_AFTER = 30.0  # seconds; the documented example, for a 429 that does not say
LIMIT_WINDOW = 60.0  # seconds; the service limits a key's requests a minute

_LARGEST = 10**12  # a larger number in a header is no count and no time
_SAME_CLOCK = 2.0  # seconds; ``Date`` has whole seconds, and an answer takes some time
_LONGEST_AGE = 86_400  # seconds; no cache keeps an error for longer


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What the ``X-RateLimit-*`` headers said last.

    Attributes:
        limit: requests a minute that the key may make.
        remaining: requests that are left now.
        reset: when there are more, in Unix seconds by this machine's clock; by the service's where its answer has no ``Date``.
        sent: requests that this process itself had sent with the key in the minute that ended with this one.
        sent_at: when this one was sent, in monotonic seconds.
        answered_at: when its answer came, in monotonic seconds; of a request that is never held, when it was sent.
        ahead: seconds that this machine's clock is ahead of the service's, by the answer's ``Date``; 0 where they agree.
    """

    limit: int
    remaining: int | None = None
    reset: float | None = None
    sent: int | None = None
    sent_at: float | None = None
    answered_at: float | None = None
    ahead: float = 0.0

    @classmethod
    def from_headers(cls, headers: Mapping[str, str], *, now: Callable[[], datetime] = utc_now) -> RateLimit | None:
        """Read the headers of an answer that has just come; ``None`` when they tell no limit.

        Args:
            headers: with names in lower case.
            now: returns the current time with time zone, to compare with the answer's ``Date``.
        """
        limit = whole(headers.get("x-ratelimit-limit"))
        if limit is None or limit < 1:
            return None
        reset = whole(headers.get("x-ratelimit-reset"))
        ahead = _ahead(headers, now)
        return cls(
            limit,
            whole(headers.get("x-ratelimit-remaining")),
            None if reset is None else reset + ahead,
            ahead=ahead,
        )


def _ahead(headers: Mapping[str, str], now: Callable[[], datetime]) -> float:
    """Return how many seconds this machine's clock is ahead of the service's; 0 where they agree, or that is unknown."""
    then = answered_at(headers)
    seconds = 0.0 if then is None else (now() - then).total_seconds()
    return 0.0 if abs(seconds) <= _SAME_CLOCK else seconds


def answered_at(headers: Mapping[str, str]) -> datetime | None:
    """Return the service's time when its answer came, by its ``Date`` and a cache's ``Age``; ``None`` where it has none.

    Example:
        >>> answered_at({"date": "Sun, 01 Nov 2026 12:00:00 GMT", "age": "30"})
        datetime.datetime(2026, 11, 1, 12, 0, 30, tzinfo=datetime.timezone.utc)
    """
    date = http_date(headers.get("date", ""))
    age = whole(headers.get("age"))
    if date is None or age is None or not 0 < age <= _LONGEST_AGE:
        return date
    return date + timedelta(seconds=age)


def http_date(value: str) -> datetime | None:
    """Read a date of a header; ``None`` where it is none."""
    try:
        moment = parsedate_to_datetime(value)
        # One of the years 1 or 9999 can't be converted.
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def whole(value: str | None) -> int | None:
    """Read a whole number of a header; ``None`` where there is none."""
    try:
        number = None if value is None else int(value.strip())
    except ValueError:
        return None
    return number if number is not None and abs(number) <= _LARGEST else None
