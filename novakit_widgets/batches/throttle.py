"""How many submissions of a queue may be on their way at once, by what became of the last ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..engine.state import Phase
from ..errors import SubmissionUncertainError

if TYPE_CHECKING:
    from ..engine.run import JobRun
    from ..limits.schedule import Pace
    from ..runtime.clock import Clock
    from .items import QueueItem

__all__ = ["Room"]

_MOST = 10  # at once: more would wait for connections and for the disk, not for the service
_FIRST = 2  # at once before the service has taken one, so that an outage costs no more than that
_MOST_LOST = 2  # answers in a row; after that nothing more is submitted by itself


class Room:
    """The room for submissions: little until the service takes them, and with each that it takes twice as much.

    Args:
        known: whether an answer has told already how much of the limits others use; otherwise the first goes alone.
        pace: how long to wait for a service that can't be reached.
        clock: time and randomness.

    Attributes:
        losses: the answers in a row that were lost.
    """

    def __init__(self, *, known: bool, pace: Pace, clock: Clock) -> None:
        self._pace = pace
        self._clock = clock
        self._most = _FIRST if known else 1
        self._on_their_way: set[QueueItem] = set()
        self._lost: set[QueueItem] = set()  # on their way, and the answer to the POST was lost
        self._failures = 0
        self._offline_until = float("-inf")
        self.losses = 0

    def __contains__(self, item: QueueItem) -> bool:
        return item in self._on_their_way

    def __len__(self) -> int:
        """How many are on their way."""
        return len(self._on_their_way)

    def is_full(self, *, contested: bool) -> bool:
        """Whether one more has to wait for an answer.

        Args:
            contested: whether others use the key, so that each answer has to tell what is left.
        """
        return len(self) >= (1 if contested else self._most)

    @property
    def offline(self) -> float:
        """Seconds until a service that could not be reached is asked again; not above 0 when it may be at once."""
        return self._offline_until - self._clock.monotonic()

    def take_in(self, item: QueueItem, run: JobRun) -> bool:
        """Learn from what becomes of a submission.

        Returns:
            Whether so many answers were lost that nothing more should be submitted by itself.
        """
        if run.phase is Phase.SUBMITTING:
            self._on_their_way.add(item)
            if isinstance(run.trouble, SubmissionUncertainError) and item not in self._lost:
                self._lost.add(item)
                self.losses += 1
                self._most = 1
            return False
        if item not in self._on_their_way:
            return False
        self._on_their_way.discard(item)
        lost = item in self._lost
        self._lost.discard(item)
        if run.phase in (Phase.WATCHING, Phase.ENDED):
            self._failures = self.losses = 0
            self._most = min(_MOST, 2 * self._most)
        return lost and run.phase is Phase.UNCERTAIN and self.losses >= _MOST_LOST

    def refused(self) -> None:
        """Take in a refusal that concerns all: the next goes alone."""
        self._most = 1

    def unreachable(self) -> None:
        """Take in that the service can't be reached: it is asked again later, each time later still."""
        self._failures += 1
        self._offline_until = self._clock.monotonic() + self._pace.retry(self._failures, self._clock.random)

    def reopen(self) -> None:
        """Begin anew, because the user says so; one more lost answer is too many again."""
        self._failures = 0
        self._most = 1
        self._offline_until = float("-inf")
        self.losses = min(self.losses, _MOST_LOST - 1)
