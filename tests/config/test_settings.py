"""Settings: precedence, sources, and refused values."""

from __future__ import annotations

import copy
import inspect
import pickle
import sys
from pathlib import Path

import httpx
import keyring
import pytest
from hypothesis import given
from hypothesis import strategies as st

from novakit_widgets import settings
from novakit_widgets.api.client import default_client
from novakit_widgets.config import keys
from novakit_widgets.errors import ConfigurationError, InvalidBaseURLError, InvalidKeyError, MissingKeyError

KEYS = [f"sk_{digit * 64}" for digit in "abcd"]


@pytest.fixture
def stored(monkeypatch):
    """A keyring with one password, instead of the user's."""
    held = {}
    monkeypatch.setattr(keyring, "get_password", lambda service, user: held.get((service, user)))
    return held


def test_key_sources_beat_each_other_in_the_documented_order(monkeypatch, stored):
    """Argument over configure over environment over keyring, and each names its source."""
    with pytest.raises(MissingKeyError, match="NOVAKIT_API_KEY"):
        settings.api_key()
    keys.current.ask_again()
    stored[keys.KEYRING_SERVICE, keys.KEYRING_USER] = KEYS[0]
    assert settings.api_key() == settings.Setting(settings.Secret(KEYS[0]), "keyring")
    monkeypatch.setenv("NOVAKIT_API_KEY", f" {KEYS[1]}\n")
    assert settings.api_key() == settings.Setting(settings.Secret(KEYS[1]), "NOVAKIT_API_KEY")
    settings.configure(api_key=KEYS[2])
    assert settings.api_key() == settings.Setting(settings.Secret(KEYS[2]), "configure")
    assert settings.api_key(KEYS[3]) == settings.Setting(settings.Secret(KEYS[3]), "argument")
    settings.configure(api_key=None)
    assert settings.api_key().source == "NOVAKIT_API_KEY"


def test_machine_without_a_keyring_has_no_stored_key(monkeypatch):
    """Neither a missing extra nor a keyring that fails is an error of its own."""
    with pytest.raises(MissingKeyError):
        settings.api_key()  # the tests' keyring fails at every question
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(MissingKeyError):
        settings.api_key()


@pytest.mark.parametrize(
    "key", ["", "sk_", "sk_" + "a" * 63, "sk_" + "a" * 65, "sk_" + "g" * 64, "pk_" + "a" * 64, 5, b"sk_" + b"a" * 64]
)
def test_malformed_key_is_refused_and_not_repeated(key):
    """The error says what a key looks like, and does not show the one it got."""
    with pytest.raises(InvalidKeyError) as caught:
        settings.api_key(key)
    assert "Nothing was sent" in str(caught.value)
    assert str(key) not in str(caught.value) or len(str(key)) < 4
    with pytest.raises(InvalidKeyError, match="configure"):
        settings.configure(api_key=key)


def test_malformed_key_in_the_environment_names_the_variable(monkeypatch):
    """The reader knows where to look."""
    monkeypatch.setenv("NOVAKIT_API_KEY", "sk_123")
    with pytest.raises(InvalidKeyError, match="from NOVAKIT_API_KEY"):
        settings.api_key()


