"""One generation from its submission to its result: start, watch, cancel, wait. Knows no widgets."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from ..api.client import checked_id
from ..model.job import Job, JobStatus
from ..runtime import loop as job_loop
from ..runtime.waiting import check_timeout, within
from . import unawaited
from .messages import (
    error_of_job,
    interruption_told,
    never_submitted_error,
    not_ended_error,
)
from .state import Phase
from .submitting import SubmittingRun

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from ..api.client import NovaKitClient
    from ..job_history.jobs import JobHistory
    from ..model.tools import Tool
    from ..runtime.clock import Clock
    from .start import Earlier
    from .state import Manager

__all__ = ["JobRun"]


class JobRun(SubmittingRun):
    """One generation: at most one job, submitted once.

    Its methods can be called from any thread; what they do is done on the job loop. See `RunState` for what is known of it.

    Args:
        tool: the tool; ``None`` for an attached job whose tool is unknown.
        params: the service's own parameters.
        client: speaks to the service.
        timeout: seconds to watch; ``None`` for the tool's.
        history: remembers the job; where it is left out, the one that the settings name.
        on_change: as for `RunState`.
        clock: time and randomness.
        manager: decides when it is submitted; where it is left out, `start` does.
        earlier: asked before it is submitted: finds a job that will do instead, or raises why none may be submitted.

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
        clock: Clock | None = None,
        manager: Manager | None = None,
        earlier: Earlier | None = None,
    ) -> None:
        super().__init__(
            tool,
            params,
            client=client,
            timeout=timeout,
            history=history,
            on_change=on_change,
            clock=clock,
            manager=manager,
            earlier=earlier,
        )

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
        run._strategy.attached_to = job_id
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
        clock: Clock | None = None,
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
            clock=clock,
            manager=manager,
            earlier=earlier,
        )
        run._strategy.attached_to = job.id
        if job.id is not None and job.status == JobStatus.COMPLETED and job.output is None:
            return run
        run.job = job
        if job.ended:
            run.error = error_of_job(job)
            run._move(Phase.ENDED)
        return run

    # What anybody may ask for, on any thread

    def start(self) -> None:
        """Begin, unless it has begun. One of a queue begins in its turn."""
        job_loop.call(self._start)

    def cancel(self) -> None:
        """Cancel the job. One that is not submitted yet is never submitted, or cancelled as soon as it has an id."""
        job_loop.call(self._cancel)

    def keep_watching(self) -> None:
        """Watch a job again that we stopped watching."""
        job_loop.call(self._keep_watching)

    def look_again(self) -> None:
        """Look once more for the job of a submission whose answer was lost. Nothing is submitted.

        A queue does that for its own, when they are tried again.
        """
        job_loop.call(self._look_again)

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
        with interruption_told(self._goes_on):
            return await job_loop.run(self._wait)

    async def _wait(self) -> Job:
        self.awaited = True
        self._check_process()
        if self.phase is Phase.NEW:
            self._start()
        else:
            self._keep_watching()
        await self._waiters.until(lambda: self.settled)
        if self.saving is not None:
            await asyncio.wait((self.saving,))
        unawaited.review(self)
        return self.result()

    def _settle(self) -> None:
        self._watch = None  # they hold each other
        unawaited.review(self)

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
            LoopStandsStillError: the job loop waits for this call, or can't run nested in this kernel.
        """
        seconds = check_timeout(timeout, waiting=True)
        with interruption_told(self._goes_on):
            return job_loop.run_blocking(lambda: self._wait_for(seconds, wait or self.wait), timeout=seconds)

    def _goes_on(self) -> str:
        return f"{self.job_id or 'The job'} goes on"

    async def _wait_for(self, timeout: float | None, wait: Callable[[], Coroutine[Any, Any, Job]]) -> Job:
        ended = await within(timeout, wait())
        if ended is not None:
            return ended.result()
        if self.settled:
            return self.result()  # what was still being waited for is what a page shows of it
        assert timeout is not None  # for the type checker: without one it would have ended
        raise not_ended_error(timeout, job_id=self.job_id, job=self.job, busy=self._rests)

    def _check_process(self) -> None:
        """In a forked child, leave what only the parent's loop does: its job can be watched here, too."""
        if self._process in (0, os.getpid()) or self.settled or self.phase is Phase.NEW:
            return
        self._watch = self._answering = None
        if self.job is None:
            self._broke_off("its process was forked")
        else:
            self._move(Phase.LEFT)

    # What happens on the job loop

    def _start(self) -> None:
        if self._manager is None:
            self.begin()
        else:
            self._manager.begin()

    def _cancel(self) -> None:
        attached = self._strategy.attached_to is not None
        if self.phase is Phase.NEW and not attached:
            self.give_up(never_submitted_error())
        elif self.cancelling or self.phase not in (Phase.NEW, Phase.SUBMITTING, Phase.WATCHING, Phase.LEFT):
            self._break_rest()
        else:
            self.cancelling = True
            self._break_rest()
            self._tell()
            # One that is submitted is cancelled when it has an id, and a queue's is cancelled in its turn.
            if self.phase in (Phase.WATCHING, Phase.LEFT) or (self.phase is Phase.NEW and self._manager is None):
                self._send_cancellation()

    def _keep_watching(self) -> None:
        self._check_process()
        if self.phase is not Phase.LEFT:
            return
        self.error = self.trouble = None
        self._time.go_on()
        if self.job is None:
            self._ask(self._strategy.answer)
        else:
            self._process = os.getpid()
            self._observe()

    def _look_again(self) -> None:
        if self.phase is Phase.UNCERTAIN and self._manager is None:
            self.error, self.trouble = None, self.error
            self._time.start()
            self._ask(self._strategy.lost)
