"""What the history keeps of a queue: all items before the first is submitted, so that another kernel can go on with it."""

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
    """One queue's batch in the history.

    Args:
        history: where it is kept.

    Attributes:
        kept: whether the history has it as it is now. What it has may be older, and is dropped and closed all the same.
        looked: whether equal jobs were looked for.
        incomplete: the items whose parameters ended with their kernel.
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
        """Note that the history has it: it is brought back from there.

        Args:
            looked: whether equal jobs need not be looked for, though there may be some since.
        """
        self.kept = self._on_disk = True
        self.looked = looked

    def waits_again(self, item: QueueItem) -> None:
        """Note that an item is tried again, whatever became of its earlier submissions: kept with the next `open`."""
        self._again.add(item.number)
        self.kept = False

    async def open(self, queue: Batch) -> None:
        """Write all items down, at once or not at all.

        Raises:
            JobNotStartedError: another kernel has taken the batch over.
        """
        self.kept = self._on_disk = True  # even if the waiting is given up: see `DiskThread`
        again = [number for number in self._again if queue.items[number].state is ItemState.WAITING]
        try:
            await self._history.off_loop(self._history.batches.open, self._record(queue), again=again)
        except BaseException:
            self.kept = False
            raise

    def drop(self, queue: Batch, items: list[int]) -> None:
        """Note that some items are never to be submitted."""
        if items and self._on_disk:
            self._write(partial(self._history.batches.drop, queue.batch_id, items))

    def close(self, queue: Batch) -> None:
        """Note that nothing of it waits any more."""
        if self._on_disk:
            self.kept = self._on_disk = False
            self._write(partial(self._history.batches.close, queue.batch_id))

    async def beat(self, queue: Batch, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Give signs of life, for kernels that can't ask for our process."""
        while True:
            await sleep(_BEAT)
            await self._history.off_loop(self._history.batches.beat, queue.batch_id)

    def _write(self, work: Callable[[], None]) -> None:
        """Have something written, after what is being written; a slow disk must not hold the loop up."""
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
    """Put a fresh item where the history has it: its job is known, or it may have been submitted, or it waits.

    Args:
        item: of a queue that is being restored.
        stored: what the history has.
        batch: the batch's id.
        maker: makes its run.
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
    """Return whether a batch takes jobs of the history: as it did, or as the settings say where it was kept without that.

    Args:
        record: what the history has.

    Raises:
        ConfigurationError: the setting is of no use.
    """
    kept = record.about.get(_REUSE)
    return kept if isinstance(kept, bool) else settings.reuse().value


def not_kept() -> ConfigurationError:
    """Return the error of an item whose parameters ended with their kernel."""
    return ConfigurationError(
        "Its parameters could not be kept in the history (more than 1 MB, or with a key in them), so they ended with their kernel. "
        "Nothing was submitted or billed: give them again."
    )


def shown_params(stored: BatchItem) -> Mapping[str, Any]:
    """Return the parameters of an item as the history has them, to show them."""
    if stored.params is not None:
        return stored.params
    return {} if stored.entry is None else stored.entry.params
