"""A run until its job is known: the job is submitted or fetched, or the run gives up."""

from __future__ import annotations

import asyncio
import os
import weakref
from typing import TYPE_CHECKING, Any

from ..api.retry import nothing_sent, resting
from ..errors import NovaKitError, SubmissionUncertainError
from ..runtime import loop as job_loop
from . import unawaited
from .messages import broken_off_error, nothing_started_error
from .state import Phase
from .watching import WatchedRun

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..model.job import Job
    from .submit import Submission

__all__ = ["SubmittingRun", "under_way"]

under_way: weakref.WeakSet[asyncio.Task[None]] = weakref.WeakSet()
"""The tasks that wait for the first answer about a job."""


class SubmittingRun(WatchedRun):
    """What a `JobRun` does until its job is known. On the job loop."""

    _answering: asyncio.Task[None] | None = None  # waits for the first answer about the job
    _process = 0  # the process whose loop runs the task

    def begin(self, submission: Submission | None = None) -> None:
        """Submit or fetch the job now, unless that has begun.

        Args:
            submission: for a run of a queue.
        """
        if self.phase is not Phase.NEW:
            return
        self.submission = submission
        self.error = self.trouble = None
        self._time.start()
        if self._manager is None:
            unawaited.add(self)
        if self._strategy.attached_to is not None and self.job is not None:
            self._process = os.getpid()
            self._has(self.job)  # known from the history
        else:
            self._ask(self._strategy.answer)

    def _ask(self, answer: Callable[[SubmittingRun], Awaitable[Job]]) -> None:
        self._process = os.getpid()
        self._move(Phase.SUBMITTING)
        self._answering = job_loop.spawn(self._first_answer(answer))
        under_way.add(self._answering)

    async def _first_answer(self, answer: Callable[[SubmittingRun], Awaitable[Job]]) -> None:
        """Await the first answer about the job, and then watch the job or settle."""
        try:
            job = await answer(self)
        except NovaKitError as error:
            self._refused(error)
        except BaseException as error:
            # The loop is closing, or our code failed: waiters must not wait forever.
            if nothing_sent(error):
                self.give_up(nothing_started_error(cancelled=self.cancelling))
            else:
                self._broke_off(type(error).__name__)
            raise
        else:
            self._has(job)

    def _refused(self, error: NovaKitError) -> None:
        """Handle a submission or a request that failed."""
        if self._takes_back(error):
            self._begins_again()
        elif self.cancelling and self._manager is not None and self._started_nothing(error):
            self.give_up(nothing_started_error(cancelled=self.cancelling))
        else:
            self.give_up(error)

    def _takes_back(self, error: NovaKitError) -> bool:
        """Return whether the queue submits the run again later. It must have started nothing, and not be cancelled."""
        if self._manager is None or self.cancelling or not self._started_nothing(error):
            return False
        return self._manager.takes_back(error)

    def _started_nothing(self, error: NovaKitError) -> bool:
        return self._strategy.attached_to is None and not isinstance(error, SubmissionUncertainError)

    def _broke_off(self, reason: str) -> None:
        """Settle without an answer. A submission that was uncertain stays uncertain."""
        doubt = self.trouble if isinstance(self.trouble, SubmissionUncertainError) else None
        self.give_up(doubt or broken_off_error(reason, attached_to=self._strategy.attached_to))

    def give_up(self, error: NovaKitError) -> None:
        """Settle with an error, unless the job has ended."""
        if self.phase is Phase.ENDED:
            return
        # The frames of a traceback would keep whole lists of jobs alive.
        self.error = error.with_traceback(None)
        self.trouble = None
        uncertain = isinstance(error, SubmissionUncertainError)
        if self.cancelling and (uncertain or self._strategy.attached_to is not None):
            self._mention_cancelling("Not cancelled, since there was no answer about it.")
        if self._strategy.attached_to is not None:
            # The job itself may still run.
            self._move(Phase.LEFT)
        else:
            self._move(Phase.UNCERTAIN if uncertain else Phase.REFUSED)

    @property
    def _rests(self) -> bool:
        """Whether the submission waits before or between attempts, so that no request is in flight."""
        return self._answering is not None and resting(self._answering)

    def _begins_again(self) -> None:
        self.trouble = None
        self._time.reset()
        self._move(Phase.NEW)

    def _break_rest(self) -> None:
        """Stop a submission that waits for a Retry-After."""
        if self._answering is not None and self._rests:
            self._answering.cancel()

    def waits(self, _seconds: float, reason: NovaKitError) -> None:
        """Show why the submission waits; stop waiting if the run was cancelled."""
        self.trouble = reason
        if self.cancelling:
            self._break_rest()
        self._tell()

    # At exit; see `novakit_widgets.engine.unawaited`

    def at_exit(self) -> str:
        """Return the line of the report at exit; ``""`` if the run was awaited."""
        return "" if self.awaited else unawaited.named(self)

    def on_the_way(self) -> set[asyncio.Task[Any]]:
        """Return the tasks that Python waits for at exit: the request in flight, and saving the result."""
        tasks = (None if self._rests else self._answering, self.saving)
        return {task for task in tasks if task is not None and not task.done()}
