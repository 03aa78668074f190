"""The API key: where it is found, and where it is kept. Never a trait: traits are shown by ``%config``, reprs and widget states."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..errors import ConfigurationError, InvalidKeyError, MissingKeyError
from .logs import warn
from .redaction import KEY, Secret, veiled
from .store import Setting, environment

__all__ = [
    "KEYRING_SERVICE",
    "KEYRING_USER",
    "KeyHolder",
    "api_key",
    "ask_again",
    "check_key",
    "current",
    "forget_key",
    "remember_key",
    "use_key",
]

KEYRING_SERVICE = "novakit_widgets"
KEYRING_USER = "api_key"
_VARIABLE = "NOVAKIT_API_KEY"
_READ_SECONDS = 2.0  # a keyring on the same machine answers in milliseconds; a locked one waits for its owner
_WRITE_SECONDS = 30.0  # its owner asked for it, and may have to unlock it first


class _Answer:
    """What a call on a thread of its own came to: a slow or broken backend must hold up no loop and show no traceback."""

    def __init__(self, call: Callable[[], str | None]) -> None:
        self.value: Secret | None = None
        self.failure: str | None = None
        self._done = threading.Event()
        try:
            threading.Thread(target=self._run, args=(call,), name="novakit-keyring", daemon=True).start()
        except RuntimeError:  # a Python without threads, where there are no keyrings either
            self._done.set()

    def _run(self, call: Callable[[], str | None]) -> None:
        try:
            found = call()
            self.value = Secret(found.strip()) if found else None
        except ImportError as error:
            # Without the extra there is no keyring, which is no failure.
            self.failure = None if error.name == "keyring" else type(error).__name__
        except Exception as error:  # noqa: BLE001 # backends raise what they like
            self.failure = type(error).__name__
        finally:
            self._done.set()

    def within(self, seconds: float) -> bool:
        """Wait at most so long for the end of the call; return whether it has ended."""
        return self._done.wait(seconds)


class KeyHolder:
    """The key of this process: what `configure` or `login` set, and what the keyring and Colab answered."""

    def __init__(self) -> None:
        self.configured: Secret | None = None
        self._keyring: _Answer | None = None
        self._patience = _READ_SECONDS
        self._colab: Secret | None = None
        self._colab_asked = False
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"KeyHolder({self.configured})"

    def from_keyring(self) -> Secret | None:
        """Return the keyring's key. It is asked once for a process; one that is slow is waited for once."""
        with self._lock:
            first = self._keyring is None
            answer = self._keyring = self._keyring or _Answer(_read_keyring)
            patience, self._patience = self._patience, 0.0
        ended = answer.within(patience)
        if first and not ended:
            warn(
                f"The keyring has not answered within {_READ_SECONDS:g} s, so its key is not used yet. Unlock it and try again, or "
                "call nk.login(). Nothing was sent."
            )
        elif first and answer.failure not in (None, "NoKeyringError"):
            warn(
                f"The keyring can't be read ({answer.failure}), so no key comes from there. Call nk.login() or set "
                f"{_VARIABLE}."
            )
        return answer.value if ended else None

    def from_colab(self) -> Secret | None:
        """Return the secret NOVAKIT_API_KEY of Google Colab. It is asked until there is one, or until access was denied."""
        if not self._colab_asked:
            try:
                from google.colab import userdata

                found = userdata.get(_VARIABLE)
                self._colab = Secret(found.strip()) if found else None
                self._colab_asked = True
            except Exception as error:  # noqa: BLE001 # outside of Colab, without that secret, or access was denied
                self._colab_asked = type(error).__name__ != "SecretNotFoundError"
        return self._colab

    def ask_again(self) -> None:
        """Forget what the keyring and Colab answered, so that the next call asks them."""
        with self._lock:
            self._keyring, self._patience, self._colab_asked = None, _READ_SECONDS, False


current = KeyHolder()  # of this process


