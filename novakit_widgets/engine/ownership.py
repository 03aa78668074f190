"""Whose job is whose, among the submissions of one key in this process: no job is taken for two of them.

A lost answer leads to the service's list, and what stands there with the same parameters may be an equal submission's whose own
answer is still on its way. So whoever looks there waits for those, leaves out what is known to be another's, with a history or
without one, and takes a job for itself before anybody else can.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import NovaKitError
from ..job_history.rows import digest_of
from ..limits.tool_limits import allowance_of
from ..runtime import loop as job_loop
from ..runtime.loop_cache import belonging

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import datetime

    from ..job_history.jobs import JobHistory
    from ..model.job import Job
    from ..model.tools import Tool
    from ..runtime.clock import Clockwork

__all__ = ["Claim", "Claims", "Owner", "SharedLists", "claims_of"]

_MOST_IDS = 10_000  # of our newest jobs; a list shows a hundred
_WAITING_SECONDS = 120.0  # for equal submissions: a POST with its retries takes hardly longer
_LOOK = 0.2  # seconds between two looks at whether they are done


class _Asks(Protocol):
    @property
    def account(self) -> str: ...

    async def list(self, *, tool: Tool | str | None = None, limit: int | None = None) -> tuple[Job, ...]: ...


@dataclass(eq=False, slots=True)
class Claim:
    """One submission of this process.

    Attributes:
        digest: what is equal for submissions that ask for the same.
        lost: whether its answer never came, so that its job may stand in the service's list.
    """

    digest: str | None
    lost: bool = False


class Claims:
    """The submissions of one key in this process, and the jobs that are known to be theirs. Used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Claim, None] = {}
        self._ids: dict[str, None] = {}

    @property
    def ids(self) -> frozenset[str]:
        """The ids of the newest jobs that are somebody's."""
        with self._lock:
            return frozenset(self._ids)

    @contextmanager
    def submitting(self, tool: Tool, params: Mapping[str, Any]) -> Iterator[Claim]:
        """Note a submission, from before its POST until it has its job or is given up."""
        claim = Claim(digest_of(tool, params))
        with self._lock:
            self._open[claim] = None
        try:
            yield claim
        finally:
            with self._lock:
                self._open.pop(claim, None)

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
        """Let others take a job that was taken and is nobody's after all."""
        with self._lock:
            self._ids.pop(job.id or "", None)

    def alike(self, digest: str | None) -> list[Claim]:
        """Return the submissions under way that ask for the same."""
        with self._lock:
            return [claim for claim in self._open if claim.digest == digest]

    async def answered(self, digests: Collection[str | None], *, works: Clockwork) -> None:
        """Wait for the answers to equal submissions that are on their way now, as whose job could be in a list that we have.

        Args:
            digests: what is asked for.
            works: time.

        Raises:
            NovaKitError: one does not come.
        """
        rivals = [claim for digest in digests for claim in self.alike(digest) if not claim.lost]
        until = works.clock() + _WAITING_SECONDS
        while rivals:
            with self._lock:
                rivals = [claim for claim in rivals if claim in self._open and not claim.lost]
            if rivals and works.clock() >= until:
                raise NovaKitError("An equal submission is still on its way.")
            if rivals:
                await works.sleep(_LOOK)


@dataclass(frozen=True, slots=True)
class Owner:
    """Who looks for the jobs of lost submissions: what is not theirs, and how a job becomes theirs.

    Attributes:
        claims: of the key.
        history: knows the jobs of other processes too.
        base_url: the service.
        since: how far back the history matters; ``None`` for all of it.
        works: time.
    """

    claims: Claims
    history: JobHistory
    base_url: str
    since: datetime | None
    works: Clockwork

    async def others(self, digests: Collection[str | None]) -> Collection[str]:
        """Return the ids of jobs that are somebody's, once all equal submissions that are on their way have their answers.

        Args:
            digests: what is asked for.

        Raises:
            NovaKitError: it can't be told.
        """
        await self.claims.answered(digests, works=self.works)
        return await self.known()

    async def known(self) -> Collection[str]:
        """Return the ids of jobs that are known to be somebody's now."""
        ids = await self.history.off_loop(self.history.job_ids, base_url=self.base_url, since=self.since)
        return ids | self.claims.ids

    async def answered(self) -> Mapping[str, datetime]:
        """Return when the answers to our newest submissions came, by our clock and the ids of their jobs."""
        return await self.history.off_loop(self.history.answered, base_url=self.base_url)

    async def take(self, job: Job, intent: str) -> bool:
        """Take a job for a lost submission, unless somebody else was first.

        Args:
            job: what was found.
            intent: the submission's row in the history.
        """
        if not self.claims.take(job):
            return False
        try:
            return await self.history.off_loop(self.history.claim, intent, job, base_url=self.base_url)
        except BaseException:
            self.claims.give_back(job)  # broken off: whoever looks again finds it, or the row that has it
            raise


class SharedLists:
    """The service's list for many that look at the same time: whoever comes before it is asked for shares it.

    Args:
        client: asks.
    """

    def __init__(self, client: _Asks) -> None:
        self._client = client

    async def list(self, *, tool: Tool | str | None = None, limit: int | None = None) -> tuple[Job, ...]:
        """Ask for the newest jobs, not before this call; see `NovaKitClient.list`."""
        coming: dict[tuple[str, str, int | None], _List] = belonging(asyncio.get_running_loop(), _List, dict)
        key = (self._client.account, str(tool), limit)  # a shorter list tells less
        asked = coming.get(key)
        if asked is None or not asked.waits:
            asked = coming[key] = _List(self._client, tool, limit, after=asked)
        return await asyncio.shield(asked.task)


class _List:
    """One list: it waits for the one before it, and can be shared for as long as it waits."""

    def __init__(self, client: _Asks, tool: Tool | str | None, limit: int | None, *, after: _List | None) -> None:
        self.waits = True
        self.task = job_loop.spawn(self._ask(client, tool, limit, after))
        self.task.add_done_callback(lambda task: task.cancelled() or task.exception())  # told to those who share it

    async def _ask(
        self, client: _Asks, tool: Tool | str | None, limit: int | None, after: _List | None
    ) -> tuple[Job, ...]:
        if after is not None and not after.task.done():
            await asyncio.wait((after.task,))
        self.waits = False
        allowance_of(client.account).add_request()
        return await client.list(tool=tool, limit=limit)


_claims: dict[str, Claims] = {}


def claims_of(account: str) -> Claims:
    """Return what is known of whose job is whose, for one account in this process.

    Args:
        account: `NovaKitClient.account`.
    """
    return _claims.setdefault(account, Claims())
