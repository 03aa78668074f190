"""Looks up the items of a queue whose answers were lost."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from ..engine.start import look_up_runs
from .items import ItemState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from ..api.client import NovaKitClient
    from ..errors import SubmissionUncertainError
    from ..job_history.jobs import JobHistory
    from ..model.job import Job
    from ..runtime.clock import Clock
    from .items import QueueItem

__all__ = ["LookUps"]


class LosesAnswers(Protocol):
    """What looking up needs of a `JobQueue`."""

    client: NovaKitClient
    history: JobHistory
    made_at: datetime

    @property
    def items(self) -> Sequence[QueueItem]:
        """The items, in order."""
        ...


class LookUps:
    """The items of a queue whose answers were lost and that are being looked up.

    Args:
        queue: has the items.
        on_outcome: called with each item and its job, or ``None`` if it never started, or why that can't be determined.
    """

    def __init__(
        self, queue: LosesAnswers, on_outcome: Callable[[QueueItem, Job | SubmissionUncertainError | None], None]
    ) -> None:
        self._queue = queue
        self._on_outcome = on_outcome
        self._waiting: deque[QueueItem] = deque()
        self._in_question: set[QueueItem] = set()
        self._withdrawn: set[QueueItem] = set()

    def __bool__(self) -> bool:
        """Whether some items are not resolved yet."""
        return bool(self._in_question)

    @property
    def waiting(self) -> bool:
        """Whether some items are still to be looked up."""
        return bool(self._waiting)

    def add(self, items: Iterable[QueueItem]) -> None:
        """Add items to the next look-up."""
        items = list(items)
        self._waiting.extend(items)
        self._in_question.update(items)
        self._withdrawn.difference_update(items)

    def withdraw(self, item: QueueItem) -> None:
        """Mark an item as cancelled by the user: a job that is found is cancelled, and nothing is submitted."""
        if item in self._in_question:
            self._withdrawn.add(item)

    def is_withdrawn(self, item: QueueItem) -> bool:
        """Whether the user cancelled an item while it was being looked up."""
        return item in self._withdrawn

    async def work(self, clock: Clock) -> None:
        """Look up all items, with one list for each tool."""
        try:
            while self._waiting:
                items = dict.fromkeys(item for item in self._waiting if item.state is ItemState.UNCERTAIN)
                self._waiting.clear()
                for tool in dict.fromkeys(item.tool for item in items):
                    asked = [item for item in items if item.tool is tool]
                    await self._look_up(asked, clock)
                    self._in_question.difference_update(asked)
        finally:
            self._in_question.clear()
            self._in_question.update(self._waiting)

    async def _look_up(self, items: Sequence[QueueItem], clock: Clock) -> None:
        queue = self._queue
        answers = await look_up_runs(
            [item.run for item in items],
            queue.client,
            queue.history,
            since=queue.made_at,
            known={item.run.job_id for item in queue.items if item.run.job_id is not None},
            clock=clock,
        )
        for item, answer in zip(items, answers, strict=True):
            self._on_outcome(item, answer.uncertainty or answer.job)
