"""Submits the waiting items of a queue: which is next, when, and what a refusal means for the others."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ..engine.equal import WITHIN
from ..engine.ownership import ownership_of
from ..engine.reconcile import look_up_entries
from ..engine.reuse import read_for_reuse, reused_note
from ..engine.submit import Submission
from ..errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    JobNotStartedError,
    NovaKitConnectionError,
    NovaKitError,
    QuotaExceededError,
    RateLimitError,
    SubmissionUncertainError,
)
from ..runtime import loop as job_loop
from ..runtime.sleep import sleep_or_wake
from .items import ItemState, NotItsTurnError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..engine.run import JobRun
    from ..job_history.jobs import HistoryEntry
    from ..limits.tool_limits import Allowance
    from ..model.tools import Tool
    from ..runtime.clock import Clock
    from .items import Batch, QueueItem, RunMaker
    from .lines import Lines
    from .persistence import QueueMemory
    from .throttle import Throttle

__all__ = ["UNTIL", "Submitting"]

UNTIL = "Nothing is submitted or billed until you resume: Continue, or board.resume()."
_A_WHILE = 60.0  # seconds to wait for what wakes us


class Submitting:
    """Submits the items of a queue one after another, as the limits allow.

    Args:
        queue: the queue.
        allowance: knows when a submission is allowed.
        lines: the waiting items.
        throttle: limits how many submissions are in flight.
        memory: records the queue in the history.
        maker: creates the runs of reused jobs.
        clock: see `Clock`.
    """

    def __init__(
        self,
        queue: Batch,
        *,
        allowance: Allowance,
        lines: Lines,
        throttle: Throttle,
        memory: QueueMemory,
        maker: RunMaker,
        clock: Clock,
    ) -> None:
        self._queue = queue
        self._allowance = allowance
        self._lines = lines
        self._throttle = throttle
        self._memory = memory
        self._maker = maker
        self._clock = clock
        self._wake = asyncio.Event()

    async def work(self) -> None:
        """Submit items until none waits."""
        self._allowance.listen(self._wake_soon)
        try:
            while (turn := self._next()) is not None:
                item, seconds = turn
                if not self._memory.looked and self._lines.key(item) is not None:
                    await self._look_for_twins()
                elif not self._memory.kept:
                    await self._keep()
                elif not self._allowance.seeded:
                    await self._seed()
                elif seconds > 0:
                    await self._rest(seconds)
                else:
                    self._submit(item)
                    await asyncio.sleep(0)  # so that a thousand at once leave the kernel free
        finally:
            self._allowance.ignore(self._wake_soon)

    def _next(self) -> tuple[QueueItem, float] | None:
        """Return the next item, and in how many seconds to submit it; ``None`` if there is nothing to submit."""
        self._allowance.observe(self._queue.client.rate_limit, wall=self._clock.now().timestamp())
        turns = [
            (self._allowance.request_wait() if key is None else self._allowance.wait(key), item.number)
            for key, item in self._lines.fronts()
            if key is None or self._queue.held is None
        ]
        if not turns:
            return None
        seconds, number = min(turns)
        item = self._queue.items[number]
        full = self._throttle.is_full(contested=self._allowance.contested(item.tool))
        if full or self._queue.count(ItemState.RUNNING) >= self._queue.max_running:
            return item, _A_WHILE  # until one of them is done, which wakes us
        return item, max(seconds, self._throttle.offline)

    def _submit(self, item: QueueItem) -> None:
        key = self._lines.key(item)
        self._lines.take(key)
        if key is None:
            self._allowance.add_request()
            item.run.begin()
        else:
            item.run.begin(Submission(self._queue.batch_id, item.number, self._allowance.take(key), self._clock))

    async def _rest(self, seconds: float) -> None:
        """Wait for some seconds, or until `wake`."""
        await sleep_or_wake(seconds, self._wake, self._clock.sleep)

    def wake(self) -> None:
        """Choose the next item again, since something has changed."""
        self._wake.set()

    def _wake_soon(self) -> None:
        job_loop.hand_over(self._wake.set, closed_ok=True)

    def take_in(self, item: QueueItem, run: JobRun) -> None:
        """Handle a change of a submission; put the queue on hold after too many lost answers."""
        if self._throttle.take_in(item, run) and self._lines:
            self._queue.hold(_out_of_order(self._throttle.losses, run.error))

    def outlook(self, item: QueueItem) -> tuple[datetime | None, str]:
        """Estimate when a waiting item is submitted, and name what it waits for; see `QueueItem`."""
        if self._queue.held is not None:
            return None, "on hold"
        in_line, in_all = self._lines.ahead_of(item)
        seconds, reason = self._allowance.outlook(item.tool, ahead=in_line)
        if self._throttle.offline > seconds:
            seconds, reason = self._throttle.offline, "NovaKit can't be reached"
        over = in_all - max(0, self._queue.max_running - self._queue.count(ItemState.RUNNING))
        if over >= 0:
            typical = sum(item.tool.typical_seconds) / 2 / self._allowance.speed
            turn = (over // self._queue.max_running + 1) * typical
            if turn > seconds:
                seconds, reason = turn, f"{self._queue.max_running} at a time"
        return self._clock.now() + timedelta(seconds=max(0.0, seconds)), reason

    def take_back(self, item: QueueItem, error: NovaKitError, *, restored: bool) -> bool:
        """Return whether a refused item waits to be submitted again, and slow down or hold the queue as the refusal demands."""
        if isinstance(error, NotItsTurnError):
            self._memory.waits_again(item)
            if restored and self._queue.held is None:
                self._queue.hold(JobNotStartedError(f"{error.message} {UNTIL}"))
            return True
        if isinstance(error, QuotaExceededError | AuthenticationError | JobNotStartedError):
            self._queue.hold(error)
        elif isinstance(error, NovaKitConnectionError):
            self._throttle.unreachable()
        elif isinstance(error, RateLimitError):
            self._allowance.observe(self._queue.client.rate_limit, wall=self._clock.now().timestamp())
            self._allowance.spread(error)
        elif not _asks_to_come_back(error):
            return False
        self._throttle.refused()
        return True  # after a 429 the allowance knows when

    async def _keep(self) -> None:
        """Record all items before the first submission."""
        try:
            await self._memory.open(self._queue)
        except NovaKitError as error:
            self._queue.hold(error)

    async def _seed(self) -> None:
        """Count the submissions of this key that the history knows from before this process."""
        allowance = self._allowance
        begun = await self._queue.history.off_loop(
            self._queue.history.begun,
            base_url=self._queue.client.base_url,
            since=self._clock.now() - allowance.longest,
            before=allowance.born,
            late=allowance.slow_answer,
            account=self._queue.client.account,
        )
        if not allowance.seeded:  # by another queue of the key, while we read
            allowance.seed(begun, now=self._clock.now())

    async def _reusable(self, asked: Sequence[tuple[Tool, Mapping[str, Any]]]) -> list[HistoryEntry | None]:
        """Return equal jobs of the history, those of lost submissions included.

        Raises:
            ConfigurationError: The history can't be used, so an equal job might be paid twice.
        """
        client, history = self._queue.client, self._queue.history
        asks = {"base_url": client.base_url, "account": client.account}
        lost = await read_for_reuse(history, history.lost, asked=asked, **asks)
        # Before the equal jobs are looked for, so that what was lost is one of them.
        await look_up_entries(client, history, lost, clock=self._clock)
        return await read_for_reuse(history, history.twins, asked, **asks)

    async def _look_for_twins(self) -> None:
        """Reuse equal jobs of the history, or mention them in notes."""
        queue = self._queue
        waiting = [item for item in queue.items if item.state is ItemState.WAITING]
        asked = [(item.tool, item.params) for item in waiting]
        if queue.reuse:
            try:
                twins = await self._reusable(asked)
            except ConfigurationError as error:
                queue.hold(error)
                return
        else:
            twins = await queue.history.off_loop(
                queue.history.twins,
                asked,
                base_url=queue.client.base_url,
                account=queue.client.account,
                within=WITHIN,
            )
        for item, twin in zip(waiting, twins, strict=True):
            if twin is None or twin.job is None or item.state is not ItemState.WAITING:
                continue
            if twin.batch == self._queue.batch_id:
                continue  # an equal item's, from before its kernel ended: equal items have a job each
            if self._queue.reuse:
                # Without the result that was noted then: its address may have expired, so the job is asked for.
                run = self._maker.reused(item, twin.job if twin.job.id is None else replace(twin.job, output=None))
                run.note = reused_note(twin)
                item.give(run)
                self._lines.add(item)
                self._memory.kept = False
                if run.job is not None:
                    run.begin()  # it still runs, so there is nothing to ask
            else:
                item.run.twin = ownership_of(queue.client.account).equal_of(twin)
        # Only now: a wait that ends in the midst of it leaves it to the next one.
        self._memory.looked = True
        if any(twins):
            self._queue.tell(None)


def _asks_to_come_back(error: NovaKitError) -> bool:
    unavailable = error.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    return unavailable and isinstance(error, APIError) and error.retry_after is not None


def _out_of_order(losses: int, error: NovaKitError | None) -> SubmissionUncertainError:
    status = "" if error is None or error.status_code is None else f" ({error.status_code})"
    return SubmissionUncertainError(
        f"The answers to {losses} submissions in a row were lost{status}, so nothing more is submitted. What waits costs nothing. "
        "Those that were lost may have been started: Retry failed (board.retry_failed()) looks for them first. Continue "
        "(board.resume()) goes on with what waits.",
        None if error is None else error.status_code,
    )
