"""Looks up the places of a queue whose answers were lost."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from ..engine.start import look_up_runs
from .items import PlaceState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from ..api.client import NovaKitClient
    from ..errors import SubmissionUncertainError
    from ..job_history.jobs import JobHistory
    from ..model.job import Job
    from ..runtime.clock import Clock
    from .items import Place

__all__ = ["LookUps"]


class LosesAnswers(Protocol):
    """What looking up needs of a `JobQueue`, whose attributes these are."""

    client: NovaKitClient
    history: JobHistory
    made_at: datetime

    @property
    def places(self) -> Sequence[Place]:
        """The items, in order."""
        ...


class LookUps:
    """The places of a queue whose answers were lost and that are being looked up.

    Args:
        queue: has the places.
        on_outcome: called with each place and its job, or ``None`` if it never started, or why that can't be determined.
    """

    def __init__(
        self, queue: LosesAnswers, on_outcome: Callable[[Place, Job | SubmissionUncertainError | None], None]
    ) -> None:
        self._queue = queue
        self._on_outcome = on_outcome
        self._waiting: deque[Place] = deque()
        self._in_question: set[Place] = set()
        self._withdrawn: set[Place] = set()

    def __bool__(self) -> bool:
        """Whether some are not resolved yet."""
        return bool(self._in_question)

    @property
    def waiting(self) -> bool:
        """Whether some are still to be looked up."""
        return bool(self._waiting)

    def add(self, places: Iterable[Place]) -> None:
        """Look up some places, in the next round."""
        places = list(places)
        self._waiting.extend(places)
        self._in_question.update(places)
        self._withdrawn.difference_update(places)

    def withdraw(self, place: Place) -> None:
        """Note that the user cancelled a place: its job is cancelled if there is one, and nothing is submitted if not."""
        if place in self._in_question:
            self._withdrawn.add(place)

    def is_withdrawn(self, place: Place) -> bool:
        """Whether the user cancelled a place while it was being looked up."""
        return place in self._withdrawn

    async def work(self, clock: Clock) -> None:
        """Look up all places, with one list for each tool."""
        try:
            while self._waiting:
                places = dict.fromkeys(place for place in self._waiting if place.state is PlaceState.UNCERTAIN)
                self._waiting.clear()
                for tool in dict.fromkeys(place.tool for place in places):
                    asked = [place for place in places if place.tool is tool]
                    await self._look_up(asked, clock)
                    self._in_question.difference_update(asked)
        finally:
            self._in_question.clear()
            self._in_question.update(self._waiting)

    async def _look_up(self, places: Sequence[Place], clock: Clock) -> None:
        queue = self._queue
        answers = await look_up_runs(
            [place.run for place in places],
            queue.client,
            queue.history,
            since=queue.made_at,
            known={place.run.job_id for place in queue.places if place.run.job_id is not None},
            clock=clock,
        )
        for place, answer in zip(places, answers, strict=True):
            self._on_outcome(place, answer.uncertainty or answer.job)
