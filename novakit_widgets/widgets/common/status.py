"""A job's status in the words of the page, and the color that goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ...engine.state import Phase
from ...errors import JobCancelledError, NotFoundError, RateLimitError, SubmissionUncertainError
from ...model.job import JobStatus
from .labels import shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...engine.run import JobRun

__all__ = ["Color", "color_of_status", "percent_of", "status_of", "status_word"]

Color = Literal["waiting", "running", "good", "bad", "quiet"]

_STATUSES: Mapping[str, tuple[str, Color]] = {
    JobStatus.PENDING: ("Queued", "waiting"),
    JobStatus.PROCESSING: ("Generating", "running"),
    JobStatus.COMPLETED: ("Done", "good"),
    JobStatus.FAILED: ("Failed", "bad"),
    JobStatus.CANCELLED: ("Cancelled", "quiet"),
}


def status_of(run: JobRun) -> tuple[str, Color]:
    """Return a run's status and the color of its dot."""
    if run.phase is Phase.NEW:
        return "Not submitted", "quiet"
    if run.cancelling:
        return "Cancelling", "waiting"
    if run.trouble is not None and not run.settled:
        if isinstance(run.trouble, SubmissionUncertainError):
            return "Answer lost", "waiting"
        return ("Waiting for rate limit" if isinstance(run.trouble, RateLimitError) else "Reconnecting"), "waiting"
    if run.phase is Phase.SUBMITTING:
        return ("Reconnecting" if run.job_id else "Submitting"), "waiting"
    if run.phase is Phase.LEFT:
        unknown = isinstance(run.error, NotFoundError)
        return ("Not found", "bad") if unknown else ("Not watched", "waiting")
    if run.phase is Phase.UNCERTAIN:
        return "Answer lost", "bad"
    if run.job is None:
        cancelled = isinstance(run.error, JobCancelledError)
        return ("Cancelled", "quiet") if cancelled else ("Not submitted", "bad")
    return _STATUSES.get(run.job.status, (status_word(run.job.status), "running"))


def color_of_status(status: str) -> Color:
    """Return the color of a service's status.

    Example:
        >>> color_of_status("failed"), color_of_status("paused")
        ('bad', 'running')
    """
    known = _STATUSES.get(status)
    return "running" if known is None else known[1]


def status_word(status: str) -> str:
    """Return the word for a service's status; an undocumented status is returned as it is.

    Example:
        >>> status_word("processing"), status_word("paused")
        ('Generating', 'paused')
    """
    known = _STATUSES.get(status)
    return shortened(str(status), 40) if known is None else known[0]


def percent_of(run: JobRun) -> float | None:
    """Return a run's progress, 0 to 100; ``None`` if it is unknown."""
    if run.job is None:
        return None
    return 100.0 if run.job.status == JobStatus.COMPLETED else run.job.progress
