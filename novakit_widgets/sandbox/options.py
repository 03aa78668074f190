"""Check the options of a sandbox: all that are wrong are named in one error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any

from ..errors import ConfigurationError, InvalidParameterError
from ..model.parameters import short
from ..model.tools import Tool
from ..runtime.hosts import is_loopback
from .accounts import PLANS
from .limits import Limits

__all__ = ["Seconds", "check", "durations_of"]

Seconds = float | tuple[float, float]
_PORTS = 65_536


def check(options: Mapping[str, Any]) -> None:
    """Refuse options of a `Sandbox` that can't be used.

    Args:
        options: by their names.

    Raises:
        ConfigurationError: some can't be used; the message names each of them.

    Example:
        >>> check({"speed": "fast", "port": -1})
        Traceback (most recent call last):
        ...
        novakit_widgets.errors.ConfigurationError: speed must be a number above 0, got 'fast'; port must be a whole number from 0 \
to 65535, got -1. No sandbox was started.
    """
    found = [f"{problem}, got {short(options[name])}" for name, problem in _problems(options)]
    if found:
        raise ConfigurationError(f"{'; '.join(found)}. No sandbox was started.")


def durations_of(given: Mapping[str, Seconds]) -> dict[str, tuple[float, float]]:
    """Return the range of durations of each tool: the given one, else the documented one."""
    chosen = {tool.value: tool.typical_seconds for tool in Tool}
    for name, seconds in given.items():
        low, high = seconds if isinstance(seconds, tuple | list) else (seconds, seconds)
        chosen[Tool.of(name).value] = (float(low), float(high))
    return chosen


def _problems(options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is wrong, by the option's name."""
    ways = {
        "speed": (_is_number(above=0), "speed must be a number above 0"),
        "seed": (lambda seed: seed is None or _is_whole(seed), "seed must be a whole number or None"),
        "plan": (lambda plan: isinstance(plan, str) and plan in PLANS, f"plan must be one of {', '.join(PLANS)}"),
        "limits": (_is_limits, "limits must be 'documented', 'requests', 'off' or a Limits"),
        "hold_seconds": (_is_number(), "hold_seconds must be a number from 0 on"),
        # GET /sandbox tells the key to any client.
        "host": (
            lambda host: isinstance(host, str) and is_loopback(host),
            "host must be a loopback address, because the sandbox serves this machine only",
        ),
        "port": (
            lambda port: _is_whole(port) and 0 <= port < _PORTS,
            f"port must be a whole number from 0 to {_PORTS - 1}",
        ),
        "durations": (_is_durations, f"durations must be seconds or (shortest, longest) for tools: {', '.join(Tool)}"),
        "quotas": (_is_quotas, f"quotas must be 'off' or amounts by bucket: {', '.join(PLANS['free'].quotas)}"),
        "sync_tools": (_is_tools, f"sync_tools must be tools, such as ('tts', 'stt'), of {', '.join(Tool)}"),
        "media": (lambda media: media in ("real", "canned"), "media must be 'real' or 'canned'"),
    }
    return [(name, said) for name, (fits, said) in ways.items() if name in options and not fits(options[name])]


def _is_number(*, above: float | None = None) -> Callable[[object], bool]:
    def fits(value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, Real):
            return False
        number = float(value)
        return math.isfinite(number) and (number >= 0 if above is None else number > above)

    return fits


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_limits(value: object) -> bool:
    return isinstance(value, Limits) or (isinstance(value, str) and value in ("documented", "requests", "off"))


def _is_durations(value: object) -> bool:
    if value is None:
        return True
    if not isinstance(value, Mapping) or not _is_tools(value):
        return False
    ends = [each if isinstance(each, tuple | list) else (each, each) for each in value.values()]
    return all(len(both) == 2 and all(map(_is_number(), both)) and both[0] <= both[1] for both in ends)


def _is_quotas(value: object) -> bool:
    if value is None or (isinstance(value, str) and value == "off"):
        return True
    if not isinstance(value, Mapping):
        return False
    amounts = all(amount is None or _is_number()(amount) for amount in value.values())
    return amounts and set(value) <= set(PLANS["free"].quotas)


def _is_tools(value: object) -> bool:
    if isinstance(value, str) or not isinstance(value, Iterable):
        return False
    try:
        return all(Tool.of(tool) for tool in value)
    except InvalidParameterError:
        return False
