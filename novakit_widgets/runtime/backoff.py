"""How long to wait after failures. Retries inside one call of the API are stamina's; see ``api/retry.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["backoff"]

_MOST_DOUBLINGS = 30  # 2.0 ** 2000 overflows, and an outage can be long


def backoff(failures: int, *, first: float, longest: float, random: Callable[[], float]) -> float:
    """Return the seconds to wait after failures in a row: exponential back-off with full jitter.

    Args:
        failures: how many, from 1.
        first: upper bound of the first wait, in seconds; it doubles with each failure.
        longest: upper bound of all waits, in seconds.
        random: returns a number in [0, 1).

    Example:
        >>> [backoff(failures, first=1.0, longest=30.0, random=lambda: 0.5) for failures in (1, 2, 9)]
        [0.5, 1.0, 15.0]
    """
    return random() * min(longest, first * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))
