"""How often we poll: intervals that back off, and the waits after failures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..model.rate_limit import LIMIT_WINDOW
from ..runtime.backoff import backoff

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Pace"]


@dataclass(frozen=True, slots=True)
class Pace:
    """The lengths of the waits between requests, all in seconds.

    Attributes:
        first: before the first progress snapshot, and again after a job was added.
        factor: by which each interval is longer than the one before.
        most: the longest interval.
        window: the service's rate-limit window.
        retry_first: the upper bound of the first wait after a failure; it doubles.
        retry_most: the upper bound of all waits after failures.
        unheld: a long poll answered faster than this, with the job still running, was not held.

    Example:
        >>> Pace().after(2.0), Pace().after(9.0)
        (3.0, 10.0)
    """

    first: float = 2.0
    factor: float = 1.5
    most: float = 10.0
    window: float = LIMIT_WINDOW
    retry_first: float = 1.0
    retry_most: float = 30.0
    unheld: float = 1.0

    @classmethod
    def at(cls, speed: float) -> Pace:
        """Return the pace for a service whose clock runs ``speed`` times faster: a sandbox's.

        Args:
            speed: 1 for the service itself.
        """
        least = 0.1  # seconds; nobody sees a bar move more often
        real = cls()
        return cls(
            first=max(least, real.first / speed),
            most=max(least, real.most / speed),
            window=real.window / speed,
            retry_first=max(least, real.retry_first / speed),
            retry_most=max(1.0, real.retry_most / speed),
        )

    def after(self, interval: float) -> float:
        """Return the interval that follows ``interval``."""
        return min(self.most, interval * self.factor)

    def retry(self, failures: int, random: Callable[[], float]) -> float:
        """Return the seconds to wait after failures in a row; see `backoff`."""
        return backoff(failures, first=self.retry_first, longest=self.retry_most, random=random)
