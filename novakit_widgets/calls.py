"""The line of Python that asks for the same job again."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from .jobs import Tool
from .parameters import name_problem

__all__ = ["call_of", "main_parameter"]

_SHORT_FORMS: Mapping[Tool, tuple[str, str]] = {
    Tool.VIDEO: ("video", "prompt"),
    Tool.MUSIC: ("music", "prompt"),
    Tool.IMAGE: ("image", "prompt"),
    Tool.IMAGE_EDIT: ("edit_image", "prompt"),
    Tool.TTS: ("speech", "input"),
    Tool.STT: ("transcribe", "file"),
}


def call_of(tool: Tool, params: Mapping[str, Any]) -> str:
    """Write the call that makes the same job.

    Args:
        tool: what makes it.
        params: the service's own parameters; a file as a `pathlib.Path`.

    Example:
        >>> call_of(Tool.VIDEO, {"prompt": "A sunset", "seed": 7})
        "nk.video('A sunset', seed=7)"
    """
    name, first = _SHORT_FORMS[tool]
    if first not in params or not all(_fits(tool, key) for key in params):
        written = ", ".join(f"{key!r}: {_written(value)}" for key, value in params.items())
        return f"nk.JobWidget({tool.endpoint!r}, {{{written}}})"
    others = [f"{key}={_written(value)}" for key, value in params.items() if key != first]
    return f"nk.{name}({', '.join([_written(params[first]), *others])})"


def _written(value: Any) -> str:
    return f"Path({value.as_posix()!r})" if isinstance(value, PurePath) else repr(value)


def main_parameter(tool: Tool) -> str:
    """Return the parameter that a tool can be given without its name: the words, the text or the file.

    Example:
        >>> main_parameter(Tool.VIDEO), main_parameter(Tool.TTS)
        ('prompt', 'input')
    """
    return _SHORT_FORMS[tool][1]


def _fits(tool: Tool, name: str) -> bool:
    """Whether a parameter can be a keyword of a short form."""
    return name.isidentifier() and not keyword.iskeyword(name) and name_problem(tool, name) is None
