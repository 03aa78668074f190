"""Read a source from this machine: a file, an open file, bytes, a picture, an array, or a result of this package."""

from __future__ import annotations

import inspect
import io
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ..model.job import Job, JobStatus
from ..model.media import Media

if TYPE_CHECKING:
    from typing import TypeAlias

    from PIL.Image import Image

    Source: TypeAlias = "str | bytes | Path | io.IOBase | Image | Media | Job | HasJob | Any"

__all__ = ["HasJob", "ResultAddress", "SourceError", "address_of_result", "content_of", "is_source"]

_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I;16B")  # what Pillow writes
_PNG_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}  # PNG's colour type by the number of channels
_WHITE = 255
_WHITE_16 = 65_535  # where a shade of grey has 16 bits


class SourceError(ValueError):
    """A source can't be read; the message is the rest of a sentence that begins with the parameter's name."""


class ResultAddress(str):  # noqa: SLOT000 # a text can't have slots with values
    """The address of a result of this package, with what renews or replaces it when it is no longer served.

    A copy, or one that was pickled, is plain text.

    Attributes:
        job_id: the service's id of the job.
        number: which of the job's media it is, from 0.
    """

    job_id: str | None = None
    number: int = 0
    _source: Any = None

    @classmethod
    def of(cls, url: str, job_id: str | None, number: int, source: Any = None) -> ResultAddress:
        """Return an address with what is known about it.

        Args:
            url: http or https.
            job_id: see the class.
            number: see the class.
            source: what has the media on this machine: a card, a run, or a file.
        """
        address = cls(url)
        address.job_id, address.number, address._source = job_id, number, source
        return address

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)

    @property
    def held(self) -> bytes | Path | None:
        """The media on this machine: bytes of the notebook, the file beside it, or the file in ``save_to``."""
        if self._source is None or isinstance(self._source, Path):
            return self._source
        kept = getattr(self._source, "kept", None) or ()
        saved = getattr(getattr(self._source, "run", self._source), "saved", ())
        found: list[bytes | Path | None] = [one.content or one.path for one in kept[self.number : self.number + 1]]
        return next((one for one in [*found, *saved[self.number : self.number + 1]] if one), None)

    def at(self, url: str) -> ResultAddress:
        """Return another address of the same media."""
        return self.of(url, self.job_id, self.number, self._source)


@runtime_checkable
class HasJob(Protocol):
    """A card or a run: anything with a job."""

    @property
    def job(self) -> Job | None:
        """The job's latest snapshot; ``None`` before it was submitted."""
        ...


def is_source(value: object) -> bool:
    """Return whether a value other than a text can be a source.

    Example:
        >>> is_source(b"RIFF"), is_source(Path("a.wav")), is_source({"file": b"RIFF"})
        (True, True, False)
    """
    if isinstance(value, type):
        return False
    return (
        isinstance(value, bytes | bytearray | memoryview | Path | Media | Job | HasJob)
        or _is_file(value)
        or _is_picture(value)
        or _is_array(value)
    )


def content_of(value: Any, *, limit: int, media: str) -> bytes | None:
    """Return the bytes of a source on this machine; ``None`` for anything else, such as a URL.

    Args:
        value: a file, an open file, bytes, a picture of Pillow, or an array of pixels.
        limit: read at most one byte more than this, so that the caller can tell that a file is too large.
        media: the kind of media that the parameter takes.

    Raises:
        SourceError: it can't be read, or is not a picture.
    """
    if isinstance(value, type):
        return None
    if isinstance(value, Path):
        try:
            with value.open("rb") as file:
                return file.read(limit + 1)
        except OSError as error:
            raise SourceError(f"can't be read from {value} ({error.strerror})") from error
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if _is_picture(value):
        return _png(value)
    if _is_file(value):
        return _read(value, limit)
    if _is_array(value):
        if media != "image":
            raise SourceError("must be a file, not an array: write the samples to a WAV file first")
        return _png_of_array(value)
    return None


def _is_picture(value: Any) -> bool:
    return callable(getattr(value, "save", None)) and hasattr(value, "mode") and hasattr(value, "getbands")


def _is_file(value: Any) -> bool:
    return callable(getattr(value, "read", None))


def _is_array(value: Any) -> bool:
    return bool(getattr(value, "shape", ())) and hasattr(value, "dtype") and callable(getattr(value, "tobytes", None))


def _read(file: Any, limit: int) -> bytes:
    """Read an open file from its beginning where it can seek, so that one that was just written is not empty."""
    try:
        place = _place_in(file)
        try:
            content = file.read(limit + 1)
        finally:
            if place is not None:
                file.seek(place)
    except (OSError, ValueError) as error:  # ValueError: it is closed
        raise SourceError(f"can't be read from the open file ({error})") from error
    if isinstance(content, str):
        raise SourceError("must be a file opened for bytes: open it with mode 'rb'")
    if inspect.iscoroutine(content):
        content.close()
        raise SourceError("must be an ordinary file, whose read() returns bytes at once")
    if not isinstance(content, bytes | bytearray | memoryview):
        raise SourceError(f"must be a file whose read() returns bytes, not {type(content).__name__}")
    if not content:
        raise SourceError("must not be empty: the open file has no content")
    return bytes(content)


