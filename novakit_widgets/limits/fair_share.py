"""A fair share of a key that others use as well, such as other kernels or a class. They never talk to each other.

Each answer tells how many of the key's requests are left. Those that are used and were not ours are the others'. A newcomer to a
busy key knows only how many requests it and the others have sent so far. It assumes that all of them are newcomers, and sends as
many as would fit if each did the same. Afterwards, a share grows by one request a window while more than half of the key's requests
are left, and is halved when less than a quarter is left: since all see the same number, their shares become equal.

A process has one share for polling and submitting. Where both wait, they take turns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..model.rate_limit import RateLimit
    from ..runtime.clock import Clock

__all__ = ["FairShare"]

_UNNOTICED = 2  # requests of others that may be a restarted kernel, or answers that crossed: no reason to hold back
_CROWD = 0.05  # of the limit: with more requests of others, the key counts as shared
_SAFE = 0.45  # of the requests left, which newcomers may use; the rest is for later newcomers
_MOST = 0.3  # of the limit: the largest share of one of several
_SPREAD = 0.25  # of an interval: jitter
_TURN = 0.1  # of an interval: how much longer the kind that came last waits, where another waits too
_PLENTY, _SCARCE = 0.5, 0.25  # of the limit, left


class FairShare:
    """How many requests a window this process may make of a key that is shared.

    Args:
        window: seconds.
        clock: time, and jitter: otherwise twenty kernels that were refused together would come back together.

    Attributes:
        requests: a window; ``None`` while nobody else uses the key.
    """

    def __init__(self, window: float, *, clock: Clock) -> None:
        self.window = window
        self.requests: float | None = None
        self._clock = clock
        self._last = float("-inf")
        self._chance = 0.0
        self._kind = ""
        self._waiting: set[str] = set()
        self._told_at = float("-inf")
        self._until = float("-inf")

    def observe(self, limit: RateLimit) -> None:
        """Update the share from an answer, unless a newer one is known.

        Args:
            limit: the headers, with ``sent`` and ``sent_at``.
        """
        if limit.remaining is None or limit.sent is None or limit.sent_at is None or limit.sent_at <= self._told_at:
            return
        now = self._clock.monotonic()
        self._told_at = limit.sent_at
        if now - limit.sent_at > self.window:
            return
        others = limit.limit - limit.remaining - limit.sent
        if others > max(_UNNOTICED, limit.limit * _CROWD):
            self._until = now + 2 * self.window
            self._adapt(limit, others)
        elif now >= self._until:
            self.requests = None

    def _adapt(self, limit: RateLimit, others: int) -> None:
        assert limit.remaining is not None  # for the type checker
        assert limit.sent is not None
        if self.requests is None:
            # Share what is left in proportion to the requests so far.
            self.requests = max(1.0, limit.remaining * _SAFE * max(1, limit.sent) / (others + max(1, limit.sent)))
            self._note()
        elif limit.remaining > limit.limit * _PLENTY:
            self.requests = min(limit.limit * _MOST, self.requests + 1.0 / self.requests)
        elif limit.remaining < limit.limit * _SCARCE:
            self.requests = max(1.0, self.requests / 2.0)

    def refused(self) -> float:
        """Reduce the share after a 429, and return the seconds to add to the pause."""
        if self.requests is None:
            return 0.0
        self.requests = max(1.0, self.requests / 2.0)
        self._last = float("-inf")  # the request did not count: only the pause says when to ask again
        return self._clock.random() * self.window / 4

    def wait(self, kind: str = "", *, ahead: int = 0) -> float:
        """Return the seconds until our next request is fair; 0.0 for at once.

        Args:
            kind: of the request, such as polling.
            ahead: how many of the kind come before it.
        """
        if self.requests is None:
            return 0.0
        self._waiting.add(kind)
        late = _TURN if kind == self._kind and len(self._waiting) > 1 else 0.0
        interval = self.window / self.requests
        until = self._last + interval * (1.0 + _SPREAD * self._chance + late)
        return max(0.0, until - self._clock.monotonic()) + ahead * interval

    def taken(self, kind: str = "") -> None:
        """Note that a request of a kind is sent now."""
        if self.requests is not None:
            self._note()
        self._kind = kind
        self._waiting.clear()

    def _note(self) -> None:
        self._last, self._chance = self._clock.monotonic(), self._clock.random()
