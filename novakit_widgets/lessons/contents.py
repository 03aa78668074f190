"""What a recording holds, as plain values, and how they are written and read as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ..model.canonical import canonical
from ..model.job import JobStatus
from ..model.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["MIMES", "Medium", "RecordedJob", "Refused", "Sample", "Segment", "WrongContentError", "job_from", "job_to"]

MIMES = frozenset(
    {
        "audio/aac",
        "audio/flac",
        "audio/mp4",
        "audio/mpeg",
        "audio/ogg",
        "audio/wav",
        "image/avif",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/webp",
        "video/mp4",
        "video/quicktime",
        "video/webm",
    }
)
"""The types that media of a recording can have: what `novakit_widgets.model.media.sniff` tells apart."""

FIGURES = ("credits_estimated", "generations_needed", "generations_remaining", "quota_multiplier")
"""The numbers of a refusal that are kept (documented for 402)."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LONGEST_TEXT = 100_000  # characters, such as of a transcript; the documented input of speech has 10,000
_MOST_SAMPLES = 100_000
_MOST_MEDIA = 1_000
_MOST_SECONDS = 1e7
_LARGEST = 1e15  # of any number; also an integer that no float can hold is refused
_LOWEST_STATUS, _HIGHEST_STATUS = 300, 599

_T = TypeVar("_T")


class WrongContentError(ValueError):
    """A value in a recording is not what it should be."""


