"""What each setting is now, and where its value came from. The key is not here: see `novakit_widgets.config.keys`."""

from __future__ import annotations

import difflib
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..errors import ConfigurationError
from ..runtime.paths import NoHomeError, expanded
from . import checks
from .logs import warn
from .redaction import veiled

__all__ = ["SETTINGS", "Setting", "Store", "current", "environment", "unknown"]

FILE = "configuration file"  # IPython's, or its command line

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """A value and its source.

    Attributes:
        value: the value in use.
        source: ``"argument"``, ``"configure"``, ``"%config"``, the name of an environment variable, ``"configuration file"``,
            ``"keyring"``, ``"Colab secret"`` or ``"default"``.
    """

    value: T
    source: str


@dataclass(frozen=True, slots=True)
class Rule:
    """How a setting is checked, and what it is when nothing sets it.

    Attributes:
        check: returns the value, or raises a `ConfigurationError`.
        default: the value where nothing sets it.
        variable: the environment variable that sets it, if there is one.
        read: returns the value that a text of the environment or of a command line stands for.
    """

    check: Callable[[Any], Any]
    default: Any = None
    variable: str | None = None
    read: Callable[[str], Any] = str

    def check_text(self, value: Any) -> Any:
        """Check a value that may be a text, without a key that may be in it."""
        value = veiled(value, key=False)
        return self.check(self.read(value) if isinstance(value, str) else value)


SETTINGS: Mapping[str, Rule] = {
    "base_url": Rule(checks.check_base_url, checks.DEFAULT_BASE_URL, "NOVAKIT_BASE_URL"),
    "embed": Rule(checks.check_embed, "auto", "NOVAKIT_EMBED"),
    "history": Rule(checks.check_history, None, "NOVAKIT_HISTORY"),
    "limits": Rule(checks.check_limits, "documented", "NOVAKIT_LIMITS", checks.limits_of),
    "reuse": Rule(checks.check_reuse, False, "NOVAKIT_REUSE"),
    "save_to": Rule(checks.check_folder, None, "NOVAKIT_SAVE_TO"),
    "speed": Rule(checks.check_speed, 1.0, None, checks.number_of),
    "timeout": Rule(checks.check_seconds, None, "NOVAKIT_TIMEOUT", checks.number_of),
}


