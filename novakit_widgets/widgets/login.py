"""A form for the API key, which empties its box as soon as the key is taken."""

from __future__ import annotations

import getpass

import ipywidgets
import traitlets
from markupsafe import Markup

from ..api.client import NovaKitClient
from ..config import keys, settings
from ..errors import AuthenticationError, ConfigurationError, MissingKeyError, NovaKitError, PermissionDeniedError
from ..runtime import loop as job_loop
from ..runtime.waiting import within
from .common.kernel import in_kernel
from .common.observe import when_changed
from .common.style import PAGE

__all__ = ["LoginForm", "login"]


_PATIENCE = 10.0  # seconds for the service's answer about a key


class _KeyBox(ipywidgets.Password):  # type: ignore[misc]  # ipywidgets ships no types
    """A password box whose content goes from the page to the kernel only."""

    # By default ipywidgets sends what one page has entered to all other pages of the kernel.
    value = traitlets.Unicode(help="the text that was entered").tag(sync=True, echo_update=False)


class LoginForm(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Ask for the API key, and set it for this process and, if the box is ticked, in the keyring.

    The box empties itself when the key is taken: a notebook that is saved with widget state keeps passwords in clear.

    Example:
        >>> LoginForm()  # doctest: +SKIP
    """

    def __init__(self) -> None:
        # Sent when it is entered, not with every keystroke.
        self._key = _KeyBox(description="API key", placeholder="sk_…", continuous_update=False)
        self._keep = ipywidgets.Checkbox(description="Keep it in this machine's keyring", indent=False)
        self._button = ipywidgets.Button(description="Log in", tooltip="Use this key in this kernel")
        self._message = ipywidgets.HTML(_state())
        hidden = ipywidgets.Layout(display="none")
        super().__init__(
            children=[ipywidgets.HTML(str(PAGE), layout=hidden), self._key, self._keep, self._button, self._message]
        )
        self.add_class("novakit-page")
        self._button.on_click(self._take)
        self._key.observe(self._entered, "value")
        for control in (self._key, self._keep):
            when_changed(control, lambda: None)  # without this, what is typed during a cell's await does not arrive

    def __repr__(self) -> str:
        return "<LoginForm>"

    def _entered(self, change: dict[str, str]) -> None:
        if change["new"]:
            self._take(None)

    def _take(self, _button: object) -> None:
        if not self._key.value.strip():
            self._key.value, self._message.value = "", _state()  # clears an earlier error
            return
        # Never in a variable as plain text: a verbose traceback shows variables.
        typed, self._key.value = settings.Secret(self._key.value.strip()), ""
        before = keys.current.configured
        try:
            settings.use_key(typed)
            if self._keep.value:
                settings.remember_key(typed)
        except ConfigurationError as error:
            self._message.value = _text(error.message)
        else:
            self._message.value = _state("Asking NovaKit whether the key works …")
            job_loop.background(lambda: self._check(typed, before))

    async def _check(self, key: settings.Secret, before: settings.Secret | None) -> None:
        """Ask the service whether the key works, and say so."""
        works, told = await verdict(key)
        if keys.current.configured != key:
            return  # another one was entered meanwhile
        if not works:
            _put_back(before, kept=self._keep.value)
        self._message.value = _state(told)


async def verdict(key: settings.Secret) -> tuple[bool, str]:
    """Ask the service whether a key works.

    Args:
        key: the key.

    Returns:
        Whether it may be used, and a sentence for the user.
    """
    try:
        async with NovaKitClient(key) as client:
            asked = await within(_PATIENCE, client.quota())
            if asked is None:
                return True, f"Whether the key works is not known: no answer from NovaKit within {_PATIENCE:g} s."
            asked.result()
    except AuthenticationError:
        return False, "NovaKit refuses this key (401), so it is not used. Copy it again from the dashboard."
    except PermissionDeniedError:
        pass  # it lacks the scope for the quota, but it is known
    except NovaKitError as error:
        return True, f"Whether the key works is not known. {error.message}"
    return True, "NovaKit accepts this key."


def _put_back(before: settings.Secret | None, *, kept: bool) -> None:
    """Use the key from before again, in place of one that the service refuses."""
    if kept:
        settings.forget_key()
    keys.current.configured = before


def _state(told: str = "") -> str:
    """Return the text that names the key in use by its last characters.

    Args:
        told: a sentence to begin with.
    """
    return _text(f"{told} {_key_in_use()}".strip())


def _key_in_use() -> str:
    try:
        key = settings.api_key()
    except MissingKeyError:
        return "No key yet. Paste it into the box; the dashboard has it."
    except ConfigurationError as error:
        return error.message
    return f"Key: {key.value} ({key.source})"


def _text(words: str) -> str:
    return str(Markup("<span dir='auto'>{}</span>").format(words))


def login() -> LoginForm | None:
    """Ask for the API key: in a notebook with a form, elsewhere at the terminal.

    Returns:
        The form, which shows itself; ``None`` at a terminal, where the key is set when this returns.

    Raises:
        InvalidKeyError: what was typed at a terminal does not look like a key.
        AuthenticationError: the service refuses what was typed at a terminal; the key from before is used again.
        MissingKeyError: there is neither a notebook nor a terminal.

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
            "There is neither a notebook nor a terminal that could ask for the key. Set NOVAKIT_API_KEY, or call "
            "nk.configure(api_key=…). Nothing was sent."
        ) from None
    before = keys.current.configured
    settings.use_key(typed)
    works, told = job_loop.run_blocking(lambda: verdict(typed))
    if not works:
        _put_back(before, kept=False)
        raise AuthenticationError(told)
    print(told)  # noqa: T201 # at a terminal
    return None
