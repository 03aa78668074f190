"""The settings: set them with `configure`, read them with the function of their name, and see all with `describe`.

An argument beats `configure` and ``%config`` (the later one), which beat the environment, which beats IPython's configuration file,
which beats the keyring (for the key), which beats the default.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError, boxed
from . import keys, store
from .keys import api_key, ask_again, check_key, forget_key, remember_key, use_key
from .redaction import Secret, veiled
from .store import SETTINGS, Setting

if TYPE_CHECKING:
    from ..model.tools import Tool
    from .checks import Embed

__all__ = [
    "NAMES",
    "Secret",
    "Setting",
    "api_key",
    "ask_again",
    "base_url",
    "configure",
    "configured",
    "describe",
    "embed",
    "flag",
    "forget_key",
    "history",
    "limits",
    "register",
    "remember_key",
    "reuse",
    "save_to",
    "speed",
    "timeout",
    "use_key",
    "veiled",
]

NAMES = ("api_key", *SETTINGS)
"""The names of all settings, as `configure` takes them."""


class _Unchanged:
    def __repr__(self) -> str:
        return "unchanged"


_UNCHANGED: Any = _Unchanged()


def configure(
    *,
    api_key: str | Secret | None = _UNCHANGED,
    base_url: str | None = _UNCHANGED,
    embed: Embed | None = _UNCHANGED,
    history: str | os.PathLike[str] | None = _UNCHANGED,
    limits: str | Mapping[Any, tuple[int, float]] | None = _UNCHANGED,
    reuse: bool | None = _UNCHANGED,
    save_to: str | os.PathLike[str] | None = _UNCHANGED,
    speed: float | None = _UNCHANGED,
    timeout: float | None = _UNCHANGED,
    **unknown: Any,
) -> None:
    """Set the package's settings for this process. Settings you omit stay as they are; ``None`` takes one back.

    Args:
        api_key: ``"sk_…"``.
        base_url: such as ``"https://www.novakit.ai/api/v1"``.
        embed: where finished media go: ``"auto"``, ``"inline"``, ``"file"`` or ``"link"``; see `JobWidget`.
        history: a path, or ``"off"``. A relative path is resolved against the working directory of now.
        limits: how many jobs a batch submits: ``"documented"``, ``"off"``, or ``{"video": (5, 3600)}`` for 5 in 3,600 seconds;
            tools you omit have no limit.
        reuse: whether to take an equal job of the history instead of paying again.
        save_to: a folder for every finished job.
        speed: how many times faster than the real service a sandbox runs.
        timeout: seconds to watch a job.
        **unknown: is refused, with the names that there are.

    Raises:
        ConfigurationError: a value can't be used; nothing was changed.
        TypeError: there is no such setting.

    Example:
        >>> configure(base_url="http://127.0.0.1:8123/api/v1")
        >>> base_url().source
        'configure'
        >>> configure(base_url=None)
    """
    given = (api_key, base_url, embed, history, limits, reuse, save_to, speed, timeout)
    values = {
        name: veiled(value, key=name == "api_key")
        for name, value in zip(NAMES, given, strict=True)
        if value is not _UNCHANGED
    }
    # What follows may raise, and each of these, under a wrong name too, may be a key with a typing error.
    del given, api_key, base_url, embed, history, limits, reuse, save_to, speed, timeout
    name = next(iter(unknown), None)
    unknown.clear()
    if name is not None:
        raise boxed(TypeError(f"configure() got an unknown keyword {name!r}; it takes {', '.join(NAMES)}."))
    key = values.pop("api_key", _UNCHANGED)
    checked = key if key is _UNCHANGED or key is None else check_key(key, "configure()")
    register()
    store.current.assign(values, "configure")
    if checked is not _UNCHANGED:
        keys.current.configured = checked


def configured() -> dict[str, Any]:
    """Return what `configure`, ``%config`` and `login` set, as `configure` takes it."""
    values = {name: setting.value for name, setting in store.current.assigned.items()}
    return values if keys.current.configured is None else {"api_key": keys.current.configured, **values}


def base_url(argument: str | None = None) -> Setting[str]:
    """Return the API's base URL, without a slash at its end.

    Args:
        argument: a URL that was given.

    Raises:
        InvalidBaseURLError: it is not an https URL, nor an http one of this machine.
    """
    return _find("base_url", argument)


def embed(argument: str | None = None) -> Setting[Embed]:
    """Return where finished media go; see `JobWidget`.

    Args:
        argument: what was given.

    Raises:
        ConfigurationError: it is not one of ``auto``, ``inline``, ``file`` and ``link``.
    """
    return _find("embed", argument)


def history() -> Setting[Path | None]:
    """Return the history's file; ``None`` where there is no history."""
    found = _find("history")
    return Setting(None, found.source) if found.value == "off" else found


