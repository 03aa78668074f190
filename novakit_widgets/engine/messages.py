"""What became of a run, as the error that says so: what happened, whether the job runs or was billed, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import (
    JobCancelledError,
    JobError,
    JobFailedError,
    JobNotStartedError,
    JobTimeoutError,
    NovaKitError,
    SubmissionUncertainError,
)
from ..model.job import Job, JobStatus

if TYPE_CHECKING:
    from ..model.tools import Tool

__all__ = [
    "after_deleting",
    "broken_off",
    "error_of_job",
    "looks_again",
    "never_started",
    "never_submitted",
    "not_ended",
    "nothing_instead",
    "nothing_started",
    "still_lost",
    "unfinished",
]


def error_of_job(job: Job) -> NovaKitError | None:
    """Return the error that an ended job stands for; ``None`` for a completed one."""
    if job.status == JobStatus.FAILED:
        said = (job.error or "it gave no reason").rstrip(".")
        return JobFailedError(
            f"NovaKit could not finish {job.id or 'the job'}: {said}. {_cost(job)}Try again, or change the parameters.",
            job=job,
        )
    if job.status == JobStatus.CANCELLED:
        return JobCancelledError(f"{job.id or 'The job'} was cancelled. {_cost(job)}".rstrip(), job=job)
    return None


def _cost(job: Job) -> str:
    if job.actual_credits is None:
        return ""
    return f"It cost {job.actual_credits:g} credits. " if job.actual_credits else "It was not billed. "


def never_submitted() -> NovaKitError:
    """Return the error of a run that was cancelled before anything was sent."""
    return JobCancelledError("The job was cancelled before it was submitted; nothing was billed.")


def never_started() -> NovaKitError:
    """Return the error of a run whose answer was lost, and of which the service has no job."""
    return JobNotStartedError(
        "NovaKit's list has no such job: it was not started and not billed. Submit it again to have it made."
    )


def nothing_instead() -> NovaKitError:
    """Return the error of a run that was not submitted because an earlier one was in question, which will not do after all."""
    return JobNotStartedError(
        "Nothing was submitted for this one, and no earlier job will do in its place. Submit it to have it made."
    )


def looks_again(*, kept: bool) -> str:
    """Say how a job whose answer was lost is looked for by hand.

    Args:
        kept: whether its submission is in a history, without which nothing else can look it up.
    """
    how = (
        "nk.recover() looks again"
        if kept
        else "There is no history to look it up from: client.list() shows the service's jobs, and nk.attach(id) picks one up"
    )
    return f"{how}; only submit it once more when it is not there."


def still_lost(tool: Tool, reason: SubmissionUncertainError, *, kept: bool) -> NovaKitError:
    """Return the error of a run whose answer was lost, and which was looked for in vain.

    Args:
        tool: what should have made it.
        reason: why that can't be told.
        kept: as for `looks_again`.
    """
    return SubmissionUncertainError(
        f"The answer to the {tool} job was lost: it may run and be billed. {reason.message} {looks_again(kept=kept)}",
        reason.status_code,
        reason.response,
        candidates=reason.candidates,
    )


def nothing_started(*, cancelled: bool) -> NovaKitError:
    """Return the error of a run whose submission ended where nothing was on its way.

    Args:
        cancelled: whether it was the user who wanted that, and not a loop that ended.
    """
    if cancelled:
        return JobCancelledError("The job was cancelled before NovaKit had taken it; nothing was started or billed.")
    return JobNotStartedError(
        "Submitting the job was broken off before NovaKit had taken it; nothing was started or billed. Submit it again."
    )


def broken_off(reason: str, *, attached_to: str | None) -> NovaKitError:
    """Return the error of a run whose first answer never came.

    Args:
        reason: why.
        attached_to: the job that was asked for; ``None`` when it was being submitted.
    """
    if attached_to is not None:
        return JobError(
            f"Asking for {attached_to} was broken off ({reason}). The job itself is not affected: ask again with "
            f"nk.attach({attached_to!r}).",
            job_id=attached_to,
        )
    return SubmissionUncertainError(
        f"Submitting the job was broken off ({reason}), so it may run and be billed. Look at client.list() before you "
        "submit it again."
    )


def not_ended(timeout: float, *, job_id: str | None, job: Job | None, busy: bool = False) -> JobTimeoutError:
    """Return the error of waiting that is over before the job is.

    Args:
        timeout: seconds that were waited.
        job_id: the job's, if it has one yet.
        job: its newest snapshot.
        busy: whether nothing was sent so far, such as when the service asks to come back later.
    """
    if busy:
        return JobTimeoutError(
            f"The job has not been submitted within {timeout:g} s; its card says why. Nothing is started or billed so far. "
            "Wait again to have it submitted."
        )
    later = f", or nk.attach({job_id!r}) later" if job_id else ""
    return JobTimeoutError(
        f"{job_id or 'The job'} has not ended after {timeout:g} s. It goes on: wait again{later}.",
        job_id=job_id,
        job=job,
    )


def unfinished(*, submitted: bool, job_id: str | None, job: Job | None) -> JobError:
    """Return the error of asking for a result that is not there yet.

    Args:
        submitted: whether there is a job, or may soon be one.
        job_id: the job's, if it has one yet.
        job: its newest snapshot.
    """
    if not submitted:
        return JobNotStartedError("The job has not been submitted, so nothing was billed. wait() submits it.")
    return JobError(
        f"{job_id or 'The job'} has not ended yet, so there is no result. It goes on: wait() for it first.",
        job_id=job_id,
        job=job,
    )


def after_deleting(*, cancelled: bool) -> str:
    """Say what a job has come to that still runs after its cancellation.

    Args:
        cancelled: whether the service has taken it.
    """
    if cancelled:
        return "NovaKit has taken the cancellation, but still shows it as running: watch on to see its end."
    return "NovaKit did not cancel it: it still runs."
