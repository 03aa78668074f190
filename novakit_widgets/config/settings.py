"""The key, the base URL, the directories; and where each of them came from.

An argument beats `configure`, that beats the environment, that beats the keyring (for the key), that the default.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit

from ..errors import ConfigurationError, InvalidBaseURLError, InvalidKeyError, MissingKeyError
from .redaction import KEY, redact

if TYPE_CHECKING:
    from ..model.tools import Tool

__all__ = [
    "Secret",
    "Setting",
    "api_key",
    "base_url",
    "configure",
    "configured",
    "describe",
    "forget_key",
    "remember_key",
    "use_key",
    "veiled",
]

DEFAULT_BASE_URL = "https://www.novakit.ai/api/v1"
KEYRING_SERVICE = "novakit_widgets"
KEYRING_USER = "api_key"

# What a URL is written with; other letters are given as %xx, in a host as xn--…
_URL = re.compile(r"[\w.~:/?#@!$&'()*+,;=%\[\]-]+", re.ASCII)
_SHOWN = 4  # characters of a key that may be shown

T = TypeVar("T")


class Secret:
    """An API key that does not show itself: not in a repr, a log, a traceback or a pickle.

    Example:
        >>> Secret("sk_" + "0" * 60 + "beef")
        sk_…beef
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the key itself, for the one line that sends it."""
        return self._value

    def __repr__(self) -> str:
        return f"sk_…{self._value[-_SHOWN:]}"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> Any:
        raise TypeError("An API key is not to be pickled.")


def veiled(given: T, *, key: bool = True) -> T | Secret:
    """Wrap what may be a key, at once: from then on a verbose traceback, which shows arguments, does not show it.

    Args:
        given: what somebody gave; only texts are wrapped.
        key: whether it was given as the key. Another text is wrapped if there is a key in it.

    Example:
        >>> veiled("sk_" + "0" * 60 + "beef"), veiled(None), veiled("off", key=False)
        (sk_…beef, None, 'off')
    """
    hides = isinstance(given, str) and (key or redact(given) != given)
    return Secret(given.strip()) if hides and isinstance(given, str) else given


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """A value and where it came from.

    Attributes:
        value: what holds.
        source: ``"argument"``, ``"configure"``, an environment variable's name, ``"keyring"`` or ``"default"``.
    """

    value: T
    source: str


_configured: dict[str, Any] = {}
_exported: dict[str, str | Path] = {}  # histories that NOVAKIT_HISTORY has named
_NAMES = ("api_key", "base_url", "history", "limits", "reuse", "save_to", "speed")


class _Unchanged:
    def __repr__(self) -> str:
        return "unchanged"


_UNCHANGED: Any = _Unchanged()


def configure(
    *,
    api_key: str | Secret | None = _UNCHANGED,
    base_url: str | None = _UNCHANGED,
    history: str | os.PathLike[str] | None = _UNCHANGED,
    limits: str | Mapping[Any, tuple[int, float]] | None = _UNCHANGED,
    reuse: bool | None = _UNCHANGED,
    save_to: str | os.PathLike[str] | None = _UNCHANGED,
    speed: float | None = _UNCHANGED,
    **unknown: Any,
) -> None:
    """Set the package's settings for this process. What is left out stays as it is; ``None`` takes a setting back.

    Args:
        api_key: ``"sk_…"``.
        base_url: such as ``"https://www.novakit.ai/api/v1"``.
        history: a path, or ``"off"``. A relative one is that of the folder that the process is in now.
        limits: what a batch keeps to: ``"documented"``, ``"off"``, or ``{"video": (5, 3600)}`` for 5 in 3,600 seconds,
            where a tool left out has no limit.
        reuse: whether to take an equal job of the history instead of paying again.
        save_to: a folder for every finished job.
        speed: how many times faster than the real service a sandbox runs.
        **unknown: is refused, with the names that there are.

    Raises:
        ConfigurationError: a value is of no use; nothing was changed.
        TypeError: there is no such setting.

    Example:
        >>> configure(base_url="http://127.0.0.1:8123/api/v1")
        >>> base_url().source
        'configure'
        >>> configure(base_url=None)
    """
    given = (api_key, base_url, history, limits, reuse, save_to, speed)
    values = {
        name: veiled(value, key=name == "api_key")
        for name, value in zip(_NAMES, given, strict=True)
        if value is not _UNCHANGED
    }
    # What follows may raise, and each of these, under a wrong name too, may be a key with a slip of the hand.
    del given, api_key, base_url, history, limits, reuse, save_to, speed
    name = next(iter(unknown), None)
    unknown.clear()
    if name is not None:
        raise TypeError(f"configure() got an unknown keyword {name!r}; it takes {', '.join(_NAMES)}.")
    checked = {name: None if value is None else _CHECKS[name](value) for name, value in values.items()}
    for name, value in checked.items():
        if value is None:
            _configured.pop(name, None)
        else:
            _configured[name] = value


def configured() -> dict[str, Any]:
    """Return what `configure` was told and what still holds of it, as `configure` takes it again."""
    return dict(_configured)


def api_key(argument: str | Secret | None = None) -> Setting[Secret]:
    """Find the API key.

    Args:
        argument: a key that was given; it beats all others.

    Raises:
        MissingKeyError: there is none.
        InvalidKeyError: it has not the form of one.
    """
    argument = veiled(argument)
    if argument is not None:
        return Setting(_check_key(argument), "argument")
    if "api_key" in _configured:
        return Setting(_configured["api_key"], "configure")
    exported = _environment("NOVAKIT_API_KEY", Secret)
    if exported is not None:
        return Setting(_check_key(exported, "NOVAKIT_API_KEY"), "NOVAKIT_API_KEY")
    stored = _from_keyring()
    if stored is not None:
        return Setting(_check_key(stored, "the keyring"), "keyring")
    raise MissingKeyError(
        "There is no NovaKit API key, so nothing was sent. nk.login() asks for it; or set the environment variable "
        "NOVAKIT_API_KEY before the kernel starts, or call nk.configure(api_key=…). Without a key, nk.use_sandbox() practises "
        "on this machine."
    )


def base_url(argument: str | None = None) -> Setting[str]:
    """Find the API's base URL, without a slash at its end.

    Args:
        argument: a URL that was given; it beats all others.

    Raises:
        InvalidBaseURLError: it is no https URL, nor a http one of this machine.
    """
    if argument is not None:
        return Setting(_check_base_url(argument), "argument")
    if "base_url" in _configured:
        return Setting(_configured["base_url"], "configure")
    exported = _environment("NOVAKIT_BASE_URL", str)
    if exported is not None:
        return Setting(_check_base_url(exported), "NOVAKIT_BASE_URL")
    return Setting(DEFAULT_BASE_URL, "default")


def history() -> Setting[Path | None]:
    """Find the history's file; ``None`` means that there is to be no history."""
    exported = _environment("NOVAKIT_HISTORY", str)
    if "history" in _configured:
        given, source = _configured["history"], "configure"
    elif exported is not None:
        # Where a relative one is, the first reading says: a kernel that changes its folder must not change its history.
        if exported not in _exported:
            _exported[exported] = _check_history(exported)
        given, source = _exported[exported], "NOVAKIT_HISTORY"
    else:
        import platformdirs

        folder = platformdirs.user_data_path("novakit_widgets", appauthor=False)
        given, source = folder / "history.sqlite3", "default"
    return Setting(None if given == "off" else Path(given), source)


