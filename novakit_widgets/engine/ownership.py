"""Which job belongs to which submission: no job is ever taken for two of them.

After a lost answer, the service's list may show a job with equal parameters that belongs to another submission, whose own answer is
still on its way. So a reconciliation waits for the answers to equal submissions, leaves out the jobs that belong to others (with or
without a history), and takes a job before anybody else can.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from ..errors import NovaKitError
from ..limits.tool_limits import allowance_of
from ..runtime import loop as job_loop
from ..runtime.loop_cache import LoopLocal
from ..runtime.registry import of_account
from .equal import WITHIN, EqualJob

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import datetime

    from ..job_history.jobs import HistoryEntry, JobHistory
    from ..model.job import Job
    from ..model.rate_limit import RateLimit
    from ..model.tools import Tool
    from ..runtime.clock import Clock

__all__ = ["OpenSubmission", "Ownership", "OwnershipRecords", "SharedLists", "ownership_of"]

_MOST_EQUAL = 20  # newest submissions with the same parameters that are remembered
_MOST_IDS = 10_000  # of our newest jobs; a list shows a hundred
_WAITING_SECONDS = 120.0  # for equal submissions: a POST with its retries takes hardly longer
_LOOK = 0.2  # seconds between two looks at whether they are answered


class _Asks(Protocol):
    @property
    def account(self) -> str: ...

    async def list(self, *, tool: Tool | str | None = None, limit: int | None = None) -> tuple[Job, ...]: ...


@dataclass(eq=False, slots=True)
class OpenSubmission(EqualJob):
    """One submission of this process. When it has its job, it is remembered as an equal job for later ones.

    Attributes:
        digest: equal for submissions with equal parameters.
        batch: the id of its batch; equal items of one batch are meant to be several jobs.
        lost: whether its answer was lost, so that the service's list may show its job.
    """

    digest: str | None = None
    batch: str | None = None
    lost: bool = False

    def answered(self, job: Job) -> None:
        """Take in its job."""
        self.job_id, self.status = job.id, str(job.status)


class Ownership:
    """The open submissions of one account in this process, and the jobs that belong to submissions. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[OpenSubmission, None] = {}
        self._ids: dict[str, None] = {}
        self._made: dict[str, list[OpenSubmission]] = {}  # by digest, oldest first
        self._running: dict[str, OpenSubmission] = {}  # by job id

    @property
    def ids(self) -> frozenset[str]:
        """The ids of the newest jobs that belong to a submission."""
        with self._lock:
            return frozenset(self._ids)

    @contextmanager
    def submitting(
        self, digest: str | None, *, begun_at: datetime, batch: str | None = None
    ) -> Iterator[OpenSubmission]:
        """Register a submission, from before its POST until it has its job or is given up.

        Args:
            digest: see `OpenSubmission`.
            begun_at: see `OpenSubmission`.
            batch: see `OpenSubmission`.
        """
        submission = OpenSubmission(begun_at, digest=digest, batch=batch)
        with self._lock:
            self._open[submission] = None
            if digest is not None:
                self._made.setdefault(digest, []).append(submission)
        try:
            yield submission
        finally:
            submission.refused = not submission.status
            with self._lock:
                self._open.pop(submission, None)
                self._remember(submission)

    def _remember(self, submission: OpenSubmission) -> None:
        """Keep a submission that has a job, and the newest few of equal ones."""
        if submission.job_id is not None:
            self._running[submission.job_id] = submission
        if submission.digest is not None:
            equal = [one for one in self._made.pop(submission.digest, ()) if one.counts]
            if equal:
                self._made[submission.digest] = equal[-_MOST_EQUAL:]  # at the end: the newest
        for kept in (self._made, self._running):
            if len(kept) > _MOST_IDS:
                del kept[next(iter(kept))]

    def earlier(self, submission: OpenSubmission) -> OpenSubmission | None:
        """Return the newest equal job that was submitted before a submission, within a day and not in its batch."""
        with self._lock:
            equal = self._made.get(submission.digest or "", ())
            before = equal[: equal.index(submission)] if submission in equal else ()
        return next(
            (
                one
                for one in reversed(before)
                if one.counts
                and (one.batch is None or one.batch != submission.batch)
                and submission.begun_at - one.begun_at <= WITHIN
            ),
            None,
        )

    def equal_of(self, entry: HistoryEntry) -> EqualJob | None:
        """Return the equal job of a row in the history; ``None`` if it has none. One that this process runs is kept up to date."""
        if entry.job is None:
            return None
        with self._lock:
            running = self._running.get(entry.job.id or "")
        return running or EqualJob(entry.begun_at, entry.job.id, str(entry.job.status))

    def ended(self, job: Job) -> None:
        """Take in how a job has ended: one that failed or was cancelled is no equal job."""
        with self._lock:
            submission = self._running.pop(job.id or "", None)
        if submission is not None:
            submission.answered(job)

    def take(self, job: Job) -> bool:
        """Take a job for one submission; return whether it was free."""
        with self._lock:
            if job.id is None or job.id in self._ids:
                return job.id is None
            self._ids[job.id] = None
            if len(self._ids) > _MOST_IDS:
                del self._ids[next(iter(self._ids))]
            return True

    def give_back(self, job: Job) -> None:
        """Free a job that was taken and does not belong to the submission after all."""
        with self._lock:
            self._ids.pop(job.id or "", None)

    def equal(self, digest: str | None) -> list[OpenSubmission]:
        """Return the open submissions with equal parameters."""
        with self._lock:
            return [submission for submission in self._open if submission.digest == digest]

    async def answered(self, digests: Collection[str | None], *, clock: Clock) -> None:
        """Wait for the answers to open submissions with these parameters: a list that we have may show their jobs.

        Args:
            digests: of the parameters.
            clock: see `Clock`.

        Raises:
            NovaKitError: an answer does not come.
        """
        rivals = [one for digest in digests for one in self.equal(digest) if not one.lost]
        until = clock.monotonic() + _WAITING_SECONDS
        while rivals:
            with self._lock:
                rivals = [one for one in rivals if one in self._open and not one.lost]
            if rivals and clock.monotonic() >= until:
                raise NovaKitError("An equal submission is still on its way.")
            if rivals:
                await clock.sleep(_LOOK)


