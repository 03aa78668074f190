"""A queue of jobs that fits the limits: what waits, what runs, and whose turn is next. Knows no widgets."""

from __future__ import annotations

import asyncio
import secrets
import threading
import weakref
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ..api.listing import LIST_LIMIT
from ..config import settings
from ..engine.messages import never_submitted
from ..engine.reconcile import look_up_entries
from ..engine.reuse import TWIN_AGE, check_reuse, lost_job, read_for_reuse, reused_note, twin_note
from ..engine.state import Phase
from ..engine.submit import Ticket
from ..engine.tracker import tracker_of
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
from ..job_history.jobs import default_history
from ..limits.schedule import Pace
from ..limits.tool_limits import allowance_of
from ..runtime import loop as job_loop
from ..runtime.clock import Clockwork
from ..runtime.sleep import sleep_or_wake
from ..runtime.waiting import Waiters, check_timeout, within
from .cancellations import Deletions
from .items import AT_SERVICE, NotItsTurnError, Place, PlaceState, RunMaker
from .lines import Lines
from .persistence import QueueMemory, not_kept, restore, restored_reuse, shown_params
from .throttle import Room
from .uncertain import LookUps

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence

    from ..api.client import NovaKitClient
    from ..engine.run import JobRun
    from ..job_history.batches import BatchRecord
    from ..job_history.jobs import HistoryEntry, JobHistory
    from ..model.job import Job
    from ..model.tools import Tool

__all__ = ["JobQueue", "Place", "PlaceState", "active_batches"]

_DELETING = 4  # cancellations at once
_UNTIL = "Nothing is submitted or billed until you resume: Continue, or board.resume()."
_A_WHILE = 60.0  # seconds to wait for what wakes us
_OPEN = frozenset({PlaceState.WAITING, PlaceState.RUNNING})
_TRIED_AGAIN = frozenset({PlaceState.FAILED, PlaceState.CANCELLED, PlaceState.REFUSED, PlaceState.UNCERTAIN})


