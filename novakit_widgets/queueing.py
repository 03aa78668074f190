"""A queue of jobs that fits the limits: what waits, what runs, and whose turn is next. Knows no widgets."""

from __future__ import annotations

import asyncio
import heapq
import secrets
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from . import eventloop, settings
from .allowance import allowance_of
from .errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    JobCancelledError,
    JobNotStartedError,
    NovaKitConnectionError,
    NovaKitError,
    QuotaExceededError,
    RateLimitError,
    SubmissionUncertainError,
)
from .jobhistory import default_history
from .jobhistory_batches import BatchItem, BatchRecord
from .jobhistory_rows import UNSENT
from .pacing import Pace
from .parameters import canonical
from .queue_places import Place, PlaceState
from .reusing import TWIN_AGE, reused_note, twin_note
from .run import JobRun, Phase, check_timeout, notebook
from .submission import Clockwork, Ticket, candidates
from .tracking import LIST_LIMIT, tracker_of

if TYPE_CHECKING:
    from .client import NovaKitClient
    from .jobhistory import JobHistory
    from .jobs import Job, Tool

__all__ = ["JobQueue", "Place", "PlaceState", "active_batches"]

_MOST_SUBMITTING = 10  # at once: more would wait for connections and for the disk, not for the service
_DELETING = 4  # cancellations at once
_BEAT = 60.0  # seconds between two signs of life in the history
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
        clockwork: time and chance.

    Attributes:
        batch_id: our own id of it.
        places: the items, in order.
        client: as given.
        history: as given.
        held: why nothing is submitted though something waits; ``None`` otherwise.

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
        clockwork: Clockwork | None = None,
    ) -> None:
        self._works = clockwork or Clockwork()
        self.batch_id = secrets.token_hex(12)
        self.client = client
        self.history = history or default_history()
        self.max_running = _check_number(max_running)
        self.timeout = check_timeout(timeout)
        self.reuse = reuse
        self.on_change = on_change
        self.about = dict(about or {})
        self.made_at = self._works.now()
        self.held: NovaKitError | None = None
        self._allowance = allowance_of(client.account)
        self._pace = Pace.at(settings.speed().value)
        self._lines: dict[Tool | None, list[tuple[int, Place]]] = {}
        self._counts = dict.fromkeys(PlaceState, 0)
        self._submitting: set[Place] = set()
        self._version = 0
        self._positions: tuple[int, dict[int, tuple[int, int]]] = (-1, {})
        self._ended: list[tuple[Place, JobRun]] = []
        self._failures = 0
        self._careful = False  # after a refusal that concerns all: one at a time, until one is taken
        self._offline_until = float("-inf")
        self._kept = self._looked = False
        self._again: set[int] = set()
        self._incomplete: set[int] = set()
        self._looking_for: deque[Place] = deque()
        self._in_question: set[Place] = set()  # being looked up: what becomes of them is not known yet
        self._deletes: deque[Place] = deque()
        self._parted: list[Place] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake, self._disk = asyncio.Event(), asyncio.Lock()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._noting: set[asyncio.Task[None]] = set()
        self._waiters: set[asyncio.Future[None]] = set()
        self.places = tuple(self._place(number, tool, params) for number, (tool, params) in enumerate(items))
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
            record: what `novakit_widgets.recovery.recover` found.
            client: as for `JobQueue`.
            history: as for `JobQueue`.
            on_change: as for `JobQueue`.
            clockwork: as for `JobQueue`.
        """
        queue = cls(
            [(item.tool, _shown(item)) for item in record.items],
            client=client,
            max_running=record.max_running,
            timeout=record.timeout,
            history=history,
            about=record.about,
            clockwork=clockwork,
        )
        queue.batch_id, queue.made_at = record.id, record.made_at
        queue._kept = queue._looked = True
        for place, item in zip(queue.places, record.items, strict=True):
            queue._restore(place, item)
        queue.on_change = on_change
        waiting = sum(place.state is PlaceState.WAITING and place.run.job_id is None for place in queue.places)
        if waiting:
            queue.held = JobNotStartedError(
                f"{waiting} of {len(queue.places)} had not been submitted when their kernel ended. Nothing is submitted or billed "
                "until you resume."
            )
        queue.start()
        return queue

    # What anybody may ask for, on any thread

    @property
    def settled(self) -> bool:
        """Whether nothing more happens by itself, even if it is resumed."""
        return not any(self._counts[state] for state in _OPEN) and not self._in_question

    @property
    def quiet(self) -> bool:
        """Whether nothing more happens before somebody asks for it: settled, or held with nothing under way."""
        asking = any(self._in_line(place, None) for _, place in self._lines.get(None, ()))
        under_way = self._counts[PlaceState.RUNNING] or asking or self._in_question
        return self.settled or (self.held is not None and not under_way)

    def count(self, state: PlaceState) -> int:
        """Return how many places are in a state."""
        return self._counts[state]

    def start(self) -> bool:
        """Begin, unless it has begun; return whether there is a loop to begin on."""
        loop = eventloop.home()
        if loop is None:
            return False
        eventloop.hand_over(loop, self._begin)
        return True

    def resume(self) -> None:
        """Go on submitting, after the quota ran out or the kernel was killed."""
        self._ask(self._resume)

    def cancel(self) -> None:
        """Drop what waits, and cancel what runs, as fast as the key's requests allow. What had ended first stays."""
        self._ask(self._cancel_all)

    def cancel_place(self, place: Place) -> None:
        """Drop or cancel one."""
        self._ask(partial(self._cancel_places, [place]))

    def retry(self, places: Iterable[Place]) -> None:
        """Try again what failed, was refused or was cancelled, and watch again what was left.

        A place of which nobody knows whether it was submitted is looked up first, and only submitted again when the service
        has no such job.
        """
        self._ask(partial(self._retry, list(places)))

    def _ask(self, work: Callable[[], None]) -> None:
        loop = eventloop.home()
        if loop is None:
            work()
        else:
            eventloop.hand_over(loop, work)

    async def wait(self) -> None:
        """Wait until all have ended, or it is held and nothing runs. No job's failure is raised."""
        self.start()
        while not self.quiet:
            await self._change(len(self._ended))

    async def settled_places(self) -> AsyncIterator[Place]:
        """Yield the places in the order in which they end, each once; those that ended before come first."""
        self.start()
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
            await self._change(index)

    async def _change(self, ended: int) -> None:
        """Wait until more than so many places have ended, or the queue has come to rest; on any loop."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            # Between the question and the entry it may have happened on another thread.
            if not self.quiet and len(self._ended) == ended:
                await waiter
        finally:
            self._waiters.discard(waiter)

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
        waiting = _within(check_timeout(timeout), wait or self.wait)
        return eventloop.run_blocking(waiting, farewell=self.leave_loop)

    async def leave_loop(self) -> None:
        """Leave a loop that is about to be closed, without losing a job; `wait` on another one goes on."""
        self._loop = None
        tasks = [task for task in self._tasks.values() if not task.done()]
        for task in tasks:
            task.cancel()
        running = [place for place in self.places if place.state is PlaceState.RUNNING]
        await asyncio.gather(*(place.run.part() for place in self.places if place.run.phase is not Phase.NEW))
        self._parted = [place for place in running if place.state is PlaceState.LEFT]
        while tasks or self._noting:
            await asyncio.wait([*tasks, *self._noting])
            tasks = []
            self._noting = {task for task in self._noting if not task.done()}
        await tracker_of(self.client).aclose()
        await self.client.aclose()

    # What happens on the loop

    def _place(self, number: int, tool: Tool, params: Mapping[str, Any]) -> Place:
        place = Place(number, tool, params, self)
        self._give(place, self._new_run(place))
        place.params = place.run.params
        self._counts[PlaceState.WAITING] += 1
        self._line_up(place)
        return place

    def _new_run(self, place: Place) -> JobRun:
        return JobRun(
            place.tool,
            place.params,
            client=self.client,
            timeout=self.timeout,
            history=self.history,
            clock=self._works.clock,
            manager=place,
        )

    def _known_run(self, place: Place, job: Job) -> JobRun:
        return JobRun.known(
            place.tool,
            place.params,
            job,
            client=self.client,
            timeout=self.timeout,
            history=self.history,
            clock=self._works.clock,
            manager=place,
        )

    def _give(self, place: Place, run: JobRun) -> None:
        place.run = run
        run.on_change = partial(self._changed, place, run)

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            self._wake, self._disk = asyncio.Event(), asyncio.Lock()
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
        if self._loop is None or self._loop is not eventloop.current():
            return
        if self._lines.get(None) or (self.held is None and any(self._lines.values())):
            self._run_task("pump", self._pump)
        if self._looking_for:
            self._run_task("look", self._look_for_all)
        if self._deletes:
            for number in range(_DELETING):
                self._run_task(f"delete {number}", self._delete_all)
        if not self.settled and self.history.path is not None:
            self._run_task("beat", self._beat)
        self._wake.set()

    def _run_task(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = self._tasks.get(name)
        if task is None or task.done():
            self._tasks[name] = task = eventloop.spawn(work())
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
                if not self._kept:
                    await self._keep()
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
        best: tuple[float, int, Place] | None = None
        for key, line in self._lines.items():
            while line and not self._in_line(line[0][1], key):
                heapq.heappop(line)
            if not line or (self.held is not None and key is not None):
                continue
            seconds = self._allowance.request_wait() if key is None else self._allowance.wait(key)
            if best is None or (seconds, line[0][0]) < best[:2]:
                best = (seconds, *line[0])
        if best is None:
            return None
        seconds, _, place = best
        most = 1 if self._careful else _MOST_SUBMITTING
        if self._counts[PlaceState.RUNNING] >= self.max_running or len(self._submitting) >= most:
            return place, _BEAT  # until one of them is done, which wakes us
        return place, max(seconds, self._offline_until - self._works.clock())

    def _in_line(self, place: Place, key: Tool | None) -> bool:
        return place.state is PlaceState.WAITING and self._line_of(place) == key

    @staticmethod
    def _line_of(place: Place) -> Tool | None:
        """Say which line a place waits in: its tool's, or that of the jobs that are only asked for."""
        return place.tool if place.run.job_id is None else None

    def _line_up(self, place: Place) -> None:
        if place.run.job is not None:
            return  # known from the history: there is nothing to ask
        heapq.heappush(self._lines.setdefault(self._line_of(place), []), (place.number, place))
        self._version += 1

    def _submit(self, place: Place) -> None:
        key = self._line_of(place)
        heapq.heappop(self._lines[key])
        self._version += 1
        if key is None:
            self._allowance.add_request()
            place.run.begin()
        else:
            place.run.begin(Ticket(self.batch_id, place.number, self._allowance.take(key)))

    async def _rest(self, seconds: float) -> None:
        """Wait so long, or until something changes."""
        self._wake.clear()
        sleeping = asyncio.ensure_future(self._works.sleep(seconds))
        waking = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait((sleeping, waking), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()

    def _nudge(self) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            eventloop.hand_over(loop, self._wake.set)

    def _changed(self, place: Place, run: JobRun) -> None:
        """Take in a change of a place's run."""
        if run is not place.run:
            return  # tried again since
        state, before = place.state, place.seen
        moved = state is not before or (place in self._submitting) is not (run.phase is Phase.SUBMITTING)
        if run.phase is Phase.SUBMITTING:
            self._submitting.add(place)
        else:
            self._submitting.discard(place)
        if state is not before:
            place.seen = state
            self._counts[before] -= 1
            self._counts[state] += 1
            if state is PlaceState.WAITING:
                self._line_up(place)
            elif state is not PlaceState.RUNNING:
                self._ended.append((place, run))
                self._version += before is PlaceState.WAITING
        if run.phase in (Phase.WATCHING, Phase.ENDED):
            self._failures = 0
            self._careful = False
        self._tell(place)
        if moved:
            self._go()
        if state is not before and self.settled:
            self._settle()
        if state is not before and (state not in _OPEN or self.held is not None):
            self._tell_waiters()

    def _settle(self) -> None:
        beat = self._tasks.pop("beat", None)
        if beat is not None:
            beat.cancel()
        if self._kept:
            self._kept = False
            self._write(self.history.batches.close, self.batch_id)
        self._tell(None)

    def _tell(self, place: Place | None) -> None:
        """Tell the listener. A fault of its own is shown, and costs no job anything."""
        try:
            self.on_change(place)
        except Exception as error:
            loop = eventloop.current()
            if loop is None:
                raise
            loop.call_exception_handler({"message": "An observer of a queue failed", "exception": error})

    def _tell_waiters(self) -> None:
        for waiter in [waiter for waiter in list(self._waiters) if not waiter.get_loop().is_closed()]:
            eventloop.hand_over(waiter.get_loop(), lambda waiter=waiter: waiter.done() or waiter.set_result(None))  # type: ignore[misc]

    # When a turn comes, and what stops it

    def outlook(self, place: Place) -> tuple[datetime | None, str]:
        """Say when a waiting place's turn comes, about, and what it waits for; see `Place`."""
        if self.held is not None:
            return None, "on hold"
        in_line, in_all = self._position(place)
        seconds, reason = self._allowance.outlook(place.tool, ahead=in_line)
        offline = self._offline_until - self._works.clock()
        if offline > seconds:
            seconds, reason = offline, "NovaKit can't be reached"
        over = in_all - max(0, self.max_running - self._counts[PlaceState.RUNNING])
        if over >= 0:
            typical = sum(place.tool.typical_seconds) / 2 / self._allowance.speed
            turn = (over // self.max_running + 1) * typical
            if turn > seconds:
                seconds, reason = turn, f"{self.max_running} at a time"
        return self._works.now() + timedelta(seconds=max(0.0, seconds)), reason

    def _position(self, place: Place) -> tuple[int, int]:
        """Say how many are ahead in the same line, and in all; counted anew only when the order has changed."""
        version, positions = self._positions
        if version != self._version:
            positions = {}
            in_line: dict[Tool | None, int] = {}
            for other in self.places:
                if other.state is PlaceState.WAITING:
                    key = self._line_of(other)
                    positions[other.number] = (in_line.get(key, 0), len(positions))
                    in_line[key] = in_line.get(key, 0) + 1
            self._positions = (self._version, positions)
        return positions.get(place.number, (0, 0))

    def take_back(self, place: Place, error: NovaKitError) -> bool:  # noqa: ARG002 # the error says it all, so far
        """Whether a refused place waits for another turn, and what the refusal means for the others."""
        if isinstance(error, QuotaExceededError | AuthenticationError | JobNotStartedError):
            self._hold(error)
        elif isinstance(error, NovaKitConnectionError):
            self._failures += 1
            self._offline_until = self._works.clock() + self._pace.retry(self._failures, self._works.random)
        elif not _asks_to_come_back(error):
            return False
        self._careful = True
        return True  # after a 429 the allowance knows when

    def _hold(self, error: NovaKitError) -> None:
        self.held = error.with_traceback(None)
        self._tell(None)
        self._tell_waiters()

    def _resume(self) -> None:
        self.held = None
        self._failures = 0
        self._offline_until = float("-inf")
        self._tell(None)
        if self._loop is None:
            self.start()
        else:
            self._go()

    # Cancelling

    def _cancel_all(self) -> None:
        self.held = None
        waiting = [place for place in self.places if place.state is PlaceState.WAITING]
        # The newest first: they have the most left to do, and to be billed.
        others = [place for place in reversed(self.places) if place.state in (PlaceState.RUNNING, PlaceState.LEFT)]
        self._cancel_places([*waiting, *others])
        self._tell(None)

    def _cancel_places(self, places: Iterable[Place]) -> None:
        dropped = [place.number for place in places if place.state is PlaceState.WAITING]
        if dropped and self._kept:
            self._write(self.history.batches.drop, self.batch_id, dropped)
        for place in places:
            if place.state in (PlaceState.WAITING, PlaceState.RUNNING, PlaceState.LEFT):
                place.run.cancel()

    def delete(self, place: Place) -> None:
        """Cancel a place's job when there is room for the request."""
        self._deletes.append(place)
        self._go()

    async def _delete_all(self) -> None:
        while self._deletes:
            seconds = self._allowance.request_wait()
            if seconds > 0:
                await self._works.sleep(seconds)
                continue
            place = self._deletes.popleft()
            if place.state in (PlaceState.RUNNING, PlaceState.LEFT):
                self._allowance.add_request()
                await place.run.delete(ask=False)

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
        self._looking_for.extend(uncertain)
        self._in_question.update(uncertain)
        if self._loop is None:
            self.start()
        else:
            self._go()

    def _renew(self, place: Place, job: Job | None = None) -> None:
        """Give a place another run: a new job, or one that was found."""
        self._give(place, self._new_run(place) if job is None else self._known_run(place, job))
        self._again.add(place.number)
        self._kept = False
        self._changed(place, place.run)
        if job is not None:
            place.run.begin()
        elif place.number in self._incomplete:
            place.run.give_up(_not_kept())

    async def _look_for_all(self) -> None:
        """Look up submissions whose answers were lost, those that ask for the same together."""
        groups: dict[tuple[Tool, str], list[Place]] = {}
        while self._looking_for:
            place = self._looking_for.popleft()
            if place.state is PlaceState.UNCERTAIN:
                group = groups.setdefault((place.tool, canonical(place.tool, place.params)), [])
                if place not in group:
                    group.append(place)
        try:
            for group in groups.values():
                try:
                    await self._look_for(group)
                except NovaKitError as error:
                    for place in group:
                        place.run.note = f"Not submitted again: it can't be looked up. {error.message}"
                        self._tell(place)
                self._in_question.difference_update(group)
        finally:
            self._in_question.clear()
            self._in_question.update(self._looking_for)
            if self.settled:
                self._settle()
            self._tell_waiters()

    async def _look_for(self, group: Sequence[Place]) -> None:
        known = set(await self.history.off_loop(self.history.job_ids, base_url=self.client.base_url))
        known.update(place.run.job_id for place in self.places if place.run.job_id is not None)
        begun = [place.run.ticket.begun_at for place in group if place.run.ticket is not None]
        since = min((at for at in begun if at is not None), default=self.made_at)
        tool, params = group[0].tool, group[0].params
        found = await candidates(self.client, tool, params, since=since, known=known, clockwork=self._works)
        if len(found) > len(group):
            ids = ", ".join(str(job.id) for job in found)
            for place in group:
                place.run.note = (
                    f"Not submitted again: {len(found)} jobs could be it: {ids}. Look at each with nk.attach(id)."
                )
                self._tell(place)
            return
        # They ask for the same, so it is of no account which of them is whose.
        for index, place in enumerate(group):
            intent = "" if place.run.ticket is None else place.run.ticket.intent
            if index < len(found):
                job = found[::-1][index]
                await self.history.off_loop(self.history.started, intent, job, base_url=self.client.base_url)
                self._renew(place, job)
            else:
                await self.history.off_loop(self.history.unsent, intent, "the service's list has no such job")
                self._renew(place)

    # What is on disk

    async def _keep(self) -> None:
        """Write all places down before the first is submitted, and learn what was submitted before."""
        self._kept = True
        if not self._looked:
            self._looked = True
            await self._look_for_twins()
        again = [number for number in self._again if self.places[number].state is PlaceState.WAITING]
        try:
            await self._written(partial(self.history.batches.open, self._record(), again=again))
        except NovaKitError as error:
            self._kept = False
            self._hold(error)
        if not self._allowance.seeded:
            self._allowance.seeded = True
            now = self._works.now()
            begun = await self.history.off_loop(
                self.history.begun,
                base_url=self.client.base_url,
                since=now - self._allowance.longest,
                before=self._allowance.born,
                late=self._allowance.slow_answer,
            )
            self._allowance.seed(begun, now=self._works.now())

    def _record(self) -> BatchRecord:
        return BatchRecord(
            id=self.batch_id,
            base_url=self.client.base_url,
            made_at=self.made_at,
            items=tuple(self._item(place) for place in self.places),
            max_running=self.max_running,
            timeout=self.timeout,
            notebook=notebook(),
            about=self.about,
        )

    def _item(self, place: Place) -> BatchItem:
        params = None if place.number in self._incomplete else place.params
        taken = place.run.job_id if place.run.reused else None
        dropped = place.state is PlaceState.CANCELLED and place.run.job is None
        return BatchItem(place.tool, params, dropped=dropped, job_id=taken)

    async def _look_for_twins(self) -> None:
        """Take jobs of the history that asked for the same, or say that there are such."""
        asked = [(place.tool, place.params) for place in self.places]
        within = None if self.reuse else TWIN_AGE
        twins = await self.history.off_loop(self.history.twins, asked, base_url=self.client.base_url, within=within)
        for place, twin in zip(self.places, twins, strict=True):
            if twin is None or twin.job is None or place.state is not PlaceState.WAITING:
                continue
            if self.reuse:
                run = self._known_run(place, replace(twin.job, output=None))
                run.reused, run.note = True, reused_note(twin)
                self._give(place, run)
                self._line_up(place)
                if run.job is not None:
                    run.begin()  # it still runs, so there is nothing to ask
            else:
                place.run.note = twin_note(twin)

    def _restore(self, place: Place, item: BatchItem) -> None:
        entry = item.entry
        if item.params is None:
            self._incomplete.add(place.number)
        if entry is not None and entry.job is not None:
            self._give(place, self._known_run(place, entry.job))
            place.run.reused = item.job_id is not None
            place.run.saved = entry.files
            self._changed(place, place.run)
        elif entry is not None and entry.stage != UNSENT:
            place.run.ticket = Ticket(self.batch_id, place.number, None, entry.intent, entry.begun_at)
            reason = entry.reason or "its kernel ended before the answer was there"
            place.run.give_up(
                SubmissionUncertainError(f"It may have been submitted: {reason}. Trying it again looks it up first.")
            )
        elif item.dropped:
            place.run.give_up(JobCancelledError("It was cancelled before it was submitted; nothing was billed."))
        elif item.params is None:
            place.run.give_up(_not_kept())

    def _write(self, work: Callable[..., None], *args: object) -> None:
        """Have something written, after what is being written; a slow disk must not hold the loop up."""
        if eventloop.current() is None:
            work(*args)
            return
        task = eventloop.spawn(self._written(partial(work, *args)))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def _written(self, work: Callable[[], None]) -> None:
        async with self._disk:
            await self.history.off_loop(work)

    async def _beat(self) -> None:
        while True:
            await self._works.sleep(_BEAT)
            await self._written(partial(self.history.batches.beat, self.batch_id))


def _asks_to_come_back(error: NovaKitError) -> bool:
    unavailable = error.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    return isinstance(error, RateLimitError) or (
        unavailable and isinstance(error, APIError) and error.retry_after is not None
    )


def _shown(item: BatchItem) -> Mapping[str, Any]:
    """Return an item's parameters, or what the history has of them to show."""
    if item.params is not None:
        return item.params
    return {} if item.entry is None else item.entry.params


def _not_kept() -> ConfigurationError:
    return ConfigurationError(
        "Its parameters are too large for the history (over 1 MB), so they ended with their kernel. Nothing was submitted or "
        "billed: give them again."
    )


def _check_number(number: int | None) -> int:
    if number is None:
        return LIST_LIMIT
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ConfigurationError(
            f"max_running is a whole number from 1 on, not {number!r}. Nothing was sent or billed."
        )
    return number


async def _within(timeout: float | None, wait: Callable[[], Coroutine[Any, Any, None]]) -> bool:
    waiting = asyncio.ensure_future(wait())
    try:
        done, _ = await asyncio.wait((waiting,), timeout=timeout)
    finally:
        waiting.cancel()
    for task in done:
        task.result()
    return bool(done)


# Those that live in this process: what it has claimed, and is at work on.
_active: weakref.WeakSet[JobQueue] = weakref.WeakSet()


def active_batches() -> frozenset[str]:
    """Return the ids of the batches that this process is at work on."""
    return frozenset(queue.batch_id for queue in list(_active))
