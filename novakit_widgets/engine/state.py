"""Where a run is, who has a say in it, and what is known of it. Only `RunState` changes a phase."""

from __future__ import annotations

import contextvars
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from ..config.logs import log
from ..errors import JobCancelledError
from ..runtime import loop as job_loop
from ..runtime.waiting import Waiters
from .messages import no_result_error
from .stopwatch import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ..errors import NovaKitError
    from ..model.job import Job
    from ..model.tools import Tool
    from ..runtime.clock import Clock

__all__ = ["SETTLED", "Manager", "Phase", "RunState"]


class Phase(str, Enum):
    """Where a run is; a job's own status is the service's word."""

    NEW = "new"  # nothing was sent yet
    SUBMITTING = "submitting"  # the first answer about it is on its way
    WATCHING = "watching"  # there is a job, and we ask about it
    ENDED = "ended"  # the job is completed, failed or cancelled
    LEFT = "left"  # we stopped asking, but the job goes on
    REFUSED = "refused"  # there is no job, and none was billed
    UNCERTAIN = "uncertain"  # there may be a job

    __str__ = str.__str__


# Nothing more happens in these by itself.
SETTLED = frozenset({Phase.ENDED, Phase.LEFT, Phase.REFUSED, Phase.UNCERTAIN})
# Where a run can go from each; it can also stay.
_NEXT: Mapping[Phase, frozenset[Phase]] = {
    Phase.NEW: frozenset(Phase),
    Phase.SUBMITTING: frozenset(Phase),
    Phase.WATCHING: frozenset({Phase.LEFT, Phase.ENDED}),
    Phase.LEFT: frozenset({Phase.SUBMITTING, Phase.WATCHING, Phase.ENDED}),
    Phase.UNCERTAIN: frozenset({Phase.SUBMITTING, Phase.REFUSED}),
    Phase.REFUSED: frozenset(),
    Phase.ENDED: frozenset(),
}


class Manager(Protocol):
    """Who decides when a run is submitted, and sends its cancellation: a queue."""

    def begin(self) -> None:
        """Let its turn come: somebody waits for the run."""
        ...

    def takes_back(self, error: NovaKitError) -> bool:
        """Whether a refused run waits for another turn."""
        ...

    def delete(self) -> None:
        """Cancel its job when there is room for the request."""
        ...


def _log_phase(phase: Phase, tool: Tool | None, job: Job | None, error: NovaKitError | None) -> None:
    """Log the end of a run: as a warning unless it was completed or cancelled.

    Args:
        phase: the settled phase.
        tool: of the run, where known.
        job: its newest snapshot.
        error: why there is no result.
    """
    about = (tool or "unknown", (job and job.id) or "without an id", phase.value)
    if error is None:
        log.info("%s job %s is %s", *about)
    elif isinstance(error, JobCancelledError):
        log.info("%s job %s is cancelled", *about[:2])
    else:
        log.warning("%s job %s is %s: %s", *about, error)


class RunState:
    """What is known of a run. It changes on the job loop only.

    Args:
        tool: what makes it, where known.
        clock: time and randomness.
        on_change: called on the job loop after each change, in the context of the cell that made the run.

    Attributes:
        tool: the tool; ``None`` for an attached job whose tool is unknown.
        phase: where the run is; only `_move` assigns it.
        job: the newest snapshot; ``None`` until the service has answered.
        error: why it is not completed; ``None`` while it may be.
        trouble: why there is no news at the moment, such as a lost connection.
        cancelling: whether a cancellation was asked for and not answered yet.
        saved: the files that `configure(save_to=…)` made of the result.
        note: what else there is to say when nothing is wrong.
        reused: whether the job is one of the history, taken for a new one.
        awaited: whether somebody has waited for it.
        on_change: as given.
    """

    def __init__(self, tool: Tool | None, clock: Clock, on_change: Callable[[], None]) -> None:
        self.tool = tool
        self.phase = Phase.NEW
        self.job: Job | None = None
        self.error: NovaKitError | None = None
        self.trouble: NovaKitError | None = None
        self.cancelling = False
        self.saved: tuple[Path, ...] = ()
        self.note = ""
        self._cancel_note = ""  # of it, what is no longer true at the end
        self.reused = False
        self.awaited = False
        self.on_change = on_change
        self._time = Stopwatch(clock)
        self._waiters = Waiters()
        self._context = contextvars.copy_context()

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
    def job_id(self) -> str | None:
        """The service's id, as soon as there is one."""
        return None if self.job is None else self.job.id

    def result(self) -> Job:
        """Return the completed job, or raise why there is none.

        Raises:
            NovaKitError: it was refused, failed or cancelled, or nothing can be learnt of it.
            JobError: it has not ended yet.
            JobNotStartedError: it was not submitted.
        """
        if self.error is not None:
            raise self.error.with_traceback(None)
        if self.job is None or not self.job.ended:
            submitted = self.phase is not Phase.NEW or self.job_id is not None
            raise no_result_error(submitted=submitted, job_id=self.job_id, job=self.job)
        return self.job

    def mention(self, note: str) -> None:
        """Say what else there is to say.

        Args:
            note: the only thing from now on; ``""`` for nothing.
        """
        if note != self.note:
            self.note = note
            self._tell()

    def _mention_cancelling(self, note: str) -> None:
        """Note what became of a cancellation, which holds until the next one or the end."""
        if note or self.note == self._cancel_note:
            self.note = self._cancel_note = note

    def _move(self, phase: Phase) -> None:
        """Go to a phase, wake those who wait, and tell the listener."""
        assert phase is self.phase or phase in _NEXT[self.phase], f"{self.phase} -> {phase}"
        self.phase = phase
        if phase in SETTLED:
            _log_phase(phase, self.tool, self.job, self.error)
            self._time.stop()
            self.cancelling = False
            self._settle()
            self._waiters.wake()
        self._tell()

    def _settle(self) -> None:
        """Let go of what it needed to get here."""

    def _tell(self) -> None:
        """Tell the listener. A fault of its own is shown, and costs the job nothing."""
        try:
            # A copy, because a listener may ask for the next change, which is told in the same context.
            self._context.copy().run(self.on_change)
        except Exception as error:  # it is the user's own code, such as an observer
            self.note = f"Something that observes this job failed: {type(error).__name__}: {error}"
            with job_loop.complaints("An observer of a job failed"):
                raise
