"""Validate parameters as the service does, with its error texts (400).

The rules are those of `novakit_widgets.model.checks`; the texts are the service's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..model.checks import problems
from ..model.parameters import PARAMETERS, Parameter
from ..model.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OPERATIONS", "refusal"]

OPERATIONS = ("edit", "inpainting", "outpainting", "remove_background", "upscale", "variation")
"""The image edits of the sandbox; the documentation names only inpainting."""

# Undocumented: a limit of the sandbox, so that no job renders for minutes.
_LONGEST_VIDEO = 120.0
_KINDS = {str: "a string", int: "an integer", float: "a number", bool: "a boolean", dict: "an object", list: "an array"}


def refusal(tool: Tool, params: Mapping[str, Any]) -> str | None:
    """Return the error text for parameters that the service refuses, else ``None``.

    Args:
        tool: the tool of the endpoint.
        params: the request's JSON. ``null`` equals an omitted parameter.

    Example:
        >>> refusal(Tool.VIDEO, {"prompt": "A sunset", "fps": 29})
        'Invalid fps. Must be one of: 30, 60'
    """
    given = {name: value for name, value in params.items() if value is not None}
    if tool is Tool.IMAGE_EDIT and given.get("operation", OPERATIONS[0]) not in OPERATIONS:
        return "Invalid operation"
    for name, problem in problems(tool, given).items():
        return _text(tool, given, name, problem)
    if tool is Tool.VIDEO and given.get("duration_seconds", 0) > _LONGEST_VIDEO:
        return f"duration_seconds must be at most {_LONGEST_VIDEO:g}"
    if tool is Tool.IMAGE_EDIT and not (given.get("image") or given.get("prompt")):
        return "image is required"
    return None


def _text(tool: Tool, given: Mapping[str, Any], name: str, otherwise: str) -> str:
    value = given.get(name)
    parameter = PARAMETERS[tool].get(name)
    if parameter is None:
        return otherwise
    if value is None or value == "" or (isinstance(value, str) and not value.strip()):
        purpose = given.get("operation") if tool is Tool.IMAGE_EDIT else given.get("mode")
        return f"{name} is required" if parameter.required else f"{name} is required for {purpose}"
    if parameter.problem(value) is None:
        return f"duration_seconds must be at most 47 for {PARAMETERS[tool]['model'].default}"
    return _value_text(parameter, value)


def _value_text(parameter: Parameter, value: Any) -> str:
    name = parameter.name
    expected = int | float if parameter.kind is float else parameter.kind
    if not isinstance(value, expected) or (isinstance(value, bool) and parameter.kind is not bool):
        return f"{name} must be {_KINDS[parameter.kind]}"
    if parameter.max_length is not None and isinstance(value, str) and len(value) > parameter.max_length:
        return f"{name} must be at most {parameter.max_length} characters"
    if parameter.choices and parameter.closed:
        return f"Invalid {name}. Must be one of: {', '.join(map(str, parameter.choices))}"
    return f"{name} must be {_range(parameter)}"


def _range(parameter: Parameter) -> str:
    if parameter.minimum is not None and parameter.maximum is not None:
        return f"between {parameter.minimum:g} and {parameter.maximum:g}"
    low = "" if parameter.above is None else f"greater than {parameter.above:g}"
    high = "" if parameter.maximum is None else f"at most {parameter.maximum:g}"
    return " and ".join(filter(None, (low, high)))
