"""The errors of runs: what happened, whether the job runs or was billed, and what to do."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import (
    JobCancelledError,
    JobError,
    JobFailedError,
    JobNotStartedError,
    JobTimeoutError,
    NovaKitError,
    SubmissionUncertainError,
    interrupted,
)
from ..model.job import Job, JobStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..model.tools import Tool

__all__ = [
    "broken_off_error",
    "cancellation_note",
    "error_of_job",
    "interruption_told",
    "look_again_advice",
    "never_started_error",
    "never_submitted_error",
    "no_equal_job_error",
    "no_result_error",
    "not_ended_error",
    "nothing_started_error",
    "still_lost_error",
]


def error_of_job(job: Job) -> NovaKitError | None:
    """Return the error of an ended job; ``None`` for a completed one."""
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


def never_submitted_error() -> NovaKitError:
    """Return the error of a run that was cancelled before its submission."""
    return JobCancelledError("The job was cancelled before it was submitted; nothing was billed.")


def never_started_error() -> NovaKitError:
    """Return the error of a run whose answer was lost and which started no job."""
    return JobNotStartedError(
        "NovaKit's list has no such job: it was not started and not billed. Submit it again to generate it."
    )


def no_equal_job_error() -> NovaKitError:
    """Return the error of a run that waited for an uncertain equal submission, which has no job to reuse."""
    return JobNotStartedError(
        "Nothing was submitted for this one, and no earlier job can be reused. Submit it to generate it."
    )


def look_again_advice(*, kept: bool) -> str:
    """Return the advice how to look up a job after a lost answer.

    Args:
        kept: whether its submission is in a history.
    """
    how = (
        "nk.recover() looks again"
        if kept
        else "There is no history to look it up from: client.list() shows the service's jobs, and nk.attach(id) picks one up"
    )
    return f"{how}; only submit it once more when it is not there."


def still_lost_error(tool: Tool, reason: SubmissionUncertainError, *, kept: bool) -> NovaKitError:
    """Return the error of a run whose answer was lost and whose look-up was inconclusive.

    Args:
        tool: of the run.
        reason: why it was inconclusive.
        kept: see `look_again_advice`.
    """
    return SubmissionUncertainError(
        f"The answer to the {tool} job was lost: it may run and be billed. {reason.message} {look_again_advice(kept=kept)}",
        reason.status_code,
        reason.response,
        candidates=reason.candidates,
    )


def nothing_started_error(*, cancelled: bool) -> NovaKitError:
    """Return the error of a run whose submission ended before a POST was sent.

    Args:
        cancelled: whether the user cancelled it; otherwise its loop ended.
    """
    if cancelled:
        return JobCancelledError("The job was cancelled before NovaKit accepted it; nothing was started or billed.")
    return JobNotStartedError(
        "Submitting the job was interrupted before NovaKit accepted it; nothing was started or billed. Submit it again."
    )


def broken_off_error(reason: str, *, attached_to: str | None) -> NovaKitError:
    """Return the error of a run whose first request was interrupted.

    Args:
        reason: why.
        attached_to: the job that was fetched; ``None`` for a submission.
    """
    if attached_to is not None:
        return JobError(
            f"Fetching {attached_to} was interrupted ({reason}). The job itself is not affected: ask again with "
            f"nk.attach({attached_to!r}).",
            job_id=attached_to,
        )
    return SubmissionUncertainError(
        f"Submitting the job was interrupted ({reason}), so it may run and be billed. Look at client.list() before you "
        "submit it again."
    )


def not_ended_error(timeout: float, *, job_id: str | None, job: Job | None, busy: bool = False) -> JobTimeoutError:
    """Return the error of a wait that timed out.

    Args:
        timeout: of the wait, in seconds.
        job_id: the job's id, if there is one yet.
        job: its newest snapshot.
        busy: whether nothing was sent so far, such as during a Retry-After.
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


def no_result_error(*, submitted: bool, job_id: str | None, job: Job | None) -> JobError:
    """Return the error of reading a result before the job has ended.

    Args:
        submitted: whether there is a job, or may soon be one.
        job_id: the job's id, if there is one yet.
        job: its newest snapshot.
    """
    if not submitted:
        return JobNotStartedError("The job has not been submitted, so nothing was billed. wait() submits it.")
    return JobError(
        f"{job_id or 'The job'} has not ended yet, so there is no result. It goes on: wait() for it first.",
        job_id=job_id,
        job=job,
    )


@contextmanager
def interruption_told(jobs: Callable[[], str]) -> Iterator[None]:
    """Give the exception of an interrupted wait, which Python leaves empty, a message.

    Args:
        jobs: what goes on, with its verb, such as ``"job_abc123 goes on"``.
    """
    try:
        yield
    except (asyncio.CancelledError, KeyboardInterrupt) as error:
        interrupted(error, f"The waiting was interrupted. {jobs()}: wait again for the result.")
        raise


def cancellation_note(*, cancelled: bool) -> str:
    """Return the note of a job that still runs after its cancellation was requested.

    Args:
        cancelled: whether the service accepted the cancellation.
    """
    if cancelled:
        return "NovaKit accepted the cancellation, but still shows the job as running: keep watching to see its end."
    return "NovaKit did not cancel the job: it still runs."