def reuse(argument: bool | None = None) -> Setting[bool]:
    """Find whether a job of the history with the same parameters is to be taken instead of a new one."""
    if argument is not None:
        return Setting(_check_bool(argument), "argument")
    if "reuse" in _configured:
        return Setting(_configured["reuse"], "configure")
    exported = _environment("NOVAKIT_REUSE", str)
    if exported is not None:
        return Setting(_check_bool(exported), "NOVAKIT_REUSE")
    return Setting(False, "default")


def save_to() -> Setting[Path | None]:
    """Find the folder that every finished job's media are saved to; ``None`` for none."""
    given = _configured.get("save_to")
    return Setting(given, "default" if given is None else "configure")


def limits() -> Setting[Mapping[Tool, tuple[int, float]]]:
    """Find how many generations of each tool may be submitted in how many seconds; a tool left out has no limit."""
    from ..model.tools import TOOL_LIMITS

    given = _configured.get("limits", "documented")
    source = "configure" if "limits" in _configured else "default"
    return Setting(TOOL_LIMITS if given == "documented" else given, source)


def speed() -> Setting[float]:
    """Find how many times faster than the real service the one configured runs; a sandbox sets it."""
    return Setting(_configured["speed"], "configure") if "speed" in _configured else Setting(1.0, "default")


def describe() -> dict[str, str]:
    """Say what holds and where it came from, the key by its last four characters at most.

    Example:
        >>> describe()["reuse"]
        'False (default)'
    """
    found: dict[str, str] = {}
    for name, read in (
        ("api_key", api_key),
        ("base_url", base_url),
        ("history", history),
        ("limits", limits),
        ("reuse", reuse),
        ("save_to", save_to),
        ("speed", speed),
    ):
        try:
            setting: Setting[Any] = read()
        except ConfigurationError as error:
            found[name] = f"unusable: {error.message}"
        else:
            shown = _shown(name, setting.value)
            found[name] = f"{shown} ({setting.source})"
    return found


def _shown(name: str, value: Any) -> Any:
    if name == "limits":
        return ", ".join(f"{tool} {count} in {seconds:g} s" for tool, (count, seconds) in value.items()) or "off"
    return "off" if name == "history" and value is None else value


def _environment(name: str, kind: Callable[[str], T]) -> T | None:
    """Read a variable, blanks around it removed; ``None`` when there is nothing in it.

    Apart from what judges the value, because a verbose traceback shows what a raising line names: all of the environment.
    """
    value = os.environ.get(name, "").strip()
    return kind(value) if value else None