def test_base_url_has_a_default_and_no_slash_at_its_end(monkeypatch):
    """The documented address is the default."""
    assert settings.base_url() == settings.Setting("https://www.novakit.ai/api/v1", "default")
    monkeypatch.setenv("NOVAKIT_BASE_URL", "https://proxy.example/api/v1/")
    assert settings.base_url() == settings.Setting("https://proxy.example/api/v1", "NOVAKIT_BASE_URL")
    settings.configure(base_url="http://127.0.0.1:8000//")
    assert settings.base_url() == settings.Setting("http://127.0.0.1:8000", "configure")
    assert settings.base_url("https://x.example").source == "argument"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "novakit.ai",
        "ftp://novakit.ai",
        "http://novakit.ai/api/v1",
        "http://localhost.evil.example",
        "http://127.0.0.1.nip.io",
        "https://user@novakit.ai",
        "https://@novakit.ai",
        "https://user:password@novakit.ai",
        "https://novakit.ai?x=1",
        "https://novakit.ai/api?",
        "https://novakit.ai/#top",
        "https://novakit.ai/api#",
        "https://[broken",
        "https://novakit.ai:port",
        "https://nova\nkit.ai",
        "https://nova kit.ai",
        "https://novakit.ai/a b",
        "https://novakit.ai\\@evil.example",
        "https://novakit.ai/\ud800",
        5,
        None,
    ],
)
def test_base_url_that_is_unsafe_for_a_key_is_refused(url):
    """No address, an unencrypted one, or one that hides something is refused before any request."""
    if url is not None:
        with pytest.raises(InvalidBaseURLError):
            settings.base_url(url)
        with pytest.raises(InvalidBaseURLError):
            settings.configure(base_url=url)
    assert settings.base_url().source == "default"


def test_refused_base_url_does_not_repeat_a_key():
    """A key that was pasted into the URL by mistake stays out of the message."""
    for url in (f"http://novakit.ai/{KEYS[0]}", f"ftp://novakit.ai/{KEYS[0]}", f"https://{KEYS[0]}@novakit.ai"):
        with pytest.raises(InvalidBaseURLError) as caught:
            settings.base_url(url)
        assert KEYS[0] not in str(caught.value)


@given(text=st.text(max_size=40) | st.builds("https://{}/{}".format, st.text(max_size=20), st.text(max_size=20)))
def test_any_base_url_is_refused_or_usable(text):
    """An accepted URL is one that httpx can request, at the host that it shows."""
    try:
        url = settings.base_url(text).value
    except InvalidBaseURLError:
        return
    parsed = httpx.URL(f"{url}/jobs")
    assert parsed.scheme in ("http", "https")
    assert parsed.host
    assert not parsed.userinfo
    assert not parsed.query
    assert parsed.path.endswith("/jobs")


