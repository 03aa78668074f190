"""Check parameters against the documentation, before anything is sent or billed.

The lists of the service grow. An unknown model, voice or parameter is therefore passed on; only what the documentation forbids is
refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InvalidParameterError
from .encoding import encode, value_problem
from .parameters import PARAMETERS, short
from .tools import Tool

__all__ = ["check", "check_keys", "problems", "refuse"]

# Documented: 47 s for the default model, 60 s for the other documented ones.
_STABLE_AUDIO_SECONDS = 47.0


def check(tool: Tool, params: Mapping[str, Any]) -> None:
    """Refuse what the documentation forbids, before anything is sent or billed.

    Args:
        tool: the tool that the parameters are for.
        params: parameters by the service's names.

    Raises:
        InvalidParameterError: a required parameter is missing, the documentation forbids a value, or JSON can't represent
            one; or a name is not a string.

    Example:
        >>> check(Tool.VIDEO, {"prompt": "A sunset", "fps": 30})
        >>> check(Tool.VIDEO, {"prompt": "A sunset", "fps": 29})
        Traceback (most recent call last):
        ...
        novakit_widgets.errors.InvalidParameterError: video: fps must be 30 or 60, got 29. Nothing was sent or billed.
    """
    if not isinstance(params, Mapping):
        raise InvalidParameterError(
            f"{tool}: the parameters must be a dict, got {type(params).__name__}. Nothing was sent or billed."
        )
    check_keys(tool, params)
    found = problems(tool, params)
    try:
        encode(tool, params)
    except InvalidParameterError:
        for name, value in params.items():
            problem = None if name in found else value_problem({name: value})
            if problem is not None:
                found[name] = f"{name} {problem}"
        refuse(tool, found)
        raise
    if found:
        refuse(tool, found)


def refuse(tool: Tool, found: Mapping[str, str]) -> None:
    """Raise one error for all problems.

    Args:
        tool: the tool that the parameters are for.
        found: problems by the parameter's name, as from `problems`.

    Raises:
        InvalidParameterError: there is a problem; ``parameter`` is the first one's.
    """
    if found:
        raise InvalidParameterError(
            f"{tool}: {'; '.join(found.values())}. Nothing was sent or billed.", parameter=next(iter(found))
        )


def check_keys(tool: Tool, params: Mapping[Any, Any]) -> None:
    """Refuse a name that is not a string. JSON would convert some of them, and the job would be billed.

    Raises:
        InvalidParameterError: there is one.
    """
    for name in params:
        if not isinstance(name, str):
            raise InvalidParameterError(
                f"{tool}: a parameter's name must be text, got {short(name)} ({type(name).__name__}). Nothing was sent or billed."
            )


def problems(tool: Tool, params: Mapping[str, Any]) -> dict[str, str]:
    """Return what the documentation forbids: for each parameter the first problem.

    Args:
        tool: the tool that the parameters are for.
        params: parameters by the service's names.

    Returns:
        Problems by the parameter's name, in the table's order; empty where all are valid.

    Example:
        >>> problems(Tool.VIDEO, {"fps": 29})
        {'prompt': 'Enter a prompt', 'fps': 'fps must be 30 or 60, got 29'}
    """
    found = {}
    for parameter in PARAMETERS[tool].values():
        if parameter.required or parameter.name in params:
            problem = parameter.problem(params.get(parameter.name))
            if problem:
                found[parameter.name] = problem
    for name, problem in _joint_problems(tool, params):
        found.setdefault(name, problem)
    return found


def _joint_problems(tool: Tool, params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is wrong only together with another parameter."""
    found = []
    seconds = params.get("duration_seconds")
    default_model = PARAMETERS[tool].get("model")
    if (
        tool is Tool.MUSIC
        and default_model is not None
        and params.get("model") in (None, default_model.default)
        and isinstance(seconds, int | float)
        and seconds > _STABLE_AUDIO_SECONDS
    ):
        found.append(
            (
                "duration_seconds",
                f"duration_seconds must be at most 47 s for {default_model.default}, got {short(seconds)}",
            )
        )
    if tool is Tool.IMAGE_EDIT and params.get("operation") == "inpainting" and not params.get("mask"):
        found.append(("mask", "mask is required for inpainting"))
    mode = params.get("mode")
    found.extend(
        (parameter.name, f"{parameter.name} is required for mode {mode!r}")
        for parameter in PARAMETERS[tool].values()
        if mode in parameter.modes and not params.get(parameter.name)
    )
    return found
