"""The waiting items of a queue: a line for each tool, and one for existing jobs that are only fetched."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from .items import ItemState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..model.tools import Tool
    from .items import QueueItem

__all__ = ["Lines"]


class Lines:
    """The waiting items by what they wait for; in each line, the lowest number comes first.

    An item that no longer waits is removed when it comes to the front, so that each operation is cheap with a thousand items.
    """

    def __init__(self) -> None:
        self._lines: dict[Tool | None, list[tuple[int, QueueItem]]] = {}
        self._version = 0
        self._counted = (-1, dict[int, tuple[int, int]]())

    def __bool__(self) -> bool:
        return any(self._lines.values())

    @staticmethod
    def key(item: QueueItem) -> Tool | None:
        """Return the line of an item: its tool, or ``None`` for an existing job that is only fetched."""
        return item.tool if item.run.job_id is None else None

    @property
    def asking(self) -> bool:
        """Whether existing jobs are still to be fetched."""
        return any(self._waits(item, None) for _, item in self._lines.get(None, ()))

    def add(self, item: QueueItem) -> None:
        """Add an item, unless its job is known."""
        if item.run.job is None:
            heapq.heappush(self._lines.setdefault(self.key(item), []), (item.number, item))
            self.moved()

    def moved(self) -> None:
        """Note that the order has changed, such as after an item was dropped."""
        self._version += 1

    def fronts(self) -> Iterator[tuple[Tool | None, QueueItem]]:
        """Yield the first item of each line."""
        for key, line in self._lines.items():
            while line and not self._waits(line[0][1], key):
                heapq.heappop(line)
            if line:
                yield key, line[0][1]

    def take(self, key: Tool | None) -> QueueItem:
        """Remove and return the first item of a line."""
        self.moved()
        return heapq.heappop(self._lines[key])[1]

    def ahead_of(self, item: QueueItem) -> tuple[int, int]:
        """Return how many items are ahead of an item in its line, and in all lines."""
        version, ahead = self._counted
        if version != self._version:
            ahead = self._count()
            self._counted = (self._version, ahead)
        return ahead.get(item.number, (0, 0))

    def _count(self) -> dict[int, tuple[int, int]]:
        waiting = {item.number: key for key, line in self._lines.items() for _, item in line if self._waits(item, key)}
        in_line = dict.fromkeys(self._lines, 0)
        ahead: dict[int, tuple[int, int]] = {}
        for number in sorted(waiting):
            key = waiting[number]
            ahead[number] = (in_line[key], len(ahead))
            in_line[key] += 1
        return ahead

    def _waits(self, item: QueueItem, key: Tool | None) -> bool:
        return item.state is ItemState.WAITING and self.key(item) == key
