"""Getting a result's media from where the service keeps them: into memory, bounded, or into a file."""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from .errors import MediaError, MediaExpiredError
from .media import sniff, suffix_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from .client import MediaStream
    from .jobs import Job

__all__ = ["fetch", "save", "save_all", "stem_of"]

MAX_FILE_BYTES = 4_000_000_000  # a limit for accidents, not for results
_ATTEMPTS = 4  # breaks that one download survives
_TEXT_SUFFIXES = {"srt": ".srt", "vtt": ".vtt"}  # by the service's response_format
_HEAD_BYTES = 16  # what `sniff` wants to see
# What media hosts answer for an address whose time is over.
_EXPIRED = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


class OpensMedia(Protocol):
    """What a download needs of a `NovaKitClient`."""

    def open_media(self, url: str, *, start: int = 0) -> AbstractAsyncContextManager[MediaStream]:
        """Request media from a byte on."""
        ...


class KnowsJobs(OpensMedia, Protocol):
    """What renewing an address needs besides."""

    async def get(self, job_id: str) -> Job:
        """Ask for one job."""
        ...


async def fetch(client: OpensMedia, url: str, *, limit: int) -> tuple[bytes, str] | None:
    """Get media into memory.

    Args:
        client: makes the requests, without the key.
        url: http or https.
        limit: bytes at most.

    Returns:
        The bytes and the MIME type that they have; ``None`` when there are more than ``limit``.

    Raises:
        MediaExpiredError: the address is no longer served.
        MediaError: it can't be fetched, or is no media.
    """
    content = bytearray()
    mime: str | None = None
    # Closed at once when we stop in the middle, so that no connection waits for the garbage collector.
    async with contextlib.aclosing(_pieces(client, url)) as pieces:
        async for chunk, total in pieces:
            content += chunk
            if len(content) > limit or (total or 0) > limit:
                return None
    mime = _checked(bytes(content[:_HEAD_BYTES]))
    return bytes(content), mime


async def save(
    client: OpensMedia,
    url: str,
    path: str | Path,
    *,
    stem: str | None = None,
    on_progress: Callable[[int, int | None], None] | None = None,
    limit: int = MAX_FILE_BYTES,
) -> Path:
    """Get media into a file: under a temporary name until all of it is there and is what it should be.

    A connection that breaks is taken up again where it broke. The name is ours or the caller's, never the service's.

    Args:
        client: makes the requests, without the key.
        url: http or https.
        path: the file to make (one that exists is replaced), or an existing folder to make one in.
        stem: the file's name in a folder, without its ending.
        on_progress: called with the bytes that are there and, where known, the bytes that there will be.
        limit: bytes at most.

    Returns:
        The file.

    Raises:
        MediaExpiredError: the address is no longer served.
        MediaError: it can't be fetched, is no media, or is larger than ``limit``; nothing was left behind.
        OSError: it can't be written; nothing was left behind.
    """
    target = Path(path).expanduser()
    in_folder = target.is_dir()
    folder = target if in_folder else target.parent
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".novakit-{secrets.token_hex(8)}.part"
    try:
        with part.open("xb") as file:
            async with contextlib.aclosing(_pieces(client, url)) as pieces:
                mime = await _write(file, pieces, limit, on_progress)
        if in_folder:
            target = folder / f"{stem or _stem_of(url)}{suffix_of(mime)}"
        part.replace(target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
    return target


async def _write(
    file: BinaryIO,
    pieces: AsyncGenerator[tuple[bytes, int | None], None],
    limit: int,
    on_progress: Callable[[int, int | None], None] | None,
) -> str:
    """Write what comes, and return its type; what is too large or no media is refused as soon as that shows."""
    head = b""
    size = 0
    async for chunk, total in pieces:
        size += len(chunk)
        if size > limit or (total or 0) > limit:
            raise MediaError(f"The result is larger than {limit / 1e6:,.0f} MB, so it was not saved.")
        if len(head) < _HEAD_BYTES:
            head = (head + chunk)[:_HEAD_BYTES]
            if len(head) == _HEAD_BYTES:
                _checked(head)
        file.write(chunk)
        if on_progress is not None:
            on_progress(size, total)
    return _checked(head)


async def _pieces(client: OpensMedia, url: str) -> AsyncGenerator[tuple[bytes, int | None], None]:
    """Yield the bytes of an address in order, and the size of the whole, over as many connections as it takes."""
    done = 0
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            async with client.open_media(url, start=done) as stream:
                _check_status(stream.status)
                skip = done if done and stream.status != HTTPStatus.PARTIAL_CONTENT else 0
                if stream.status == HTTPStatus.PARTIAL_CONTENT and stream.first not in (None, done):
                    raise MediaError("The server sent another part of the result than was asked for.")
                async for chunk in stream.chunks:
                    fresh = chunk[skip:] if skip else chunk
                    skip = max(0, skip - len(chunk))
                    if fresh:
                        done += len(fresh)
                        yield fresh, stream.total
                if stream.total is None or done >= stream.total:
                    return
        except MediaError as error:
            if isinstance(error, MediaExpiredError) or error.status_code is not None or attempt == _ATTEMPTS:
                raise
    raise MediaError(
        "The result broke off before its end, several times. The job has ended; fetching it again costs nothing."
    )


def _check_status(status: int) -> None:
    if status in _EXPIRED:
        raise MediaExpiredError(
            f"The result's address is no longer served ({status}). Such addresses are temporary; what was saved stays.",
            status,
        )
    if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        raise MediaError(f"The result could not be fetched ({status}). Fetching it again costs nothing.", status)


def _checked(head: bytes) -> str:
    mime = sniff(head)
    if mime is None:
        raise MediaError(
            "What the result's address serves is no video, sound or image (an error page, perhaps), so it was not kept.",
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
    before: str = "",
) -> list[Path]:
    """Save all media of a finished job; of one whose result is words, these.

    Args:
        client: makes the requests, without the key.
        job: a completed job.
        path: a folder, which is made where its name has no ending; or a file where there is one result only.
        on_progress: as for `save`.
        before: what the names in a folder begin with.

    Returns:
        The files, in the result's order.

    Raises:
        MediaError: there is nothing to save, or the media can't be fetched, or there are several for one file.
        OSError: a file can't be written.
    """
    target = Path(path).expanduser()
    if not job.media and job.text is not None:
        return [_save_text(job, job.text, target, before)]
    if not job.media:
        raise MediaError(f"{job.id or 'The job'} has no media to save; job.text and job.output have what there is.")
    if target.is_dir() or not target.suffix:
        target.mkdir(parents=True, exist_ok=True)
    elif len(job.media) > 1:
        raise MediaError(f"There are {len(job.media)} results, so {target.name!r} should be a folder.")
    files = []
    for index in range(len(job.media)):
        stem = f"{before}{stem_of(job)}-{index + 1}"
        try:
            file = await save(client, job.media[index].url, target, stem=stem, on_progress=on_progress)
        except MediaExpiredError as error:
            job = await _renewed(client, job, error)
            file = await save(client, job.media[index].url, target, stem=stem, on_progress=on_progress)
        files.append(file)
    return files


def _save_text(job: Job, text: str, target: Path, before: str) -> Path:
    if target.is_dir() or not target.suffix:
        wanted = (job.params or {}).get("response_format")
        target /= f"{before}{stem_of(job)}{_TEXT_SUFFIXES.get(str(wanted), '.txt')}"
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.parent / f".novakit-{secrets.token_hex(8)}.part"
    try:
        part.write_text(text, encoding="utf-8", errors="replace", newline="")
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
