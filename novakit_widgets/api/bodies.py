"""From an answer's body to what it is: a job, a list of jobs, a quota. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import UnreadableAnswerError
from ..model.canonical import owned
from ..model.frozen import FrozenDict
from ..model.job import Job, is_job_id

if TYPE_CHECKING:
    from ..model.tools import Tool
    from .answers import Answer

__all__ = ["JobList", "job_of_submission", "jobs_of", "object_of", "parsed"]

_T = TypeVar("_T")


class JobList(tuple[Job, ...]):  # noqa: SLOT001 # a tuple can have no slots of its own
    """A list of jobs, as far as it can be read.

    Attributes:
        left_out: how many of its entries are no jobs that we can read.
    """

    left_out = 0


def parsed(answer: Answer, parse: Callable[[Any], _T], job_id: str | None) -> _T:
    """Parse a body, and complete the error of one that can't be."""
    try:
        return parse(answer.body)
    except UnreadableAnswerError as error:
        unreadable = UnreadableAnswerError(error.message, answer.status, answer.body, job_id=job_id)
    raise unreadable


def job_of_submission(tool: Tool, params: Mapping[str, Any], answer: Answer) -> Job:
    """Read the answer to a submission: a job, or the result itself."""
    body = answer.body
    if isinstance(body, Mapping) and body and not {"id", "status", "error"} & body.keys():
        return Job.from_result(tool, owned(params), body)
    job = parsed(answer, Job.from_json, None)
    if not _can_be_followed(job):
        raise UnreadableAnswerError("NovaKit's answer has a job id that can't be asked for.", answer.status, body)
    return Job(job.id, job.status, tool=tool.value, params=FrozenDict(owned(dict(params)))).advanced(job)


def jobs_of(body: Any) -> tuple[Job, ...]:
    """Read a list of jobs, newest first. An entry that can't be read, or not be asked for, is left out."""
    entries = body.get("jobs") if isinstance(body, Mapping) else None
    if not isinstance(entries, list):
        raise UnreadableAnswerError("NovaKit's answer is not a list of jobs.")
    jobs = []
    for entry in entries:
        # One odd entry must not hide the others.
        with suppress(UnreadableAnswerError):
            job = Job.from_json(entry)
            if _can_be_followed(job):
                jobs.append(job)
    listed = JobList(jobs)
    listed.left_out = len(entries) - len(jobs)
    return listed


def _can_be_followed(job: Job) -> bool:
    """Whether all of a job is known, or can be asked for; one that has ended is shown whatever its id looks like."""
    return job.ended or is_job_id(job.id)


def object_of(body: Any) -> Mapping[str, Any]:
    """Read a quota, which is an object of whatever the plan has."""
    if not isinstance(body, Mapping):
        raise UnreadableAnswerError("NovaKit's answer is not a quota.")
    return body
