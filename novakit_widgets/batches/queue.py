"""A queue of jobs that fits the limits: what waits, what runs, and whose turn is next. Knows no widgets."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from ..engine import unawaited
from ..engine.messages import interruption_told
from ..errors import (
    JobNotStartedError,
)
from ..runtime import loop as job_loop
from ..runtime.waiting import check_timeout, within
from .items import ItemState, QueueItem
from .persistence import restore, restored_reuse, shown_params
from .submitting import UNTIL
from .work import QueueWork

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable

    from ..api.client import NovaKitClient
    from ..job_history.batches import BatchRecord
    from ..job_history.jobs import JobHistory
    from ..runtime.clock import Clock

__all__ = ["ItemState", "JobQueue", "QueueItem"]


class JobQueue(QueueWork):
    """Many jobs, submitted in order and no faster than the service's limits let them through.

    Its methods can be called from any thread; what they do is done on the job loop. One job's failure never stops the
    others.

    Args:
        items: a tool and its parameters for each job, in order.
        client: speaks to the service.
        max_running: how many may run at once; 100 where it is left out, which is what one request for all can show.
        timeout: seconds to watch each; ``None`` for the tools'.
        history: remembers the jobs and what still waits; where it is left out, the one that the settings name.
        reuse: whether to take jobs of the history that asked for the same and did not fail, instead of paying again.
        on_change: called on the loop after each change of an item; with ``None`` when the queue as a whole changed.
        about: what else to keep with the batch, as JSON, for whoever shows it again.
        held: why nothing is submitted until `resume`; ``None`` to begin with the first.
        clock: time and randomness.

    Attributes:
        batch_id: our own id of it.
        items: the items, in order.
        client: as given.
        history: as given.
        held: why nothing is submitted though something waits; ``None`` otherwise.
        made_before: how many of the items the history has completed jobs of, made within a day.

    Raises:
        ConfigurationError: there is no such time-out or number.

    Example:
        >>> import asyncio
        >>> from novakit_widgets import NovaKitClient, Sandbox, Tool
        >>> async def main(sandbox):
        ...     client = NovaKitClient(sandbox.api_key, sandbox.base_url)
        ...     queue = JobQueue([(Tool.IMAGE, {"prompt": f"A lighthouse, {style}"}) for style in ("oil", "ink")], client=client)
        ...     await queue.wait()
        ...     return [str(item.state) for item in queue.items]
        >>> with Sandbox(speed=200) as sandbox:
        ...     asyncio.run(main(sandbox))
        ['completed', 'completed']
    """

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {state}" for state, count in self._counts.items() if count)
        return f"<JobQueue {counts or 'of nothing'}{', held' if self.held else ''}>"

    @classmethod
    def restored(
        cls,
        record: BatchRecord,
        *,
        client: NovaKitClient,
        history: JobHistory | None = None,
        on_change: Callable[[QueueItem | None], None] = lambda _: None,
        clock: Clock | None = None,
    ) -> JobQueue:
        """Make the queue of a killed kernel again: its running jobs are watched, what waits is held until `resume`.

        Args:
            record: what `novakit_widgets.notebook.recover.recover` found.
            client: as for `JobQueue`.
            history: as for `JobQueue`.
            on_change: as for `JobQueue`.
            clock: as for `JobQueue`.
        """
        queue = cls(
            [(stored.tool, shown_params(stored)) for stored in record.items],
            client=client,
            max_running=record.max_running,
            timeout=record.timeout,
            history=history,
            reuse=restored_reuse(record),
            about=record.about,
            clock=clock,
        )
        queue.batch_id, queue.made_at, queue._restored = record.id, record.made_at, True
        memory = queue._memory
        memory.found(looked=not queue.reuse)
        memory.incomplete.update(number for number, stored in enumerate(record.items) if stored.params is None)
        for item, stored in zip(queue.items, record.items, strict=True):
            restore(item, stored, record.id, queue._maker)
            if item.run.job_id is not None:
                queue._lines.add(item)  # if its result is not known: it is only asked for
        queue.on_change = on_change
        waiting = sum(stored.waits and stored.params is not None for stored in record.items)
        if waiting:
            queue.held = JobNotStartedError(
                f"{waiting} of {len(queue.items)} had not been submitted when their kernel ended. {UNTIL}"
            )
        queue.start()
        return queue

    # What anybody may ask for, on any thread

    @property
    def not_cancelled(self) -> int:
        """How many jobs go on though their cancellation was asked for, since that failed or the service would not."""
        return self._deletions.failed

    def resume(self) -> None:
        """Go on submitting, after the quota ran out or the kernel was killed."""
        job_loop.call(self._resume)

    def cancel(self) -> None:
        """Drop what waits, and cancel what runs, as fast as the key's requests allow. What had ended first stays."""
        job_loop.call(self._cancel_all)

    def cancel_item(self, item: QueueItem) -> None:
        """Drop or cancel one."""
        job_loop.call(partial(self._cancel_items, [item]))

    def retry(self, items: Iterable[QueueItem]) -> None:
        """Try again what failed, was refused or was cancelled, and watch again what was left.

        An item of which nobody knows whether it was submitted is looked up first, and only submitted again when the service
        has no such job.
        """
        job_loop.call(partial(self._retry, list(items)))

    async def wait(self) -> None:
        """Wait until all have ended, or it is held and nothing runs, on any loop. No job's failure is raised."""
        with interruption_told(lambda: "The jobs go on"):
            await job_loop.run(self._wait)

    async def _wait(self) -> None:
        await self._until(lambda: self.quiet)
        await _all_done(item.run.saving for item in self.items)
        unawaited.review(self)

    async def _until(self, done: Callable[[], bool]) -> None:
        """See to it that it is at work until something holds. On the job loop."""
        self._awaited = True
        self._begin()
        await self._waiters.until(done)

    async def settled_items(self) -> AsyncIterator[QueueItem]:
        """Yield the items in the order in which they end, each once; those that ended before come first."""
        yielded: set[QueueItem] = set()
        index = 0
        while True:
            while index < len(self._ended):
                item, run = self._ended[index]
                index += 1
                if item.run is run and item not in yielded:
                    yielded.add(item)
                    if run.saving is not None and not run.saving.done():
                        await job_loop.run(partial(_all_done, [run.saving]))
                    yield item
            if self.quiet and index == len(self._ended):
                return
            await job_loop.run(partial(self._until, lambda: self.quiet or len(self._ended) > index))  # noqa: B023 # waited for

    def wait_blocking(
        self, timeout: float | None = None, wait: Callable[[], Coroutine[Any, Any, None]] | None = None
    ) -> bool:
        """Wait as `wait` does, in a cell, a thread or a plain script.

        Args:
            timeout: seconds to block; the jobs go on after that.
            wait: what to wait for instead of `wait`, which it includes.

        Returns:
            Whether it came to rest in that time.

        Raises:
            KeyboardInterrupt: the user interrupted it. The jobs go on.
        """
        seconds = check_timeout(timeout, waiting=True)
        with interruption_told(lambda: "The jobs go on"):
            return job_loop.run_blocking(lambda: self._rests_within(seconds, wait or self.wait), timeout=seconds)

    async def _rests_within(self, timeout: float | None, wait: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        ended = await within(timeout, wait())
        if ended is None:
            return False
        ended.result()
        return True


async def _all_done(tasks: Iterable[asyncio.Task[None] | None]) -> None:
    """Wait for tasks. What they raise stays theirs."""
    left = [task for task in tasks if task is not None and not task.done()]
    if left:
        await asyncio.wait(left)
