"""Cancelling the jobs of a queue, as fast as the key's requests allow."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from .items import AT_SERVICE

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..limits.tool_limits import Allowance
    from ..runtime.clock import Clock
    from .items import QueueItem

__all__ = ["Deletions"]


class Deletions:
    """The jobs of a queue that are to be cancelled.

    Args:
        allowance: knows when there is room for a request.
        clock: time and randomness.
        on_failure: called when a cancellation failed, or the service would not.
    """

    def __init__(self, allowance: Allowance, clock: Clock, on_failure: Callable[[], None]) -> None:
        self._allowance = allowance
        self._clock = clock
        self._on_failure = on_failure
        self._waiting: deque[QueueItem] = deque()
        self._failed: set[QueueItem] = set()

    def __bool__(self) -> bool:
        """Whether some wait for their request."""
        return bool(self._waiting)

    @property
    def failed(self) -> int:
        """How many jobs go on though their cancellation was asked for, since that failed or the service would not."""
        return sum(item.state in AT_SERVICE and not item.run.cancelling for item in list(self._failed))

    def add(self, item: QueueItem) -> None:
        """Let an item's job wait for its turn."""
        self._waiting.append(item)

    async def work(self) -> None:
        """Cancel one after the other. Several may be at it."""
        while self._waiting:
            seconds = self._allowance.request_wait()
            if seconds > 0:
                await self._clock.sleep(seconds)
                continue
            item = self._waiting.popleft()
            if item.state not in AT_SERVICE:
                continue
            self._allowance.add_request()
            await item.run.delete(ask=False)
            if item.run.cancelling or item.state not in AT_SERVICE:
                self._failed.discard(item)
            else:
                self._failed.add(item)
                self._on_failure()
