"""Getting a result's media from where the service keeps them: into memory, bounded, or into a file."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import secrets
import shutil
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from ..errors import MediaError, MediaExpiredError
from ..model.media import fits, sniff, suffix_of
from ..runtime.paths import expanded
from .transfers import OpensMedia, pieces_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from ..model.job import Job
    from ..model.media import MediaKind

__all__ = ["fetch", "save", "save_all", "stem_of"]

MAX_FILE_BYTES = 4_000_000_000  # a limit for accidents, not for results
_TEXT_SUFFIXES = {"srt": ".srt", "vtt": ".vtt"}  # by the service's response_format
_ABANDONED_SECONDS = 86_400.0  # since the last byte; a download that is under way pauses for seconds
_HEAD_BYTES = 16  # what `sniff` wants to see
_NAMES: Mapping[MediaKind, str] = {"video": "a video", "audio": "sound", "image": "a picture"}


class KnowsJobs(OpensMedia, Protocol):
    """What renewing an address needs besides."""

    async def get(self, job_id: str) -> Job:
        """Ask for one job."""
        ...


async def fetch(
    client: OpensMedia,
    url: str,
    *,
    limit: int,
    kind: MediaKind | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> tuple[bytes, str] | None:
    """Get media into memory.

    Args:
        client: makes the requests, without the key.
        url: http or https.
        limit: bytes at most.
        kind: what it should be; ``None`` for any media.
        sleep: waits some seconds before what broke off is taken up again.

    Returns:
        The bytes and the MIME type that they have; ``None`` when there are more than ``limit``.

    Raises:
        MediaExpiredError: the address is no longer served.
        MediaError: it can't be fetched, or is not what it should be.
    """
    content = bytearray()
    mime: str | None = None
    # Closed at once when we stop in the middle, so that no connection waits for the garbage collector.
    async with contextlib.aclosing(pieces_of(client, url, sleep=sleep)) as pieces:
        async for place, chunk, total in pieces:
            del content[place:]
            content += chunk
            if len(content) > limit or (total or 0) > limit:
                return None
    mime = _checked(bytes(content[:_HEAD_BYTES]), kind)
    return bytes(content), mime


async def save(
    client: OpensMedia,
    url: str,
    path: str | Path,
    *,
    stem: str | None = None,
    kind: MediaKind | None = None,
    on_progress: Callable[[int, int | None], None] | None = None,
    limit: int = MAX_FILE_BYTES,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Path:
    """Get media into a file: under a temporary name until all of it is there and is what it should be.

    A connection that breaks, or a host that can't for the moment, is tried again: from where it broke, or from the beginning where
    the host does not go on with the same file. The name is ours or the caller's, never the service's.

    Args:
        client: makes the requests, without the key.
        url: http or https.
        path: the file to make (one that exists is replaced), or an existing folder to make one in.
        stem: the file's name in a folder, without its ending.
        kind: see `fetch`.
        on_progress: called with the bytes that are there and, where known, the bytes that there will be.
        limit: bytes at most.
        sleep: see `fetch`.

    Returns:
        The file.

    Raises:
        MediaExpiredError: the address is no longer served.
        MediaError: it can't be fetched, is not what it should be, or is larger than ``limit``; nothing was left behind.
        OSError: it can't be written; nothing was left behind.
    """
    target = expanded(path)
    in_folder = target.is_dir()
    folder = target if in_folder else target.parent
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".novakit-{secrets.token_hex(8)}.part"
    try:
        with part.open("xb") as file:
            _remove_abandoned(part)
            async with contextlib.aclosing(pieces_of(client, url, sleep=sleep)) as pieces:
                mime = await _write(file, pieces, limit, kind, on_progress)
        if in_folder:
            target = folder / f"{stem or _stem_of(url)}{suffix_of(mime)}"
        part.replace(target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
    return target


def _remove_abandoned(part: Path) -> None:
    """Remove unfinished files of processes that were killed, which nobody has written to for a day.

    Args:
        part: a new file in the same folder: its time is by the same clock, also where that is a server's.
    """
    now = part.stat().st_mtime
    for other in part.parent.glob(".novakit-*.part"):
        with contextlib.suppress(OSError):  # another process may remove it first
            if now - other.stat().st_mtime > _ABANDONED_SECONDS:
                other.unlink()


async def _write(
    file: BinaryIO,
    pieces: AsyncIterator[tuple[int, bytes, int | None]],
    limit: int,
    kind: MediaKind | None,
    on_progress: Callable[[int, int | None], None] | None,
) -> str:
    """Write what comes, and return its type; what is too large or something else is refused as soon as that shows."""
    head = b""
    size = furthest = 0
    async for place, chunk, total in pieces:
        if place < size:  # from the beginning again
            file.seek(place)
            file.truncate()
            head, size = head[:place], place
        size += len(chunk)
        if size > limit or (total or 0) > limit:
            raise MediaError(f"The result is larger than {limit / 1e6:,.0f} MB, so it was not saved.")
        if len(head) < _HEAD_BYTES:
            head = (head + chunk)[:_HEAD_BYTES]
            if len(head) == _HEAD_BYTES:
                _checked(head, kind)
        file.write(chunk)
        if on_progress is not None and size > furthest:
            on_progress(size, total)
        furthest = max(size, furthest)
    return _checked(head, kind)


def _checked(head: bytes, kind: MediaKind | None) -> str:
    mime = sniff(head)
    if mime is None:
        raise MediaError(
            "What the result's address serves is no video, sound or image (an error page, perhaps), so it was not kept.",
            int(HTTPStatus.OK),
        )
    if kind is not None and not fits(mime, kind):
        raise MediaError(
            f"The result should be {_NAMES[kind]}, but its address serves a picture (of an error, perhaps), so it was not kept.",
            int(HTTPStatus.OK),
        )
    return mime


def _stem_of(url: str) -> str:
    return f"novakit-{hashlib.sha256(url.encode()).hexdigest()[:12]}"


async def save_all(
    client: KnowsJobs,
    job: Job,
    path: str | Path,
    *,
    on_progress: Callable[[int, int | None], None] | None = None,
    held: Sequence[bytes | Path | None] = (),
    before: str = "",
) -> list[Path]:
    """Save all media of a finished job; of one whose result is words, these.

    Args:
        client: makes the requests, without the key.
        job: a completed job.
        path: a folder, which is made where its name has no ending; or a file where there is one result only.
        on_progress: see `save`.
        held: those of the media that are on this machine already, as bytes or as a file, in the result's order. They are not
            fetched again: their address may be served no longer.
        before: what the names in a folder begin with.

    Returns:
        The files, in the result's order.

    Raises:
        MediaError: there is nothing to save, or the media can't be fetched, or there are several for one file.
        OSError: a file can't be written.
    """
    target = expanded(path)
    if not job.media and job.text is None:
        raise MediaError(f"{job.id or 'The job'} has no media to save; job.output has what there is.")
    if target.is_dir() or not target.suffix:
        target.mkdir(parents=True, exist_ok=True)
    elif len(job.media) > 1:
        raise MediaError(
            f"There are {len(job.media)} results, and {target.name!r} is one file. Save them into a folder: "
            f"save({str(target.with_suffix(''))!r}); or one of them: job.media[0].save({str(target)!r})."
        )
    if not job.media and job.text is not None:
        words = job.text.encode("utf-8", "replace")
        suffix = _TEXT_SUFFIXES.get(str((job.params or {}).get("response_format")), ".txt")
        return [await asyncio.to_thread(_put, words, target, f"{before}{stem_of(job)}", suffix)]
    files = []
    for index in range(len(job.media)):
        stem, url, kind = f"{before}{stem_of(job)}-{index + 1}", job.media[index].url, job.media[index].kind
        here = held[index] if index < len(held) else None
        if isinstance(here, bytes) or (here is not None and here.is_file()):
            files.append(await asyncio.to_thread(_put, here, target, stem))
            continue
        try:
            file = await save(client, url, target, stem=stem, kind=kind, on_progress=on_progress)
        except MediaExpiredError as error:
            job = await _renewed(client, job, error)
            file = await save(client, job.media[index].url, target, stem=stem, kind=kind, on_progress=on_progress)
        files.append(file)
    return files


def _put(content: bytes | Path, target: Path, stem: str, suffix: str | None = None) -> Path:
    """Write what is on this machine already, under a temporary name until all of it is there."""
    in_folder = target.is_dir()
    folder = target if in_folder else target.parent
    folder.mkdir(parents=True, exist_ok=True)
    if in_folder and suffix is None:
        suffix = content.suffix if isinstance(content, Path) else suffix_of(sniff(content[:_HEAD_BYTES]) or "")
    if in_folder:
        target = folder / f"{stem}{suffix}"
    if isinstance(content, Path) and target.exists() and target.samefile(content):
        return target
    part = folder / f".novakit-{secrets.token_hex(8)}.part"
    try:
        if isinstance(content, Path):
            shutil.copyfile(content, part)
        else:
            part.write_bytes(content)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


async def _renewed(client: KnowsJobs, job: Job, expired: MediaExpiredError) -> Job:
    """Ask the service for the job once more: it may have new addresses for the same media.

    Raises:
        MediaExpiredError: it has not.
    """
    if job.id is None:
        raise expired
    fresh = await client.get(job.id)
    if len(fresh.media) != len(job.media) or fresh.media == job.media:
        raise expired
    return fresh


def stem_of(job: Job) -> str:
    """Return a file name for a job's results, without an ending: the id where that is fit for it, otherwise a digest.

    Example:
        >>> from novakit_widgets import Job
        >>> stem_of(Job("job_abc123", "completed")), stem_of(Job("../../etc/passwd", "completed"))[:8]
        ('novakit-job_abc123', 'novakit-')
    """
    name = job.id or ""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
        name = hashlib.sha256(repr((job.id, job.output)).encode()).hexdigest()[:12]
    return f"novakit-{name}"
