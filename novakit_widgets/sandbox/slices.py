"""Serve a part of a larger file, by ranges, without reading all of it."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from starlette.responses import Response, StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from starlette.types import Receive, Scope, Send

    from .artifact import Artifact

__all__ = ["Slice", "wanted"]

_CHUNK = 256 * 1024
_DIGITS = 18


class Slice(Response):
    """An answer with one file that is stored inside another.

    Args:
        artifact: where it is.
        headers: further headers of the answer.
    """

    def __init__(self, artifact: Artifact, headers: Mapping[str, str]) -> None:
        super().__init__()
        self._artifact = artifact
        self._more = dict(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        made = self._artifact
        size = made.size or 0
        asked = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"range"), "")
        span = wanted(asked, size)
        headers = {**self._more, "Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff"}
        if span is None:
            await Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})(
                scope, receive, send
            )
            return
        first, last = span
        headers["Content-Length"] = str(last - first + 1)
        if partial := bool(asked) and span != (0, size - 1):
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        status = 206 if partial else 200
        if scope["method"] == "HEAD":
            await Response(status_code=status, headers=headers, media_type=made.mime)(scope, receive, send)
            return
        pieces = self._pieces(first, last)
        await StreamingResponse(pieces, status, headers, made.mime)(scope, receive, send)

    async def _pieces(self, first: int, last: int) -> AsyncIterator[bytes]:
        file = await asyncio.to_thread(self._artifact.path.open, "rb")
        try:
            await asyncio.to_thread(file.seek, self._artifact.offset + first)
            left = last - first + 1
            while left > 0:
                piece = await asyncio.to_thread(file.read, min(_CHUNK, left))
                if not piece:
                    raise OSError(f"{self._artifact.path} has become shorter.")
                left -= len(piece)
                yield piece
        finally:
            file.close()


def wanted(header: str, size: int) -> tuple[int, int] | None:
    """Return the first and the last byte that a ``Range`` header asks for; ``None`` where there are no such bytes.

    A header that is empty or has several ranges asks for the whole file.

    Example:
        >>> wanted("bytes=2-4", 10), wanted("bytes=-3", 10), wanted("bytes=8-", 10), wanted("", 10), wanted("bytes=10-", 10)
        ((2, 4), (7, 9), (8, 9), (0, 9), None)
    """
    found = re.fullmatch(rf"bytes=(\d{{0,{_DIGITS}}})-(\d{{0,{_DIGITS}}})", header.strip())
    if found is None or found[1] == found[2] == "":
        return 0, size - 1
    if found[1] == "":
        return (max(0, size - int(found[2])), size - 1) if int(found[2]) else None
    first, last = int(found[1]), min(int(found[2]) if found[2] else size - 1, size - 1)
    return (first, last) if first <= last else None