def _check_key(value: object, where: str = "the argument api_key") -> Secret:
    if not isinstance(value, str | Secret):
        raise InvalidKeyError(f"{where} must be text, not {type(value).__name__}. Nothing was sent.")
    # From here on no variable holds the key itself: a verbose traceback shows them.
    value = value if isinstance(value, Secret) else Secret(value.strip())
    if not KEY.fullmatch(value.reveal()):
        # The value is not repeated: it may be a key with a slip of the hand.
        raise InvalidKeyError(
            f"The API key from {where} is not one of NovaKit's: those are 'sk_' and 64 hexadecimal digits, "
            f"this one has {len(value.reveal())} characters. Nothing was sent. Copy it again from the dashboard."
        )
    return value


def _check_base_url(value: object) -> str:
    text = str(value).strip().rstrip("/")
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not host or not _URL.fullmatch(text):
        raise InvalidBaseURLError(
            f"{redact(text)!r} is no web address. Nothing was sent. Use for example {DEFAULT_BASE_URL}."
        )
    if "@" in parts.netloc or "?" in text or "#" in text:
        raise InvalidBaseURLError("A base URL has no user name, password, query or fragment. Nothing was sent.")
    if parts.scheme == "http" and not is_loopback(host):
        raise InvalidBaseURLError(
            f"{redact(text)} would send the API key unencrypted, so nothing was sent. Use https; plain http is for this "
            "machine only."
        )
    return text


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_history(value: object) -> str | Path:
    if isinstance(value, str) and value.strip().lower() == "off":
        return "off"
    if value is False:
        return "off"
    if not isinstance(value, str | Path) or not str(value).strip():
        raise ConfigurationError(f"history is a file or 'off', not {value!r}.")
    return Path(value).expanduser().absolute()


def _check_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ConfigurationError(f"reuse is yes or no (1 or 0), not {value!r}.")


def _check_folder(value: object) -> Path:
    if not isinstance(value, str | Path) or not str(value).strip():
        raise ConfigurationError(f"save_to is a folder, not {value!r}.")
    return Path(value).expanduser()


def _check_limits(value: object) -> str | Mapping[Tool, tuple[int, float]]:
    from ..model.tools import Tool

    if value == "documented":
        return "documented"
    if value in ("off", False):
        return MappingProxyType({})
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"limits is 'documented', 'off' or {{'video': (5, 3600)}}, not {value!r}.")
    checked: dict[Tool, tuple[int, float]] = {}
    for name, limit in value.items():
        try:
            count, seconds = limit
        except (TypeError, ValueError):
            count, seconds = 0, 0
        if not (_is_number(count) and _is_number(seconds) and count >= 1 and count == int(count) and seconds > 0):
            raise ConfigurationError(f"A limit is (how many, in how many seconds), such as (5, 3600), not {limit!r}.")
        checked[Tool.of(name)] = (int(count), float(seconds))
    return MappingProxyType(checked)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _check_speed(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigurationError(f"speed is a number above 0, not {value!r}.")
    return float(value)


_CHECKS = {
    "api_key": lambda value: _check_key(value, "configure()"),
    "base_url": _check_base_url,
    "history": _check_history,
    "limits": _check_limits,
    "reuse": _check_bool,
    "save_to": _check_folder,
    "speed": _check_speed,
}


def _from_keyring() -> Secret | None:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        return None  # the extra is not installed
    # A machine without a keyring service has no key there, which is no error.
    with contextlib.suppress(keyring.errors.KeyringError):
        found: str | None = keyring.get_password(KEYRING_SERVICE, KEYRING_USER)
        return Secret(found.strip()) if found else None
    return None


def use_key(key: str | Secret) -> None:
    """Use a key that somebody typed, in this process: what `configure` does, but a slip is told as one of `login`.

    Args:
        key: ``"sk_"`` and 64 hex digits.

    Raises:
        InvalidKeyError: it has not the form of a key; nothing was changed.
    """
    key = veiled(key)
    _configured["api_key"] = _check_key(key, "nk.login()")


def remember_key(key: str | Secret) -> None:
    """Put the key into this machine's keyring, where later kernels find it.

    Args:
        key: ``"sk_"`` and 64 hex digits.

    Raises:
        InvalidKeyError: it has not the form of a key.
        ConfigurationError: there is no keyring.
    """
    key = veiled(key)
    secret = _check_key(key, "nk.login()")
    try:
        import keyring
    except ImportError:
        raise ConfigurationError(
            'Keeping the key needs the keyring package: pip install "novakit_widgets[keyring]". '
            "The key holds for this kernel all the same."
        ) from None
    try:
        keyring.set_password(KEYRING_SERVICE, KEYRING_USER, secret.reveal())
    except Exception as error:  # noqa: BLE001 # backends raise what they like, from frames that hold the key
        refused = type(error).__name__
    else:
        return
    # Raised out here: a backend's own traceback may hold the key.
    raise ConfigurationError(
        f"This machine has no keyring that takes the key ({refused}). The key holds for this kernel all the same."
    )


def forget_key() -> None:
    """Take the key out of this machine's keyring, and out of this process."""
    _configured.pop("api_key", None)
    try:
        import keyring
        import keyring.errors
    except ImportError:
        return  # then it never was in one
    with contextlib.suppress(keyring.errors.KeyringError):
        keyring.delete_password(KEYRING_SERVICE, KEYRING_USER)
