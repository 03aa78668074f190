"""A job and its status, as the service reports them. Parsing, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from ..errors import UnreadableAnswerError
from ..runtime.hooks import action
from . import parsing
from .frozen import FrozenDict
from .media import Caller, Media, find_media, find_text

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from .tools import Tool


__all__ = ["Job", "JobStatus", "is_job_id"]


class JobStatus(str, Enum):
    """The five statuses that the service documents."""

    PENDING = "pending"  # accepted, waits for a machine
    PROCESSING = "processing"  # being generated
    COMPLETED = "completed"  # final: there is a result
    FAILED = "failed"  # final: there is an error message
    CANCELLED = "cancelled"  # final: somebody asked for it

    __str__ = str.__str__

    @property
    def is_final(self) -> bool:
        """Whether the status is final."""
        return self in _FINAL


_FINAL = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})
# How far a job is; a status that is not documented counts as processing.
_RANK: Mapping[str, int] = {JobStatus.PENDING: 0, JobStatus.PROCESSING: 1}


_LONGEST_ID = 200  # characters
_REPLACED = "\ufffd"  # replaces characters of an id that can't be encoded; such a job can't be requested


def is_job_id(text: object) -> bool:
    """Return whether a value can be a job id, so that the job can be requested.

    Example:
        >>> is_job_id("job_abc123"), is_job_id("job 1"), is_job_id("..")
        (True, False, False)
    """
    return (
        isinstance(text, str)
        and _REPLACED not in text
        and bool(text.strip("."))
        and len(text) <= _LONGEST_ID
        and not any(character.isspace() or not character.isprintable() for character in text)
    )


@dataclass(frozen=True, slots=True, repr=False)
class Job:
    """A snapshot of one job, as the service reported it. Immutable.

    ``None`` means unknown. Only ``status`` is always there; ``id`` is missing when the service answered a
    generation at once, without making a job of it.

    Attributes:
        id: the service's job id, such as ``"job_abc123"``.
        status: a `JobStatus`, or the service's own word where it is not documented (then: still running).
        progress: percent, 0 to 100.
        tool: what makes it, such as ``"video"``.
        params: the parameters as the service received them.
        output: the service's ``outputData``, or the whole answer of a generation answered at once.
        error: why the job failed, in the service's words.
        created_at: when the service accepted it, with time zone.
        completed_at: when it ended, with time zone.
        model: the model that makes it.
        estimated_credits: what the service expected to charge, in credits.
        actual_credits: what it did charge, in credits.
        raw: the whole answer, for what is not parsed here.

    Example:
        >>> job = Job.from_json({"id": "job_abc123", "status": "processing", "progress": 40})
        >>> job.status, job.progress, job.ended
        (<JobStatus.PROCESSING: 'processing'>, 40.0, False)
    """

    id: str | None
    status: JobStatus | str
    progress: float | None = None
    tool: str | None = None
    params: Mapping[str, Any] | None = None
    output: Any = None
    error: str | None = None
    created_at: datetime | None = None
    completed_at: datetime | None = None
    model: str | None = None
    estimated_credits: float | None = None
    actual_credits: float | None = None
    raw: Mapping[str, Any] = field(default_factory=FrozenDict, compare=False)

    @classmethod
    def from_json(cls, body: object) -> Job:
        """Return the job of an answer's decoded JSON.

        Args:
            body: what `json.loads` made of it. Fields that are missing, null or odd become ``None``.

        Raises:
            UnreadableAnswerError: it is no object, or has no ``id`` or no ``status``.
        """
        if not isinstance(body, Mapping):
            raise UnreadableAnswerError(f"The service answered {type(body).__name__} where a job was expected.")
        job_id, status = parsing.text(body.get("id")), parsing.text(body.get("status"))
        if not job_id or not status:
            missing = "id" if not job_id else "status"
            raise UnreadableAnswerError(f"The service answered with a job that has no {missing}.")
        params = body.get("inputParams")
        output = body.get("outputData")
        return cls(
            id=job_id,
            status=_status(status),
            progress=parsing.percent(body.get("progress")),
            tool=parsing.text(body.get("tool")),
            params=FrozenDict(params) if isinstance(params, Mapping) else None,
            output=output,
            error=parsing.text(body.get("errorMessage")) or parsing.text(body.get("error")),
            created_at=parsing.time(body.get("createdAt")),
            completed_at=parsing.time(body.get("completedAt")),
            model=parsing.text(body.get("model")),
            estimated_credits=parsing.number(body.get("estimatedCredits")),
            actual_credits=parsing.number(body.get("actualCredits")),
            raw=FrozenDict(body),
        )

    @classmethod
    def from_result(cls, tool: Tool, params: Mapping[str, Any], body: Mapping[str, Any]) -> Job:
        """Return a completed job for a result that the service answered at once.

        Args:
            tool: what made it.
            params: the parameters that were sent.
            body: the decoded answer, such as ``{"created": …, "data": …, "model": …}``.
        """
        created = parsing.number(body.get("created"))
        return cls(
            id=None,
            status=JobStatus.COMPLETED,
            progress=100.0,
            tool=tool.value,
            params=FrozenDict(params),
            output=body,
            completed_at=parsing.time(created),
            model=parsing.text(body.get("model")),
            raw=FrozenDict(body),
        )

    def __hash__(self) -> int:
        # Equal jobs have these in common; the parameters and the result, which differ too, can't be hashed.
        return hash((self.id, self.status))

    def __repr__(self) -> str:
        """Return one line; the whole answer is in ``raw``."""
        told = [f"{self.progress:g} %"] if self.progress is not None and not self.ended else []
        told += [f"{len(self.media)} media"] if self.media else []
        return f"<Job {' '.join([self.id or 'without id', self.tool or '', str(self.status), *told])}>"

    def _repr_mimebundle_(self, **_kwargs: Any) -> dict[str, str]:
        """Return the MIME bundle for a notebook. No request is sent."""
        bundle: dict[str, str] = action("show_job")(self)
        return bundle

    @property
    def ended(self) -> bool:
        """Whether the status is final."""
        return isinstance(self.status, JobStatus) and self.status.is_final

    @property
    def media(self) -> tuple[Media, ...]:
        """The videos, sounds and images of the result; empty without a result."""
        ratio = (self.params or {}).get("aspect_ratio")
        return find_media(self.output, tool=self.tool, ratio=ratio, job_id=self.id)

    @property
    def text(self) -> str | None:
        """The text of a transcription."""
        return find_text(self.output)

    def save(
        self,
        path: str | Path = ".",
        *,
        client: Caller | None = None,
        on_progress: Callable[[int, int | None], None] | None = None,
    ) -> list[Path]:
        """Save the media of the result, or the text of a transcription, and block until they are saved.

        Args:
            path: a folder, which is made where its name has no ending; or a file where there is one result only.
            client: makes the requests; where it is left out, one is made from the settings.
            on_progress: called with the bytes that are there and, where known, the bytes that there will be.

        Returns:
            The files that were written, in the result's order, under names of ours.

        Raises:
            MediaExpiredError: the addresses are no longer served, and the service has no new ones.
            MediaError: there are no media, or they can't be fetched.
            OSError: a file can't be written.

        Example:
            >>> job.save("results")  # doctest: +SKIP
        """
        saved: list[Path] = action("save_job")(self, path, client=client, on_progress=on_progress)
        return saved

    @property
    def seconds(self) -> float | None:
        """The duration of the job at the service, in seconds."""
        if self.created_at is None or self.completed_at is None:
            return None
        return max(0.0, (self.completed_at - self.created_at).total_seconds())

    def advanced(self, newer: Job) -> Job:
        """Return the job updated with another answer about it.

        Answers overtake each other: a snapshot asked for before the job ended can arrive after the long poll
        that told of the end. So a final status stays, a status and the progress never go back, and what a later
        answer leaves out is kept. Nothing else in the package changes a job's status.

        Args:
            newer: what the service said now.
        """
        if self.ended and newer.status != self.status:
            return self
        filled = {
            item.name: getattr(newer, item.name) for item in fields(newer) if getattr(newer, item.name) is not None
        }
        if not newer.ended and _rank(newer.status) < _rank(self.status):
            filled.pop("status")
        if not newer.ended and self.progress is not None and newer.progress is not None:
            filled["progress"] = max(self.progress, newer.progress)
        return replace(self, **filled)


def _rank(status: JobStatus | str) -> int:
    return _RANK.get(status, 1)


def _status(text: str) -> JobStatus | str:
    try:
        return JobStatus(text.lower())
    except ValueError:
        return text
