"""One generation from its submission to its result: start, watch, cancel, wait. Knows no widgets."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from ..api.client import checked_id
from ..api.downloads import save_all
from ..api.retry import nothing_sent, resting
from ..config import settings
from ..errors import NovaKitError, SubmissionUncertainError
from ..job_history.jobs import default_history
from ..model.canonical import owned
from ..model.frozen import FrozenDict
from ..model.job import Job, JobStatus
from ..model.tools import Tool
from ..runtime import loop as job_loop
from ..runtime.clock import Clockwork
from ..runtime.waiting import Waiters, check_timeout, within
from . import signals
from .messages import after_deleting, broken_off, error_of_job, never_submitted, not_ended, nothing_started, unfinished
from .start import Origin
from .state import SETTLED, Phase, log_phase
from .stopwatch import Stopwatch
from .tracker import tracker_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping
    from pathlib import Path

    from ..api.client import NovaKitClient
    from ..job_history.jobs import JobHistory
    from .start import Earlier
    from .state import Manager
    from .submit import Ticket
    from .tracker import JobTracker, Watch

__all__ = ["JobRun"]

_PARTING_SECONDS = 10.0
# Held for a few instructions: threads of a plain script, each with a loop of its own, may go on watching the same job.
_claiming = threading.Lock()


class JobRun:
    """One generation: at most one job, submitted once.

    Its methods may be called from any thread; what they do is done on ``loop``.

    Args:
        tool: what makes it; ``None`` for a job that is attached to and of which nothing more is known.
        params: the service's own parameters.
        client: speaks to the service.
        timeout: seconds to watch; ``None`` for the tool's.
        history: remembers the job; where it is left out, the one that the settings name.
        on_change: called on the loop after each change.
        clockwork: time and chance.
        manager: decides when it is submitted; where it is left out, `start` does.
        earlier: asked before it is submitted: finds a job that will do instead, or raises why none may be submitted.

    Attributes:
        phase: where it is.
        job: the newest snapshot; ``None`` until the service has answered.
        error: why it is not completed; ``None`` while it may be.
        trouble: why there is no news at the moment, such as a lost connection.
        cancelling: whether a cancellation was asked for and not answered yet.
        saved: the files that `configure(save_to=…)` made of the result.
        note: what else there is to say when nothing is wrong.
        reused: whether the job is one of the history, taken for a new one.
        saving: the task that saves them.
        ticket: of the present or last submission; a queue gives its own.
    """

    def __init__(
        self,
        tool: Tool | None,
        params: Mapping[str, Any],
        *,
        client: NovaKitClient,
        timeout: float | None = None,
        history: JobHistory | None = None,
        on_change: Callable[[], None] = lambda: None,
        clockwork: Clockwork | None = None,
        manager: Manager | None = None,
        earlier: Earlier | None = None,
    ) -> None:
        self.tool = tool
        self.params: Mapping[str, Any] = FrozenDict(owned(dict(params)))
        self.client = client
        self.history = history or default_history()
        self.timeout = settings.timeout(timeout).value
        self.phase = Phase.NEW
        self.job: Job | None = None
        self.error: NovaKitError | None = None
        self.trouble: NovaKitError | None = None
        self.cancelling = False
        self.saved: tuple[Path, ...] = ()
        self.note = ""
        self._said = ""  # of it, what is no longer true at the end
        self.reused = False
        self.on_change = on_change
        self.ticket: Ticket | None = None
        self._manager = manager
        self._time = Stopwatch(clockwork or Clockwork())
        self._origin = Origin(earlier)
        self._watch: Watch | None = None
        self._tracker: JobTracker | None = None
        self._noting: list[asyncio.Task[None]] = []
        self._asides: list[asyncio.Task[None]] = []
        self.saving: asyncio.Task[None] | None = None
        self._answering: asyncio.Task[None] | None = None
        self._waiters = Waiters()
        self._loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    def attached(
        cls,
        job_id: str,
        *,
        client: NovaKitClient,
        timeout: float | None = None,
        on_change: Callable[[], None] = lambda: None,
        tool: Tool | None = None,
        params: Mapping[str, Any] | None = None,
        earlier: Earlier | None = None,
    ) -> JobRun:
        """Make a run of a job that was submitted earlier or elsewhere; with ``earlier`` it is one that will do for a new one.

        Raises:
            InvalidParameterError: it is no job id.
        """
        checked_id(job_id)
        run = cls(tool, params or {}, client=client, timeout=timeout, on_change=on_change, earlier=earlier)
        run._origin.attached_to = job_id
        return run

    @classmethod
    def known(
        cls,
        tool: Tool,
        params: Mapping[str, Any],
        job: Job,
        *,
        client: NovaKitClient,
        timeout: float | None = None,
        history: JobHistory | None = None,
        clockwork: Clockwork | None = None,
        manager: Manager | None = None,
        earlier: Earlier | None = None,
    ) -> JobRun:
        """Make a run of a job that the history tells of. Only one whose result it lacks is asked for.

        One that has ended is at its end at once; one that runs is watched from `begin` on.
        """
        run = cls(
            tool,
            params,
            client=client,
            timeout=timeout,
            history=history,
            clockwork=clockwork,
            manager=manager,
            earlier=earlier,
        )
        run._origin.attached_to = job.id
        if job.id is not None and job.status == JobStatus.COMPLETED and job.output is None:
            return run
        run.job = job
        if job.ended:
            run.phase = Phase.ENDED
            run.error = error_of_job(job)
        return run

    @property
    def job_id(self) -> str | None:
        """The service's id, as soon as there is one."""
        return self.job.id if self.job is not None else self._origin.attached_to

    @property
    def settled(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.phase in SETTLED

    @property
    def elapsed(self) -> float | None:
        """Seconds since we began with it, or as many as the service took; ``None`` before the beginning.

        A job that was attached to while it ran began when the service accepted it.
        """
        if self.job is not None and self.job.ended and self.job.seconds is not None:
            return self.job.seconds
        return self._time.seconds

    @property
    def watch_seconds(self) -> float:
        """How long one watch lasts, in seconds."""
        if self.timeout is not None:
            return self.timeout
        tool = self.tool or (None if self.job is None else Tool.known(self.job.tool))
        return tool.timeout if tool is not None else max(member.timeout for member in Tool)

    @property
    def typical_seconds(self) -> tuple[float, float] | None:
        """How long such a job usually takes, at least and at most, in seconds."""
        if self.tool is None:
            return None
        least, most = self.tool.typical_seconds
        speed = settings.speed().value
        return least / speed, most / speed

    # What anybody may ask for, on any thread

    def start(self) -> bool:
        """Begin, unless it has begun; return whether there is a loop to begin on. One of a queue begins in its turn."""
        loop = job_loop.home()
        if loop is None:
            return False
        job_loop.hand_over(loop, self._start_here)
        return True

    def _start_here(self) -> None:
        if self._manager is None:
            self.begin()
        else:
            self._manager.begin()

    def begin(self, ticket: Ticket | None = None) -> None:
        """Begin at once, on the running loop, unless it has begun; what was left with a loop that has ended goes on.

        Args:
            ticket: the queue's, for one of its runs.
        """
        self._let_go()
        if self.phase is Phase.LEFT and self.error is None:
            self._keep_watching()
        with _claiming:
            if self.phase is not Phase.NEW:
                return
            self._loop = asyncio.get_running_loop()
            self.phase = Phase.SUBMITTING
        self.ticket = ticket
        self.error = self.trouble = None
        self._time.start()
        if self._origin.attached_to is not None and self.job is not None:
            self._has(self.job)  # known from the history: there is nothing to ask
            return
        self._set(Phase.SUBMITTING)
        self._answering = job_loop.spawn(self._first_answer(self._origin.answer))

    def cancel(self) -> None:
        """Cancel the job. One that is not submitted yet is never submitted, or cancelled as soon as it has an id.

        In a plain script, where no loop could do it later, a job that has an id is cancelled at once, which blocks.
        """
        loop = self._loop if self._loop is not None and self._loop.is_running() else job_loop.home()
        if loop is not None:
            job_loop.hand_over(loop, self._cancel)
            return
        self._let_go()
        attached = self.phase is Phase.NEW and self._manager is None  # a queue cancels its own when it is waited for
        if self.job_id is not None and (attached or self.phase is Phase.LEFT):
            # A plain script, with a job that it attaches to or has left: there is no loop that could do it later.
            job_loop.run_blocking(self._cancel_now(), farewell=self._leave_loop)
        else:
            self._cancel()

    def keep_watching(self) -> None:
        """Go on watching a job that we left, or that was watched on a loop which has ended."""
        loop = job_loop.home()
        if loop is not None:
            job_loop.hand_over(loop, self._keep_watching)
        else:
            self._let_go()  # a plain script: waiting for it goes on watching

    def look_again(self) -> None:
        """Look once more for the job of a submission whose answer was lost. Nothing is submitted.

        A queue does that for its own, when they are tried again. In a plain script, where no loop could do it, it stays lost.
        """
        loop = job_loop.home()
        if loop is not None:
            job_loop.hand_over(loop, self._look_again)

    async def annotate(self, *, note: str | None = None, star: bool | None = None) -> bool:
        """Keep the user's words or mark with the job's row in the history; what is ``None`` stays as it is.

        Args:
            note: the words.
            star: whether it is marked.

        Returns:
            Whether there is such a row.
        """
        intent = "" if self.ticket is None else self.ticket.intent
        if not intent and self.job_id is not None:
            row = await self.history.off_loop(self.history.find, self.job_id, base_url=self.client.base_url)
            intent = "" if row is None else row.intent
        if intent:
            await self.history.off_loop(self.history.annotate, intent, note=note, star=star)
        return bool(intent)

    async def wait(self) -> Job:
        """Wait until it has settled, on any loop. Giving up the waiting does nothing to the job.

        Returns:
            The completed job.

        Raises:
            JobFailedError: the service gave up on it.
            JobCancelledError: it was cancelled.
            JobTimeoutError: we stopped watching; the job goes on.
            NovaKitError: it was refused, or nothing can be learnt of it.
        """
        while True:
            # Done before we go on: handed over to another thread's loop, it would be too late for the next question.
            await job_loop.done_at_home(self._go_on)
            await self._waiters.until(lambda: self.settled)
            # Without an error it was left with a loop that has ended. Ours has not.
            if self.phase is not Phase.LEFT or self.error is not None:
                return self.result()

    def _go_on(self) -> None:
        """See to it that it is under way, on a loop that runs."""
        self._let_go()
        if self.phase is Phase.NEW:
            self._start_here()
        else:
            self._keep_watching()

    def wait_blocking(
        self, timeout: float | None = None, wait: Callable[[], Coroutine[Any, Any, Job]] | None = None
    ) -> Job:
        """Wait as `wait` does, in a cell, a thread or a plain script.

        Args:
            timeout: seconds to block; the job goes on after that.
            wait: what to wait for instead of `wait`, which it includes.

        Raises:
            JobTimeoutError: the time is over.
            KeyboardInterrupt: the user interrupted it. The job goes on.
            LoopStandsStillError: in a thread, while the main thread does not run its loop.
        """
        seconds = check_timeout(timeout, waiting=True)
        waiting = self._wait_for(seconds, wait or self.wait)
        return job_loop.run_blocking(waiting, farewell=self._leave_loop, timeout=seconds)

    async def _wait_for(self, timeout: float | None, wait: Callable[[], Coroutine[Any, Any, Job]]) -> Job:
        ended = await within(timeout, wait())
        if ended is not None:
            return ended.result()
        if self.settled:
            return self.result()  # what was still being waited for is what a page shows of it
        assert timeout is not None  # for the type checker: without one it would have ended
        raise not_ended(timeout, job_id=self.job_id, job=self.job, busy=self._rests)

    async def _leave_loop(self) -> None:
        await self.part()
        await tracker_of(self.client).aclose()
        await self.client.aclose()

    async def part(self) -> None:
        """Leave the running loop, which is about to be closed, without losing the job. What is on another one stays."""
        # An answer that is on its way is worth some seconds: without it nobody knows the job.
        if not self._rests:
            await job_loop.ended_here([self._answering], timeout=_PARTING_SECONDS)
        await job_loop.ended_here([self.saving])
        await job_loop.ended_here(self._noting)
        if self._loop is asyncio.get_running_loop():
            self._let_go(loop_ends=True)
        # Before the connections are closed, because it would open new ones.
        for task in self._asides:
            if task.get_loop() is asyncio.get_running_loop():
                task.cancel()
        await job_loop.ended_here(self._asides)

    def _let_go(self, *, loop_ends: bool = False) -> None:
        """Leave a loop that has ended, or stands still as IPython's does between two cells: nothing is heard from it.

        Args:
            loop_ends: whether it is about to end, and to be left now.
        """
        loop = self._loop
        if self.phase not in (Phase.SUBMITTING, Phase.WATCHING) or loop is None:
            return
        if loop.is_running() and not loop_ends:
            return
        rests = self._rests
        watch, self._watch = self._watch, None
        answering, self._answering = self._answering, None
        if self.phase is Phase.WATCHING:
            if watch is not None and self._tracker is not None:
                watch.on_change = _nothing
                job_loop.hand_over(loop, partial(self._tracker.stop, watch), closed_ok=True)
            self._set(Phase.LEFT)
        else:
            if answering is not None:
                job_loop.hand_over(loop, answering.cancel, closed_ok=True)
            if rests and self._manager is None and self._origin.attached_to is None and not self.cancelling:
                self._begins_again()  # the service was busy and has taken nothing: whoever waits again submits it
            else:
                self._broke_off("its event loop has stopped")

    @property
    def _rests(self) -> bool:
        """Whether its submission waits before or between tries, so that nothing of it is on its way."""
        return self._answering is not None and resting(self._answering)

    def _begins_again(self) -> None:
        self.trouble = None
        self._time.reset()
        self._set(Phase.NEW)

    def result(self) -> Job:
        """Return the completed job, or raise why there is none.

        Raises:
            NovaKitError: as `wait` does.
            JobError: it has not ended yet.
            JobNotStartedError: it was not submitted.
        """
        if self.error is not None:
            raise self.error.with_traceback(None)
        if self.job is None or not self.job.ended:
            submitted = self.phase is not Phase.NEW or self.job_id is not None
            raise unfinished(submitted=submitted, job_id=self.job_id, job=self.job)
        return self.job

    def aside(self, task: asyncio.Task[None]) -> None:
        """Take charge of what is done beside the job, such as showing it: it ends with the loop that it is on."""
        self._asides = [other for other in self._asides if not other.done()] + [task]

    # What happens on the loop

    async def _first_answer(self, answer: Callable[[JobRun], Awaitable[Job]]) -> None:
        """Begin to watch the job that the service's first answer is about, or take in why there is none."""
        try:
            job = await answer(self)
        except NovaKitError as error:
            if self._answering is asyncio.current_task():  # not one of a loop that stood still and was left
                self._refused(error)
        except BaseException as error:
            # A loop that is being closed, or a fault of ours: whoever waits must not wait for ever.
            if self._answering is asyncio.current_task():
                if nothing_sent(error):
                    self.give_up(nothing_started(cancelled=self.cancelling))
                else:
                    self._broke_off(type(error).__name__)
            raise
        else:
            if self._answering is asyncio.current_task():
                self._has(job)

    def _refused(self, error: NovaKitError) -> None:
        """Take in that there is no answer about a job."""
        if self._takes_back(error):
            self._begins_again()
        elif self.cancelling and self._manager is not None and self._started_nothing(error):
            self.give_up(nothing_started(cancelled=self.cancelling))
        else:
            self.give_up(error)

    def _takes_back(self, error: NovaKitError) -> bool:
        """Whether the queue takes the run back: only one that certainly started nothing, and is still wanted."""
        if self._manager is None or self.cancelling or not self._started_nothing(error):
            return False
        return self._manager.takes_back(error)

    def _started_nothing(self, error: NovaKitError) -> bool:
        return self._origin.attached_to is None and not isinstance(error, SubmissionUncertainError)

    def _broke_off(self, reason: str) -> None:
        """Settle without an answer; a submission that was in doubt already stays so."""
        doubt = self.trouble if isinstance(self.trouble, SubmissionUncertainError) else None
        self.give_up(doubt or broken_off(reason, attached_to=self._origin.attached_to))

    def give_up(self, error: NovaKitError) -> None:
        """Settle without a job to watch."""
        # Whoever waits raises it anew. The frames where it came from hold whole lists of jobs, as long as the run lives.
        self.error = error.with_traceback(None)
        self.trouble = None
        uncertain = isinstance(error, SubmissionUncertainError)
        if self.cancelling and (uncertain or self._origin.attached_to is not None):
            self._say("Not cancelled, since there was no answer about it.")
        if self._origin.attached_to is not None:
            # Nothing is known against the job itself.
            self._set(Phase.LEFT)
        else:
            self._set(Phase.UNCERTAIN if uncertain else Phase.REFUSED)

    def _has(self, job: Job) -> None:
        """Take the first answer about the job."""
        self.trouble = None
        self._learn(job)
        if self._origin.attached_to is not None and not job.ended:
            self._note(job)
            self._time.began_with(job)
        if job.ended:
            self._end()
            return
        self._observe()
        if self.cancelling:
            self._send_cancellation()

    def _learn(self, job: Job) -> None:
        """Take in a job, and what it tells of one that we attached to."""
        self.job = job if self.job is None else self.job.advanced(job)
        self.tool = self.tool or Tool.known(job.tool)
        if not self.params and job.params:
            self.params = job.params

    def _observe(self) -> None:
        assert self.job is not None  # for the type checker
        self._tracker = tracker_of(self.client)
        self._watch = self._tracker.watch(self.job, timeout=self.watch_seconds, on_change=self._heard)
        self._set(Phase.WATCHING)

    def _heard(self) -> None:
        watch = self._watch
        if watch is None or self.phase is not Phase.WATCHING:
            return
        self.job, self.trouble = watch.job, watch.trouble
        if self.job.ended:
            self._end()
        elif watch.over:
            self.error = watch.error
            self._set(Phase.LEFT)
        else:
            self._tell()

    def _end(self) -> None:
        assert self.job is not None  # for the type checker
        self.error = error_of_job(self.job)
        self.trouble = None
        self._say("")
        self._note(self.job)
        folder = settings.save_to().value
        if folder is not None and self.error is None and (self.job.media or self.job.text is not None):
            self.saving = job_loop.spawn(self._save_to(folder))
        self._set(Phase.ENDED)
        signals.tell(self.client, self.job)

    def _note(self, job: Job) -> None:
        """Keep in the history what is known now; a slow disk must not hold the loop up."""
        work = self.history.off_loop(
            self.history.update, job, base_url=self.client.base_url, account=self.client.account
        )
        self._noting = [task for task in self._noting if not task.done()] + [job_loop.spawn(work)]

    async def _save_to(self, folder: Path) -> None:
        """Save the result where every result is to be saved. That it failed is told; the job is done all the same."""
        assert self.job is not None
        try:
            folder.mkdir(parents=True, exist_ok=True)  # its name may have a dot, and would be taken for a file's
            self.saved = tuple(await save_all(self.client, self.job, folder))
            if self.job.id is not None:
                await self.history.off_loop(self.history.saved, self.job.id, self.saved, base_url=self.client.base_url)
        except (NovaKitError, OSError) as error:
            self.note = f"Not saved in {folder}: {error}"
        else:
            self.note = f"Saved as {', '.join(file.name for file in self.saved)} in {folder}"
        self._tell()

    def _cancel(self) -> None:
        self._let_go()
        if self.phase is Phase.NEW and self._origin.attached_to is None:
            self.give_up(never_submitted())
        elif self.phase in (Phase.NEW, Phase.SUBMITTING):
            self.cancelling = True  # as soon as there is a job, or a loop to cancel it on
            self._break_rest()
            self._tell()
        elif self.phase in (Phase.WATCHING, Phase.LEFT) and not self.cancelling:
            self.cancelling = True
            self._tell()
            self._send_cancellation()

    def _break_rest(self) -> None:
        """Send no further POST where the last one was refused and sits out its Retry-After."""
        if self._answering is not None and self._rests:
            self._answering.cancel()

    def _send_cancellation(self) -> None:
        if self._manager is None:
            job_loop.spawn(self.delete())
        else:
            self._manager.delete()

    async def _cancel_now(self) -> None:
        self.cancelling = True
        self._tell()
        await self.delete()

    async def delete(self, *, ask: bool = True) -> None:
        """Cancel the job at the service, and take its own word for what became of it.

        Args:
            ask: whether to ask for the job afterwards. The tracker tells of one that is watched, too, when it asks for all.
        """
        job_id = self.job_id
        assert job_id is not None  # for the type checker
        try:
            cancelled = await self.client.cancel(job_id)
            if cancelled and not ask and self.phase is Phase.WATCHING:
                return  # still cancelling, until the tracker tells of the end
            job = await self.client.get(job_id)
        except NovaKitError as error:
            self._say(f"Not cancelled. {error.message}")
        except BaseException:
            self.cancelling = False  # a loop that is being closed breaks it off: it can be asked for again
            raise
        else:
            if self.phase is Phase.WATCHING:
                tracker_of(self.client).heard(job)
            elif self.phase in (Phase.NEW, Phase.LEFT) and job.ended:
                self._learn(job)
                self._end()
            if self.phase is Phase.WATCHING and cancelled:
                return  # asked before its own word had got round: still cancelling, until the tracker tells of the end
            # What the tracker told meanwhile is newer.
            self._say("" if self.phase is Phase.ENDED else after_deleting(cancelled=cancelled))
        self.cancelling = False
        self._tell()

    def _say(self, note: str) -> None:
        """Note what became of a cancellation, which holds until the next one or the end."""
        if note or self.note == self._said:
            self.note = self._said = note

    def _keep_watching(self) -> None:
        self._let_go()
        with _claiming:
            if self.phase is not Phase.LEFT:
                return
            self._loop = asyncio.get_running_loop()
            self.phase = Phase.SUBMITTING if self.job is None else Phase.WATCHING
        self.error = self.trouble = None
        self._time.go_on()
        if self.job is not None:
            self._observe()
        else:
            self._set(Phase.SUBMITTING)
            self._answering = job_loop.spawn(self._first_answer(self._origin.answer))

    def _look_again(self) -> None:
        with _claiming:
            if self.phase is not Phase.UNCERTAIN or self._manager is not None:
                return
            self._loop = asyncio.get_running_loop()
            self.phase = Phase.SUBMITTING
        self.error, self.trouble = None, self.error
        self._time.start()
        self._set(Phase.SUBMITTING)
        self._answering = job_loop.spawn(self._first_answer(self._origin.lost))

    def waits(self, _seconds: float, reason: NovaKitError) -> None:
        """Show why its submission has to wait; one that is cancelled waits no more."""
        self.trouble = reason
        if self.cancelling:
            self._break_rest()
        self._tell()

    def mention(self, note: str) -> None:
        """Say what else there is to say.

        Args:
            note: the only thing from now on; ``""`` for nothing.
        """
        if note != self.note:
            self.note = note
            self._tell()

    def _tell(self) -> None:
        """Tell the listener. A fault of its own is shown, and costs the job nothing."""
        try:
            self.on_change()
        except Exception as error:  # it is the user's own code, such as an observer
            self.note = f"Something that observes this job failed: {type(error).__name__}: {error}"
            with job_loop.complaints("An observer of a job failed"):
                raise

    def _set(self, phase: Phase) -> None:
        if phase in SETTLED:
            log_phase(phase, self.tool, self.job, self.error)
            # First, because a waiter on another thread takes it up as soon as it is left.
            self._time.stop()
            self._watch = None
            self.cancelling = False
        self.phase = phase
        if phase in SETTLED:
            self._waiters.wake()
        self._tell()


def _nothing() -> None:
    """Hear no more."""
