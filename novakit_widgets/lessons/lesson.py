"""A recording that is read: its jobs, and where its media are."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import NovaKitError
from ..model.media import sniff
from ..runtime.paths import expanded
from .archive import MANIFEST, Entry, digest_of, read_entry, read_index, refused, write
from .contents import Medium, RecordedJob, WrongContentError, dumped, job_from, job_to

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["FORMAT", "VERSION", "Lesson", "read", "save"]

FORMAT = "novakit-lesson"
VERSION = 1
_MOST_MANIFEST = 64_000_000  # bytes
_MOST_JOBS = 100_000
_HEAD = 16  # bytes that tell a type


@dataclass(frozen=True, slots=True)
class Lesson:
    """A recording.

    Attributes:
        path: its file.
        created: when it was written, as ISO 8601.
        jobs: the calls, in the order in which they were made.
        media: where each medium is, by its digest.
    """

    path: Path
    created: str
    jobs: tuple[RecordedJob, ...]
    media: Mapping[str, Entry]

    def check(self, medium: Medium) -> Entry:
        """Return where a medium is, after comparing its bytes with its digest.

        Raises:
            NovaKitError: it is damaged, or was not recorded.
        """
        if not medium.sha256:
            raise NovaKitError(
                f"{self.path.name} has the job, but not this result: it could not be fetched when it was recorded."
            )
        entry = self.media[medium.sha256]
        if digest_of(self.path, entry) != medium.sha256:
            raise refused(self.path, f"the bytes of media/{medium.sha256} are damaged")
        return entry


def read(path: str | os.PathLike[str]) -> Lesson:
    """Open a recording and check it; its media are not read.

    Args:
        path: the file. It is only read, so it may be on a share that can't be written.

    Raises:
        NovaKitError: it is no recording, or is damaged.
        OSError: it can't be read.
    """
    file = expanded(path)
    if not file.is_file():
        raise NovaKitError(f"There is no recording {file}. Nothing was sent or billed.")
    index = dict(read_index(file))
    entry = index.pop(MANIFEST)
    if entry.size > _MOST_MANIFEST:
        raise refused(file, f"its {MANIFEST} has more than {_MOST_MANIFEST:,} bytes")
    try:
        body = json.loads(read_entry(file, entry, _MOST_MANIFEST), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise refused(file, f"its {MANIFEST} is no JSON") from None
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise refused(file, "it is of another kind")
    if body.get("version") != VERSION:
        raise refused(
            file,
            f"it has version {body.get('version')!r:.20} and this package reads version {VERSION}; a newer package may read it",
        )
    jobs = body.get("jobs")
    if not isinstance(jobs, list) or len(jobs) > _MOST_JOBS:
        raise refused(file, f"its jobs are no list of at most {_MOST_JOBS:,}")
    try:
        lesson = Lesson(file, _time(body.get("created")), tuple(job_from(job) for job in jobs), MediaIndex(index))
    except (WrongContentError, RecursionError) as error:
        raise refused(file, str(error)) from None
    _check_media(lesson)
    return lesson


class MediaIndex(dict[str, Entry]):
    """Where each medium is, by its digest."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        super().__init__({name.partition("/")[2]: entry for name, entry in entries.items()})


def _check_media(lesson: Lesson) -> None:
    for job in lesson.jobs:
        for medium in job.media:
            if not medium.sha256:
                continue
            entry = lesson.media.get(medium.sha256)
            if entry is None:
                raise refused(lesson.path, f"media/{medium.sha256} is missing")
            if entry.size != medium.size:
                raise refused(lesson.path, f"media/{medium.sha256} has another size than its {MANIFEST} says")
            # A page of HTML must not be served as a result, whatever its type is said to be.
            if sniff(read_entry(lesson.path, entry, _HEAD)) != medium.mime:
                raise refused(lesson.path, f"media/{medium.sha256} is no {medium.mime}")


def _time(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]{5,15}(Z|\+00:00)?", value):
        raise WrongContentError("created is no time")
    return value


def _no_number(text: str) -> float:
    raise ValueError(text)


def save(path: Path, jobs: Sequence[RecordedJob], files: Mapping[str, Path]) -> None:
    """Write a recording.

    Args:
        path: the file to make; one that exists is replaced.
        jobs: the calls, in order.
        files: the file of each medium, by its digest.

    Raises:
        OSError: it can't be written; nothing was left behind.
    """
    created = datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    body = {"format": FORMAT, "version": VERSION, "created": created, "jobs": [job_to(job) for job in jobs]}
    used: Iterable[str] = dict.fromkeys(medium.sha256 for job in jobs for medium in job.media if medium.sha256)
    write(path, dumped(body), [(digest, files[digest]) for digest in used])