@pytest.mark.parametrize("host", ["localhost", "sandbox.localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_plain_http_is_allowed_on_this_machine(host):
    """A sandbox needs no certificate."""
    assert settings.base_url(f"http://{host}:8000/api/v1").value == f"http://{host}:8000/api/v1"


def test_configure_changes_all_or_nothing():
    """A bad value among good ones leaves everything as it was."""
    with pytest.raises(ConfigurationError):
        settings.configure(api_key=KEYS[0], speed=-1)
    with pytest.raises(MissingKeyError):
        settings.api_key()
    with pytest.raises(TypeError, match=r"api_kay.*api_key"):
        settings.configure(api_kay=KEYS[0])


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf"), True, "fast"])
def test_speed_that_is_not_a_positive_number_is_refused(speed):
    """Anything else is refused."""
    with pytest.raises(ConfigurationError, match="speed"):
        settings.configure(speed=speed)


def test_speed_is_one_by_default():
    """The service itself runs at speed 1."""
    settings.configure(speed=None)
    assert settings.speed() == settings.Setting(1.0, "default")
    settings.configure(speed=12)
    assert settings.speed() == settings.Setting(12.0, "configure")


@pytest.mark.parametrize("way", ["configure", "environment"])
def test_relative_history_path_stays_where_it_was_first_resolved(monkeypatch, tmp_path, way):
    """A process that changes its folder keeps its file; otherwise the rows of one job would be in two files."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    name = f"{tmp_path.name}.sqlite3"  # no other test's
    monkeypatch.chdir(first)
    if way == "configure":
        settings.configure(history=name)
    else:
        monkeypatch.setenv("NOVAKIT_HISTORY", name)
    assert settings.history().value == first / name
    monkeypatch.chdir(second)
    assert settings.history().value == first / name
    if way == "configure":
        settings.configure(history=name)  # assigned again, it is resolved again
        assert settings.history().value == second / name


def test_history_is_a_file_or_off(monkeypatch, tmp_path):
    """The default is in the user's data directory."""
    assert settings.history() == settings.Setting(tmp_path / "history.sqlite3", "NOVAKIT_HISTORY")
    monkeypatch.setenv("NOVAKIT_HISTORY", " Off ")
    assert settings.history() == settings.Setting(None, "NOVAKIT_HISTORY")
    monkeypatch.delenv("NOVAKIT_HISTORY")
    assert settings.history().source == "default"
    assert settings.history().value.name == "history.sqlite3"
    for off in ("off", False):
        settings.configure(history=off)
        assert settings.history() == settings.Setting(None, "configure")
    settings.configure(history="~/jobs.sqlite3")
    assert settings.history().value == Path("~/jobs.sqlite3").expanduser()
    for bad in (5, " ", True):
        with pytest.raises(ConfigurationError, match="history"):
            settings.configure(history=bad)


def test_reuse_takes_the_usual_words(monkeypatch):
    """It is off by default."""
    assert settings.reuse() == settings.Setting(False, "default")
    for word, meaning in [("1", True), ("yes", True), ("ON", True), ("0", False), ("false", False)]:
        monkeypatch.setenv("NOVAKIT_REUSE", word)
        assert settings.reuse() == settings.Setting(meaning, "NOVAKIT_REUSE")
    monkeypatch.setenv("NOVAKIT_REUSE", "perhaps")
    with pytest.raises(ConfigurationError, match="perhaps"):
        settings.reuse()
    settings.configure(reuse=False)
    assert settings.reuse() == settings.Setting(False, "configure")
    assert settings.reuse(True) == settings.Setting(True, "argument")


def test_save_to_is_a_folder():
    """There is none by default."""
    assert settings.save_to() == settings.Setting(None, "default")
    settings.configure(save_to="~/media")
    assert settings.save_to() == settings.Setting(Path("~/media").expanduser(), "configure")
    for bad in (5, ""):
        with pytest.raises(ConfigurationError, match="save_to"):
            settings.configure(save_to=bad)


def test_describe_shows_all_values_and_sources_without_the_key(monkeypatch):
    """A value that can't be used says why."""
    settings.configure(api_key=KEYS[0], history="off")
    monkeypatch.setenv("NOVAKIT_REUSE", "perhaps")
    told = settings.describe()
    assert told["api_key"] == "sk_…aaaa (configure)"
    assert told["base_url"] == "https://www.novakit.ai/api/v1 (default)"
    assert told["history"] == "off (configure)"
    assert told["reuse"].startswith("unusable: ")
    assert KEYS[0] not in str(told)


def test_secret_does_not_show_itself():
    """Its last four characters are all that is ever printed, and it can't be pickled or copied out."""
    secret = settings.Secret(KEYS[0])
    assert f"{secret} {secret!r} {[secret]}" == "sk_…aaaa sk_…aaaa [sk_…aaaa]"
    assert secret == settings.Secret(KEYS[0])
    assert secret != KEYS[0]
    assert len({secret, settings.Secret(KEYS[0])}) == 1
    assert settings.api_key(secret).value is secret
    for copying in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="can't be pickled"):
            copying(secret)


def test_default_client_is_kept_until_key_or_address_change():
    """One process, one client, until the key or the address changes."""
    settings.configure(api_key=KEYS[0])
    first = default_client()
    assert default_client() is first
    settings.configure(api_key=KEYS[1])
    second = default_client()
    assert second is not first
    settings.configure(base_url="http://localhost:8000")
    assert default_client() is not second


def test_configure_names_every_setting_in_its_signature():
    """Omitted settings stay as they are."""
    names = [name for name in inspect.signature(settings.configure).parameters if name != "unknown"]
    assert names == list(settings.NAMES)
    settings.configure(speed=7)
    settings.configure(reuse=True)
    assert settings.speed().value == 7
