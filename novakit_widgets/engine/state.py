"""The phases of a run and its present state. Only `RunState` changes a phase."""

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
    """The phase of a run. The status of its job is another thing: it comes from the service."""

    NEW = "new"  # nothing was sent
    SUBMITTING = "submitting"  # the first request is in flight, or waits to be sent
    WATCHING = "watching"  # the job runs, and the tracker watches it
    ENDED = "ended"  # the job is completed, failed or cancelled
    LEFT = "left"  # the job runs, and is no longer watched
    REFUSED = "refused"  # no job was started or billed
    UNCERTAIN = "uncertain"  # the answer was lost, so there may be a job

    __str__ = str.__str__


# A run stays in these phases until the user acts.
SETTLED = frozenset({Phase.ENDED, Phase.LEFT, Phase.REFUSED, Phase.UNCERTAIN})
# The phases that may follow each phase.
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
    """Decides when a run is submitted and cancelled: a queue."""

    def begin(self) -> None:
        """Start the queue, since somebody waits for the run."""
        ...

    def takes_back(self, error: NovaKitError) -> bool:
        """Return whether the queue submits a refused run again later."""
        ...

    def delete(self) -> None:
        """Cancel the job as soon as the rate limit allows the request."""
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
    """The state of a run. It changes on the job loop only.

    Args:
        tool: the tool, if known.
        clock: see `Clock`.
        on_change: called on the job loop after each change, in the context of the cell that created the run.

    Attributes:
        tool: the tool; ``None`` for an attached job whose tool is unknown.
        phase: the phase; only `_move` assigns it.
        job: the newest snapshot; ``None`` until the service has answered.
        error: why there is no result; ``None`` while the job runs or when it is completed.
        trouble: why there is no news at present, such as a lost connection.
        cancelling: whether a cancellation was requested and is not confirmed yet.
        saved: the files in the folder of `configure(save_to=…)`.
        note: a note for the user that is no error.
        reused: whether the job is an earlier one of the history.
        awaited: whether somebody has waited for the run.
        on_change: see above.
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
        self._cancel_note = ""  # the part of the note that the end of the job removes
        self.reused = False
        self.awaited = False
        self.on_change = on_change
        self._time = Stopwatch(clock)
        self._waiters = Waiters()
        self._context = contextvars.copy_context()

    @property
    def settled(self) -> bool:
        """Whether the run stays as it is until the user acts."""
        return self.phase in SETTLED

    @property
    def elapsed(self) -> float | None:
        """Seconds since the submission, or the service's own duration of an ended job; ``None`` before the submission.

        The time of an attached job counts from when the service accepted it.
        """
        if self.job is not None and self.job.ended and self.job.seconds is not None:
            return self.job.seconds
        return self._time.seconds

    @property
    def job_id(self) -> str | None:
        """The service's id, as soon as there is one."""
        return None if self.job is None else self.job.id

    def result(self) -> Job:
        """Return the completed job.

        Raises:
            NovaKitError: the job was refused, failed or cancelled, or its status can't be determined.
            JobError: the job has not ended.
            JobNotStartedError: the job was not submitted.
        """
        if self.error is not None:
            raise self.error.with_traceback(None)
        if self.job is None or not self.job.ended:
            submitted = self.phase is not Phase.NEW or self.job_id is not None
            raise no_result_error(submitted=submitted, job_id=self.job_id, job=self.job)
        return self.job

    def mention(self, note: str) -> None:
        """Set the note, and tell the listener.

        Args:
            note: replaces the present note; ``""`` for none.
        """
        if note != self.note:
            self.note = note
            self._tell()

    def changed(self) -> None:
        """Tell the listener that there is something else to show."""
        self._tell()

    def _mention_cancelling(self, note: str) -> None:
        """Set or remove the note about a cancellation. A note about something else is not removed."""
        if note or self.note == self._cancel_note:
            self.note = self._cancel_note = note

    def _move(self, phase: Phase) -> None:
        """Change the phase, wake the waiters, and tell the listener."""
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
        """Release what a settled run no longer needs."""

    def _tell(self) -> None:
        """Tell the listener. Its exceptions are reported and do not affect the job."""
        try:
            # A copy: a listener may cause the next change, and a context can't be entered twice.
            self._context.copy().run(self.on_change)
        except Exception as error:  # the listener runs the user's code, such as an observer
            self.note = f"Something that observes this job failed: {type(error).__name__}: {error}"
            with job_loop.complaints("An observer of a job failed"):
                raise
