"""Encode sources for parameters that take a URL: as a data URI, as base64, or as the address of a result."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidParameterError
from ..model.canonical import owned
from ..model.checks import check, problems
from ..model.media import sniff, suffix_of
from ..model.parameters import PARAMETERS
from ..model.tools import Tool
from .sources import SourceError, address_of_result, content_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "MAX_UPLOAD_BYTES",
    "address_problem",
    "check_size",
    "checked",
    "excess",
    "named_files",
    "own",
    "said",
    "sendable",
    "upload",
    "write_files",
]

# All files of one job together. A service may repeat them in each answer that tells of the job, and an answer of more than
# `requests.MAX_JSON_BYTES` is not read: as base64 this is 6.7 of its 8 MB.
MAX_UPLOAD_BYTES = 5_000_000
_HEADS = 1_000  # for "data:image/png;base64," and long URLs
_ADDRESSES = ("http://", "https://", "data:")
_LONGEST_HEAD = max(map(len, _ADDRESSES))
_SCALARS = (str, int, float, bool)
_LONG_NAME = 64  # characters; longer than a file's name without a dot, shorter than any sound as base64


class _Encoded(str):
    """Base64 that was encoded here, which needs no further check."""

    __slots__ = ()


def said(tool: Tool, params: Mapping[str, Any], *, missing: Callable[[object], bool] | None = None) -> dict[str, Any]:
    """Omit missing values, and convert the others for the service: scalars of numpy to Python's, sources as `sendable` does.

    The result is a deep copy: later changes to the original have no effect on the submission.

    Args:
        tool: the tool of the job.
        params: by the service's names.
        missing: returns whether a value is missing; by default ``None`` is.

    Raises:
        InvalidParameterError: see `sendable`; or a value contains itself.

    Example:
        >>> said(Tool.IMAGE, {"prompt": "A lighthouse", "seed": None, "n": 2.0})
        {'prompt': 'A lighthouse', 'n': 2}
    """
    table = PARAMETERS[tool]
    kept: dict[str, Any] = {}
    for name, value in params.items():
        if value is None if missing is None else missing(value):
            continue
        plain = value if type(value) in _SCALARS else own(tool, name, _plain(value))
        if name in table and table[name].kind is int and isinstance(plain, float) and plain.is_integer():
            plain = int(plain)  # a column of whole numbers with a hole in it holds floats
        kept[name] = plain
    return sendable(tool, kept)


def checked(tool: Tool, params: Mapping[str, Any]) -> dict[str, Any]:
    """Convert parameters for the service, and check them.

    Args:
        tool: the tool of the job.
        params: parameters by the service's names; ``None`` means not set.

    Raises:
        InvalidParameterError: see `sendable` and `novakit_widgets.model.checks.check`.

    Example:
        >>> checked(Tool.VIDEO, {"prompt": "A sunset", "seed": None})
        {'prompt': 'A sunset'}
    """
    try:
        kept = said(tool, params) if isinstance(params, Mapping) else params
    except InvalidParameterError as error:
        raise _with_others(tool, params, error) from None
    check(tool, kept)
    return kept


def _with_others(tool: Tool, params: Mapping[str, Any], error: InvalidParameterError) -> InvalidParameterError:
    """Return an error for a source that can't be read, with what is wrong besides."""
    others = problems(tool, {name: value for name, value in params.items() if value is not None})
    others.pop(error.parameter or "", None)
    if not others:
        return error
    means = " Nothing was sent or billed."
    first = error.message.partition(means)[0].rstrip(".")
    return InvalidParameterError(f"{first}; {'; '.join(others.values())}.{means}", parameter=error.parameter)


def own(tool: Tool, name: str, value: Any) -> Any:
    """Copy the value of a parameter; see `novakit_widgets.model.canonical.owned`.

    Raises:
        InvalidParameterError: it contains itself, or is nested too deeply.
    """
    try:
        return owned(value)
    except RecursionError:
        raise InvalidParameterError(
            f"{tool}: {name}: it contains itself, or is nested too deeply. Nothing was sent or billed.", parameter=name
        ) from None


def _plain(value: object) -> Any:
    """Convert a scalar of numpy to Python's type."""
    take = getattr(value, "item", None)
    return take() if callable(take) and getattr(value, "shape", None) == () else value


