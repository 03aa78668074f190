"""The generated media of the sandbox: files, and URLs that can't be guessed."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from ..model.tools import Tool
from .results import value

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .artifact import Artifact

__all__ = ["Library", "Published"]


@dataclass(slots=True)
class Published:
    """A file with a URL."""

    artifact: Artifact
    job_id: str
    words: str | None
    gone: int | None = None  # the HTTP status after the URL has expired


class Library:
    """Renders each medium once, and publishes it under a new URL for each job.

    Args:
        folder: the folder of the files.
        canned: use one small medium for all jobs of a tool, for benchmarks without the rendering.
    """

    def __init__(self, folder: Path, *, canned: bool) -> None:
        self.origin = ""
        self._folder = folder
        self._canned = canned
        self._made: dict[str, Future[Artifact]] = {}
        self._published: dict[str, Published] = {}
        self._lock = threading.Lock()

    def make(self, tool: Tool, params: Mapping[str, Any]) -> tuple[Artifact, ...]:
        """Render the media of one generation. Runs in a worker thread.

        Raises:
            Exception: rendering failed. The next call tries again.
        """
        if tool is Tool.STT:
            return ()
        if self._canned:
            params = _CANNED[tool]
        count = int(value(tool, params, "n")) if tool is Tool.IMAGE else 1
        source = self._source(tool, params)
        return tuple(self._make_one(tool, params, index, source) for index in range(count))

    def _make_one(self, tool: Tool, params: Mapping[str, Any], index: int, source: bytes | None) -> Artifact:
        from .studio import render

        recipe = json.dumps([tool.value, index, dict(params)], sort_keys=True).encode() + (source or b"")
        name = hashlib.sha256(recipe).hexdigest()[:32]
        with self._lock:
            known = self._made.get(name)
            mine: Future[Artifact] = Future()
            if known is None:
                self._made[name] = mine
        if known is not None:
            return known.result()
        try:
            made = render(tool, params, index=index, source=source, target=self._folder / name)
        except BaseException as problem:
            with self._lock:
                del self._made[name]
            mine.set_exception(problem)
            raise
        mine.set_result(made)
        return made

    def publish(self, artifact: Artifact, job_id: str, words: str | None = None) -> str:
        """Return a new URL for a file.

        Args:
            artifact: the file.
            job_id: the job of the result.
            words: the spoken text, for a transcription of it.
        """
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._published[token] = Published(artifact, job_id, words)
        return f"{self.origin}/media/{token}/output{artifact.suffix}"

    def find(self, token: str) -> Published | None:
        """Return the published file of a URL's token."""
        return self._published.get(token)

    def expire(self, job_id: str | None, status: int) -> int:
        """Let URLs expire, and return how many."""
        with self._lock:
            chosen = [item for item in self._published.values() if item.gone is None and job_id in (None, item.job_id)]
            for item in chosen:
                item.gone = status
        return len(chosen)

    def words_of(self, url: str) -> tuple[str, float | None] | None:
        """Return the spoken text of a medium of this sandbox, and its length in seconds."""
        found = self._own(url)
        return None if found is None or found.words is None else (found.words, found.artifact.seconds)

    def bytes_of(self, address: object) -> bytes | None:
        """Return the bytes of a data URI or of a medium of this sandbox. Nothing is downloaded."""
        if not isinstance(address, str):
            return None
        if address.startswith("data:"):
            head, _, payload = address.partition(",")
            try:
                return base64.b64decode(payload) if head.endswith(";base64") else unquote_to_bytes(payload)
            except (binascii.Error, ValueError):
                return None
        found = self._own(address)
        return found.artifact.content() if found else None

    def _own(self, url: str) -> Published | None:
        start = f"{self.origin}/media/"
        return self._published.get(url[len(start) :].partition("/")[0]) if url.startswith(start) else None

    def _source(self, tool: Tool, params: Mapping[str, Any]) -> bytes | None:
        if tool is Tool.IMAGE_EDIT:
            return self.bytes_of(params.get("image"))
        if tool is Tool.VIDEO and params.get("mode") == "image_to_video":
            return self.bytes_of(params.get("source_image"))
        return None


_CANNED: Mapping[Tool, Mapping[str, Any]] = {
    Tool.VIDEO: {"prompt": "A canned video", "duration_seconds": 1},
    Tool.MUSIC: {"prompt": "Canned music", "duration_seconds": 2},
    Tool.IMAGE: {"prompt": "A canned image", "size": "512x512"},
    Tool.IMAGE_EDIT: {"prompt": "A canned edit"},
    Tool.TTS: {"input": "Canned speech."},
}
