"""How a sandbox replays a recording: which recorded job answers which call, and how it goes."""

from __future__ import annotations

import math
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from ..model.canonical import canonical
from ..model.job import JobStatus
from ..sandbox.artifact import Artifact
from ..sandbox.script import Part, Refusal
from .matching import MEDIUM, Addresses, explain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..model.tools import Tool
    from .contents import Medium, RecordedJob
    from .lesson import Lesson

__all__ = ["LessonScript", "Missing"]

Missing = Literal["error", "sandbox"]

_PATIENCE = 60.0  # real seconds, besides ten times its own, in which a job that was cancelled can be cancelled again
_UNFINISHED = "The recording ended before this job did."


class LessonScript:
    """Answers each call as it was recorded: equal calls in the recorded order, then the last one again.

    Args:
        lesson: the recording.
        missing: what a call gets that was not recorded: ``"error"`` a refusal, ``"sandbox"`` a job of the sandbox.
        speed: of the sandbox; waits that the service asked for are divided by it.
    """

    def __init__(self, lesson: Lesson, *, missing: Missing = "error", speed: float = 1.0) -> None:
        self.unrecorded: list[str] = []
        self._lesson = lesson
        self._missing = missing
        self._speed = speed
        self._addresses = Addresses()
        self._digests = {entry.offset: digest for digest, entry in lesson.media.items()}
        self._calls: dict[str, list[RecordedJob]] = {}
        self._ids = {job.id: job for job in lesson.jobs if job.id is not None}
        self._given: Counter[str] = Counter()
        self._checked: set[str] = set()  # media whose bytes fit their digests
        for job in lesson.jobs:
            self._calls.setdefault(job.key, []).append(job)

    def rewind(self) -> None:
        """Begin again with the first of equal calls."""
        self._given = Counter()
        self.unrecorded.clear()

    def next(self, tool: Tool, params: Mapping[str, Any]) -> Part | Refusal | None:
        """Return the course of a call, or its refusal; ``None`` where the sandbox makes it."""
        plain = self._addresses.without({name: value for name, value in params.items() if value is not None})
        key = f"{tool} {canonical(tool, plain)}"
        jobs = self._calls.get(key)
        if jobs is None:
            why = explain(tool, plain, self._lesson.jobs, name=self._lesson.path.name)
            self.unrecorded.append(why)
            return Refusal(400, {"error": why}, {}) if self._missing == "error" else None
        job = jobs[min(self._given[key], len(jobs) - 1)]
        self._given[key] += 1
        return self._refusal(job) if job.refused is not None else self._part(job, job.seconds)

    def past(self, job_id: str) -> tuple[Tool, Mapping[str, Any], Part] | None:
        """Return a recorded job that is attached, not submitted: it has ended."""
        job = self._ids.get(job_id)
        return None if job is None else (job.tool, job.params, self._part(job, 0.0))

    def published(self, url: str, artifact: Artifact) -> None:
        """Learn the address of a recorded medium, which later parameters can contain."""
        self._addresses.add(url, MEDIUM + self._digests[artifact.offset])

    def _refusal(self, job: RecordedJob) -> Refusal:
        refused = job.refused
        assert refused is not None  # for the type checker
        body: dict[str, Any] = {"error": refused.error, **(refused.figures or {})}
        if refused.retry_after is None:
            return Refusal(refused.status, body, {})
        wait = math.ceil(refused.retry_after / self._speed)
        return Refusal(refused.status, {**body, "retryAfter": wait}, {"Retry-After": str(wait)})

    def _part(self, job: RecordedJob, seconds: float) -> Part:
        whole = job.seconds or 1.0
        cancelled = job.status is JobStatus.CANCELLED and seconds > 0
        return Part(
            job_id=job.id,
            seconds=seconds,
            answers=[(min(1.0, sample.seconds / whole), sample.status, sample.progress) for sample in job.answers],
            status=job.status or JobStatus.FAILED,
            error=job.error if job.status is not None else _UNFINISHED,
            until_cancelled=_PATIENCE + 10 * job.seconds if cancelled else 0.0,
            media=lambda: tuple(self._artifact(medium) for medium in job.media),
            output=lambda urls: _output(job, urls),
            body=lambda urls: _body(job, urls),
            at_once=job.at_once,
            model=job.model,
            tier=job.tier,
            estimated=job.estimated,
            actual=job.actual,
        )

    def _artifact(self, medium: Medium) -> Artifact:
        entry = self._lesson.media[medium.sha256] if medium.sha256 in self._checked else self._lesson.check(medium)
        self._checked.add(medium.sha256)
        return Artifact(
            self._lesson.path, medium.mime, medium.seconds, medium.width, medium.height, entry.offset, entry.size
        )


def _items(job: RecordedJob, urls: Sequence[str]) -> list[dict[str, Any]]:
    """Return the media with the service's names for what is known of them."""
    return [
        _known(
            url=url,
            width=medium.width,
            height=medium.height,
            duration_seconds=medium.seconds,
            revised_prompt=medium.caption,
        )
        for medium, url in zip(job.media, urls, strict=True)
    ]


def _output(job: RecordedJob, urls: Sequence[str]) -> dict[str, Any]:
    """Return the ``outputData`` in a shape that the service uses."""
    kind, items = job.tool.facts.media, _items(job, urls)
    if kind is None:
        return _transcript(job)
    if kind == "image":
        return {"images": items}
    return {kind: items[0]} if len(items) == 1 else {"data": items}


def _body(job: RecordedJob, urls: Sequence[str]) -> dict[str, Any]:
    """Return the answer of a generation that is no job."""
    kind, items = job.tool.facts.media, _items(job, urls)
    body = _known(created=int(time.time()), model=job.model, model_tier=job.tier)
    if kind is None:
        return {**body, **_transcript(job)}
    if kind == "audio" and len(items) == 1:
        item = items[0]
        return {**body, **_known(audio_url=item["url"], duration_seconds=item.get("duration_seconds"))}
    return {**body, "data": items[0] if kind == "video" and len(items) == 1 else items}


def _transcript(job: RecordedJob) -> dict[str, Any]:
    segments = (
        None
        if job.segments is None
        else [_known(start=item.start, end=item.end, text=item.text, speaker=item.speaker) for item in job.segments]
    )
    return _known(text=job.text, segments=segments, language=job.language)


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
