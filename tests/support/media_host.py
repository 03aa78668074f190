"""A media host that breaks off, for tests of downloads."""

from __future__ import annotations

from contextlib import asynccontextmanager

from novakit_widgets.api.transfers import MediaStream
from novakit_widgets.errors import MediaError

MOVIE = b"\0\0\0\x18ftypisom" + bytes(range(256)) * 40


class Host:
    """A media host that breaks off: each entry is how many bytes a connection gives before it does."""

    def __init__(self, content=MOVIE, *, gives=(), ranges=True, total=True, status=200):
        self.content, self.gives, self.ranges, self.total, self.status = content, list(gives), ranges, total, status
        self.starts = []
        self.open = 0

    @asynccontextmanager
    async def open_media(self, url, *, start=0, version=None):
        self.starts.append(start)
        self.open += 1
        begin = start if self.ranges else 0
        gives = self.gives.pop(0) if self.gives else None
        end = len(self.content) if gives is None else begin + gives

        async def chunks():
            for at in range(begin, min(end, len(self.content)), 100):
                yield self.content[at : min(at + 100, end)]
            if gives is not None:
                raise MediaError("The connection broke.")

        status = 206 if start and self.ranges else self.status
        try:
            yield MediaStream(status, "video/mp4", len(self.content) if self.total else None, chunks())
        finally:
            self.open -= 1


def files(folder):
    """Name what is in a folder, hidden files included."""
    return sorted(file.name for file in folder.iterdir() if file.name != "history.sqlite3")