@dataclass(frozen=True, slots=True)
class OwnershipRecords:
    """Which jobs belong to submissions, by this process and by the history, which knows other processes' too.

    Attributes:
        ownership: of the account in this process.
        history: of all processes.
        base_url: the service.
        clock: see `Clock`.
    """

    ownership: Ownership
    history: JobHistory
    base_url: str
    clock: Clock

    async def others(self, digests: Collection[str | None]) -> Collection[str]:
        """Return the ids of jobs that belong to submissions, once all open ones with these parameters are answered.

        Args:
            digests: of the parameters.

        Raises:
            NovaKitError: an answer does not come.
        """
        await self.ownership.answered(digests, clock=self.clock)
        return await self.known()

    async def known(self) -> Collection[str]:
        """Return the ids of jobs that are known to belong to submissions."""
        ids = await self.history.off_loop(self.history.job_ids, base_url=self.base_url)
        return ids | self.ownership.ids

    async def answered(self) -> Mapping[str, datetime]:
        """Return when the answers to our newest submissions came, by our clock, for each job id."""
        return await self.history.off_loop(self.history.answered, base_url=self.base_url)

    async def take(self, job: Job, intent: str) -> bool:
        """Take a job for a lost submission; return whether it was free.

        Args:
            job: from the service's list.
            intent: the submission's row in the history.
        """
        if not self.ownership.take(job):
            return False
        try:
            return await self.history.off_loop(self.history.claim, intent, job, base_url=self.base_url)
        except BaseException:
            self.ownership.give_back(job)  # cancelled: the next look finds it in the list, or in the history's row
            raise


class SharedLists:
    """The service's list for callers that look at the same time: all who come before a request is sent share its answer.

    Args:
        client: lists the jobs.
    """

    def __init__(self, client: _Asks) -> None:
        self._client = client

    @property
    def ahead(self) -> timedelta:
        """How far this machine's clock is ahead of the service's, by its latest answer."""
        limit: RateLimit | None = getattr(self._client, "rate_limit", None)
        return timedelta(seconds=0.0 if limit is None else limit.ahead)

    async def list(self, *, tool: Tool | str | None = None, limit: int | None = None) -> tuple[Job, ...]:
        """Return a list of the newest jobs that was requested after this call; see `NovaKitClient.list`."""
        coming = _coming.get()
        key = (self._client.account, str(tool), limit)  # a shorter list tells less
        asked = coming.get(key)
        if asked is None or not asked.waits:
            asked = coming[key] = _List(self._client, tool, limit, after=asked)
        return await asyncio.shield(asked.task)


class _List:
    """One request for a list: it waits for the one before it, and can be shared while it waits."""

    def __init__(self, client: _Asks, tool: Tool | str | None, limit: int | None, *, after: _List | None) -> None:
        self.waits = True
        self.task = job_loop.spawn(self._ask(client, tool, limit, after))
        self.task.add_done_callback(lambda task: task.cancelled() or task.exception())  # raised in those who share it

    async def _ask(
        self, client: _Asks, tool: Tool | str | None, limit: int | None, after: _List | None
    ) -> tuple[Job, ...]:
        if after is not None and not after.task.done():
            await asyncio.wait((after.task,))
        self.waits = False
        allowance_of(client.account).add_request()
        return await client.list(tool=tool, limit=limit)


_coming: LoopLocal[dict[tuple[str, str, int | None], _List]] = LoopLocal(dict)


def ownership_of(account: str) -> Ownership:
    """Return the ownership of an account's jobs in this process.

    Args:
        account: `NovaKitClient.account`.
    """
    return of_account(account, Ownership, Ownership)
