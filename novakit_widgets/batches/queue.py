"""A queue of jobs that fits the limits: what waits, what runs, and whose turn is next. Knows no widgets."""

from __future__ import annotations

import asyncio
import contextvars
import os
import secrets
import weakref
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from ..api.listing import LIST_LIMIT
from ..config import settings
from ..engine import unawaited
from ..engine.messages import interruption_told, never_submitted_error
from ..engine.reuse import check_reuse, lost_job
from ..engine.state import Phase
from ..errors import (
    ConfigurationError,
    JobNotStartedError,
    NovaKitError,
    SubmissionUncertainError,
)
from ..job_history.jobs import default_history
from ..limits.schedule import Pace
from ..limits.tool_limits import allowance_of
from ..runtime import loop as job_loop
from ..runtime.clock import Clock
from ..runtime.waiting import Waiters, check_timeout, within
from .cancellations import Deletions
from .items import AT_SERVICE, Place, PlaceState, RunMaker
from .lines import Lines
from .persistence import QueueMemory, not_kept, restore, restored_reuse, shown_params
from .submitting import UNTIL, Submitting
from .throttle import Room
from .uncertain import LookUps

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence

    from ..api.client import NovaKitClient
    from ..engine.run import JobRun
    from ..job_history.batches import BatchRecord
    from ..job_history.jobs import JobHistory
    from ..model.job import Job
    from ..model.tools import Tool

__all__ = ["JobQueue", "Place", "PlaceState", "active_batches"]

_DELETING = 4  # cancellations at once
_UNHEARD = (PlaceState.RUNNING, PlaceState.FAILED, PlaceState.REFUSED, PlaceState.UNCERTAIN, PlaceState.LEFT)
_OPEN = frozenset({PlaceState.WAITING, PlaceState.RUNNING})
_TRIED_AGAIN = frozenset({PlaceState.FAILED, PlaceState.CANCELLED, PlaceState.REFUSED, PlaceState.UNCERTAIN})


