"""How often we may ask: intervals that back off, and the polling budget of one key. What is fair to others is `sharing`'s."""

from __future__ import annotations

import random as random_module
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .fair_share import FairShare

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..model.rate_limit import RateLimit

__all__ = ["Pace", "PollingBudget"]

DEFAULT_LIMIT = 30  # requests a minute; documented for the smallest plan, until a header says otherwise
POLLING_SHARE = 0.5  # of them for polling; the rest is for submitting, cancelling and the user's other programs


@dataclass(frozen=True, slots=True)
class Pace:
    """The lengths of the tracker's waits, all in seconds.

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
    window: float = 60.0
    retry_first: float = 1.0
    retry_most: float = 30.0
    unheld: float = 1.0

    @classmethod
    def at(cls, speed: float) -> Pace:
        """Return the pace for a service whose clock runs ``speed`` times faster: a sandbox's.

        Args:
            speed: 1 for the service itself.
        """
        least = 0.1  # seconds; a bar that moves faster than that moves for nobody
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
        """Return how long to wait after ``failures`` failures in a row: exponential, with full jitter."""
        # The exponent is bounded because 2.0 ** 2000 overflows, and an outage can be long.
        return random() * min(self.retry_most, self.retry_first * 2.0 ** min(failures - 1, 30))


class PollingBudget:
    """The polling requests of one key in the service's sliding window, and its pauses.

    A window of our own, not a leaky bucket: a bucket that lets half the limit through at once and refills at half the
    limit lets all of the limit through in one window.

    Args:
        window: seconds.
        clock: monotonic seconds.
        sleep: waits for so many seconds.
        random: a number in [0, 1).
        fair: our share of the key, where submissions go by it too.
    """

    def __init__(
        self,
        window: float,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        random: Callable[[], float] = random_module.random,
        fair: FairShare | None = None,
    ) -> None:
        self.window = window
        self._fair = fair or FairShare(window, clock=clock, random=random)
        self._clock = clock
        self._sleep = sleep
        self._taken: deque[float] = deque()
        self._limit = DEFAULT_LIMIT
        self._paused_until = float("-inf")

    @property
    def places(self) -> int:
        """Polling requests that one window has room for."""
        return max(1, int(self._limit * POLLING_SHARE))

    @property
    def shared(self) -> bool:
        """Whether others use the key as well, so that only what matters most is to be asked."""
        return self._fair.requests is not None

    def observe(self, limit: RateLimit | None, *, wall: float) -> None:
        """Take in what the headers of an answer said.

        Args:
            limit: the headers.
            wall: the present unix seconds, to hold the reset against.
        """
        if limit is None:
            return
        self._limit = limit.limit
        self._fair.observe(limit)
        if limit.remaining == 0 and limit.reset is not None:
            # The next request would be refused. A clock that is wrong must not stop us for longer than a window.
            self.pause(min(max(limit.reset - wall, 0.0), self.window))

    def pause(self, seconds: float) -> None:
        """Let no polling request through for so many seconds."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def refused(self, seconds: float) -> None:
        """Let no polling request through for so many seconds, and make fewer afterwards where others use the key as well."""
        self.pause(seconds + self._fair.refused())

    def delay(self, keep: int = 0) -> float:
        """Return how many seconds to wait for a place; 0 when there is one.

        Args:
            keep: places to leave for requests that matter more.
        """
        now = self._clock()
        while self._taken and self._taken[0] <= now - self.window:
            self._taken.popleft()
        paused = max(0.0, self._paused_until - now, self._fair.wait())
        places = max(1, self.places - keep)
        if len(self._taken) < places:
            return paused
        return max(paused, self._taken[len(self._taken) - places] + self.window - now)

    async def take(self, keep: int = 0) -> None:
        """Wait for a place and take it."""
        while (seconds := self.delay(keep)) > 0:
            await self._sleep(seconds)
        self._taken.append(self._clock())
        self._fair.taken()
