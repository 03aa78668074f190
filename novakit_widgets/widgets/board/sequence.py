"""A board as a sequence of jobs."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...batches.queue import JobQueue
    from ...model.job import Job

__all__ = ["JobSequence"]


class JobSequence:
    """A sequence of the newest snapshots of a queue's jobs; ``None`` for a job that has not been submitted."""

    _queue: JobQueue

    def __len__(self) -> int:
        return len(self._queue.items)

    def __bool__(self) -> bool:
        return True  # also without jobs: it is a widget

    @overload
    def __getitem__(self, index: int) -> Job | None: ...
    @overload
    def __getitem__(self, index: slice) -> list[Job | None]: ...
    def __getitem__(self, index: int | slice) -> Job | list[Job | None] | None:
        if isinstance(index, slice):
            return [place.run.job for place in self._queue.items[index]]
        places = self._queue.items
        if not -len(places) <= operator.index(index) < len(places):
            raise IndexError(f"There is no job {index}; jobs are numbered from 0 to {len(places) - 1}.")
        return places[index].run.job

    def __iter__(self) -> Iterator[Job | None]:
        return (place.run.job for place in self._queue.items)

    def __reversed__(self) -> Iterator[Job | None]:
        return (place.run.job for place in reversed(self._queue.items))

    def __contains__(self, job: object) -> bool:
        return any(job == each for each in self)

    def index(self, job: Job, start: int = 0, stop: int | None = None) -> int:
        """Return a job's number.

        Raises:
            ValueError: The job is not on the board.
        """
        return list(self).index(job, start, len(self) if stop is None else stop)

    def count(self, job: Job | None) -> int:
        """Return how often a job is on the board; for ``None``, how many jobs have not been submitted."""
        return sum(job == each for each in self)
