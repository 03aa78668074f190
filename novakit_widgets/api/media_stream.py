"""Open a result's media as a stream of bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ..errors import MediaError, NovaKitError
from ..model.media import is_web_address
from ..runtime.clock import utc_now
from ..runtime.loop import here, run
from .answers import retry_after
from .requests import release
from .transfers import MediaStream

if TYPE_CHECKING:
    from .connections import Connections

__all__ = ["open_stream"]

_MAX_DIGITS = 18  # of a size in bytes


@asynccontextmanager
async def open_stream(
    connections: Connections, url: str, *, start: int, version: str | None
) -> AsyncIterator[MediaStream]:
    """Request media on the job loop, and yield the answer on the caller's loop; see `NovaKitClient.open_media`."""
    if here():
        async with _opened(connections, url, start, version) as stream:
            yield stream
        return
    opened = _opened(connections, url, start, version)
    stream = await run(opened.__aenter__)
    try:
        yield replace(stream, chunks=_on_this_loop(stream.chunks))
    except BaseException as error:
        if not await run(partial(opened.__aexit__, type(error), error, error.__traceback__)):
            raise
    else:
        await run(lambda: opened.__aexit__(None, None, None))


@asynccontextmanager
async def _opened(connections: Connections, url: str, start: int, version: str | None) -> AsyncIterator[MediaStream]:
    if not is_web_address(url):
        raise MediaError("The result's address is no http or https URL, so it was not fetched.")
    import httpx

    # No compression: a range counts the bytes of the file itself.
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", **({} if version is None else {"If-Range": version})}
    failure: str
    opened = False
    try:
        async with connections.lent() as http, http.to(url).stream("GET", url, headers=headers) as response:
            opened = True
            try:
                yield MediaStream(
                    response.status_code,
                    response.headers.get("content-type", "").partition(";")[0].strip().lower(),
                    _total_of(response.headers),
                    response.aiter_bytes(),
                    _first_of(response.headers),
                    _version_of(response.headers),
                    retry_after(response.headers, None, now=utc_now),
                )
                return
            finally:
                await release(response)
    except httpx.HTTPError as error:
        failure = type(error).__name__
    except httpx.InvalidURL:
        failure = "invalid URL"
    except Exception as error:
        if opened or isinstance(error, NovaKitError):
            raise  # from the code that reads the stream; or it says what it means
        # Such as no thread to look up a host name.
        failure = "invalid host name" if isinstance(error, UnicodeError) else f"{type(error).__name__}: {error}"
    raise MediaError(f"The result could not be fetched ({failure}). The job has ended; fetching again costs nothing.")


async def _on_this_loop(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield chunks on the running loop that are read on the job loop."""

    async def following() -> bytes | None:
        return await anext(chunks, None)

    while (chunk := await run(following)) is not None:
        yield chunk


def _total_of(headers: Mapping[str, str]) -> int | None:
    """Return the size of the whole file: the number after the slash of Content-Range, or Content-Length."""
    if headers.get("content-encoding", "identity") != "identity":
        return None  # compressed all the same, so the sizes do not count the bytes that are read
    size = headers.get("content-range", "").rpartition("/")[2] or headers.get("content-length", "")
    return _bytes_of(size)


def _first_of(headers: Mapping[str, str]) -> int | None:
    """Return the first byte of a partial answer: 100 for "bytes 100-199/200"."""
    first = headers.get("content-range", "").removeprefix("bytes ").partition("-")[0].strip()
    return _bytes_of(first)


def _version_of(headers: Mapping[str, str]) -> str | None:
    """Return the file's strong ETag or its date of change. A weak ETag may stay the same when the bytes change."""
    tag = headers.get("etag", "")
    return tag if tag.startswith('"') else headers.get("last-modified") or None


def _bytes_of(number: str) -> int | None:
    """Parse a size in bytes; ``None`` if it is no number, or has more digits than any file's size."""
    return int(number) if number.isdecimal() and len(number) <= _MAX_DIGITS else None