class JobQueue:
    """Many jobs, submitted in order and no faster than the service's limits let them through.

    Its methods may be called from any thread; what they do is done on the jobs' loop. One job's failure never stops the
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
        clockwork: time and chance.

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
        ...     await queue.leave_loop()
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
        clockwork: Clockwork | None = None,
    ) -> None:
        self._works = clockwork or Clockwork()
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
        self.made_at = self._works.now()
        self.held = held
        self.made_before = 0
        self._allowance = allowance_of(client.account)
        self._maker = RunMaker(client, self.timeout, self.history, self._works, lost_job if reuse else None)
        self._memory = QueueMemory(self.history)
        self._lines = Lines()
        self._counts = dict.fromkeys(PlaceState, 0)
        self._room = Room(
            known=client.rate_limit is not None, pace=Pace.at(settings.speed().value), clockwork=self._works
        )
        self._deletions = Deletions(self._allowance, self._works, on_failure=partial(self._tell, None))
        self._look_ups = LookUps(self, self._found)
        self._restored = False  # and not resumed since
        self._ended: list[tuple[Place, JobRun]] = []
        self._parted: list[Place] = []  # to be watched again as soon as there is a loop
        self._loop: asyncio.AbstractEventLoop | None = None
        self._claiming = threading.Lock()  # of the loop: held for a few instructions
        self._leaving = False
        self._departures = 0
        self._wake = asyncio.Event()
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
        clockwork: Clockwork | None = None,
    ) -> JobQueue:
        """Make the queue of a killed kernel again: its running jobs are watched, what waits is held until `resume`.

        Args:
            record: what `novakit_widgets.notebook.recover.recover` found.
            client: as for `JobQueue`.
            history: as for `JobQueue`.
            on_change: as for `JobQueue`.
            clockwork: as for `JobQueue`.
        """
        queue = cls(
            [(item.tool, shown_params(item)) for item in record.items],
            client=client,
            max_running=record.max_running,
            timeout=record.timeout,
            history=history,
            reuse=restored_reuse(record),
            about=record.about,
            clockwork=clockwork,
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
                f"{waiting} of {len(queue.places)} had not been submitted when their kernel ended. {_UNTIL}"
            )
        queue.start()
        return queue

    # What anybody may ask for, on any thread

    @property
    def settled(self) -> bool:
        """Whether nothing more happens by itself, even if it is resumed."""
        to_be_watched = any(place.state is PlaceState.LEFT for place in self._parted)
        return not (any(self._counts[state] for state in _OPEN) or self._look_ups or to_be_watched)

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

    def start(self) -> bool:
        """Begin, unless it has begun; return whether there is a loop to begin on."""
        loop = self._home()
        if loop is None:
            return False
        # Closed at this moment, it is another thread's, whose leaving is told to those who wait.
        job_loop.hand_over(loop, self._begin, closed_ok=True)
        return True

    def _home(self) -> asyncio.AbstractEventLoop | None:
        """Return the loop that it works on, or would begin on. Of several threads of a plain script the first that waits has it."""
        loop = self._loop
        return loop if loop is not None and loop.is_running() else job_loop.home()

    def _at_home(self, work: Callable[[], object]) -> None:
        loop = self._home()
        if loop is None:
            work()
        else:
            job_loop.hand_over(loop, work)

    def resume(self) -> None:
        """Go on submitting, after the quota ran out or the kernel was killed."""
        self._at_home(self._resume)

    def cancel(self) -> None:
        """Drop what waits, and cancel what runs, as fast as the key's requests allow. What had ended first stays."""
        self._at_home(self._cancel_all)

    def cancel_place(self, place: Place) -> None:
        """Drop or cancel one."""
        self._at_home(partial(self._cancel_places, [place]))

    def retry(self, places: Iterable[Place]) -> None:
        """Try again what failed, was refused or was cancelled, and watch again what was left.

        A place of which nobody knows whether it was submitted is looked up first, and only submitted again when the service
        has no such job.
        """
        self._at_home(partial(self._retry, list(places)))

    async def wait(self) -> None:
        """Wait until all have ended, or it is held and nothing runs. No job's failure is raised."""
        await self._until(lambda: self.quiet)

    async def _until(self, done: Callable[[], bool]) -> None:
        """See to it that it is at work until something holds, also when the thread gives up on whose loop it was."""
        while True:
            departures = self._departures
            self.start()
            await self._waiters.until(lambda: done() or self._departures != departures)  # noqa: B023 # waited for here
            if done():
                return

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
                    yield place
            if self.quiet and index == len(self._ended):
                return
            await self._until(lambda: self.quiet or len(self._ended) > index)  # noqa: B023 # waited for here

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
        waiting = self._rests_within(seconds, wait or self.wait)
        return job_loop.run_blocking(waiting, farewell=self.leave_loop, timeout=seconds)

    async def _rests_within(self, timeout: float | None, wait: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        ended = await within(timeout, wait())
        if ended is None:
            return False
        ended.result()
        return True

    async def leave_loop(self) -> None:
        """Leave the running loop, which is about to be closed, without losing a job; `wait` on another one goes on."""
        if self._loop is asyncio.get_running_loop():
            self._leaving = True
            try:
                await self._part()
            finally:
                self._loop, self._leaving = None, False
                self._departures += 1
                self._waiters.wake()  # another thread's loop takes over
        await self._memory.flushed()
        await tracker_of(self.client).aclose()
        await self.client.aclose()

    async def _part(self) -> None:
        tasks = [task for task in self._tasks.values() if not task.done()]
        for task in tasks:
            task.cancel()
        self._parted += [place for place in self.places if place.state is PlaceState.RUNNING]
        await asyncio.gather(*(place.run.part() for place in self.places if place.run.phase is not Phase.NEW))
        if tasks:
            await asyncio.wait(tasks)

    # What happens on the loop

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        with self._claiming:
            if self._loop is not loop and self._loop is not None and self._loop.is_running():
                return  # another thread was quicker, and does the work for both
            begins = self._loop is not loop
            self._loop = loop
        if begins:
            self._wake = asyncio.Event()
            self._tasks = {}
            parted, self._parted = self._parted, []
            for place in parted:
                place.run.keep_watching()
            for place in self.places:
                if place.run.job is not None:
                    place.run.begin()
        self._go()

    def _go(self) -> None:
        """See to it that what is to be done is being done."""
        if self._loop is None or self._loop is not job_loop.current() or self._leaving:
            return
        if self._lines.asking if self.held is not None else self._lines:
            self._run_task("pump", self._pump)
        if self._look_ups.waiting:
            self._run_task("look", self._look_up)
        if self._deletions:
            for number in range(_DELETING):
                self._run_task(f"delete {number}", self._deletions.work)
        if not self.settled and self.history.path is not None:
            self._run_task("beat", partial(self._memory.beat, self, self._works.sleep))
        self._wake.set()

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
        self._hold(
            NovaKitError(
                f"The queue stopped by a fault of novakit_widgets itself ({type(error).__name__}: {error}). Nothing more is "
                "submitted; what runs goes on. Please report this."
            )
        )

    async def _pump(self) -> None:
        """Submit one after the other, each when its turn comes."""
        self._allowance.listen(self._nudge)
        try:
            while (turn := self._next()) is not None:
                place, seconds = turn
                if not self._memory.looked and self._lines.key(place) is not None:
                    await self._look_for_twins()
                elif not self._memory.kept:
                    await self._keep()
                elif not self._allowance.seeded:
                    await self._seed()
                elif seconds > 0:
                    await self._rest(seconds)
                else:
                    self._submit(place)
                    await asyncio.sleep(0)  # so that a thousand at once leave the kernel free
        finally:
            self._allowance.ignore(self._nudge)

    def _next(self) -> tuple[Place, float] | None:
        """Say whose turn is next, and in how many seconds; ``None`` when nothing is to be submitted."""
        self._allowance.observe(self.client.rate_limit, wall=self._works.now().timestamp())
        turns = [
            (self._allowance.request_wait() if key is None else self._allowance.wait(key), place.number)
            for key, place in self._lines.fronts()
            if key is None or self.held is None
        ]
        if not turns:
            return None
        seconds, number = min(turns)
        place = self.places[number]
        full = self._room.is_full(contested=self._allowance.contested(place.tool))
        if full or self._counts[PlaceState.RUNNING] >= self.max_running:
            return place, _A_WHILE  # until one of them is done, which wakes us
        return place, max(seconds, self._room.offline)

    def _submit(self, place: Place) -> None:
        key = self._lines.key(place)
        self._lines.take(key)
        if key is None:
            self._allowance.add_request()
            place.run.begin()
        else:
            place.run.begin(Ticket(self.batch_id, place.number, self._allowance.take(key), self._works))

    async def _rest(self, seconds: float) -> None:
        """Wait so long, or until something changes."""
        await sleep_or_wake(seconds, self._wake, self._works.sleep)

    def _nudge(self) -> None:
        loop = self._loop
        if loop is not None:
            job_loop.hand_over(loop, self._wake.set, closed_ok=True)

    def changed(self, place: Place, run: JobRun) -> None:
        """Take in a change of a place's run."""
        if run is not place.run:
            return  # tried again since
        state, before = place.state, place.seen
        moved = state is not before or (place in self._room) is not (run.phase is Phase.SUBMITTING)
        if self._room.take_in(place, run) and self._lines:
            self._hold(_out_of_order(self._room.losses, run.error))
        if state is not before:
            place.seen = state
            self._counts[before] -= 1
            self._counts[state] += 1
            if state is PlaceState.WAITING:
                self._lines.add(place)
            elif state is not PlaceState.RUNNING:
                self._ended.append((place, run))
            self._lines.moved()
        self._tell(place)
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
        self._tell(None)

    def _tell(self, place: Place | None) -> None:
        """Tell the listener. A fault of its own is shown, and costs no job anything."""
        with job_loop.complaints("An observer of a queue failed"):
            self.on_change(place)

    # When a turn comes, and what stops it

    def outlook(self, place: Place) -> tuple[datetime | None, str]:
        """Say when a waiting place's turn comes, about, and what it waits for; see `Place`."""
        if self.held is not None:
            return None, "on hold"
        in_line, in_all = self._lines.ahead_of(place)
        seconds, reason = self._allowance.outlook(place.tool, ahead=in_line)
        if self._room.offline > seconds:
            seconds, reason = self._room.offline, "NovaKit can't be reached"
        over = in_all - max(0, self.max_running - self._counts[PlaceState.RUNNING])
        if over >= 0:
            typical = sum(place.tool.typical_seconds) / 2 / self._allowance.speed
            turn = (over // self.max_running + 1) * typical
            if turn > seconds:
                seconds, reason = turn, f"{self.max_running} at a time"
        return self._works.now() + timedelta(seconds=max(0.0, seconds)), reason

    def take_back(self, place: Place, error: NovaKitError) -> bool:
        """Whether a refused place waits for another turn, and what the refusal means for the others."""
        if isinstance(error, NotItsTurnError):
            self._memory.waits_again(place)
            if self._restored and self.held is None:
                self._hold(JobNotStartedError(f"{error.message} {_UNTIL}"))
            return True
        if isinstance(error, QuotaExceededError | AuthenticationError | JobNotStartedError):
            self._hold(error)
        elif isinstance(error, NovaKitConnectionError):
            self._room.unreachable()
        elif isinstance(error, RateLimitError):
            self._allowance.observe(self.client.rate_limit, wall=self._works.now().timestamp())
            self._allowance.spread(error)
        elif not _asks_to_come_back(error):
            return False
        self._room.refused()
        return True  # after a 429 the allowance knows when

    def _hold(self, error: NovaKitError) -> None:
        self.held = error.with_traceback(None)
        self._tell(None)
        self._waiters.wake()

    def _resume(self) -> None:
        self.held = None
        self._restored = False
        self._room.reopen()
        self._tell(None)
        self.start()

    # Cancelling

    def _cancel_all(self) -> None:
        self.held = None
        waiting = [place for place in self.places if place.state is PlaceState.WAITING]
        # The newest first: they have the most left to do, and to be billed.
        others = [place for place in reversed(self.places) if place.state in (*AT_SERVICE, PlaceState.UNCERTAIN)]
        self._cancel_places([*waiting, *others])
        self._tell(None)

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
            if state is PlaceState.LEFT and (self._leaving or job_loop.current() is None):
                self._parted.append(place)  # a plain script: watched when somebody waits
            elif state is PlaceState.LEFT:
                place.run.keep_watching()
            elif state is PlaceState.UNCERTAIN:
                uncertain.append(place)
            elif state in _TRIED_AGAIN:
                self._renew(place)
        self._look_ups.add(uncertain)
        self.start()

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
            await self._look_ups.work(self._works)
        finally:
            if self.settled:
                self._settle()
            self._waiters.wake()

    def _found(self, place: Place, outcome: Job | SubmissionUncertainError | None) -> None:
        """Take in what became of a submission that was looked up."""
        withdrawn = self._look_ups.is_withdrawn(place)
        if isinstance(outcome, SubmissionUncertainError):
            place.run.note = f"Not {'cancelled' if withdrawn else 'submitted again'}. {outcome.message}"
            self._tell(place)
        elif outcome is None and withdrawn:
            self._memory.drop(self, [place.number])
            place.run.give_up(never_submitted())
        else:
            self._renew(place, outcome)
            if withdrawn:
                place.run.cancel()

    # What is on disk

    async def _keep(self) -> None:
        """Write all places down before the first is submitted."""
        try:
            await self._memory.open(self)
        except NovaKitError as error:
            self._hold(error)

    async def _seed(self) -> None:
        """Count what was submitted with this key before this process began to count."""
        allowance = self._allowance
        begun = await self.history.off_loop(
            self.history.begun,
            base_url=self.client.base_url,
            since=self._works.now() - allowance.longest,
            before=allowance.born,
            late=allowance.slow_answer,
            account=self.client.account,
        )
        if not allowance.seeded:  # by another queue of the key, while we read
            allowance.seed(begun, now=self._works.now())

    async def _reusable(self, asked: Sequence[tuple[Tool, Mapping[str, Any]]]) -> list[HistoryEntry | None]:
        """Return equal jobs of the history, those of lost submissions included.

        Raises:
            ConfigurationError: The history can't be used, so an equal job might be paid twice.
        """
        asks = {"base_url": self.client.base_url, "account": self.client.account}
        lost = await read_for_reuse(self.history, self.history.lost, asked=asked, **asks)
        # Before the equal jobs are looked for, so that what was lost is one of them.
        await look_up_entries(self.client, self.history, lost, clockwork=self._works)
        return await read_for_reuse(self.history, self.history.twins, asked, **asks)

    async def _look_for_twins(self) -> None:
        """Take jobs of the history that asked for the same, or say that there are such."""
        waiting = [place for place in self.places if place.state is PlaceState.WAITING]
        asked = [(place.tool, place.params) for place in waiting]
        if self.reuse:
            try:
                twins = await self._reusable(asked)
            except ConfigurationError as error:
                self._hold(error)
                return
        else:
            twins = await self.history.off_loop(
                self.history.twins, asked, base_url=self.client.base_url, account=self.client.account, within=TWIN_AGE
            )
        for place, twin in zip(waiting, twins, strict=True):
            if twin is None or twin.job is None or place.state is not PlaceState.WAITING:
                continue
            if twin.batch == self.batch_id:
                continue  # an equal place's, from before its kernel ended: equal places have a job each
            if self.reuse:
                # Without the result that was noted then: its address may have expired, so the job is asked for.
                run = self._maker.reused(place, twin.job if twin.job.id is None else replace(twin.job, output=None))
                run.note = reused_note(twin)
                place.give(run)
                self._lines.add(place)
                self._memory.kept = False
                if run.job is not None:
                    run.begin()  # it still runs, so there is nothing to ask
            else:
                place.run.note = twin_note(twin)
                self.made_before += bool(place.run.note)
        # Only now: a wait that ends in the midst of it leaves it to the next one.
        self._memory.looked = True
        if self.made_before:
            self._tell(None)


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


def _check_number(number: int | None) -> int:
    if number is None:
        return LIST_LIMIT
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ConfigurationError(
            f"max_running is a whole number from 1 on, not {number!r}. Nothing was sent or billed."
        )
    return number


# Those that live in this process: what it has claimed, and is at work on.
_active: weakref.WeakSet[JobQueue] = weakref.WeakSet()


def active_batches() -> frozenset[str]:
    """Return the ids of the batches that this process is at work on."""
    return frozenset(queue.batch_id for queue in list(_active) if not queue.settled)
