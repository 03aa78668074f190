"""Encode parameters as JSON: the one place for what is checked and what is sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..errors import InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .tools import Tool

__all__ = ["encode"]


def encode(tool: Tool, params: Mapping[str, Any]) -> bytes:
    r"""Encode the parameters of a job as a JSON object in UTF-8.

    Args:
        tool: the tool that they are for.
        params: parameters by the service's names.

    Raises:
        InvalidParameterError: JSON or UTF-8 cannot represent a value: NaN, a set, an object, half of a character, or a structure
            that contains itself. Nothing was sent or billed.

    Example:
        >>> from novakit_widgets import Tool
        >>> encode(Tool.IMAGE, {"prompt": "A lighthouse", "n": 2})
        b'{"prompt": "A lighthouse", "n": 2}'
        >>> encode(Tool.IMAGE, {"prompt": "cut \ud83d off"})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        novakit_widgets.errors.InvalidParameterError: image: prompt contains half of a character ('\ud83d'), ...
    """
    try:
        return _encoded(dict(params))
    except (TypeError, ValueError, RecursionError) as error:
        name, cause = next(_problems(params), (None, error))
    raise InvalidParameterError(
        f"{tool}: {name or 'a value'} {_reason(cause)}. Nothing was sent or billed.", parameter=name
    )


def _encoded(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


def _problems(params: Mapping[str, Any]) -> Iterator[tuple[str, Exception]]:
    for name, value in params.items():
        try:
            _encoded({name: value})
        except (TypeError, ValueError, RecursionError) as error:
            yield name, error


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        half = error.object[error.start]
        return f"contains half of a character ({half!r}), as text that was cut has"
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    return f"can't be sent as JSON ({error})"