def sendable(tool: Tool, params: Mapping[str, Any]) -> dict[str, Any]:
    """Encode sources as text that the service takes.

    A file as a `pathlib.Path`, its bytes, or a picture of Pillow becomes a data URI; for a transcription's ``file``, plain base64.

    Args:
        tool: the tool of the job.
        params: parameters by the service's names; those that take no URL are returned unchanged.

    Raises:
        InvalidParameterError: a file can't be read, is too large, or is not of the kind that the parameter takes; a picture can't
            be written; or a text is no URL. Nothing was sent or billed.

    Example:
        >>> sendable(Tool.STT, {"file": b"RIFF", "language": "en"})
        {'file': 'UklGRg==', 'language': 'en'}
    """
    table = PARAMETERS[tool]
    encoded = {
        name: upload(value, tool=tool, name=name) for name, value in params.items() if name in table and table[name].url
    }
    if encoded:
        check_size(tool, encoded)
    return {**params, **encoded}


def check_size(tool: Tool, params: Mapping[str, Any]) -> None:
    """Check the total size of all files.

    Args:
        tool: the tool of the job.
        params: encoded parameters by the service's names.

    Raises:
        InvalidParameterError: they are too large; the message has the size in MB. Nothing was sent or billed.
    """
    for name, reason in excess(tool, params).items():
        raise InvalidParameterError(f"{tool}: {name}: {reason}. Nothing was sent or billed.", parameter=name)


def excess(tool: Tool, params: Mapping[str, Any]) -> dict[str, str]:
    """Return whether the files of a job exceed the limit.

    Args:
        tool: the tool of the job.
        params: encoded parameters by the service's names.

    Returns:
        The problem by the name of the largest file; empty if they can be sent.

    Example:
        >>> excess(Tool.STT, {"file": "UklGRg=="})
        {}
    """
    sizes = {
        name: len(params[name]) * 3 // 4  # as base64, whose head is short
        for name, parameter in PARAMETERS[tool].items()
        if parameter.url and isinstance(params.get(name), str)
    }
    size = sum(sizes.values())
    if size <= MAX_UPLOAD_BYTES + _HEADS:
        return {}
    return {
        max(sizes, key=lambda name: sizes[name]): _too_large(size, "the files have" if len(sizes) > 1 else "it has")
    }


def _too_large(size: int, has: str) -> str:
    return (
        f"{has} {math.ceil(size / 1e5) / 10:,} MB, at most {MAX_UPLOAD_BYTES / 1e6:.0f} MB can be sent with a job; "
        "give the service a URL instead"
    )


def upload(value: Any, *, tool: Tool = Tool.STT, name: str = "file") -> Any:
    r"""Return a source as the text that the service takes; any other value is returned unchanged.

    Args:
        value: a URL, a data URI or base64; a file as a `pathlib.Path`, an open file or its bytes (at most 5 MB); a picture of
            Pillow or an array of pixels; or a result: a `JobWidget`, a `Job`, or a `Media`.
        tool: the tool that the parameter is for.
        name: the parameter's name.

    Raises:
        InvalidParameterError: it can't be read, is too large, or is not of the kind that the parameter takes; or it is a text and
            no URL. Nothing was sent or billed.

    Example:
        >>> upload(b"RIFF"), upload("https://example.org/a.mp3")
        ('UklGRg==', 'https://example.org/a.mp3')
        >>> upload(b"\x89PNG\r\n\x1a\n0000", tool=Tool.VIDEO, name="source_image")
        'data:image/png;base64,iVBORw0KGgowMDAw'
    """
    problem = address_problem(value, tool=tool)
    if problem is not None:
        home = ".expanduser()" if value.startswith("~") else ""
        raise InvalidParameterError(
            f"{tool}: {name}: {problem}; for a file on this machine write pathlib.Path({_short(value)}){home}. "
            "Nothing was sent or billed.",
            parameter=name,
        )
    media = PARAMETERS[tool][name].media
    try:
        address = address_of_result(value, media=media)
        content = None if address is not None else content_of(value, limit=MAX_UPLOAD_BYTES, media=media)
    except SourceError as error:
        raise InvalidParameterError(
            f"{tool}: {name} {error}. Nothing was sent or billed.", parameter=name
        ) from error.__cause__
    if content is None:
        return value if address is None else address
    if len(content) > MAX_UPLOAD_BYTES:
        size = _size_of(value, content)
        raise InvalidParameterError(
            f"{tool}: {name}: {_too_large(size, 'it has')}. Nothing was sent or billed.", parameter=name
        )
    encoded = base64.b64encode(content).decode("ascii")
    if tool is Tool.STT:
        return _Encoded(encoded)  # documented: a URL or base64
    mime = sniff(content)
    if mime is None or not mime.startswith(media):
        raise InvalidParameterError(
            f"{tool}: {name} must be {_A[media]}, got {mime or 'an unknown format'}. Nothing was sent or billed.",
            parameter=name,
        )
    return f"data:{mime};base64,{encoded}"


