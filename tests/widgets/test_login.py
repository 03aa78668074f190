"""The box for the key: it takes the key, forgets it, and never shows it."""

from __future__ import annotations

import time

import keyring
import keyring.backend
import keyring.errors
import pytest

from novakit_widgets import AuthenticationError, InvalidKeyError, MissingKeyError, configure, settings
from novakit_widgets.sandbox import Fault
from novakit_widgets.widgets import login as login_module
from novakit_widgets.widgets.login import LoginForm, login

VERDICT = login_module.verdict
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
def ring(monkeypatch):
    """A keyring in place of the machine's; the service is not asked."""
    monkeypatch.setattr(login_module, "verdict", unasked)
    before = keyring.get_keyring()
    memory = Memory()
    keyring.set_keyring(memory)
    yield memory
    keyring.set_keyring(before)
    configure(api_key=None)


async def unasked(_key):
    return True, ""


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


@pytest.fixture
def asked(ring, monkeypatch, sandbox):
    """The service is a sandbox, which is asked."""
    monkeypatch.setattr(login_module, "verdict", VERDICT)
    monkeypatch.delenv("NOVAKIT_API_KEY", raising=False)
    monkeypatch.setenv("NOVAKIT_BASE_URL", sandbox.base_url)
    configure(api_key=None)
    return sandbox


def told(form):
    """Wait until the form says what the service said."""
    until = time.monotonic() + 60
    while "Asking" in form._message.value:
        assert time.monotonic() < until
        time.sleep(0.01)
    return form._message.value


def test_key_that_works_is_said_after_the_service_was_asked(asked):
    """The form says so only then."""
    form = LoginForm()
    type_in(form, asked.api_key)
    said = told(form)
    assert "NovaKit accepts this key. Key: sk_…" in said
    assert [request.path for request in asked.requests] == ["/quota"]


def test_key_without_the_scope_for_the_quota_works(asked):
    """A 403 is no word against the key."""
    form = LoginForm()
    type_in(form, asked.add_key(scopes=["video"]))
    assert "NovaKit accepts this key." in told(form)


@pytest.mark.parametrize("keep", [False, True])
def test_key_that_the_service_refuses_is_not_used(asked, ring, keep):
    """A revoked or unknown key is told, and the one from before is used again; the keyring has none."""
    configure(api_key=asked.api_key)
    form = LoginForm()
    form._keep.value = keep
    type_in(form, KEY)
    assert "NovaKit refuses this key (401), so it is not used." in told(form)
    assert settings.api_key().value.reveal() == asked.api_key
    assert ring.kept == {}
    assert KEY not in everything(form)


def test_key_of_a_service_that_does_not_answer_is_used(asked, monkeypatch):
    """Nothing is known against it."""
    asked.inject(Fault.status(400), path="/quota")
    form = LoginForm()
    type_in(form, KEY)
    assert "Whether the key works is not known." in told(form)
    assert settings.api_key().value.reveal() == KEY


def test_key_at_a_terminal_is_checked(asked, monkeypatch, capsys):
    """It says that the key works, or raises why it does not."""
    monkeypatch.setattr(login_module.getpass, "getpass", lambda prompt: asked.api_key)
    assert login() is None
    assert "NovaKit accepts this key." in capsys.readouterr().out
    monkeypatch.setattr(login_module.getpass, "getpass", lambda prompt: KEY)
    with pytest.raises(AuthenticationError, match="refuses this key"):
        login()
    assert settings.api_key().value.reveal() == asked.api_key
