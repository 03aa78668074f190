"""The polling budget of one key: how many polling requests fit into the service's rate limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.rate_limit import DEFAULT_LIMIT
from ..runtime.clock import Clock
from ..runtime.sliding_window import SlidingWindow
from .fair_share import FairShare

if TYPE_CHECKING:
    from ..model.rate_limit import RateLimit

__all__ = ["POLLING_SHARE", "PollingBudget"]

POLLING_SHARE = (
    0.5  # of a key's requests for polling; the rest is for submitting, cancelling and the user's other programs
)


class PollingBudget:
    """The polling requests of one key in the service's sliding window, and its pauses.

    A sliding window, not a leaky bucket: a bucket of half the limit that refills at half the limit lets all of the limit
    through in one window.

    Args:
        window: seconds.
        margin: seconds that a place stays taken longer: of two requests, the later one may be quicker on the network.
        clock: see `Clock`.
        fair: our share of the key, where submissions share it.
    """

    def __init__(
        self,
        window: float,
        *,
        margin: float = 0.0,
        clock: Clock | None = None,
        fair: FairShare | None = None,
    ) -> None:
        self.window = window
        self._clock = clock or Clock()
        self._fair = fair or FairShare(window, clock=self._clock)
        self._requests = SlidingWindow(_places(DEFAULT_LIMIT), window + margin)
        self._paused_until = float("-inf")

    @property
    def places(self) -> int:
        """Polling requests that one window has room for."""
        return self._requests.count

    @property
    def used(self) -> tuple[float, ...]:
        """When the polling requests of the last window were sent, oldest first."""
        return self._requests.moments(self._clock.monotonic())

    @property
    def shared(self) -> bool:
        """Whether others use the key as well, so that only the most important requests should be sent."""
        return self._fair.crowded

    @property
    def unsure(self) -> bool:
        """Whether the key was used before we came, and nobody knows yet whether it still is."""
        return self._fair.unsure

    def observe(self, limit: RateLimit | None, *, wall: float) -> None:
        """Update the budget from the headers of an answer.

        Args:
            limit: the headers.
            wall: the present in unix seconds, to compare with the reset.
        """
        if limit is None:
            return
        self._requests.count = _places(limit.limit)
        self._fair.observe(limit)
        if limit.remaining == 0 and limit.reset is not None:
            # The next request would be refused. A wrong clock must not stop us for longer than a window.
            self.pause(min(max(limit.reset - wall, 0.0), self.window))

    def pause(self, seconds: float) -> None:
        """Hold back polling requests for some seconds."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)

    def refused(self, seconds: float) -> None:
        """Hold back polling requests for some seconds after a 429, and send fewer afterwards where others use the key."""
        self.pause(seconds + self._fair.refused())

    def delay(self, keep: int = 0, *, urgent: bool = False) -> float:
        """Return the seconds to wait for a place; 0 if there is one.

        Args:
            keep: places to keep free for more important requests.
            urgent: whether it may go out before we know who else uses the key, such as a job's first question.
        """
        now = self._clock.monotonic()
        kept = min(keep, self.places - 1)
        return max(
            0.0, self._paused_until - now, self._fair.wait(urgent=urgent), self._requests.wait(now, under_way=kept)
        )

    async def take(self, keep: int = 0, *, urgent: bool = False) -> None:
        """Wait for a place and take it; see `delay`."""
        while (seconds := self.delay(keep, urgent=urgent)) > 0:
            await self._clock.sleep(seconds)
        self.spend()

    def spend(self) -> None:
        """Count a request that is sent now, even if there is no place; see `delay`."""
        self._requests.add(self._clock.monotonic())
        self._fair.taken()


def _places(limit: int) -> int:
    return max(1, int(limit * POLLING_SHARE))