def _size_of(value: Any, content: bytes) -> int:
    """Return the size of a source that was read in part."""
    try:
        return value.stat().st_size if isinstance(value, Path) else max(len(content), value.seek(0, io.SEEK_END))
    except (AttributeError, OSError, ValueError):
        return len(content)


_A = {"image": "an image", "video": "a video", "audio": "audio"}


def address_problem(value: object, *, tool: Tool) -> str | None:
    """Return why a text can't be a URL of media; ``None`` where it can, and for values other than texts.

    Args:
        value: the value of a parameter that takes a URL.
        tool: the tool of the job; a transcription takes base64, too.

    Example:
        >>> address_problem("house.png", tool=Tool.IMAGE_EDIT)
        "'house.png' is no URL"
    """
    if not isinstance(value, str) or isinstance(value, _Encoded) or not value.strip():
        return None
    if value.lstrip()[:_LONGEST_HEAD].lower().startswith(_ADDRESSES):
        return None
    if tool is Tool.STT and _is_base64(value):
        return None
    return f"{_short(value)} is {'neither a URL nor base64' if tool is Tool.STT else 'no URL'}"


def _is_base64(text: str) -> bool:
    """Return whether a text is base64, and not a file name that consists of base64's characters."""
    packed = "".join(text.split())  # base64 may be wrapped
    content = _decoded(packed)
    return content is not None and (len(packed) >= _LONG_NAME or packed.endswith("=") or sniff(content) is not None)


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")


def write_files(tool: Tool, params: Mapping[str, Any], folder: Path, *, beside: Path) -> list[Path]:
    """Write the sources of a job into files, so that code can refer to them.

    Args:
        tool: the tool of the job.
        params: parameters by the service's names, as they were sent.
        folder: the folder of the files, relative to ``beside``; created if necessary.
        beside: the folder of the notebook.

    Returns:
        The files.

    Raises:
        OSError: a file can't be written.

    Example:
        >>> write_files(Tool.VIDEO, {"source_image": "https://example.org/a.png"}, Path("media"), beside=Path())
        []
    """
    _, contents = named_files(tool, params, folder)
    files = {beside / path: content for path, content in contents.items()}
    for file, content in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return list(files)


def named_files(tool: Tool, params: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any], dict[Path, bytes]]:
    """Return file names for the sources of a job, the same ones for the same bytes. Nothing is written.

    Args:
        tool: the tool of the job.
        params: parameters by the service's names, as they were sent.
        folder: the folder that the files would be in.

    Returns:
        The parameters, with a `pathlib.Path` for each data URI or base64; and the bytes by path.

    Example:
        >>> named, contents = named_files(Tool.STT, {"file": "UklGRg=="}, Path("media"))
        >>> named["file"].name, contents[named["file"]]
        ('novakit-a40ff3d5900f.bin', b'RIFF')
    """
    table = PARAMETERS[tool]
    named, contents = dict(params), {}
    for name, value in params.items():
        content = _decoded(value) if name in table and table[name].url else None
        if content is not None:
            suffix = suffix_of(sniff(content) or "")
            named[name] = folder / f"novakit-{hashlib.sha256(content).hexdigest()[:12]}{suffix}"
            contents[named[name]] = content
    return named, contents


def _decoded(value: Any) -> bytes | None:
    """Return the bytes of a data URI or of base64; ``None`` for other values, such as a URL."""
    if not isinstance(value, str):
        return None
    if value.startswith("data:"):
        head, _, value = value.partition(",")
        if not head.endswith(";base64"):
            return None
    try:
        return base64.b64decode(value, validate=True) or None
    except (binascii.Error, ValueError):
        return None
