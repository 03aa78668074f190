"""Records a queue in the history: all items before the first submission, so that another kernel can continue it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from ..config import settings
from ..engine.start import notebook
from ..engine.submit import Submission
from ..errors import ConfigurationError, JobCancelledError, SubmissionUncertainError
from ..job_history.batches import BatchItem, BatchRecord
from ..job_history.rows import UNSENT
from ..runtime import loop as job_loop
from .items import ItemState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ..job_history.jobs import JobHistory
    from .items import Batch, QueueItem, RunMaker

__all__ = ["QueueMemory", "restore", "restored_reuse", "shown_params"]

_BEAT = 60.0  # seconds between two signs of life
_REUSE = "reuse"  # its name among what else is kept


class QueueMemory:
    """The record of one queue in the history.

    Args:
        history: where it is recorded.

    Attributes:
        kept: whether the record is up to date.
        looked: whether equal jobs were looked for.
        incomplete: the numbers of the items whose parameters could not be recorded.
        writing: the tasks that write, in order.
    """

    def __init__(self, history: JobHistory) -> None:
        self._history = history
        self._again: set[int] = set()
        self.writing: set[asyncio.Task[None]] = set()
        self._on_disk = False
        self.kept = False
        self.looked = False
        self.incomplete: set[int] = set()

    def found(self, *, looked: bool) -> None:
        """Note that the queue was restored from the history.

        Args:
            looked: whether equal jobs are not to be looked for.
        """
        self.kept = self._on_disk = True
        self.looked = looked

    def waits_again(self, item: QueueItem) -> None:
        """Note that an item is submitted again, which the next `open` records."""
        self._again.add(item.number)
        self.kept = False

    async def open(self, queue: Batch) -> None:
        """Record all items in one transaction.

        Raises:
            JobNotStartedError: another kernel has taken over the batch.
        """
        self.kept = self._on_disk = True  # even if the waiting is given up: see `DiskThread`
        again = [number for number in self._again if queue.items[number].state is ItemState.WAITING]
        try:
            await self._history.off_loop(self._history.batches.open, self._record(queue), again=again)
        except BaseException:
            self.kept = False
            raise

    def drop(self, queue: Batch, items: list[int]) -> None:
        """Record that some items are never to be submitted."""
        if items and self._on_disk:
            self._write(partial(self._history.batches.drop, queue.batch_id, items))

    def close(self, queue: Batch) -> None:
        """Record that no item waits."""
        if self._on_disk:
            self.kept = self._on_disk = False
            self._write(partial(self._history.batches.close, queue.batch_id))

    async def beat(self, queue: Batch, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Record a sign of life every minute, for kernels that can't see this process."""
        while True:
            await sleep(_BEAT)
            await self._history.off_loop(self._history.batches.beat, queue.batch_id)

    def _write(self, work: Callable[[], None]) -> None:
        """Write to the history after earlier writes, without waiting for the disk."""
        task = job_loop.spawn(self._history.off_loop(work))
        self.writing.add(task)
        task.add_done_callback(self.writing.discard)

    def _record(self, queue: Batch) -> BatchRecord:
        return BatchRecord(
            id=queue.batch_id,
            base_url=queue.client.base_url,
            made_at=queue.made_at,
            items=tuple(self._item(item) for item in queue.items),
            max_running=queue.max_running,
            timeout=queue.timeout,
            notebook=notebook(),
            about={**queue.about, _REUSE: queue.reuse},
        )

    def _item(self, item: QueueItem) -> BatchItem:
        params = None if item.number in self.incomplete else item.params
        taken = item.run.job_id if item.run.reused else None
        dropped = item.state is ItemState.CANCELLED and item.run.job is None
        return BatchItem(item.tool, params, dropped=dropped, job_id=taken)


def restore(item: QueueItem, stored: BatchItem, batch: str, maker: RunMaker) -> None:
    """Restore an item from the history: its job, an uncertain submission, or an item that waits.

    Args:
        item: a new item of the queue that is restored.
        stored: the item in the history.
        batch: the id of the batch.
        maker: creates its run.
    """
    entry = stored.entry
    if entry is not None and entry.job is not None:
        run = maker.known(item, entry.job) if stored.job_id is None else maker.reused(item, entry.job)
        run.saved = entry.files
        item.give(run)
    elif entry is not None and entry.stage != UNSENT:
        item.run.submission = Submission(batch, item.number, intent=entry.intent, begun_at=entry.begun_at)
        reason = entry.reason or "its kernel ended before the answer was there"
        error = SubmissionUncertainError(f"It may have been submitted: {reason}. Trying it again looks it up first.")
        item.run.give_up(error)
    elif stored.dropped:
        item.run.give_up(JobCancelledError("It was cancelled before it was submitted; nothing was billed."))
    elif stored.params is None:
        item.run.give_up(not_kept())


def restored_reuse(record: BatchRecord) -> bool:
    """Return whether a restored batch reuses jobs: as recorded, or else as the settings say.

    Args:
        record: the batch in the history.

    Raises:
        ConfigurationError: the setting is invalid.
    """
    kept = record.about.get(_REUSE)
    return kept if isinstance(kept, bool) else settings.reuse().value


def not_kept() -> ConfigurationError:
    """Return the error of an item whose parameters could not be recorded."""
    return ConfigurationError(
        "Its parameters could not be kept in the history (more than 1 MB, or with a key in them), so they ended with their kernel. "
        "Nothing was submitted or billed: give them again."
    )


def shown_params(stored: BatchItem) -> Mapping[str, Any]:
    """Return the parameters of an item as the history has them, to show them."""
    if stored.params is not None:
        return stored.params
    return {} if stored.entry is None else stored.entry.params