@dataclass(frozen=True, slots=True)
class Medium:
    """One file of a result.

    Attributes:
        sha256: the digest of its bytes, in hexadecimal; it names the file in the recording. ``""`` while it is not fetched.
        mime: its type, told from its bytes.
        size: in bytes.
        width: pixels.
        height: pixels.
        seconds: how long it plays.
        caption: the service's words, such as a revised prompt.
    """

    sha256: str = ""
    mime: str = ""
    size: int = 0
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    caption: str | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """What the service told of a job.

    Attributes:
        seconds: since its submission was answered.
        status: ``"pending"`` or ``"processing"``.
        progress: percent.
    """

    seconds: float
    status: JobStatus
    progress: float | None


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a transcription: its text, from when to when in seconds, and who speaks."""

    start: float | None
    end: float | None
    text: str
    speaker: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """How the service refused a submission.

    Attributes:
        status: the HTTP status.
        error: the service's message.
        retry_after: seconds that it asked to wait.
        figures: the documented numbers of a 402.
    """

    status: int
    error: str
    retry_after: float | None = None
    figures: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedJob:
    """A call and what became of it.

    Attributes:
        tool: of the call.
        params: its parameters, without defaults, with addresses replaced; see `novakit_widgets.lessons.matching`.
        id: the job's id; ``None`` where there is no job.
        at_once: whether the service answered with the result instead of a job.
        answers: what was told of the job, oldest first.
        seconds: how long it took.
        status: how it ended; ``None`` while that is not known.
        error: why it failed.
        media: the files of the result.
        text: the text of a transcription.
        segments: its pieces.
        language: its language.
        model: the model.
        tier: the tier of the model.
        estimated: the credits that the service expected.
        actual: the credits that it charged.
        refused: how the service refused it.
    """

    tool: Tool
    params: Mapping[str, Any]
    id: str | None = None
    at_once: bool = False
    answers: tuple[Sample, ...] = ()
    seconds: float = 0.0
    status: JobStatus | None = None
    error: str | None = None
    media: tuple[Medium, ...] = ()
    text: str | None = None
    segments: tuple[Segment, ...] | None = None
    language: str | None = None
    model: str | None = None
    tier: str | None = None
    estimated: float | None = None
    actual: float | None = None
    refused: Refused | None = None

    @property
    def key(self) -> str:
        """Equal for equal calls."""
        return f"{self.tool} {canonical(self.tool, self.params)}"


def job_to(job: RecordedJob) -> dict[str, Any]:
    """Return a job as JSON; what is not set is left out."""
    media = [_without_none({name: getattr(item, name) for name in Medium.__slots__}) for item in job.media]
    written: dict[str, Any] = {
        "tool": job.tool.value,
        "parameters": dict(job.params),
        "id": job.id,
        "at_once": job.at_once or None,
        "answers": [[sample.seconds, sample.status.value, sample.progress] for sample in job.answers] or None,
        "seconds": job.seconds or None,
        "status": None if job.status is None else job.status.value,
        "error": job.error,
        "media": media or None,
        "text": job.text,
        "segments": None if job.segments is None else [_without_none(_of(item)) for item in job.segments],
        "language": job.language,
        "model": job.model,
        "tier": job.tier,
        "estimated": job.estimated,
        "actual": job.actual,
        "refused": None if job.refused is None else _without_none(_of(job.refused)),
    }
    return _without_none(written)


def job_from(body: object) -> RecordedJob:
    """Read a job from JSON.

    Raises:
        WrongContentError: a value is missing, unknown or of another type than it should be.
    """
    entry = _object(body, "a job")
    unknown = entry.keys() - _FIELDS
    if unknown:
        raise WrongContentError(f"a job has the unknown field {min(unknown)!r:.60}")
    tool = Tool.known(_optional(entry, "tool", _text))
    if tool is None:
        raise WrongContentError("a job has no known tool")
    params = _object(entry.get("parameters"), "parameters")
    try:
        canonical(tool, params)
    except (RecursionError, TypeError, ValueError):
        raise WrongContentError("parameters are not plain JSON") from None
    job = RecordedJob(
        tool=tool,
        params=params,
        id=_optional(entry, "id", _id),
        at_once=_optional(entry, "at_once", _bool) or False,
        answers=tuple(_list(entry, "answers", _sample, _MOST_SAMPLES)),
        seconds=_optional(entry, "seconds", _seconds) or 0.0,
        status=_optional(entry, "status", _final),
        error=_optional(entry, "error", _text),
        media=tuple(_list(entry, "media", _medium, _MOST_MEDIA)),
        text=_optional(entry, "text", _text),
        segments=tuple(_list(entry, "segments", _segment, _MOST_SAMPLES)) if "segments" in entry else None,
        language=_optional(entry, "language", _text),
        model=_optional(entry, "model", _text),
        tier=_optional(entry, "tier", _text),
        estimated=_optional(entry, "estimated", _number),
        actual=_optional(entry, "actual", _number),
        refused=_optional(entry, "refused", _refused),
    )
    if any(later.seconds < sooner.seconds for sooner, later in zip(job.answers, job.answers[1:], strict=False)):
        raise WrongContentError("the answers of a job are not in order")
    return job


_FIELDS = frozenset(
    {
        *("tool", "parameters", "id", "at_once", "answers", "seconds", "status", "error", "media", "text", "segments"),
        *("language", "model", "tier", "estimated", "actual", "refused"),
    }
)


def _of(value: Segment | Refused) -> dict[str, Any]:
    found = {name: getattr(value, name) for name in type(value).__slots__}
    return {name: dict(item) if isinstance(item, Mapping) else item for name, item in found.items()}


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _object(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise WrongContentError(f"{what} should be an object")
    return value


def _optional(entry: Mapping[str, Any], name: str, read: Callable[[Any, str], _T]) -> _T | None:
    value = entry.get(name)
    return None if value is None else read(value, name)


def _list(entry: Mapping[str, Any], name: str, read: Callable[[Any, str], _T], most: int) -> Sequence[_T]:
    value = entry.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > most:
        raise WrongContentError(f"{name} should be a list of at most {most:,}")
    return [read(item, name) for item in value]


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise WrongContentError(f"{name} should be a text of at most {_LONGEST_TEXT:,} characters")
    return value


def _bool(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise WrongContentError(f"{name} should be true or false")
    return value


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        raise WrongContentError(f"{name} should be a number")
    return value


def _seconds(value: Any, name: str) -> float:
    if not 0 <= _number(value, name) <= _MOST_SECONDS:
        raise WrongContentError(f"{name} should be seconds")
    return float(value)


def _whole(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 53:
        raise WrongContentError(f"{name} should be a whole number")
    return value


def _id(value: Any, name: str) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise WrongContentError(f"{name} is no id of a job")
    return value


def _final(value: Any, name: str) -> JobStatus:
    if value not in ("completed", "failed", "cancelled"):
        raise WrongContentError(f"{name} should be how the job ended")
    return JobStatus(value)


def _sample(value: Any, name: str) -> Sample:
    if not isinstance(value, list) or len(value) != 3 or value[1] not in ("pending", "processing"):
        raise WrongContentError(f"{name} should hold [seconds, status, progress]")
    progress = None if value[2] is None else _number(value[2], name)
    return Sample(_seconds(value[0], name), JobStatus(value[1]), progress)


def _medium(value: Any, name: str) -> Medium:
    entry = _object(value, name)
    if entry.keys() - set(Medium.__slots__):
        raise WrongContentError("a medium has an unknown field")
    digest, mime = entry.get("sha256", ""), entry.get("mime", "")
    if not isinstance(digest, str) or not (digest == "" or _DIGEST.fullmatch(digest)):
        raise WrongContentError("sha256 is no digest")
    if not isinstance(mime, str) or (mime not in MIMES and digest != ""):
        raise WrongContentError("mime is no type of a video, a sound or a picture")
    return Medium(
        digest,
        mime if digest else "",
        _whole(entry.get("size", 0), "size"),
        _optional(entry, "width", _whole),
        _optional(entry, "height", _whole),
        _optional(entry, "seconds", _seconds),
        _optional(entry, "caption", _text),
    )


def _segment(value: Any, name: str) -> Segment:
    entry = _object(value, name)
    return Segment(
        _optional(entry, "start", _seconds),
        _optional(entry, "end", _seconds),
        _text(entry.get("text"), name),
        _optional(entry, "speaker", _text),
    )


def _refused(value: Any, name: str) -> Refused:
    entry = _object(value, name)
    status = _whole(entry.get("status"), name)
    if not _LOWEST_STATUS <= status <= _HIGHEST_STATUS:
        raise WrongContentError("a refusal has no HTTP status")
    figures = _object(entry.get("figures", {}), name)
    return Refused(
        status,
        _text(entry.get("error", ""), name),
        _optional(entry, "retry_after", _seconds),
        {key: _number(figures[key], key) for key in FIGURES if key in figures} or None,
    )


def dumped(value: object) -> bytes:
    """Encode JSON in ASCII, since UTF-8 can't encode half of a surrogate pair."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")
