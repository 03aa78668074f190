"""Learns of all watched jobs at once, from lists; asks for those that a list does not show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import NovaKitError
from .asking import Asking, is_final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..limits.budget import PollingBudget
    from .watch import WatchedJobs

__all__ = ["Lists"]


class Lists:
    """The lists of a tracker. The caller takes a place of the budget for the first request of each.

    Args:
        asking: sends the requests.
        jobs: that are watched; told what the answers say.
        budget: for further requests.
        room: tells how many single jobs may be asked for without putting a list off.
    """

    def __init__(self, asking: Asking, jobs: WatchedJobs, budget: PollingBudget, *, room: Callable[[], int]) -> None:
        self._asking = asking
        self._jobs = jobs
        self._budget = budget
        self._room = room

    async def progress(self) -> None:
        """Learn the progress of all jobs from the pending ones."""
        self._jobs.receive_all(await self._asking.list(pending=True))

    async def all(self) -> None:
        """Learn all from one list where it can tell, and ask for each job that it does not show."""
        if not self._asking.lists:
            self._asking.turn()
            await self._ask_for_each(self._jobs, most=1, paid=True)
            return
        asked = frozenset(self._jobs)  # those that are added meanwhile are no business of the answer
        whole = self._asking.whole
        shown = self._jobs.receive_all(await self._asking.list(pending=None if whole else True))
        if whole and self._asking.lists and self._missing(asked, shown):
            self._asking.is_partial()
            await self._budget.take()
            shown |= self._jobs.receive_all(await self._asking.list(pending=True))
        missing = self._missing(asked, shown)
        if missing:
            await self._ask_for_each(missing, most=max(1, self._room()))

    def _missing(self, asked: frozenset[str], shown: set[str]) -> list[str]:
        """Return the jobs that an answer should have shown and did not."""
        return [job_id for job_id in self._jobs if job_id in asked and job_id not in shown]

    async def _ask_for_each(self, job_ids: Iterable[str], *, most: int, paid: bool = False) -> None:
        """Ask for single jobs, the longest unheard first, as many as the budget has room for before the next list."""
        waiting = [job for job_id in job_ids if (job := self._jobs[job_id]).asking is None]
        waiting.sort(key=lambda job: float("-inf") if job.heard_at is None else job.heard_at)
        for asked, job in enumerate(waiting[:most]):
            if asked and self._budget.delay(keep=1) > 0:
                return
            if self._jobs.get(job.job_id) is not job:
                continue
            if not paid:
                await self._budget.take()
            try:
                self._jobs.receive(job.job_id, await self._asking.get(job.job_id))
            except NovaKitError as error:
                if not is_final(error):
                    raise
                self._jobs.give_up([job.job_id], error)
