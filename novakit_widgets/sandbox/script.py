"""What another room gives the sandbox so that jobs go as they were recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ..model.job import JobStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..model.tools import Tool
    from .artifact import Artifact

__all__ = ["Part", "Refusal", "Script"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a generation that is refused.

    Attributes:
        status: the HTTP status.
        body: the JSON of the answer.
        headers: its headers.
    """

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The course of one job.

    Attributes:
        job_id: its id; ``None`` for a new one.
        seconds: its duration before the sandbox's speed.
        answers: what is told of it from a share of its duration (0 to 1) on: share, status, progress in percent.
        status: how it ends.
        error: its ``errorMessage``.
        until_cancelled: it runs for this many real seconds longer, unless it is cancelled before.
        media: returns the files of the result; runs in a worker thread.
        output: returns the ``outputData`` for the addresses of the files.
        body: returns the answer of a generation without ``?async=true``, for the same addresses.
        at_once: whether the service answered with the result instead of a job.
        model: its model.
        tier: the tier of its model.
        estimated: the credits that were expected.
        actual: the credits that were charged.
    """

    job_id: str | None
    seconds: float
    answers: Sequence[tuple[float, JobStatus, float | None]]
    status: JobStatus
    error: str | None = None
    until_cancelled: float = 0.0
    media: Callable[[], tuple[Artifact, ...]]
    output: Callable[[Sequence[str]], Any]
    body: Callable[[Sequence[str]], dict[str, Any]]
    at_once: bool = False
    model: str | None = None
    tier: str | None = None
    estimated: float | None = None
    actual: float | None = None

    def at(self, share: float) -> tuple[JobStatus, float | None]:
        """Return the status and the progress after a share of the duration."""
        told: tuple[JobStatus, float | None] = (JobStatus.PENDING, None)
        for begins, status, progress in self.answers:
            if begins > share:
                break
            told = status, progress
        return told


class Script(Protocol):
    """Decides how the jobs of a sandbox go. It is asked on the sandbox's event loop."""

    def next(self, tool: Tool, params: Mapping[str, Any]) -> Part | Refusal | None:
        """Return the course of a generation, or its refusal; ``None`` where the sandbox makes it itself."""
        ...

    def past(self, job_id: str) -> tuple[Tool, Mapping[str, Any], Part] | None:
        """Return a job that had ended before; ``None`` for an unknown id."""
        ...

    def published(self, url: str, artifact: Artifact) -> None:
        """Learn the address of a file of a result."""
        ...
