"""A fair share of a key that others use as well, such as other kernels or a class. They never talk to each other.

Each answer tells how many of the key's requests are left. What others take is what was taken between two of our answers: those
of processes that ended before our first answer are no rivals. An answer that the service held is left out, because it is not
documented when it counts.

The first answer can't tell a class that starts together from scripts that have ended. While there is room for both, nothing is put
off. With less, a newcomer assumes that all requests so far are other newcomers', and sends as many as would fit if each did the
same, until its second answer tells which it is. Afterwards, a share grows by one request a window while more than half of the key's
requests are left, and is halved when less than a quarter is left: since all see the same number, their shares become equal.

A process has one share for polling and submitting. Where both wait, they take turns.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..model.rate_limit import RateLimit
    from ..runtime.clock import Clock

__all__ = ["FairShare"]

_UNNOTICED = 2  # requests of others that may be answers that crossed: no reason to hold back
_CROWD = 0.05  # of the limit: with more requests of others, the key counts as shared
_NEWCOMERS = 21  # requests left are room enough: a class of twenty that begins together has a question each
_ROOM = 0.7  # of the limit, left: on the smallest plan such a class has room for ten questions, not for more
_HELD = 1 / 30  # of a window, 2 s: an answer that took longer was held
_TELLING = 1 / 40  # of a window, 1.5 s: as far apart must two answers be to tell that nobody else is there
_PROBE = 0.5  # of a request: what the one that tells who else is there counts less, because all newcomers send one
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
        unsure: whether the requests of others may all have been made by processes that have ended.
    """

    def __init__(self, window: float, *, clock: Clock) -> None:
        self.window = window
        self.requests: float | None = None
        self.unsure = False
        self._clock = clock
        self._last = float("-inf")
        self._chance = 0.0
        self._kind = ""
        self._waiting: set[str] = set()
        self._told_at = float("-inf")
        self._until = float("-inf")
        self._first_at: float | None = None
        self._earlier = 0  # requests of others before our first answer
        self._taken: deque[tuple[float, int]] = deque()  # by others, between two answers
        self._left = 0
        self._roomy = 0.0

    @property
    def crowded(self) -> bool:
        """Whether others use the key, so that only the most important requests should be sent."""
        return self.requests is not None and not (self.unsure and self._left >= self._roomy)

    def observe(self, limit: RateLimit) -> None:
        """Update the share from an answer, unless a newer one is known or the service held it.

        Args:
            limit: the headers, with ``sent`` and ``sent_at``.
        """
        if limit.remaining is None or limit.sent is None or limit.sent_at is None or limit.sent_at <= self._told_at:
            return
        now = self._clock.monotonic()
        answered_at = now if limit.answered_at is None else limit.answered_at
        if now - limit.sent_at > self.window or answered_at - limit.sent_at > self.window * _HELD:
            return
        self._told_at = limit.sent_at
        self._left, self._roomy = limit.remaining, min(_NEWCOMERS, limit.limit * _ROOM)
        others = limit.limit - limit.remaining - limit.sent
        if self._first_at is None:
            self._first_at, self._earlier = limit.sent_at, max(0, others)
            if others > 0:
                self.unsure = True
                self._begin(limit, others)
        else:
            self._compare(limit, limit.sent_at, now)

    def _compare(self, limit: RateLimit, at: float, now: float) -> None:
        """Learn from a further answer, sent at a moment."""
        assert limit.remaining is not None  # for the type checker
        assert limit.sent is not None
        assert self._first_at is not None
        others = limit.limit - limit.remaining - limit.sent
        rivals = self._rivals(at, others)
        if rivals > max(_UNNOTICED, limit.limit * _CROWD):
            self._until = now + self.window
            if self.requests is None or self.unsure:
                self._begin(limit, others)
            else:
                self._adapt(limit)
            self.unsure = False
        elif self.unsure:
            if rivals > 0:
                self._begin(limit, others)
            elif at - self._first_at >= self.window * _TELLING:
                self.requests, self.unsure = None, False
        elif now >= self._until:
            self.requests = None

    def _rivals(self, at: float, others: int) -> int:
        """Return how many requests others have made in the last window, at least, since our first answer."""
        while self._taken and self._taken[0][0] + self.window <= at:
            self._taken.popleft()
        assert self._first_at is not None  # for the type checker
        # Nobody knows when those of before leave the window, but that they have after one.
        earlier = self._earlier if at - self._first_at < self.window else 0
        known = sum(count for _, count in self._taken)
        if others > earlier + known:
            self._taken.append((at, others - earlier - known))
        return max(known, others - earlier)

    def _begin(self, limit: RateLimit, others: int) -> None:
        """Share what is left in proportion to the requests so far."""
        assert limit.remaining is not None  # for the type checker
        assert limit.sent is not None
        ours = max(1.0, limit.sent - _PROBE)
        self.requests = max(1.0, limit.remaining * _SAFE * ours / (others + ours))
        self._note()

    def _adapt(self, limit: RateLimit) -> None:
        assert limit.remaining is not None  # for the type checker
        assert self.requests is not None
        if limit.remaining > limit.limit * _PLENTY:
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

    def wait(self, kind: str = "", *, ahead: int = 0, urgent: bool = False) -> float:
        """Return the seconds until our next request is fair; 0.0 for at once.

        Args:
            kind: of the request, such as polling.
            ahead: how many of the kind come before it.
            urgent: whether it goes out at once while the key has requests left.
        """
        if self.requests is None or not self.crowded or (urgent and self.unsure and self._left > 0):
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
        self._left -= 1
        self._kind = kind
        self._waiting.clear()

    def _note(self) -> None:
        self._last, self._chance = self._clock.monotonic(), self._clock.random()