class JobQueue:
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
        on_change: called on the loop after each change of a place; with ``None`` when the queue as a whole changed.
        about: what else to keep with the batch, as JSON, for whoever shows it again.
        held: why nothing is submitted until `resume`; ``None`` to begin with the first.
        clock: time and randomness.

    Attributes:
        batch_id: our own id of it.
        places: the items, in order.
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
        ...     return [str(place.state) for place in queue.places]
        >>> with Sandbox(speed=200) as sandbox:
        ...     asyncio.run(main(sandbox))
        ['completed', 'completed']
    """

    def __init__(
        self,
        items: Sequence[tuple[Tool, Mapping[str, Any]]],
        *,
        client: NovaKitClient,
        max_running: int | None = None,
        timeout: float | None = None,
        history: JobHistory | None = None,
        reuse: bool = False,
        on_change: Callable[[Place | None], None] = lambda _: None,
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
        self.made_before = 0
        self._allowance = allowance_of(client.account)
        self._maker = RunMaker(client, self.timeout, self.history, self._clock, lost_job if reuse else None)
        self._memory = QueueMemory(self.history)
        self._lines = Lines()
        self._counts = dict.fromkeys(PlaceState, 0)
        self._room = Room(known=client.rate_limit is not None, pace=Pace.at(settings.speed().value), clock=self._clock)
        self._submitting = Submitting(
            self,
            allowance=self._allowance,
            lines=self._lines,
            room=self._room,
            memory=self._memory,
            maker=self._maker,
            clock=self._clock,
        )
        self._deletions = Deletions(self._allowance, self._clock, on_failure=partial(self.tell, None))
        self._look_ups = LookUps(self, self._found)
        self._restored = False  # and not resumed since
        self._ended: list[tuple[Place, JobRun]] = []
        self._process = 0  # that is at work on it
        self._awaited = False
        self._context = contextvars.copy_context()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._waiters = Waiters()
        self.places = tuple(
            Place(number, tool, params, keeper=self, maker=self._maker) for number, (tool, params) in enumerate(items)
        )
        self._counts[PlaceState.WAITING] = len(self.places)
        for place in self.places:
            self._lines.add(place)
        _active.add(self)

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
        on_change: Callable[[Place | None], None] = lambda _: None,
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
            [(item.tool, shown_params(item)) for item in record.items],
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
        memory.incomplete.update(number for number, item in enumerate(record.items) if item.params is None)
        for place, item in zip(queue.places, record.items, strict=True):
            restore(place, item, record.id, queue._maker)
            if place.run.job_id is not None:
                queue._lines.add(place)  # if its result is not known: it is only asked for
        queue.on_change = on_change
        waiting = sum(item.waits and item.params is not None for item in record.items)
        if waiting:
            queue.held = JobNotStartedError(
                f"{waiting} of {len(queue.places)} had not been submitted when their kernel ended. {UNTIL}"
            )
        queue.start()
        return queue

    # What anybody may ask for, on any thread

    @property
    def settled(self) -> bool:
        """Whether nothing more happens by itself, even if it is resumed."""
        return not (any(self._counts[state] for state in _OPEN) or self._look_ups)

    @property
    def quiet(self) -> bool:
        """Whether nothing more happens before somebody asks for it: settled, or held with nothing under way."""
        under_way = self._counts[PlaceState.RUNNING] or self._lines.asking or self._look_ups
        return self.settled or (self.held is not None and not under_way)

    @property
    def not_cancelled(self) -> int:
        """How many jobs go on though their cancellation was asked for, since that failed or the service would not."""
        return self._deletions.failed

    def count(self, state: PlaceState) -> int:
        """Return how many places are in a state."""
        return self._counts[state]

    def start(self) -> None:
        """Begin, unless it has begun."""
        job_loop.call(self._begin)

    def resume(self) -> None:
        """Go on submitting, after the quota ran out or the kernel was killed."""
        job_loop.call(self._resume)

    def cancel(self) -> None:
        """Drop what waits, and cancel what runs, as fast as the key's requests allow. What had ended first stays."""
        job_loop.call(self._cancel_all)

    def cancel_place(self, place: Place) -> None:
        """Drop or cancel one."""
        job_loop.call(partial(self._cancel_places, [place]))

    def retry(self, places: Iterable[Place]) -> None:
        """Try again what failed, was refused or was cancelled, and watch again what was left.

        A place of which nobody knows whether it was submitted is looked up first, and only submitted again when the service
        has no such job.
        """
        job_loop.call(partial(self._retry, list(places)))

    async def wait(self) -> None:
        """Wait until all have ended, or it is held and nothing runs, on any loop. No job's failure is raised."""
        with interruption_told(lambda: "The jobs go on"):
            await job_loop.run(self._wait)

    async def _wait(self) -> None:
        await self._until(lambda: self.quiet)
        await _all_done(place.run.saving for place in self.places)
        unawaited.review(self)

    async def _until(self, done: Callable[[], bool]) -> None:
        """See to it that it is at work until something holds. On the job loop."""
        self._awaited = True
        self._begin()
        await self._waiters.until(done)

    async def settled_places(self) -> AsyncIterator[Place]:
        """Yield the places in the order in which they end, each once; those that ended before come first."""
        yielded: set[Place] = set()
        index = 0
        while True:
            while index < len(self._ended):
                place, run = self._ended[index]
                index += 1
                if place.run is run and place not in yielded:
                    yielded.add(place)
                    if run.saving is not None and not run.saving.done():
                        await job_loop.run(partial(_all_done, [run.saving]))
                    yield place
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

    # At exit; see `novakit_widgets.engine.unawaited`

    def at_exit(self) -> str:
        """Return what was never awaited; ``""`` if it was awaited."""
        if self._awaited or not (self._counts[PlaceState.WAITING] or any(self._counts[state] for state in _UNHEARD)):
            return ""
        counts = ", ".join(f"{count} {state}" for state, count in self._counts.items() if count)
        kept = (
            "nk.recover() picks it up."
            if self.history.path is not None
            else "What has not been submitted is not billed."
        )
        return f"a batch of {len(self.places)} was not awaited ({counts}). {kept}"

    def on_the_way(self) -> set[asyncio.Task[Any]]:
        """Return the tasks that are worth some seconds at exit."""
        runs = (place.run for place in self.places if place.run.phase is not Phase.NEW)
        return {task for run in runs for task in run.on_the_way()} | self._memory.writing

    # What happens on the job loop

    def _begin(self) -> None:
        if self._process not in (0, os.getpid()):
            raise NovaKitError(
                "This batch belongs to the process that this one was forked from, which goes on with it. Nothing was submitted "
                "here: wait for it there, or make a batch in this process."
            )
        if not self._process:
            self._process = os.getpid()
            unawaited.add(self)
            for place in self.places:
                if place.run.job is not None:
                    place.run.begin()
        self._go()

    def _go(self) -> None:
        """See to it that what is to be done is being done."""
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
        """Hold the queue when a task ends by something that nobody foresaw: it must not look as if it went on."""
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

    def changed(self, place: Place, run: JobRun) -> None:
        """Take in a change of a place's run."""
        if run is not place.run:
            return  # tried again since
        state, before = place.state, place.seen
        moved = state is not before or (place in self._room) is not (run.phase is Phase.SUBMITTING)
        self._submitting.take_in(place, run)
        if state is not before:
            place.seen = state
            self._counts[before] -= 1
            self._counts[state] += 1
            if state is PlaceState.WAITING:
                self._lines.add(place)
            elif state is not PlaceState.RUNNING:
                self._ended.append((place, run))
            self._lines.moved()
        self.tell(place)
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
        self.held = None  # nothing waits any more
        self.tell(None)

    def tell(self, place: Place | None) -> None:
        """Tell the listener. A fault of its own is shown, and costs no job anything."""
        with job_loop.complaints("An observer of a queue failed"):
            # In the context of the cell that made the queue; a copy, because a listener may ask for the next change.
            self._context.copy().run(self.on_change, place)

    # When a turn comes, and what stops it

    def outlook(self, place: Place) -> tuple[datetime | None, str]:
        """Say when a waiting place's turn comes, about, and what it waits for; see `Place`."""
        return self._submitting.outlook(place)

    def take_back(self, place: Place, error: NovaKitError) -> bool:
        """Whether a refused place waits for another turn."""
        return self._submitting.take_back(place, error, restored=self._restored)

    def hold(self, error: NovaKitError) -> None:
        """Submit nothing more until it is resumed."""
        self.held = error.with_traceback(None)
        self.tell(None)
        self._waiters.wake()

    def _resume(self) -> None:
        self.held = None
        self._restored = False
        self._room.reopen()
        self.tell(None)
        self._begin()

    # Cancelling

    def _cancel_all(self) -> None:
        self.held = None
        waiting = [place for place in self.places if place.state is PlaceState.WAITING]
        # The newest first: they have the most left to do, and to be billed.
        others = [place for place in reversed(self.places) if place.state in (*AT_SERVICE, PlaceState.UNCERTAIN)]
        self._cancel_places([*waiting, *others])
        self.tell(None)

    def _cancel_places(self, places: Iterable[Place]) -> None:
        dropped = [place.number for place in places if place.state is PlaceState.WAITING]
        self._memory.drop(self, dropped)
        for place in places:
            if place.state in (PlaceState.WAITING, PlaceState.RUNNING, PlaceState.LEFT):
                place.run.cancel()
            elif place.state is PlaceState.UNCERTAIN:
                self._look_ups.withdraw(place)

    def delete(self, place: Place) -> None:
        """Cancel a place's job when there is room for the request."""
        self._deletions.add(place)
        self._go()

    # Trying again

    def _retry(self, places: Sequence[Place]) -> None:
        uncertain = []
        for place in places:
            state = place.state
            if state is PlaceState.LEFT:
                place.run.keep_watching()
            elif state is PlaceState.UNCERTAIN:
                uncertain.append(place)
            elif state in _TRIED_AGAIN:
                self._renew(place)
        self._look_ups.add(uncertain)
        self._begin()

    def _renew(self, place: Place, job: Job | None = None) -> None:
        """Give a place another run: a new job, or one that was found."""
        self._memory.waits_again(place)
        place.give(self._maker.new(place) if job is None else self._maker.known(place, job))
        if job is not None:
            place.run.begin()
        elif place.number in self._memory.incomplete:
            place.run.give_up(not_kept())

    async def _look_up(self) -> None:
        try:
            await self._look_ups.work(self._clock)
        finally:
            if self.settled:
                self._settle()
            self._waiters.wake()

    def _found(self, place: Place, outcome: Job | SubmissionUncertainError | None) -> None:
        """Take in what became of a submission that was looked up."""
        withdrawn = self._look_ups.is_withdrawn(place)
        if isinstance(outcome, SubmissionUncertainError):
            place.run.note = f"Not {'cancelled' if withdrawn else 'submitted again'}. {outcome.message}"
            self.tell(place)
        elif outcome is None and withdrawn:
            self._memory.drop(self, [place.number])
            place.run.give_up(never_submitted_error())
        else:
            self._renew(place, outcome)
            if withdrawn:
                place.run.cancel()

    # What is on disk


def _check_number(number: int | None) -> int:
    if number is None:
        return LIST_LIMIT
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ConfigurationError(
            f"max_running is a whole number from 1 on, not {number!r}. Nothing was sent or billed."
        )
    return number


async def _all_done(tasks: Iterable[asyncio.Task[None] | None]) -> None:
    """Wait for tasks. What they raise stays theirs."""
    left = [task for task in tasks if task is not None and not task.done()]
    if left:
        await asyncio.wait(left)


# Those that live in this process: what it has claimed, and is at work on.
_active: weakref.WeakSet[JobQueue] = weakref.WeakSet()


def active_batches() -> frozenset[str]:
    """Return the ids of the batches that this process is at work on."""
    return frozenset(queue.batch_id for queue in list(_active) if not queue.settled)
