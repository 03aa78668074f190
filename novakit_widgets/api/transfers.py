"""Download the bytes of an address, with resumed connections, and never mix two files."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from ..config import settings
from ..errors import MediaError, MediaExpiredError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager


__all__ = ["MediaStream", "OpensMedia", "is_expired", "pieces_of"]

_PAUSES = (0.0, 0.5, 1.5, 4.0)  # seconds before each attempt: a host that restarts is back in some
# What media hosts answer for an expired address.
_EXPIRED = frozenset(
    {
        HTTPStatus.BAD_REQUEST,  # Google Cloud Storage: ExpiredToken
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,  # Amazon S3, CloudFront, Azure
        HTTPStatus.NOT_FOUND,
        HTTPStatus.GONE,
    }
)

# Answers of a host that may work a moment later. They are retried like a broken connection.
_PASSING = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_LONGEST_WAIT = 30.0  # seconds; a download fails at a longer Retry-After


@dataclass(frozen=True, slots=True)
class MediaStream:
    """An answer to a request for media, being read.

    Attributes:
        status: the HTTP status; 206 for a part of the file.
        content_type: the media type; ``""`` if the server sends none.
        total: the size of the whole file in bytes, if known.
        chunks: the bytes from the requested start.
        first: the number of the first byte, if the server sends it.
        version: the strong ETag or the date of the last change, if the server sends one.
        retry_after: the seconds of Retry-After, if the server sends it.
    """

    status: int
    content_type: str
    total: int | None
    chunks: AsyncIterator[bytes]
    first: int | None = None
    version: str | None = None
    retry_after: float | None = None


class OpensMedia(Protocol):
    """What a download needs of a `NovaKitClient`."""

    def open_media(
        self, url: str, *, start: int = 0, version: str | None = None
    ) -> AbstractAsyncContextManager[MediaStream]:
        """Request media from a byte on; see `NovaKitClient.open_media`."""
        ...


@dataclass(slots=True)
class _Progress:
    """The progress of a download over several connections.

    Attributes:
        done: the bytes that have arrived.
        total: the size of the whole file in bytes, if known.
        version: see `MediaStream`.
    """

    done: int = 0
    total: int | None = None
    version: str | None = None

    def takes(self, stream: MediaStream) -> bool:
        """Check an answer, and return whether its bytes continue the file; otherwise, the file is requested from its start.

        Raises:
            MediaError: the answer is an error, or another part of the file.
        """
        going_on = self.done > 0
        if going_on and stream.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self.done = 0  # the file has been replaced by a shorter one
            return False
        _check_status(stream.status)
        partial = stream.status == HTTPStatus.PARTIAL_CONTENT
        if partial and stream.first not in (None, self.done):
            raise MediaError("The server sent another part of the result than was asked for.")
        if going_on and partial and self._is_another(stream):
            self.done = 0
            return False
        if not partial:
            self.done = 0  # the answer is the whole file, be it the same or another one
        if not self.done:
            self.total, self.version = stream.total, stream.version
        elif self.total is None:
            self.total = stream.total
        return True

    def _is_another(self, stream: MediaStream) -> bool:
        """Return whether a part is of another file, from a host that ignores If-Range."""
        told = ((self.total, stream.total), (self.version, stream.version))
        return any(None not in (before, now) and before != now for before, now in told)


async def pieces_of(
    client: OpensMedia, url: str, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> AsyncGenerator[tuple[int, bytes, int | None], None]:
    """Yield the bytes of an address. A connection that breaks is resumed.

    Args:
        client: sends the requests, without the key.
        url: http or https.
        sleep: waits some seconds before the download is resumed.

    Yields:
        The offset of some bytes in the file, the bytes, and the size of the whole file, if known. An offset before the end of
        the earlier bytes means that the bytes from there on are replaced.

    Raises:
        MediaExpiredError: the address has expired.
        MediaError: the address can't be fetched.
    """
    known = _Progress()
    asked_to_wait = 0.0
    for attempt, pause in enumerate(_PAUSES, 1):
        if pause:
            await sleep(max(pause / settings.speed().value, asked_to_wait))
        asked_to_wait = 0.0
        try:
            async with client.open_media(url, start=known.done, version=known.version) as stream:
                asked_to_wait = (stream.retry_after or 0.0) if stream.status in _PASSING else 0.0
                if not known.takes(stream):
                    continue
                yield known.done, b"", stream.total
                async for chunk in stream.chunks:
                    yield known.done, chunk, stream.total
                    known.done += len(chunk)
                if known.total is None or known.done >= known.total:
                    return
        except MediaError as error:
            if attempt == len(_PAUSES) or not _may_pass(error, asked_to_wait):
                raise
    raise MediaError(
        "The result broke off before its end, several times. The job has ended; fetching it again costs nothing."
    )


async def is_expired(client: OpensMedia, url: str) -> bool:
    """Ask whether an address is no longer served. The media themselves are not fetched.

    Args:
        client: makes the request, without the key.
        url: http or https.

    Raises:
        MediaError: there is no answer.
    """
    async with client.open_media(url) as stream:
        return stream.status in _EXPIRED


def _may_pass(error: MediaError, asked_to_wait: float) -> bool:
    """Return whether to retry: after a broken connection, or a Retry-After of some seconds at most."""
    if error.status_code is None:
        return True
    return error.status_code in _PASSING and asked_to_wait <= _LONGEST_WAIT


def _check_status(status: int) -> None:
    if status in _EXPIRED:
        raise MediaExpiredError(
            f"The result's address is no longer served ({status}). Such addresses are temporary; what was saved stays.",
            status,
        )
    if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        raise MediaError(f"The result could not be fetched ({status}). Fetching it again costs nothing.", status)