def limits() -> Setting[Mapping[Tool, tuple[int, float]]]:
    """Return how many generations of each tool may be submitted in how many seconds; a tool that is missing has no limit."""
    from ..model.tools import TOOL_LIMITS

    found = _find("limits")
    return Setting(TOOL_LIMITS, found.source) if found.value == "documented" else found


def flag(name: str, value: object) -> bool:
    """Return an argument that is either true or false.

    A word is refused: ``"no"`` counts as true in Python, and what was not wanted would be billed.

    Args:
        name: of the argument.
        value: what was given for it.

    Raises:
        ConfigurationError: it is neither.

    Example:
        >>> flag("confirm", False)
        False
    """
    if isinstance(value, bool):
        return value
    raise ConfigurationError(f"{name} must be True or False, not {value!r}. Nothing was sent or billed.")


def reuse(argument: bool | None = None) -> Setting[bool]:
    """Return whether a job of the history with the same parameters is taken instead of a new one.

    Args:
        argument: what was given.
    """
    return _find("reuse", argument)


def save_to() -> Setting[Path | None]:
    """Return the folder that every finished job's media are saved to; ``None`` for none."""
    return _find("save_to")


def speed() -> Setting[float]:
    """Return how many times faster than the real service the sandbox in use runs; 1.0 for the service itself."""
    return _find("speed")


def timeout(argument: float | None = None) -> Setting[float | None]:
    """Return for how many seconds a job is watched; ``None`` for as long as its tool needs.

    Args:
        argument: what was given.

    Raises:
        ConfigurationError: it is not a number above 0.
    """
    return _find("timeout", argument)


def describe() -> dict[str, str]:
    """Return each setting's value and source as text, of the key at most the last four characters. Never raises.

    Example:
        >>> describe()["reuse"]
        'False (default)'
    """
    register()
    described: dict[str, str] = {}
    for name in NAMES:
        try:
            found: Setting[Any] = api_key() if name == "api_key" else store.current.find(name)
        except ConfigurationError as error:
            described[name] = f"unusable: {error.message}"
        else:
            described[name] = f"{_shown(name, found.value)} ({found.source})"
    for name, why in store.current.refused.items():
        described[name] = f"{described.get(name, 'unknown')}; refused in the configuration file: {why}"
    return described


def register(shell: Any = None) -> None:
    """Read IPython's configuration, and list the settings for ``%config``; once for a shell.

    Args:
        shell: IPython's; by default the running one, if there is one.
    """
    if shell is None:
        # IPython may be half imported, by another thread.
        running = getattr(sys.modules.get("IPython"), "get_ipython", None)
        shell = None if running is None else running()
    if shell is not None and shell is not store.current.shell:
        from .traits import register as register_traits

        register_traits(shell)


def _find(name: str, argument: Any = None) -> Setting[Any]:
    mine = store.current
    # Each request reads settings: nothing more than this is done for them once a shell is known.
    running = getattr(sys.modules.get("IPython"), "get_ipython", None)
    if running is not None and running() is not mine.shell:
        register()
    if mine.untold:
        mine.raise_refused()
    return mine.find(name, argument)


def _shown(name: str, value: Any) -> Any:
    if name == "limits" and isinstance(value, Mapping):
        return ", ".join(f"{tool} {count} in {seconds:g} s" for tool, (count, seconds) in value.items()) or "off"
    return value
