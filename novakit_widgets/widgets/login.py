"""A box for the API key, which forgets it as soon as it has it."""

from __future__ import annotations

import getpass

import ipywidgets
import traitlets
from markupsafe import Markup

from ..config import settings
from ..errors import ConfigurationError, MissingKeyError
from .common.display import in_kernel
from .common.observe import when_changed

__all__ = ["LoginForm", "login"]


class _KeyBox(ipywidgets.Password):  # type: ignore[misc]  # ipywidgets ships no types
    """A box whose content goes from the page to the kernel, and from there nowhere."""

    # ipywidgets repeats to every page of a kernel what one of them has sent, unless it is told not to.
    value = traitlets.Unicode(help="what was typed").tag(sync=True, echo_update=False)


class LoginForm(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Asks for the API key, and puts it into this process and, if wanted, the keyring.

    The box empties itself when the key is taken: a notebook that is saved with widget state keeps passwords in clear.

    Example:
        >>> LoginForm()  # doctest: +SKIP
    """

    def __init__(self) -> None:
        # Sent when it is entered, not with every keystroke.
        self._key = _KeyBox(description="API key", placeholder="sk_…", continuous_update=False)
        self._keep = ipywidgets.Checkbox(description="Keep it in this machine's keyring", indent=False)
        self._button = ipywidgets.Button(description="Log in", tooltip="Use this key in this kernel")
        self._said = ipywidgets.HTML(_state())
        super().__init__(children=[self._key, self._keep, self._button, self._said])
        self._button.on_click(self._take)
        self._key.observe(self._entered, "value")
        for control in (self._key, self._keep):
            when_changed(control, lambda: None)  # what is typed next is to come, too

    def __repr__(self) -> str:
        return "<LoginForm>"

    def _entered(self, change: dict[str, str]) -> None:
        if change["new"]:
            self._take(None)

    def _take(self, _button: object) -> None:
        if not self._key.value.strip():
            self._key.value, self._said.value = "", _state()  # an earlier complaint is over
            return
        # Never in a variable as it is: a verbose traceback shows them.
        typed, self._key.value = settings.Secret(self._key.value.strip()), ""
        try:
            settings.use_key(typed)
            if self._keep.value:
                settings.remember_key(typed)
        except ConfigurationError as error:
            self._said.value = _told(error.message)
        else:
            self._said.value = _state()


def _state() -> str:
    """Say which key holds, by its last characters."""
    try:
        key = settings.api_key()
    except MissingKeyError:
        return _told("No key yet. Paste it into the box; the dashboard has it.")
    except ConfigurationError as error:
        return _told(error.message)
    return _told(f"Key: {key.value} ({key.source})")


def _told(words: str) -> str:
    return str(Markup("<span dir='auto'>{}</span>").format(words))


def login() -> LoginForm | None:
    """Ask for the API key: in a notebook with a box that empties itself, elsewhere at the terminal.

    Returns:
        The form, which shows itself; ``None`` at a terminal, where the key has been read.

    Raises:
        InvalidKeyError: at a terminal, what was typed is no key.
        MissingKeyError: there is no terminal either, as in a script that runs by itself.

    Example:
        >>> login()  # doctest: +SKIP
    """
    settings.ask_again()
    if in_kernel():
        return LoginForm()
    try:
        typed = settings.Secret(getpass.getpass("NovaKit API key: ").strip())
    except EOFError:
        raise MissingKeyError(
            "There is neither a page nor a terminal to ask for the key on. Set NOVAKIT_API_KEY, or call "
            "nk.configure(api_key=…). Nothing was sent."
        ) from None
    settings.use_key(typed)
    return None
