"""The box for the key: it takes the key, forgets it, and never shows it."""

from __future__ import annotations

import keyring
import keyring.backend
import keyring.errors
import pytest

from novakit_widgets import InvalidKeyError, MissingKeyError, configure, settings
from novakit_widgets.widgets import login as login_module
from novakit_widgets.widgets.login import LoginForm, login

KEY = "sk_" + "c0ffee" * 10 + "beef"


class Memory(keyring.backend.KeyringBackend):
    """A keyring in memory."""

    priority = 1

    def __init__(self):
        super().__init__()
        self.kept = {}

    def get_password(self, service, username):
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        self.kept[service, username] = password

    def delete_password(self, service, username):
        if self.kept.pop((service, username), None) is None:
            raise keyring.errors.PasswordDeleteError


class Broken(Memory):
    """A keyring that takes nothing, and says so with the password in its words."""

    def set_password(self, service, username, password):
        raise keyring.errors.PasswordSetError(f"no room for {password}")


@pytest.fixture
def ring():
    """A keyring in place of the machine's."""
    before = keyring.get_keyring()
    memory = Memory()
    keyring.set_keyring(memory)
    yield memory
    keyring.set_keyring(before)
    configure(api_key=None)


def type_in(form, text):
    """Enter a text as a user does."""
    form._key.value = text


def everything(form):
    """Return all state that a front end or a saved notebook could see."""
    return repr([widget.get_state() for widget in (form, *form.children)])


def test_the_key_is_used_and_forgotten(ring):
    """The box is empty as soon as the key holds; only its last four characters are shown."""
    form = LoginForm()
    type_in(form, KEY)
    assert settings.api_key().value.reveal() == KEY
    assert form._key.value == ""
    assert "sk_…beef" in form._message.value
    assert KEY not in everything(form)
    assert ring.kept == {}


def test_the_key_is_kept_in_the_keyring_only_if_asked(ring):
    """With the box ticked a later kernel finds it; forget_key removes it."""
    form = LoginForm()
    form._keep.value = True
    type_in(form, KEY)
    configure(api_key=None)
    assert settings.api_key().source == "keyring"
    settings.forget_key()
    assert ring.kept == {}


def test_a_slip_of_the_hand_is_told_without_repeating_it(ring):
    """What is no key is refused, and stands nowhere."""
    form = LoginForm()
    type_in(form, KEY[:-1])
    assert "The API key from nk.login() is not a NovaKit key" in form._message.value
    assert "64 hexadecimal digits" in form._message.value
    assert KEY[:-1] not in everything(form)


def test_without_a_key_it_says_so(ring, monkeypatch):
    """That there is none yet is why the box is there, and no complaint; one about an earlier try ends with an empty box."""
    monkeypatch.delenv("NOVAKIT_API_KEY", raising=False)
    configure(api_key=None)
    form = LoginForm()
    assert "No key yet" in form._message.value
    type_in(form, KEY[:-1])
    assert "No key yet" not in form._message.value
    form._button.click()
    assert "No key yet" in form._message.value
    type_in(form, KEY)
    type_in(form, KEY[:-1])
    type_in(form, "  ")
    assert form._key.value == ""
    assert "sk_…beef (configure)" in form._message.value


def test_a_key_elsewhere_that_is_none_is_told(ring, monkeypatch):
    """The one of the environment, where its owner finds it."""
    configure(api_key=None)
    monkeypatch.setenv("NOVAKIT_API_KEY", KEY[:-1])
    assert "The API key from NOVAKIT_API_KEY is not a NovaKit key" in LoginForm()._message.value


def test_a_keyring_that_fails_leaves_the_key_in_the_kernel(ring):
    """The error does not have the backend's words, which may have the key."""
    keyring.set_keyring(Broken())
    form = LoginForm()
    form._keep.value = True
    type_in(form, KEY)
    assert "is used in this kernel" in form._message.value
    assert KEY not in everything(form)
    assert settings.api_key().source == "configure"


def test_at_a_terminal_it_asks_there(ring, monkeypatch):
    """Without a page the key is read by getpass, which shows nothing."""
    monkeypatch.setattr(login_module.getpass, "getpass", lambda prompt: KEY)
    assert login() is None
    assert settings.api_key().value.reveal() == KEY
    monkeypatch.setattr(login_module.getpass, "getpass", lambda prompt: KEY[:-1])
    with pytest.raises(InvalidKeyError, match=r"The API key from nk\.login\(\) is not a NovaKit key"):
        login()


def test_without_a_terminal_it_says_what_to_do(ring, monkeypatch):
    """A script that runs by itself has nobody to ask."""

    def nobody(prompt):
        raise EOFError

    monkeypatch.setattr(login_module.getpass, "getpass", nobody)
    with pytest.raises(MissingKeyError, match="NOVAKIT_API_KEY"):
        login()
