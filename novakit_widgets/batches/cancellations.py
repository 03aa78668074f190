"""Cancels the jobs of a queue as fast as the rate limit allows."""

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
        allowance: knows when a request may be sent.
        clock: see `Clock`.
        on_failure: called when a cancellation failed or was refused.
    """

    def __init__(self, allowance: Allowance, clock: Clock, on_failure: Callable[[], None]) -> None:
        self._allowance = allowance
        self._clock = clock
        self._on_failure = on_failure
        self._waiting: deque[QueueItem] = deque()
        self._failed: set[QueueItem] = set()

    def __bool__(self) -> bool:
        """Whether jobs wait to be cancelled."""
        return bool(self._waiting)

    @property
    def failed(self) -> int:
        """The number of jobs that still run because their cancellation failed or was refused."""
        return sum(item.state in AT_SERVICE and not item.run.cancelling for item in list(self._failed))

    def add(self, item: QueueItem) -> None:
        """Add an item's job."""
        self._waiting.append(item)

    async def work(self) -> None:
        """Cancel jobs one after another. Several tasks may run this."""
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
