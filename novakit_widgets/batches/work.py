"""The work of a queue on the job loop: submit, cancel, retry and look up items, until the queue has settled."""

from __future__ import annotations

import asyncio
import contextvars
import os
import secrets
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from ..api.listing import LIST_LIMIT
from ..config import settings
from ..config.logs import warn_in_script
from ..engine import unawaited
from ..engine.messages import never_submitted_error
from ..engine.reuse import check_reuse, lost_job
from ..engine.state import Phase
from ..errors import ConfigurationError, NovaKitError, SubmissionUncertainError
from ..job_history.jobs import default_history
from ..limits.schedule import Pace
from ..limits.tool_limits import allowance_of
from ..runtime import loop as job_loop
from ..runtime.clock import Clock
from ..runtime.waiting import Waiters, check_timeout
from .cancellations import Deletions
from .items import AT_SERVICE, ItemState, QueueItem, RunMaker
from .lines import Lines
from .persistence import QueueMemory, not_kept
from .submitting import Submitting
from .throttle import Throttle
from .uncertain import LookUps

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
    from datetime import datetime

    from ..api.client import NovaKitClient
    from ..engine.run import JobRun
    from ..job_history.jobs import JobHistory
    from ..model.job import Job
    from ..model.tools import Tool

__all__ = ["QueueWork", "active_batches"]

_UNHEARD = (ItemState.RUNNING, ItemState.FAILED, ItemState.REFUSED, ItemState.UNCERTAIN, ItemState.LEFT)
_DELETING = 4  # cancellations at once
_OPEN = frozenset({ItemState.WAITING, ItemState.RUNNING})
_TRIED_AGAIN = frozenset({ItemState.FAILED, ItemState.CANCELLED, ItemState.REFUSED, ItemState.UNCERTAIN})


