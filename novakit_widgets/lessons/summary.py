"""A recording in words: what is in it, with sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.parsing import readable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .contents import RecordedJob
    from .lesson import Lesson

__all__ = ["lines"]

_PROMPT = 60  # characters
_TEXTS = ("prompt", "input", "file", "image")


def lines(lesson: Lesson) -> Iterator[str]:
    """Yield a line for each call of a recording, and one for all of it.

    Args:
        lesson: the recording.
    """
    for number, job in enumerate(lesson.jobs, 1):
        yield f"{number:>4}  {job.tool:<10}  {_outcome(job):<10}  {_seconds(job):>7}  {_result(job):<28}  {_prompt(job)}".rstrip()
    media = sum(entry.size for entry in lesson.media.values())
    count = len(lesson.jobs)
    yield (
        f"{lesson.path.name}: {count} call{'s' * (count != 1)}, {len(lesson.media)} media of {media:,} bytes, "
        f"recorded {lesson.created}, {lesson.path.stat().st_size:,} bytes in all"
    )


def _outcome(job: RecordedJob) -> str:
    if job.refused is not None:
        return f"refused {job.refused.status}"[:10]
    return "unfinished" if job.status is None else str(job.status)


def _seconds(job: RecordedJob) -> str:
    return f"{job.seconds:.1f} s" if job.seconds else ""


def _result(job: RecordedJob) -> str:
    if job.text is not None:
        return f"text of {len(job.text):,} characters"
    told = [f"{medium.mime} {medium.size:,} bytes" if medium.sha256 else "not fetched" for medium in job.media]
    return ", ".join(told) or "-"


def _prompt(job: RecordedJob) -> str:
    text = next((value for name in _TEXTS if isinstance(value := job.params.get(name), str)), "")
    line = " ".join(readable(text[: _PROMPT * 8]).split())
    return line if len(line) <= _PROMPT else line[: _PROMPT - 1] + "…"
