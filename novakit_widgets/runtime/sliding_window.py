"""A sliding window: at most a number of events in any period. Clients wait for room, the sandbox refuses."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SlidingWindow"]


class SlidingWindow:
    """Count events in a sliding window. It has no clock: each method takes the time.

    Args:
        count: the largest number of events in the window.
        seconds: the length of the window.

    Example:
        >>> window = SlidingWindow(1, 10.0)
        >>> window.add(0.0), window.wait(4.0), window.wait(10.0)
        (1, 6.0, 0.0)
    """

    def __init__(self, count: int, seconds: float) -> None:
        self.count = count
        self.seconds = seconds
        self._moments: deque[float] = deque()

    def used(self, now: float) -> int:
        """Return the number of events in the window that ends now."""
        while self._moments and self._moments[0] + self.seconds <= now:
            self._moments.popleft()
        return len(self._moments)

    def moments(self, now: float) -> tuple[float, ...]:
        """Return the events in the window that ends now, oldest first."""
        self.used(now)
        return tuple(self._moments)

    def wait(self, now: float, *, under_way: int = 0, ahead: int = 0) -> float:
        """Return the seconds until another event is allowed; 0.0 if one is allowed now.

        Args:
            now: the current time in seconds.
            under_way: events whose time is not known yet; they count as if they happened now.
            ahead: events that wait in front of this one.
        """
        # Each slot of the window serves one event a period, in turn; events in front take the first slots, or whole rounds.
        rounds, place = divmod(ahead, self.count)
        used = self.used(now)
        index = used + under_way - self.count + place
        if index < 0:
            return rounds * self.seconds
        free = self._moments[index] + self.seconds - now if index < used else self.seconds
        return free + rounds * self.seconds

    def add(self, now: float) -> int:
        """Record an event, whether it is allowed or not. Return the number of events in the window, with this one."""
        self._moments.append(now)
        return self.used(now)

    def add_earlier(self, moments: Iterable[float]) -> None:
        """Record events of the past."""
        self._moments = deque(sorted((*self._moments, *moments)))

    def oldest_leaves(self, now: float) -> float:
        """Return the seconds until the oldest event leaves the window; 0.0 when there is none."""
        return self._moments[0] + self.seconds - now if self.used(now) else 0.0
