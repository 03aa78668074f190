"""Names of tools, parameters and their values for people."""

from __future__ import annotations

from pathlib import PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ...model.parsing import readable
from ...model.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...model.parameters import Parameter

__all__ = ["label_of", "label_of_parameter", "label_of_value", "prompt_of", "shortened"]

_PARAMETERS: Mapping[str, str] = {
    "n": "How many",
    "fps": "Frames a second",
    "timestamp_granularities": "Timestamps",
}


def label_of(tool: Tool | str | None) -> str:
    """Return a tool's label; an unknown tool is returned as it is."""
    known = Tool.known(tool)
    return known.facts.label if known is not None else str(tool or "Job")


def label_of_parameter(parameter: Parameter) -> str:
    """Return a parameter's label.

    Example:
        >>> from novakit_widgets.model.parameters import Parameter
        >>> label_of_parameter(Parameter("aspect_ratio"))
        'Aspect ratio'
    """
    return _PARAMETERS.get(parameter.name, parameter.name.replace("_", " ").capitalize())


def label_of_value(value: Any) -> str:
    """Format a parameter's value; ``None`` stands for the service's default.

    Example:
        >>> label_of_value([1, 2.0, True]), label_of_value(b"RIFF"), label_of_value(None)
        ('1, 2, yes', 'a file of 0.0 kB', 'the default')
    """
    if value is None:
        return "the default"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(label_of_value, value))
    if isinstance(value, PurePath):
        return readable(value.name)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"a file of {len(value) / 1000:,.1f} kB"
    if (
        not isinstance(value, str)
        and hasattr(value, "mode")
        and isinstance(size := getattr(value, "size", None), tuple)
    ):
        return f"a picture of {' x '.join(map(str, size))}"
    return f"{value:g}" if isinstance(value, float) else readable(str(value))


def prompt_of(params: Mapping[str, Any]) -> str:
    """Return a job's prompt, its input text or its file name; ``""`` if it has none of these."""
    for name in ("prompt", "input", "file", "image"):
        value = params.get(name)
        if isinstance(value, str) and value:
            return readable(_file_name(value) if name in ("file", "image") else value)
    return ""


def _file_name(source: str) -> str:
    """Return the last part of a URL: the whole URL can be long, and is listed among the parameters."""
    if not source.startswith(("http://", "https://")):
        return "an uploaded file"
    try:
        name = unquote(PurePosixPath(urlsplit(source).path).name)
    except ValueError:
        name = ""
    return name or source


def shortened(text: str, length: int) -> str:
    """Return a text on one line, with an ellipsis if it is longer than ``length`` characters."""
    line = " ".join(text[: length * 8].split())
    return line if len(line) <= length and len(text) <= length * 8 else line[: length - 1].rstrip() + "…"
