"""Where a run is, and who has a say in it."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

from ..config.logs import log
from ..errors import JobCancelledError

if TYPE_CHECKING:
    from ..errors import NovaKitError
    from ..model.job import Job
    from ..model.tools import Tool

__all__ = ["SETTLED", "Manager", "Phase", "log_phase"]


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


def log_phase(phase: Phase, tool: Tool | None, job: Job | None, error: NovaKitError | None) -> None:
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
