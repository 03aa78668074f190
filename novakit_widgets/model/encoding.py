"""Encode parameters as JSON: the one place for what is checked and what is sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..errors import InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .tools import Tool

__all__ = ["encode", "value_problem"]


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
        return json.dumps(dict(params), allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        whole = _reason(error)
    problems = ((name, value_problem({name: value})) for name, value in params.items())
    name, problem = next(((name, problem) for name, problem in problems if problem), (None, whole))
    raise InvalidParameterError(f"{tool}: {name or 'a value'} {problem}. Nothing was sent or billed.", parameter=name)


def value_problem(value: object) -> str | None:
    """Return why a value can't be sent, as the rest of a sentence; ``None`` where it can.

    Example:
        >>> value_problem({"seed": 1}), value_problem({1, 2})
        (None, "can't be sent as JSON (Object of type set is not JSON serializable)")
    """
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        return _reason(error)
    return None


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        half = error.object[error.start]
        return f"contains half of a character ({half!r}), as text that was cut has"
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    return f"can't be sent as JSON ({error})"
