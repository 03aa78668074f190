"""Sliding windows: at most so many events in any stretch of time. Ours hold back, the sandbox's refuse."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SlidingWindow"]


class SlidingWindow:
    """At most so many events in any stretch of so many seconds. Knows no clock: the moment is an argument.

    Args:
        count: events at most.
        seconds: the stretch.

    Example:
        >>> window = SlidingWindow(1, 10.0)
        >>> window.add(0.0), window.wait(4.0), window.wait(10.0)
        (None, 6.0, 0.0)
    """

    def __init__(self, count: int, seconds: float) -> None:
        self.count = count
        self.seconds = seconds
        self._moments: deque[float] = deque()

    def used(self, now: float) -> int:
        """Return how many events the stretch that ends now holds."""
        while self._moments and self._moments[0] + self.seconds <= now:
            self._moments.popleft()
        return len(self._moments)

    def wait(self, now: float, *, under_way: int = 0, ahead: int = 0) -> float:
        """Return the seconds until another event fits; 0.0 for at once.

        Args:
            now: the present moment.
            under_way: events whose moment is not known yet: they count as if they happened now.
            ahead: events that wait as well, and come before.
        """
        # Each place serves one event in each stretch, in turn: those ahead of us take the first ones, and whole rounds.
        rounds, place = divmod(ahead, self.count)
        used = self.used(now)
        index = used + under_way - self.count + place
        if index < 0:
            return rounds * self.seconds
        free = self._moments[index] + self.seconds - now if index < used else self.seconds
        return free + rounds * self.seconds

    def add(self, now: float) -> None:
        """Note an event, whether it fits or not. Those that no stretch can hold any longer are forgotten, though nobody asks."""
        self.used(now)
        self._moments.append(now)

    def add_earlier(self, moments: Iterable[float]) -> None:
        """Note events of which we hear only now."""
        self._moments = deque(sorted((*self._moments, *moments)))

    def oldest_leaves(self, now: float) -> float:
        """Return the seconds until the oldest event leaves the stretch; 0.0 when there is none."""
        return self._moments[0] + self.seconds - now if self.used(now) else 0.0
