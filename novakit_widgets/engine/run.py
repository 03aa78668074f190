"""One job from its submission to its result: start, watch, cancel, wait. No widgets."""

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
    """One run: at most one job, submitted once.

    Methods may be called from any thread; they act on the job loop. See `RunState` for the attributes.

    Args:
        tool: the tool; ``None`` for an attached job whose tool is unknown.
        params: the service's own parameters.
        client: sends the requests.
        timeout: seconds to watch the job; default: the setting, or the tool's timeout.
        history: records the job; default: the history of the settings.
        on_change: called on the job loop after each change, in the context of the cell that created the run.
        clock: see `Clock`.
        manager: decides when the job is submitted; default: `start` submits it.
        earlier: called before the submission: returns a job to reuse, or raises why nothing may be submitted.
    """

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
        """Return a run for a job that was submitted earlier or elsewhere. With ``earlier``, it is reused for a new job.

        Raises:
            InvalidParameterError: the job id is malformed.
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
        """Return a run for a job of the history. A job that has ended is settled at once; another is watched from `begin` on.

        Only a completed job whose result is not in the history is requested again.
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

    # From any thread

    def start(self) -> None:
        """Submit or fetch the job, unless that has begun. A run of a queue waits for its turn."""
        job_loop.call(self._start)

    def cancel(self) -> None:
        """Cancel the job. Before the submission, nothing is sent; during it, the job is cancelled once its id is known."""
        job_loop.call(self._cancel)

    def keep_watching(self) -> None:
        """Watch the job again after a timeout or a rejected key."""
        job_loop.call(self._keep_watching)

    def look_again(self) -> None:
        """Look again for the job of a submission whose answer was lost. Nothing is submitted.

        Runs of a queue are looked up by the queue, when the user retries them.
        """
        job_loop.call(self._look_again)

    async def wait(self) -> Job:
        """Wait until the run has settled, on any loop. Cancelling the wait does not cancel the job.

        Returns:
            The completed job.

        Raises:
            JobFailedError: the job failed at the service.
            JobCancelledError: the job was cancelled.
            JobTimeoutError: the watch timed out; the job continues.
            NovaKitError: the job was refused, or its status can't be determined.
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
        """Block until the run has settled, in a cell, a thread or a plain script.

        Args:
            timeout: seconds to block; the job continues afterwards.
            wait: a coroutine function to await instead of `wait`; it awaits `wait` itself.

        Raises:
            JobTimeoutError: the timeout is over.
            KeyboardInterrupt: the user interrupted it. The job continues.
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
            return self.result()  # only the display of the result was still pending
        assert timeout is not None  # for the type checker: without one it would have ended
        raise not_ended_error(timeout, job_id=self.job_id, job=self.job, busy=self._rests)

    def _check_process(self) -> None:
        """In a forked child, drop the parent's tasks. The job itself can be watched here, too."""
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
