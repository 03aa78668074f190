"""What a recording has so far: a folder beside its file, to which is only added, so that the end of the process loses nothing.

The folder has a line of JSON for each thing that became known, and the media. Packing makes the recording of it.
"""

from __future__ import annotations

import json
import secrets
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..model.media import sniff
from ..runtime.process import lives, this_process
from . import lesson
from .archive import digest_of
from .contents import MIMES, Medium, RecordedJob, Sample, WrongContentError, dumped, job_from, job_to
from .matching import with_digests

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Partial", "abandoned", "pack", "recover"]

_LOG = "log.jsonl"
_HEAD = 16


class Partial:
    """A recording that is being made.

    Args:
        path: the file that it will become.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.folder = path.parent / f"{path.name}.part-{secrets.token_hex(4)}"
        self.folder.mkdir()
        self._line({"process": this_process()})

    def job(self, number: int, job: RecordedJob) -> None:
        """Keep what is known of a call; it replaces what was known of it."""
        self._line({"n": number, "job": job_to(job)})

    def sample(self, number: int, sample: Sample) -> None:
        """Keep what was told of a job."""
        self._line({"n": number, "sample": [sample.seconds, sample.status.value, sample.progress]})

    def medium(self, number: int, index: int, file: Path) -> Medium | None:
        """Keep a file of a result.

        Args:
            number: of the call.
            index: of the file in the result.
            file: in the folder; it is moved.

        Returns:
            What is known of it; ``None`` where it is no media.
        """
        with file.open("rb") as opened:
            mime = sniff(opened.read(_HEAD))
        if mime not in MIMES:
            file.unlink()
            return None
        medium = Medium(digest_of(file), mime, file.stat().st_size)
        file.replace(self.folder / medium.sha256)
        self._line({"n": number, "medium": [index, medium.sha256, medium.mime, medium.size]})
        return medium

    def drop(self, number: int) -> None:
        """Forget a call."""
        self._line({"n": number, "dropped": True})

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _line(self, entry: dict[str, Any]) -> None:
        # Opened each time: nothing is left in a buffer when the process is killed.
        with (self.folder / _LOG).open("ab") as file:
            file.write(dumped(entry) + b"\n")


def pack(folder: Path, path: Path) -> tuple[RecordedJob, ...]:
    """Make a recording of a folder.

    Args:
        folder: of a `Partial`.
        path: the file to make; one that exists is replaced.

    Returns:
        The calls in it.
    """
    jobs = _jobs(folder)
    media = {
        f"media:job:{number}:{index}": medium.sha256
        for number, job in jobs.items()
        for index, medium in enumerate(job.media)
    }
    packed = tuple(
        replace(job, params=with_digests(job.params, lambda name: media.get(name) or None)) for job in jobs.values()
    )
    files = {medium.sha256: folder / medium.sha256 for job in packed for medium in job.media if medium.sha256}
    lesson.save(path, packed, files)
    return packed


def _jobs(folder: Path) -> dict[int, RecordedJob]:
    """Read the lines of a folder; one that was cut off is left out."""
    jobs: dict[int, RecordedJob] = {}
    kept: dict[int, dict[int, Medium]] = {}
    with (folder / _LOG).open("rb") as file:
        for line in file:
            try:
                entry = json.loads(line)
                number = entry.get("n")
                if "job" in entry:
                    jobs[number] = job_from(entry["job"])
                elif "sample" in entry:
                    told = job_from({"tool": "video", "parameters": {}, "answers": [entry["sample"]]}).answers
                    jobs[number] = replace(jobs[number], answers=(*jobs[number].answers, *told))
                elif "medium" in entry:
                    index, digest, mime, size = entry["medium"]
                    if (folder / digest).stat().st_size == size:
                        kept.setdefault(number, {})[index] = Medium(digest, mime, size)
                elif "dropped" in entry:
                    jobs.pop(number, None)
            except (AttributeError, KeyError, OSError, TypeError, ValueError, WrongContentError):
                continue
    return {number: _with_media(job, kept.get(number, {})) for number, job in sorted(jobs.items())}


def _with_media(job: RecordedJob, kept: dict[int, Medium]) -> RecordedJob:
    media = tuple(
        medium if found is None else replace(medium, sha256=found.sha256, mime=found.mime, size=found.size)
        for medium, found in ((medium, kept.get(index)) for index, medium in enumerate(job.media))
    )
    return replace(job, media=media)


def abandoned(path: Path) -> list[Path]:
    """Return the folders of recordings of a file whose processes have ended without packing them, oldest first."""
    folders = sorted(path.parent.glob(f"{_escaped(path.name)}.part-*"), key=lambda folder: folder.stat().st_mtime)
    return [folder for folder in folders if _is_abandoned(folder)]


def _is_abandoned(folder: Path) -> bool:
    try:
        with (folder / _LOG).open("rb") as file:
            process = json.loads(file.readline())["process"]
        return lives(str(process)) is False
    except (KeyError, OSError, TypeError, ValueError):
        return False


def _escaped(name: str) -> str:
    return "".join(f"[{character}]" if character in "[*?" else character for character in name)


def recover(path: Path) -> list[Path]:
    """Pack what processes that were killed had recorded.

    Args:
        path: the file that they would have made.

    Returns:
        The files: the path itself where there was none, otherwise ones beside it.
    """
    made = []
    for folder in abandoned(path):
        target, number = path, 0
        while target.exists():
            number += 1
            target = path.with_name(f"{path.stem}-recovered-{number}{path.suffix}")
        if pack(folder, target):
            made.append(target)
        else:
            target.unlink()
        shutil.rmtree(folder, ignore_errors=True)
    return made