class QueueWork:
    """What a `JobQueue` does on the job loop. `JobQueue` describes the arguments and attributes."""

    def __init__(
        self,
        items: Sequence[tuple[Tool, Mapping[str, Any]]],
        *,
        client: NovaKitClient,
        max_running: int | None = None,
        timeout: float | None = None,
        history: JobHistory | None = None,
        reuse: bool = False,
        on_change: Callable[[QueueItem | None], None] = lambda _: None,
        about: Mapping[str, Any] | None = None,
        held: NovaKitError | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or Clock()
        self.batch_id = secrets.token_hex(12)
        self.client = client
        self.history = history or default_history()
        self.max_running = _check_number(max_running)
        self.timeout = check_timeout(timeout)
        self.reuse = reuse
        if reuse:
            check_reuse(self.history)
        self.on_change = on_change
        self.about = dict(about or {})
        self.made_at = self._clock.now()
        self.held = held
        self._allowance = allowance_of(client.account)
        self._maker = RunMaker(client, self.timeout, self.history, self._clock, lost_job if reuse else None)
        self._memory = QueueMemory(self.history)
        self._lines = Lines()
        self._counts = dict.fromkeys(ItemState, 0)
        self._throttle = Throttle(
            known=client.rate_limit is not None, pace=Pace.at(settings.speed().value), clock=self._clock
        )
        self._submitting = Submitting(
            self,
            allowance=self._allowance,
            lines=self._lines,
            throttle=self._throttle,
            memory=self._memory,
            maker=self._maker,
            clock=self._clock,
        )
        self._deletions = Deletions(self._allowance, self._clock, on_failure=partial(self.tell, None))
        self._look_ups = LookUps(self, self._found)
        self._restored = False  # from the history, and not resumed since
        self._ended: list[tuple[QueueItem, JobRun]] = []
        self._process = 0  # the process that works on the queue
        self._awaited = False
        self._context = contextvars.copy_context()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._waiters = Waiters()
        self.items = tuple(
            QueueItem(number, tool, params, keeper=self, maker=self._maker)
            for number, (tool, params) in enumerate(items)
        )
        self._counts[ItemState.WAITING] = len(self.items)
        for item in self.items:
            self._lines.add(item)
        _active.add(self)

    @property
    def settled(self) -> bool:
        """Whether all items have ended, so that `resume` has no effect."""
        return not (any(self._counts[state] for state in _OPEN) or self._look_ups)

    @property
    def quiet(self) -> bool:
        """Whether nothing happens until the user acts: settled, or on hold with no request or job running."""
        under_way = self._counts[ItemState.RUNNING] or self._lines.asking or self._look_ups
        return self.settled or (self.held is not None and not under_way)

    def count(self, state: ItemState) -> int:
        """Return the number of items in a state."""
        return self._counts[state]

    def start(self) -> None:
        """Start submitting, unless that has begun."""
        job_loop.call(self._begin)

    # On the job loop

    def _begin(self) -> None:
        if self._process not in (0, os.getpid()):
            raise NovaKitError(
                "This batch belongs to the process that this one was forked from, which goes on with it. Nothing was submitted "
                "here: wait for it there, or make a batch in this process."
            )
        if not self._process:
            self._process = os.getpid()
            unawaited.add(self)
            warn_in_script(*(item.run.passed_on for item in self.items))
            for item in self.items:
                if item.run.job is not None:
                    item.run.begin()
        self._go()

    def _go(self) -> None:
        """Start the tasks for the work that is due."""
        if self._process != os.getpid():
            return
        if self._lines.asking if self.held is not None else self._lines:
            self._run_task("submit", self._submitting.work)
        if self._look_ups.waiting:
            self._run_task("look", self._look_up)
        if self._deletions:
            for number in range(_DELETING):
                self._run_task(f"delete {number}", self._deletions.work)
        if not self.settled and self.history.path is not None:
            self._run_task("beat", partial(self._memory.beat, self, self._clock.sleep))
        self._submitting.wake()

    def _run_task(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = self._tasks.get(name)
        if task is None or task.done():
            self._tasks[name] = task = job_loop.spawn(work())
            task.add_done_callback(self._broke)

    def _broke(self, task: asyncio.Task[None]) -> None:
        """Put the queue on hold when a task ends with an unexpected exception."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        context = {"message": "A task of JobQueue failed", "exception": error, "task": task}
        task.get_loop().call_exception_handler(context)
        self.hold(
            NovaKitError(
                f"The queue stopped by a fault of novakit_widgets itself ({type(error).__name__}: {error}). Nothing more is "
                "submitted; what runs goes on. Please report this."
            )
        )

    def changed(self, item: QueueItem, run: JobRun) -> None:
        """Handle a change of an item's run."""
        if run is not item.run:
            return  # the item has another run by now
        state, before = item.state, item.seen
        moved = state is not before or (item in self._throttle) is not (run.phase is Phase.SUBMITTING)
        self._submitting.take_in(item, run)
        if state is not before:
            item.seen = state
            self._counts[before] -= 1
            self._counts[state] += 1
            if state is ItemState.WAITING:
                self._lines.add(item)
            elif state is not ItemState.RUNNING:
                self._ended.append((item, run))
            self._lines.moved()
        self.tell(item)
        if moved:
            self._go()
        if state is not before and self.settled:
            self._settle()
        if state is not before and (state not in _OPEN or self.held is not None):
            self._waiters.wake()

    def _settle(self) -> None:
        beat = self._tasks.pop("beat", None)
        if beat is not None:
            beat.cancel()
        self._memory.close(self)
        self.held = None  # no item waits
        self.tell(None)

    def tell(self, item: QueueItem | None) -> None:
        """Tell the listener. Its exceptions are reported and do not affect the jobs."""
        with job_loop.complaints("An observer of a queue failed"):
            # In the context of the cell that created the queue. A copy: a listener may cause the next change.
            self._context.copy().run(self.on_change, item)

    # Submitting, and putting on hold

    def outlook(self, item: QueueItem) -> tuple[datetime | None, str]:
        """Estimate when a waiting item is submitted, and name what it waits for; see `QueueItem`."""
        return self._submitting.outlook(item)

    def take_back(self, item: QueueItem, error: NovaKitError) -> bool:
        """Return whether a refused item waits to be submitted again."""
        return self._submitting.take_back(item, error, restored=self._restored)

    def hold(self, error: NovaKitError) -> None:
        """Submit nothing until `resume`."""
        self.held = error.with_traceback(None)
        self.tell(None)
        self._waiters.wake()

    def _resume(self) -> None:
        self.held = None
        self._restored = False
        self._throttle.reopen()
        self.tell(None)
        self._begin()

    # Cancelling

    def _cancel_all(self) -> None:
        self.held = None
        waiting = [item for item in self.items if item.state is ItemState.WAITING]
        # The newest first: they have used the least.
        others = [item for item in reversed(self.items) if item.state in (*AT_SERVICE, ItemState.UNCERTAIN)]
        self._cancel_items([*waiting, *others])
        self.tell(None)

    def _cancel_items(self, items: Iterable[QueueItem]) -> None:
        dropped = [item.number for item in items if item.state is ItemState.WAITING]
        self._memory.drop(self, dropped)
        for item in items:
            if item.state in (ItemState.WAITING, ItemState.RUNNING, ItemState.LEFT):
                item.run.cancel()
            elif item.state is ItemState.UNCERTAIN:
                self._look_ups.withdraw(item)

    def delete(self, item: QueueItem) -> None:
        """Cancel an item's job as soon as the rate limit allows the request."""
        self._deletions.add(item)
        self._go()

    # Retrying

    def _retry(self, items: Sequence[QueueItem]) -> None:
        uncertain = []
        for item in items:
            state = item.state
            if state is ItemState.LEFT:
                item.run.keep_watching()
            elif state is ItemState.UNCERTAIN:
                uncertain.append(item)
            elif state in _TRIED_AGAIN:
                self._renew(item)
        self._look_ups.add(uncertain)
        self._begin()

    def _renew(self, item: QueueItem, job: Job | None = None) -> None:
        """Give an item another run: for a new job, or for one that was found."""
        self._memory.waits_again(item)
        item.give(self._maker.new(item) if job is None else self._maker.known(item, job))
        if job is not None:
            item.run.begin()
        elif item.number in self._memory.incomplete:
            item.run.give_up(not_kept())

    async def _look_up(self) -> None:
        try:
            await self._look_ups.work(self._clock)
        finally:
            if self.settled:
                self._settle()
            self._waiters.wake()

    def _found(self, item: QueueItem, outcome: Job | SubmissionUncertainError | None) -> None:
        """Handle the outcome of a look-up: the job, ``None`` if it was not started, or why that is uncertain."""
        withdrawn = self._look_ups.is_withdrawn(item)
        if isinstance(outcome, SubmissionUncertainError):
            item.run.note = f"Not {'cancelled' if withdrawn else 'submitted again'}. {outcome.message}"
            self.tell(item)
        elif outcome is None and withdrawn:
            self._memory.drop(self, [item.number])
            item.run.give_up(never_submitted_error())
        else:
            self._renew(item, outcome)
            if withdrawn:
                item.run.cancel()

    # At exit; see `novakit_widgets.engine.unawaited`

    def at_exit(self) -> str:
        """Return the line of the report at exit; ``""`` if the queue was awaited."""
        if self._awaited or not (self._counts[ItemState.WAITING] or any(self._counts[state] for state in _UNHEARD)):
            return ""
        counts = ", ".join(f"{count} {state}" for state, count in self._counts.items() if count)
        kept = (
            "nk.recover() picks it up."
            if self.history.path is not None
            else "What has not been submitted is not billed."
        )
        return f"a batch of {len(self.items)} was not awaited ({counts}). {kept}"

    def on_the_way(self) -> set[asyncio.Task[Any]]:
        """Return the tasks that Python waits for at exit."""
        runs = (item.run for item in self.items if item.run.phase is not Phase.NEW)
        return {task for run in runs for task in run.on_the_way()} | self._memory.writing


def _check_number(number: int | None) -> int:
    if number is None:
        return LIST_LIMIT
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ConfigurationError(
            f"max_running is a whole number from 1 on, not {number!r}. Nothing was sent or billed."
        )
    return number


# The queues of this process.
_active: weakref.WeakSet[QueueWork] = weakref.WeakSet()


def active_batches() -> frozenset[str]:
    """Return the ids of the batches that this process works on."""
    return frozenset(queue.batch_id for queue in list(_active) if not queue.settled)
