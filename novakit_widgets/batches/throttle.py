"""How many submissions of a queue may be in flight, by the outcomes of the last ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..engine.state import Phase
from ..errors import SubmissionUncertainError

if TYPE_CHECKING:
    from ..engine.run import JobRun
    from ..limits.schedule import Pace
    from ..runtime.clock import Clock
    from .items import QueueItem

__all__ = ["Throttle"]

_MOST = 10  # at once: more would wait for connections and for the disk, not for the service
_FIRST = 2  # at once before the service has taken one, so that an outage costs no more than that
_MOST_LOST = 2  # answers in a row; after that nothing more is submitted by itself


class Throttle:
    """Limits the submissions in flight: few at first, and one more with each that the service accepts.

    Args:
        known: whether an earlier answer has told how much of the limits others use; otherwise the first goes alone.
        pace: how long to wait for a service that can't be reached.
        clock: see `Clock`.

    Attributes:
        losses: the number of lost answers in a row.
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
        """The number of submissions in flight."""
        return len(self._on_their_way)

    def is_full(self, *, contested: bool) -> bool:
        """Return whether the next submission has to wait for an answer.

        Args:
            contested: whether others use the key, so that only one submission may be in flight.
        """
        return len(self) >= (1 if contested else self._most)

    @property
    def offline(self) -> float:
        """Seconds until a service that can't be reached is tried again; 0 or less for now."""
        return self._offline_until - self._clock.monotonic()

    def take_in(self, item: QueueItem, run: JobRun) -> bool:
        """Handle a change of a submission.

        Returns:
            Whether too many answers were lost in a row, so that the queue should be put on hold.
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
        """Submit the next item alone, after a refusal that concerns all."""
        self._most = 1

    def unreachable(self) -> None:
        """Back off, since the service can't be reached."""
        self._failures += 1
        self._offline_until = self._clock.monotonic() + self._pace.retry(self._failures, self._clock.random)

    def reopen(self) -> None:
        """Start again after the user resumed the queue; one more lost answer puts it on hold again."""
        self._failures = 0
        self._most = 1
        self._offline_until = float("-inf")
        self.losses = min(self.losses, _MOST_LOST - 1)
