"""What the ``X-RateLimit-*`` headers of an answer say. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEFAULT_LIMIT", "DEFAULT_RETRY_AFTER", "LIMIT_WINDOW", "RateLimit", "whole"]

DEFAULT_LIMIT = 30  # requests a minute; documented for the smallest plan, until a header says otherwise
DEFAULT_RETRY_AFTER = 30.0  # seconds; the documented example, for a 429 that does not say
LIMIT_WINDOW = 60.0  # seconds; the service limits a key's requests a minute

_LARGEST = 10**12  # a larger number in a header is no count and no time


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What the ``X-RateLimit-*`` headers said last.

    Attributes:
        limit: requests a minute that the key may make.
        remaining: requests that are left now.
        reset: when there are more, in Unix seconds by the service's clock.
        sent: requests that this process itself had sent with the key in the minute that ended with this one.
        sent_at: when this one was sent, in monotonic seconds.
    """

    limit: int
    remaining: int | None = None
    reset: float | None = None
    sent: int | None = None
    sent_at: float | None = None

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> RateLimit | None:
        """Read the headers of an answer; ``None`` when they tell no limit."""
        limit = whole(headers.get("x-ratelimit-limit"))
        if limit is None or limit < 1:
            return None
        reset = whole(headers.get("x-ratelimit-reset"))
        return cls(limit, whole(headers.get("x-ratelimit-remaining")), None if reset is None else float(reset))


def whole(value: str | None) -> int | None:
    """Read a whole number of a header; ``None`` where there is none."""
    try:
        number = None if value is None else int(value.strip())
    except ValueError:
        return None
    return number if number is not None and abs(number) <= _LARGEST else None
