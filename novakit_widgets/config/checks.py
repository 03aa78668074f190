"""Check a setting's value, wherever it came from: an argument, a notebook, a file or the environment."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from ..errors import ConfigurationError, InvalidBaseURLError
from ..runtime.hosts import is_loopback
from ..runtime.paths import NoHomeError, expanded
from ..runtime.waiting import check_timeout
from .redaction import redact

if TYPE_CHECKING:
    from ..model.tools import Tool

__all__ = [
    "DEFAULT_BASE_URL",
    "EMBEDS",
    "Embed",
    "check_base_url",
    "check_embed",
    "check_folder",
    "check_history",
    "check_limits",
    "check_reuse",
    "check_seconds",
    "check_speed",
    "limits_of",
    "number_of",
]

DEFAULT_BASE_URL = "https://www.novakit.ai/api/v1"
Embed = Literal["auto", "inline", "file", "link"]
EMBEDS: tuple[Embed, ...] = ("auto", "inline", "file", "link")
# What a URL is written with; other letters are given as %xx, in a host as xn--…
_URL = re.compile(r"[\w.~:/?#@!$&'()*+,;=%\[\]-]+", re.ASCII)
_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def check_base_url(value: object) -> str:
    """Return an API address that a key may be sent to, without a slash at its end.

    Raises:
        InvalidBaseURLError: it is not a URL, hides something, or would send the key unencrypted.
    """
    text = str(value).strip().rstrip("/")
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not host or not _URL.fullmatch(text):
        raise InvalidBaseURLError(
            f"{redact(text)!r} is not a web address. Nothing was sent. Use for example {DEFAULT_BASE_URL}."
        )
    if "@" in parts.netloc or "?" in text or "#" in text:
        raise InvalidBaseURLError(
            "A base URL can't contain a user name, password, query or fragment. Nothing was sent."
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise InvalidBaseURLError(
            f"{redact(text)} would send the API key unencrypted, so nothing was sent. Use https; plain http is only allowed "
            "to this machine."
        )
    return text


def check_embed(value: object) -> Embed:
    """Return where finished media go.

    Raises:
        ConfigurationError: it is not one of `EMBEDS`.

    Example:
        >>> check_embed("file")
        'file'
    """
    for known in EMBEDS:
        if value == known:
            return known
    raise ConfigurationError(f"embed must be one of {', '.join(EMBEDS)}, not {value!r}. Nothing was sent or billed.")


def check_history(value: object) -> str | Path:
    """Return the absolute path of the history's file, or ``"off"``.

    Raises:
        ConfigurationError: it is not a path, or its home directory doesn't exist (`NoHomeError`).
    """
    if value is False or (isinstance(value, str) and value.strip().lower() == "off"):
        return "off"
    if not isinstance(value, str | os.PathLike) or not str(value).strip():
        raise ConfigurationError(f"history must be a file or 'off', not {value!r}.")
    path = expanded(value)
    try:
        return path.absolute()
    except OSError:
        raise NoHomeError(
            f"history: the working directory is gone, so the relative path {str(path)!r} has no place."
        ) from None


def check_reuse(value: object) -> bool:
    """Return whether an equal job of the history is reused.

    Raises:
        ConfigurationError: it is not a boolean or a word for one.
    """
    if isinstance(value, bool):
        return value
    meaning = _WORDS.get(str(value).strip().lower())
    if meaning is None:
        raise ConfigurationError(f"reuse must be yes or no (1 or 0), not {value!r}.")
    return meaning


def check_folder(value: object) -> Path:
    """Return the folder that results are saved to.

    Raises:
        ConfigurationError: it is not a path, or its home directory doesn't exist (`NoHomeError`).
    """
    if not isinstance(value, str | os.PathLike) or not str(value).strip():
        raise ConfigurationError(f"save_to must be a folder, not {value!r}.")
    return expanded(value)


def check_limits(value: object) -> str | Mapping[Tool, tuple[int, float]]:
    """Return ``"documented"``, or how many generations of each tool may be submitted in how many seconds.

    Args:
        value: ``"documented"``, ``"off"``, or a mapping from tools to (count, seconds).

    Raises:
        ConfigurationError: it is none of these.
    """
    from ..model.tools import Tool

    if value == "documented":
        return "documented"
    if value is False or value == "off":
        return MappingProxyType({})
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"limits must be 'documented', 'off' or {{'video': (5, 3600)}}, not {value!r}.")
    checked: dict[Tool, tuple[int, float]] = {}
    for name, limit in value.items():
        try:
            count, seconds = limit
        except (TypeError, ValueError):
            count, seconds = 0, 0
        if not (_is_number(count) and _is_number(seconds) and count >= 1 and count == int(count) and seconds > 0):
            raise ConfigurationError(f"A limit must be (count, seconds), such as (5, 3600), not {limit!r}.")
        checked[Tool.of(name)] = (int(count), float(seconds))
    return MappingProxyType(checked)


def check_seconds(value: object) -> float:
    """Return how long a job is watched, in seconds.

    Raises:
        ConfigurationError: it is not a number above 0.
    """
    seconds = check_timeout(value)  # type: ignore[arg-type]  # it checks the type
    assert seconds is not None  # for the type checker
    return seconds


def check_speed(value: object) -> float:
    """Return how many times faster than the real service a sandbox runs.

    Raises:
        ConfigurationError: it is not a number above 0.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigurationError(f"speed must be a number above 0, not {value!r}.")
    return float(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def number_of(text: str) -> float | str:
    """Return the number that the environment or a command line gives as text; other texts as they are, to be refused."""
    try:
        return float(text)
    except ValueError:
        return text


def limits_of(text: str) -> Any:
    """Return limits that the environment or a command line gives as text: a word, or JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.strip().lower()
