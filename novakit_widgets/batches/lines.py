"""Who waits in a queue, and who comes first: a line for each tool, and one for jobs that are only asked for."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from .items import PlaceState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..model.tools import Tool
    from .items import Place

__all__ = ["Lines"]


class Lines:
    """The places that wait, by what they wait for; in each line the lowest number first.

    A place that no longer waits is taken out when it comes to the front, so that nothing costs more with a thousand.
    """

    def __init__(self) -> None:
        self._lines: dict[Tool | None, list[tuple[int, Place]]] = {}
        self._version = 0
        self._counted = (-1, dict[int, tuple[int, int]]())

    def __bool__(self) -> bool:
        return any(self._lines.values())

    @staticmethod
    def key(place: Place) -> Tool | None:
        """Say which line a place waits in: its tool's, or ``None`` for a job that there is, and that is only asked for."""
        return place.tool if place.run.job_id is None else None

    @property
    def asking(self) -> bool:
        """Whether jobs are still to be asked for."""
        return any(self._waits(place, None) for _, place in self._lines.get(None, ()))

    def add(self, place: Place) -> None:
        """Let a place wait, unless its job is known, so that there is nothing to ask."""
        if place.run.job is None:
            heapq.heappush(self._lines.setdefault(self.key(place), []), (place.number, place))
            self.moved()

    def moved(self) -> None:
        """Take note that the order is another: a place was dropped, say."""
        self._version += 1

    def fronts(self) -> Iterator[tuple[Tool | None, Place]]:
        """Yield the first of each line."""
        for key, line in self._lines.items():
            while line and not self._waits(line[0][1], key):
                heapq.heappop(line)
            if line:
                yield key, line[0][1]

    def take(self, key: Tool | None) -> Place:
        """Take out the first of a line."""
        self.moved()
        return heapq.heappop(self._lines[key])[1]

    def ahead_of(self, place: Place) -> tuple[int, int]:
        """Say how many are ahead of a place in its own line, and in all; counted anew only when the order has changed."""
        version, ahead = self._counted
        if version != self._version:
            ahead = self._count()
            self._counted = (self._version, ahead)
        return ahead.get(place.number, (0, 0))

    def _count(self) -> dict[int, tuple[int, int]]:
        waiting = {
            place.number: key for key, line in self._lines.items() for _, place in line if self._waits(place, key)
        }
        in_line = dict.fromkeys(self._lines, 0)
        ahead: dict[int, tuple[int, int]] = {}
        for number in sorted(waiting):
            key = waiting[number]
            ahead[number] = (in_line[key], len(ahead))
            in_line[key] += 1
        return ahead

    def _waits(self, place: Place, key: Tool | None) -> bool:
        return place.state is PlaceState.WAITING and self.key(place) == key