def _place_in(file: Any) -> int | None:
    """Go to the beginning of an open file, and return where it was; ``None`` where it can't seek."""
    try:
        place: int = file.tell()
        file.seek(0)
    except (AttributeError, io.UnsupportedOperation):
        return None
    return place


def _png(picture: Any) -> bytes:
    """Encode a picture of Pillow as PNG: in its own mode where PNG has it, otherwise converted."""
    file = io.BytesIO()
    try:
        if picture.mode in _PNG_MODES:
            picture.save(file, "PNG")
        else:
            # The profile is that of the original colours.
            _converted(picture).save(file, "PNG", icc_profile=None)
    except (OSError, ValueError, SystemError) as error:  # what Pillow raises for a file that is truncated or closed
        raise SourceError(f"can't be written as PNG ({error})") from error
    return file.getvalue()


def _converted(picture: Any) -> Any:
    """Convert a picture to a mode that PNG has, with its transparency.

    Raises:
        ValueError: its numbers are not shades of grey, so that it would become black or white.
    """
    if picture.mode in ("I", "F"):
        least, most = picture.getextrema() or (0, 0)  # an empty one is refused when it is written
        if picture.mode == "I" and least >= 0 and _WHITE < most <= _WHITE_16:
            return picture.convert("I;16")  # as some versions of Pillow read a file of 16 bits
        if not 0 <= least <= most <= _WHITE or 0 < most <= 1:
            raise ValueError(
                f"its values go from {least:g} to {most:g}, those of grey from 0 to 255: convert it to 'L' or 'RGB' as it is meant"
            )
    return picture.convert("RGBA" if picture.mode.endswith(("A", "a")) else "RGB")


def _png_of_array(array: Any) -> bytes:
    """Encode an array of pixels as PNG, without Pillow."""
    shape = tuple(array.shape)
    channels = shape[2] if len(shape) == 3 else 1
    if len(shape) not in (2, 3) or channels not in _PNG_COLOURS or 0 in shape:
        raise SourceError(
            f"must be one picture: an array of shape (height, width) or (height, width, 1 to 4 channels), got {shape}"
        )
    pixels = _as_bytes(array)
    height, width = shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, _PNG_COLOURS[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def _as_bytes(array: Any) -> Any:
    """Return the array with one byte for each value: integers from 0 to 255, floats from 0 to 1, or truth values."""
    kind = array.dtype.kind
    if kind == "b":
        return array.astype("uint8") * _WHITE
    found = str(array.dtype)
    if kind in "iuf":
        least, most = array.min(), array.max()
        if kind in "iu" and least >= 0 and most <= _WHITE:
            return array.astype("uint8")
        if kind == "f" and least >= 0 and most <= 1:  # NaN is neither
            return (array * _WHITE).round().astype("uint8")
        found = f"{found} from {least:g} to {most:g}"
    raise SourceError(f"must be an array of integers from 0 to 255 or of floats from 0 to 1, got {found}")


def address_of_result(value: Any, *, media: str) -> ResultAddress | None:
    """Return the address of the media of a result of this package; ``None`` for anything else.

    Args:
        value: a `Media`, a `Job`, or anything with a ``job``, such as a `JobWidget`.
        media: the kind of media that the parameter takes.

    Raises:
        SourceError: there is no result, or not exactly one of this kind.

    Example:
        >>> address_of_result(Media("https://cdn.example/a.png", "image"), media="image")
        'https://cdn.example/a.png'
    """
    if isinstance(value, type):
        return None
    if isinstance(value, Media):
        if value.kind != media:
            raise SourceError(f"must be {_A[media]}, got {_A[value.kind]}")
        return ResultAddress.of(value.url, value.job_id, value.number)
    job = value if isinstance(value, Job) else value.job if isinstance(value, HasJob) else None
    if job is None and isinstance(value, HasJob):
        raise SourceError("must be a finished job, and this one was not submitted yet: wait for it first")
    if not isinstance(job, Job):
        return None
    if not job.ended:
        raise SourceError(f"must be a finished job, and {job.id} is still running: wait for it first")
    if job.status != JobStatus.COMPLETED:
        raise SourceError(f"must be a job with a result, and {job.id} has {job.status}")
    fitting = [one for one in job.media if one.kind == media]
    if not fitting:
        raise SourceError(f"must be {_A[media]}, and the result of {job.id or 'this job'} has none")
    if len(fitting) > 1:
        raise SourceError(f"must be one result, and {job.id} has {len(fitting)}: choose one, such as job.media[0]")
    return ResultAddress.of(fitting[0].url, job.id, fitting[0].number, value)


_A = {"image": "an image", "video": "a video", "audio": "audio"}
