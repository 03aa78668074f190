"""The settings as traitlets, for ``c.NovaKit.…`` in a configuration file and for ``%config NovaKit.…``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from traitlets import Bunch, TraitType
from traitlets.config import Configurable

from ..errors import ConfigurationError
from . import store
from .redaction import veiled

if TYPE_CHECKING:
    from traitlets.config import Config

    _Trait = TraitType[Any, Any]
else:
    _Trait = TraitType

__all__ = ["NovaKit", "register"]

_NO_KEY = (
    "the API key can't be set there, since configurations are shown and saved; it was removed. Call nk.login(), or set the "
    "environment variable NOVAKIT_API_KEY. Delete it from the place where you wrote it."
)


class SettingTrait(_Trait):
    """A setting as a trait: reading it gives the value in use, wherever that came from; ``None`` takes an assignment back."""

    def get(self, obj: Any, cls: Any = None) -> Any:  # noqa: ARG002 # traitlets' signature
        """Return the value in use."""
        return store.current.find(str(self.name)).value

    def set(self, obj: Any, value: Any) -> None:  # noqa: ARG002 # traitlets' signature
        """Assign a value, as ``%config`` does."""
        store.current.assign({str(self.name): veiled(value, key=False)}, "%config")


def _setting(text: str) -> Any:
    return SettingTrait(help=text).tag(config=True)


class NovaKit(Configurable):
    """Settings of novakit_widgets. ``novakit_widgets.settings.describe()`` tells where each value came from.

    An argument of a call beats `configure` and ``%config`` (the later one), which beat the environment, which beats the
    configuration file. The API key is not among them: call ``nk.login()``, or set NOVAKIT_API_KEY.
    """

    base_url = _setting("Address of the API: https, or http on this machine. Default: https://www.novakit.ai/api/v1")
    embed = _setting(
        "Where finished media go: 'inline' into the notebook, 'file' into a folder beside it, 'link' keeps the service's "
        "temporary address, 'auto' is inline up to 8 MB and a file beyond. Default: 'auto'"
    )
    history = _setting("File of the job history, or 'off'. Default: history.sqlite3 in your data directory")
    limits = _setting(
        "How many jobs a batch submits: 'documented', 'off', or for example {'video': (50, 3600)} for 50 videos in 3,600 s. "
        "Default: 'documented'"
    )
    reuse = _setting("Whether to take an equal job of the history instead of paying again. Default: False")
    save_to = _setting("Folder that every finished job's media are saved to. Default: None, which saves nothing")
    speed = _setting("How many times faster than the real service a sandbox runs; use_sandbox() sets it. Default: 1.0")
    timeout = _setting("Seconds to watch a job. Default: None, which is the tool's: video 300, music 180, others 120")

    def changed(self, name: str, old: Any, new: Any) -> None:
        """Notify observers of an assignment; ``None`` is one that was taken back."""
        self.notify_change(Bunch(name=name, old=old, new=new, owner=self, type="change"))

    def update_config(self, config: Config) -> None:
        """Assign what ``%config NovaKit.… = …`` says.

        Raises:
            ConfigurationError: a value can't be used, or it is the key.
        """
        given = dict(config.get("NovaKit", {}))
        if given.pop("api_key", None) is not None:
            _remove_key([config, *_configurations(store.current.shell)])
            raise ConfigurationError(f"NovaKit.api_key: {_NO_KEY}")
        for name in given:
            if name not in store.SETTINGS:
                raise ConfigurationError(f"NovaKit.{name}: {store.unknown(name)}")
        store.current.assign({name: veiled(value, key=False) for name, value in given.items()}, "%config")


def register(shell: Any) -> None:
    """Read a shell's configuration, and list the settings among those that ``%config`` shows; once for a shell.

    Args:
        shell: IPython's.
    """
    mine = store.current
    with mine.lock:
        if mine.shell is shell:
            return
        # A front end may give something that is not quite IPython's shell.
        listed = getattr(shell, "configurables", None)
        if isinstance(listed, list) and not any(isinstance(one, NovaKit) for one in listed):
            shown = NovaKit()
            listed.append(shown)
            mine.listeners.append(shown.changed)
        configuration = getattr(shell, "config", None)
        given = dict(configuration.get("NovaKit", {})) if isinstance(configuration, dict) else {}
        has_key = given.pop("api_key", None) is not None
        mine.read_file(given)
        if has_key:
            _remove_key(_configurations(shell))
            mine.refuse("api_key", _NO_KEY)
        mine.shell = shell  # last: another thread that sees it reads settings without the lock


def _configurations(shell: Any) -> Iterator[Any]:
    """Yield the configurations of a shell, of its parts, and of the applications that it belongs to."""
    owners = list(getattr(shell, "configurables", None) or [])
    while shell is not None:
        owners.append(shell)
        shell = getattr(shell, "parent", None)
    for owner in owners:
        for name in ("config", "cli_config"):
            found = getattr(owner, name, None)
            if isinstance(found, dict):
                yield found


def _remove_key(configurations: Any) -> None:
    for configuration in configurations:
        section = configuration.get("NovaKit")
        if section is not None:
            section.pop("api_key", None)
