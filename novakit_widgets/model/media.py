"""A result's URL, type, bytes and file, and the HTML that plays it. No job logic."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from ..runtime.hooks import action
from .parsing import number, readable
from .tools import MediaKind, Tool

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Caller", "Media", "MediaKind", "find_media", "find_text", "fits", "is_web_address", "sniff"]


class Caller(Protocol):
    """What saving needs of a `NovaKitClient`: it fetches media, and asks for a job whose addresses have expired."""

    async def aclose(self) -> None:
        """Close its connections."""
        ...


_MOST_PIXELS = 100_000  # of one side; larger sizes are ignored
_LINES = 720  # documented: of the default resolution
# Types that the standard library takes from the operating system's table, which may lack them.
_MIME_OF_SUFFIX = {
    ".aac": "audio/aac",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".webp": "image/webp",
}
_SUFFIX_OF_MIME = {
    "audio/aac": ".aac",
    "audio/flac": ".flac",
    "audio/mp4": ".m4a",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "audio/wav": ".wav",
    "image/gif": ".gif",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
}
_LIKELY_MIME: Mapping[MediaKind, str] = {"video": "video/mp4", "audio": "audio/mpeg", "image": "image/png"}


@dataclass(frozen=True, slots=True)
class Media:
    """One video, sound or image of a result.

    Attributes:
        url: the address, http or https. It is temporary: save what you want to keep.
        kind: ``"video"``, ``"audio"`` or ``"image"``.
        width: in pixels, if the service reports it; for a video otherwise that of the requested shape.
        height: in pixels.
        seconds: the duration, if the service reports it.
        caption: a text from the service, such as a revised prompt.
        job_id: the id of the job, if known.
        number: the position among the job's media, from 0.

    Example:
        >>> media = Media("https://cdn.example/clip.webm?sig=1", "video")
        >>> media.mime, media.suffix
        ('video/webm', '.webm')
    """

    url: str
    kind: MediaKind
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    caption: str | None = None
    job_id: str | None = field(default=None, compare=False)
    number: int = field(default=0, compare=False)

    def _repr_mimebundle_(self, **_kwargs: Any) -> dict[str, str]:
        """Return the MIME bundle for a notebook. No request is sent."""
        bundle: dict[str, str] = action("show_media")(self)
        return bundle

    @property
    def mime(self) -> str:
        """The MIME type by the URL; `sniff` tells it by the bytes."""
        guess = _mime_of_path(self.url)
        return guess if guess and guess.startswith(self.kind) else _LIKELY_MIME[self.kind]

    @property
    def suffix(self) -> str:
        """The file extension for the MIME type, such as ``".mp4"``."""
        return suffix_of(self.mime)

    def save(
        self,
        path: str | Path = ".",
        *,
        client: Caller | None = None,
        on_progress: Callable[[int, int | None], None] | None = None,
    ) -> Path:
        """Save the media, and block until they are saved.

        Args:
            path: an existing folder, or the file to write.
            client: sends the request, without the key; default: a client with the settings.
            on_progress: called with the bytes so far, and with the size of the file or ``None`` if it is unknown.

        Returns:
            The file.

        Raises:
            MediaExpiredError: the address has expired; `Job.save` requests a new one.
            MediaError: the media can't be fetched, or have another type than the service reported.
            OSError: the file can't be written.

        Example:
            >>> job.media[0].save("sunset.mp4")  # doctest: +SKIP
        """
        saved: Path = action("save_media")(self, path, client=client, on_progress=on_progress)
        return saved


def suffix_of(mime: str) -> str:
    """Return the file extension for a MIME type, such as ``".mp4"``; ``".bin"`` for an unknown type."""
    return _SUFFIX_OF_MIME.get(mime, ".bin")


def is_web_address(text: object) -> bool:
    """Whether something is an absolute http or https URL with a host.

    Example:
        >>> is_web_address("https://cdn.example/a.mp4"), is_web_address("javascript:alert(1)")
        (True, False)
    """
    if not isinstance(text, str) or any(ord(character) <= ord(" ") for character in text):
        return False
    try:
        text.encode()  # JSON can hold halves of characters, which no request can
        parts = urlsplit(text)
        _ = parts.port  # a ValueError where it is none
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def find_media(
    output: object, *, tool: str | None = None, ratio: object = None, job_id: str | None = None
) -> tuple[Media, ...]:
    """Find the media in a result, in any of the shapes that the service is known to use.

    Args:
        output: a job's ``outputData`` or the whole answer of a generation answered at once.
        tool: the job's tool; says what a bare ``url`` is.
        ratio: the ``aspect_ratio`` that was asked for, such as ``"16:9"``: the shape of a video that does not tell its own.
        job_id: the service's id of the job.

    Returns:
        What has a http or https URL, in the service's order, each URL once. Anything else in the result stays
        in ``job.output``.
    """
    found: dict[str, Media] = {}
    made_by = Tool.known(tool)
    for media in _walk(output, None if made_by is None else made_by.facts.media):
        if media.url not in found:
            found[media.url] = replace(_shaped(media, ratio), job_id=job_id, number=len(found))
    return tuple(found.values())


def _shaped(media: Media, ratio: object) -> Media:
    """Give a video the shape that was asked for, so that a page can keep its place free before it has loaded."""
    if media.kind != "video" or media.width or media.height:
        return media
    found = re.fullmatch(r"(\d{1,2}):(\d{1,2})", ratio) if isinstance(ratio, str) else None
    wide, high = (int(found[1]), int(found[2])) if found else (16, 9)  # documented: the default
    if not wide or not high:
        return media
    height = _LINES if wide >= high else _LINES * high // wide
    return replace(media, width=round(height * wide / high), height=height)


def find_text(output: object) -> str | None:
    """Find the text of a transcription in a result."""
    for body in _bodies(output):
        text = body.get("text")
        if isinstance(text, str):
            return readable(text)
    return None


def _bodies(output: object) -> Iterator[Mapping[str, Any]]:
    """Yield the result and what it wraps in ``data``."""
    if isinstance(output, Mapping):
        yield output
        data = output.get("data")
        if isinstance(data, Mapping):
            yield data


def _walk(output: object, kind: MediaKind | None) -> Iterator[Media]:
    if isinstance(output, list | tuple):
        yield from _items(output, kind or "image")
        return
    for body in _bodies(output):
        yield from _one(body.get("video"), "video", body)
        yield from _one(body.get("video_url"), "video", body)
        yield from _one(body.get("audio"), "audio", body)
        yield from _one(body.get("audio_url"), "audio", body)
        yield from _one(body.get("image"), "image", body)
        yield from _items(body.get("images"), "image")
        yield from _items(body.get("data"), kind or "image")
        yield from _one(body.get("url"), kind, body)


def _items(value: object, kind: MediaKind) -> Iterator[Media]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _one(item, kind, {})


def _one(value: object, kind: MediaKind | None, beside: Mapping[str, Any]) -> Iterator[Media]:
    """Read one place where a URL may stand: as text, or as an object with a ``url``."""
    details: Mapping[str, Any] = value if isinstance(value, Mapping) else beside
    url = value.get("url") if isinstance(value, Mapping) else value
    if not isinstance(url, str) or not is_web_address(url):
        return
    known = kind or _kind_of_path(url)
    if known is None:
        return
    caption = details.get("revised_prompt")
    yield Media(
        url,
        known,
        width=_pixels(details.get("width")),
        height=_pixels(details.get("height")),
        seconds=_seconds(details.get("duration_seconds")),
        caption=readable(caption) if isinstance(caption, str) else None,
    )


def _mime_of_path(url: str) -> str | None:
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    suffix = PurePosixPath(name).suffix.lower()
    return _MIME_OF_SUFFIX.get(suffix) or mimetypes.guess_type(name)[0]


def _kind_of_path(url: str) -> MediaKind | None:
    mime = _mime_of_path(url) or ""
    for kind in _LIKELY_MIME:
        if mime.startswith(kind):
            return kind
    return None


def _pixels(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MOST_PIXELS else None


def _seconds(value: object) -> float | None:
    found = None if isinstance(value, str) else number(value)
    return found if found is not None and found > 0 else None


def fits(mime: str, kind: MediaKind) -> bool:
    """Whether bytes of a type can be what was asked for: a picture in the place of a video or of sound tells of an error.

    Example:
        >>> fits("image/png", "video"), fits("video/mp4", "audio")
        (False, True)
    """
    return kind == "image" or not mime.startswith("image/")


# The first bytes of the formats that a browser plays, as the formats' own specifications give them.
_BRANDS = {b"qt  ": "video/quicktime", b"M4A ": "audio/mp4", b"M4B ": "audio/mp4", b"avif": "image/avif"}
_MAGIC = (
    (b"\x1a\x45\xdf\xa3", "video/webm"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
)


def sniff(head: bytes) -> str | None:
    """Tell a media type from a file's first bytes.

    Args:
        head: at least 16 bytes, or the whole file where it is shorter.

    Returns:
        A MIME type such as ``"video/mp4"``; ``None`` for anything that is no media we know, such as HTML.

    Example:
        >>> sniff(b"<!DOCTYPE html><html>") is None
        True
    """
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    if head[:4] == b"RIFF":
        return {b"WAVE": "audio/wav", b"WEBP": "image/webp"}.get(head[8:12])
    for magic, mime in _MAGIC:
        if head.startswith(magic):
            return mime
    # A frame's sync word. MPEG audio has eleven set bits and layer II or III; layer I, which no browser plays, would let
    # the byte order mark of a page in UTF-16 pass. AAC's ADTS has twelve, and layer 00.
    if len(head) > 1 and head[0] == 0xFF:
        if head[1] & 0xF6 == 0xF0:
            return "audio/aac"
        if head[1] & 0xE0 == 0xE0 and head[1] & 0x06 in (0x02, 0x04):
            return "audio/mpeg"
    return None
