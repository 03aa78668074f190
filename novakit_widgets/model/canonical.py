"""Parameters as data: copied, compared, and cut to a length that a history can keep."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .parameters import PARAMETERS

if TYPE_CHECKING:
    from .tools import Tool

__all__ = ["LONG", "bounded", "canonical", "lacks", "owned", "same"]

LONG = 10_000  # characters; the longest text that the documentation allows
_DIGEST = re.compile(r"\(\d+ characters, sha256 [0-9a-f]{64}\)")


def canonical(tool: Tool, params: Mapping[str, Any]) -> str:
    """Encode parameters so that equal requests give equal texts.

    5 equals 5.0, the order of keys is ignored, a documented default equals an omitted parameter, and an upload is replaced by its
    digest.

    Args:
        tool: the tool whose defaults apply.
        params: parameters by the service's names.

    Example:
        >>> from novakit_widgets import Tool
        >>> canonical(Tool.VIDEO, {"prompt": "A sunset", "fps": 30, "seed": 7.0})
        '{"prompt": "A sunset", "seed": 7}'
    """
    defaults = _defaults(tool)
    plain = {str(name): _plain(value) for name, value in params.items() if value is not None}
    kept = {name: value for name, value in plain.items() if name not in defaults or value != defaults[name]}
    return json.dumps(bounded(kept), sort_keys=True, ensure_ascii=False, default=str)


@functools.cache
def _defaults(tool: Tool) -> dict[str, Any]:
    return {name: _plain(parameter.default) for name, parameter in PARAMETERS[tool].items()}


def same(tool: Tool, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Whether two sets of parameters request the same; see `canonical`."""
    return canonical(tool, ours) == canonical(tool, theirs)


def bounded(value: Any) -> Any:
    """Replace each text of more than 10,000 characters (an upload) by its length and digest.

    Args:
        value: parameters, or any other JSON value.
    """
    if isinstance(value, str) and len(value) > LONG:
        return f"({len(value)} characters, sha256 {hashlib.sha256(value.encode('utf-8', 'replace')).hexdigest()})"
    if isinstance(value, Mapping):
        return {str(key): bounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [bounded(item) for item in value]
    return value


def owned(value: Any) -> Any:
    """Copy dicts, lists and tuples at every depth, so that later changes to the original have no effect.

    Texts and other values are shared, so that an upload is kept in memory once.

    Args:
        value: parameters, or the value of one.

    Raises:
        RecursionError: it contains itself, or is nested too deeply.

    Example:
        >>> inputs = {"steps": [10]}
        >>> copy = owned(inputs)
        >>> inputs["steps"].append(20)
        >>> copy
        {'steps': [10]}
    """
    if isinstance(value, Mapping):
        return {name: owned(item) for name, item in value.items()}
    if isinstance(value, list):
        return [owned(item) for item in value]
    if isinstance(value, tuple):
        return tuple(owned(item) for item in value)
    return value


def lacks(value: object) -> bool:
    """Whether `bounded` has replaced a text in a value by its digest.

    Example:
        >>> lacks(bounded("x" * 10_001)), lacks(bounded(["x" * 10_001])), lacks("x")
        (True, True, False)
    """
    if isinstance(value, Mapping):
        return any(map(lacks, value.values()))
    if isinstance(value, list | tuple):
        return any(map(lacks, value))
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
