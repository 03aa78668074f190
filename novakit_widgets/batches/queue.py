"""`JobQueue`: many jobs, submitted no faster than the limits of the service allow. No widgets."""

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
    """Many jobs, submitted in order and no faster than the limits of the service allow.

    Methods may be called from any thread; they act on the job loop. A job that fails does not stop the others.

    Args:
        items: the tool and the parameters of each job, in order.
        client: sends the requests.
        max_running: the most jobs that run at once; default: 100, as many as one list of jobs shows.
        timeout: seconds to watch each job; ``None`` for the timeout of its tool.
        history: records the jobs and the items that wait; default: the history of the settings.
        reuse: whether to reuse equal jobs of the history that did not fail, instead of paying again.
        on_change: called on the job loop after each change of an item, and with ``None`` after a change of the queue.
        about: other facts to keep with the batch in the history, as JSON.
        held: why the queue is on hold until `resume`; ``None`` to submit at once.
        clock: see `Clock`.

    Attributes:
        batch_id: the id of the batch in the history.
        items: the items, in order.
        client: see above.
        history: see above.
        held: why nothing is submitted although items wait; ``None`` otherwise.

    Raises:
        ConfigurationError: ``timeout`` or ``max_running`` is invalid.

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
        """Restore the queue of a killed kernel. Running jobs are watched; waiting items are on hold until `resume`.

        The other arguments are those of `JobQueue`.

        Args:
            record: the batch, as `novakit_widgets.notebook.recover.recover` found it.
            client: see `JobQueue`.
            history: see `JobQueue`.
            on_change: see `JobQueue`.
            clock: see `JobQueue`.
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
                queue._lines.add(item)  # to fetch its result, if the history lacks it
        queue.on_change = on_change
        waiting = sum(stored.waits and stored.params is not None for stored in record.items)
        if waiting:
            queue.held = JobNotStartedError(
                f"{waiting} of {len(queue.items)} had not been submitted when their kernel ended. {UNTIL}"
            )
        queue.start()
        return queue

    # From any thread

    @property
    def not_cancelled(self) -> int:
        """The number of jobs that still run because their cancellation failed or was refused."""
        return self._deletions.failed

    def resume(self) -> None:
        """Continue submitting, such as after the quota was exceeded or the kernel was killed."""
        job_loop.call(self._resume)

    def cancel(self) -> None:
        """Cancel all items that have not ended: waiting ones are dropped, running ones are cancelled at the service."""
        job_loop.call(self._cancel_all)

    def cancel_item(self, item: QueueItem) -> None:
        """Cancel one item; see `cancel`."""
        job_loop.call(partial(self._cancel_items, [item]))

    def retry(self, items: Iterable[QueueItem]) -> None:
        """Submit failed, refused or cancelled items again, and watch jobs again whose watch has ended.

        An uncertain item is looked up first, and only submitted again if the service has no such job.
        """
        job_loop.call(partial(self._retry, list(items)))

    async def wait(self) -> None:
        """Wait until all items have ended, or the queue is on hold and nothing runs. On any loop. Failures are not raised."""
        with interruption_told(lambda: "The jobs go on"):
            await job_loop.run(self._wait)

    async def _wait(self) -> None:
        await self._until(lambda: self.quiet)
        await _all_done(item.run.saving for item in self.items)
        unawaited.review(self)

    async def _until(self, done: Callable[[], bool]) -> None:
        """Start the queue, and wait for a condition. On the job loop."""
        self._awaited = True
        self._begin()
        await self._waiters.until(done)

    async def settled_items(self) -> AsyncIterator[QueueItem]:
        """Yield each item once, in the order in which they end. Items that have ended already come first."""
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
        """Block as long as `wait` waits, in a cell, a thread or a plain script.

        Args:
            timeout: seconds to block; the jobs continue afterwards.
            wait: a coroutine function to await instead of `wait`; it awaits `wait` itself.

        Returns:
            ``False`` if the timeout is over.

        Raises:
            KeyboardInterrupt: the user interrupted it. The jobs continue.
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
    """Wait for tasks. Their exceptions are not raised."""
    left = [task for task in tasks if task is not None and not task.done()]
    if left:
        await asyncio.wait(left)