class Store:
    """The settings of this process.

    Attributes:
        assigned: what `configure` or ``%config`` set, the later one of both.
        from_file: what the configuration file sets.
        refused: why a value of the configuration file is not used, by setting.
        untold: whether what was refused is still to be raised.
        shell: the IPython shell whose configuration was read.
        listeners: called with a setting's name, old and new value when an assignment has changed it.
        lock: held while a shell is registered or values are assigned.
    """

    def __init__(self) -> None:
        self.assigned: dict[str, Setting[Any]] = {}
        self.from_file: dict[str, Any] = {}
        self.refused: dict[str, str] = {}
        self.shell: Any = None
        self.listeners: list[Callable[[str, Any, Any], None]] = []
        self.lock = threading.RLock()
        self.untold = False
        self._exported: dict[
            tuple[str, str], Any
        ] = {}  # what the environment gave, checked; a path stays where it was first read
        self._warned: set[str] = set()

    def find(self, name: str, argument: Any = None) -> Setting[Any]:
        """Return a setting: the argument, else what was assigned, else the environment, the file, the default.

        Raises:
            ConfigurationError: the value can't be used.
        """
        rule = SETTINGS[name]
        if argument is not None:
            return Setting(rule.check(argument), "argument")
        assigned = self.assigned.get(name)
        if assigned is not None:
            return assigned
        if rule.variable is not None:
            # Not `os.environ`: a verbose traceback shows the values of all names in a raising line.
            exported = os.getenv(rule.variable, "").strip()
            if exported:
                known = (name, exported) in self._exported
                value = self._exported[name, exported] if known else self._of_environment(name, rule, exported)
                return Setting(value, rule.variable)
        if name in self.from_file:
            return Setting(self.from_file[name], FILE)
        return Setting(self._default_history() if name == "history" else rule.default, "default")

    def assign(self, values: Mapping[str, Any], source: str) -> None:
        """Assign settings: all of them or, where one is refused, none. ``None`` takes an assignment back.

        Raises:
            ConfigurationError: a value can't be used; nothing was changed.
        """
        checked, refused = {}, []
        for name, value in values.items():
            try:
                checked[name] = None if value is None else SETTINGS[name].check(value)
            except ConfigurationError as error:
                refused.append(error)
        if len(refused) > 1:
            raise ConfigurationError(" ".join(error.message for error in refused))
        if refused:
            raise refused[0]
        with self.lock:
            before = {name: self.assigned.get(name) for name in checked}
            for name, value in checked.items():
                if value is None:
                    self.assigned.pop(name, None)
                else:
                    self.assigned[name] = Setting(value, source)
        for name, earlier in before.items():
            old, new = None if earlier is None else earlier.value, checked[name]
            if old != new:
                for listener in self.listeners:
                    listener(name, old, new)

    def read_file(self, values: Mapping[str, Any]) -> None:
        """Take the values of a configuration file. What is refused is raised by the first call that reads a setting."""
        self.from_file, self.refused = {}, {}
        for name, value in values.items():
            if value is None:
                continue
            try:
                if name not in SETTINGS:
                    raise ConfigurationError(unknown(name))
                self.from_file[name] = SETTINGS[name].check_text(value)
            except ConfigurationError as error:
                self.refused[name] = error.message
        self.untold = bool(self.refused)

    def refuse(self, name: str, why: str) -> None:
        """Note that the configuration file sets what it must not."""
        self.refused[name], self.untold = why, True

    def raise_refused(self) -> None:
        """Raise, once, what was refused.

        Raises:
            ConfigurationError: the configuration file has a value that can't be used.
        """
        if not self.untold:
            return
        self.untold = False
        reasons = " ".join(f"c.NovaKit.{name}: {why}" for name, why in self.refused.items())
        raise ConfigurationError(
            f"IPython's configuration was refused in part, so nothing was sent. {reasons} "
            "Correct it and restart the kernel; until then these settings count as not set."
        )

    def _of_environment(self, name: str, rule: Rule, exported: str) -> Any:
        """Check what the environment gives, and keep it."""
        refusal: ConfigurationError | None = None
        try:
            value = rule.check_text(exported)
        except NoHomeError as error:
            lost = "jobs are not remembered" if name == "history" else "results are not saved by themselves"
            self._warn_once(f"{rule.variable}: {error.message} Until then {lost}.")
            value = "off" if name == "history" else None
        except ConfigurationError as error:
            # Out of the except, without the frames of the check.
            refusal = type(error)(f"{rule.variable}: {error.message}")
        if refusal is not None:
            raise refusal
        self._exported[name, exported] = value
        return value

    def _default_history(self) -> str | Path:
        import platformdirs

        try:
            folder = expanded(platformdirs.user_data_path("novakit_widgets", appauthor=False))
        except (RuntimeError, NoHomeError):
            folder = None
        if folder is None or not folder.is_absolute():
            self._warn_once(
                "This process has no home directory, so there is no job history: jobs run, but are not remembered. "
                "Set NOVAKIT_HISTORY to a file, or to 'off'."
            )
            return "off"
        return folder / "history.sqlite3"

    def _warn_once(self, message: str) -> None:
        with self.lock:
            if message in self._warned:
                return
            self._warned.add(message)
        warn(message)


current = Store()  # of this process


def unknown(name: str) -> str:
    """Return why a setting's name is refused, with the likely one."""
    close = difflib.get_close_matches(name, SETTINGS, n=1)
    meant = f" Did you mean {close[0]!r}?" if close else f" The settings are {', '.join(SETTINGS)}."
    return f"there is no setting {name!r}.{meant}"


def environment(variable: str) -> str | None:
    """Return the text of an environment variable without blanks around it, or ``None`` where it is unset or empty.

    A caller that may get a key wraps the text at once: a verbose traceback shows the variables of a raising line.
    """
    return os.getenv(variable, "").strip() or None