def api_key(argument: str | Secret | None = None) -> Setting[Secret]:
    """Return the API key: the argument, else that of `configure`, the environment, Colab's secrets, the keyring.

    Args:
        argument: a key that was given.

    Raises:
        MissingKeyError: there is no key.
        InvalidKeyError: it does not look like a key.
    """
    if argument is not None:
        argument = veiled(argument)
        return Setting(check_key(argument), "argument")
    mine = current
    if mine.configured is not None:
        return Setting(mine.configured, "configure")
    exported = veiled(environment(_VARIABLE))
    if exported is not None:
        return Setting(check_key(exported, _VARIABLE), _VARIABLE)
    shared = mine.from_colab()
    if shared is not None:
        return Setting(check_key(shared, "Colab's secrets"), "Colab secret")
    stored = mine.from_keyring()
    if stored is not None:
        return Setting(check_key(stored, "the keyring"), "keyring")
    raise MissingKeyError(
        "No NovaKit API key is set, so nothing was sent. Call nk.login(), set the environment variable NOVAKIT_API_KEY before "
        "the kernel starts, or call nk.configure(api_key=…). nk.use_sandbox() works without a key."
    )


def check_key(value: object, where: str = "the argument api_key") -> Secret:
    """Return a key that has the documented form.

    Args:
        value: the key.
        where: its source, for the message.

    Raises:
        InvalidKeyError: it does not look like a key. The message does not repeat it.
    """
    if not isinstance(value, str | Secret):
        raise InvalidKeyError(f"{where} must be text, not {type(value).__name__}. Nothing was sent.")
    # From here on no variable holds the key itself: a verbose traceback shows them.
    value = value if isinstance(value, Secret) else Secret(value.strip())
    if not KEY.fullmatch(value.reveal()):
        # Not repeated: it may be a key with a typing error.
        raise InvalidKeyError(
            f"The API key from {where} is not a NovaKit key: those are 'sk_' and 64 hexadecimal digits, "
            f"this one has {len(value.reveal())} characters. Nothing was sent. Copy it again from the dashboard."
        )
    return value


def use_key(key: str | Secret) -> None:
    """Use a key in this process; like `configure`, but an error names `login` as its source.

    Args:
        key: ``"sk_"`` and 64 hex digits.

    Raises:
        InvalidKeyError: it does not look like a key; nothing was changed.
    """
    key = veiled(key)
    current.configured = check_key(key, "nk.login()")


def ask_again() -> None:
    """Forget what the keyring and Colab's secrets answered, so that the next call asks them again."""
    current.ask_again()


def remember_key(key: str | Secret) -> None:
    """Store the key in this machine's keyring, where later kernels find it.

    Args:
        key: ``"sk_"`` and 64 hex digits.

    Raises:
        InvalidKeyError: it does not look like a key.
        ConfigurationError: there is no keyring that takes it.
    """
    key = veiled(key)
    secret = check_key(key, "nk.login()")
    try:
        import keyring  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            'Keeping the key needs the keyring package: pip install "novakit_widgets[keyring]". '
            "The key is used in this kernel all the same."
        ) from None
    answer = _Answer(lambda: _write_keyring(secret))
    if not answer.within(_WRITE_SECONDS):
        answer.failure = f"no answer within {_WRITE_SECONDS:g} s"
    if answer.failure is not None:
        raise ConfigurationError(
            f"This machine has no keyring that takes the key ({answer.failure}). The key is used in this kernel all the same."
        )
    current.ask_again()


def forget_key() -> None:
    """Remove the key from this machine's keyring and from this process."""
    current.configured = None
    _Answer(_delete_from_keyring).within(_WRITE_SECONDS)
    current.ask_again()


def _read_keyring() -> str | None:
    import keyring

    found: Any = keyring.get_password(KEYRING_SERVICE, KEYRING_USER)
    return found if isinstance(found, str) else None


def _write_keyring(secret: Secret) -> None:
    import keyring

    keyring.set_password(KEYRING_SERVICE, KEYRING_USER, secret.reveal())


def _delete_from_keyring() -> None:
    import keyring

    keyring.delete_password(KEYRING_SERVICE, KEYRING_USER)
