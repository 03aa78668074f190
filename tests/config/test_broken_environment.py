"""A broken keyring or a missing home costs one warning before anything is billed, and no exception of somebody else."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import threading
import warnings

import keyring
import keyring.errors
import pytest
from hypothesis import given
from hypothesis import strategies as st

from novakit_widgets import NovaKitClient, settings
from novakit_widgets.config import keys, store
from novakit_widgets.engine.run import JobRun
from novakit_widgets.errors import ConfigurationError, MissingKeyError
from novakit_widgets.model.tools import Tool
from novakit_widgets.runtime.hosts import is_loopback
from novakit_widgets.runtime.paths import NoHomeError, expanded
from novakit_widgets.widgets.card.widget import JobWidget

KEY = "sk_" + "c0ffee" * 10 + "beef"
NOBODY = "~nobody-of-that-name/novakit"


def missing_backend(*_):
    raise ModuleNotFoundError("No module named 'keyrings'", name="keyrings")


def locked(*_):
    raise keyring.errors.KeyringLocked("the collection is locked")


def faulty(*_):
    raise OSError(f"no bus for {KEY}")


BROKEN = {"backend missing": missing_backend, "locked": locked, "faulty": faulty}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_keyring_costs_one_warning_and_is_asked_once(monkeypatch, kind):
    """Then there is no key, as without a keyring; the warning does not repeat what the backend said."""
    asked = []
    monkeypatch.setattr(keyring, "get_password", lambda *args: (asked.append(args), BROKEN[kind]())[1])
    with pytest.warns(UserWarning, match="keyring can't be read") as caught, pytest.raises(MissingKeyError):
        settings.api_key()
    assert len(caught) == 1
    assert KEY not in str(caught[0].message)
    for _ in range(3):
        with pytest.raises(MissingKeyError):
            settings.api_key()
        assert settings.describe()["api_key"].startswith("unusable: No NovaKit API key")
    assert len(asked) == 1


@pytest.mark.parametrize("answer", [None, "", keyring.errors.NoKeyringError])
def test_machine_without_a_stored_key_is_not_warned(monkeypatch, answer):
    """Neither an empty keyring nor a machine without one is a fault."""

    def get(*_):
        if answer is None or isinstance(answer, str):
            return answer
        raise answer

    monkeypatch.setattr(keyring, "get_password", get)
    with pytest.raises(MissingKeyError):
        settings.api_key()


def test_slow_keyring_is_waited_for_once_and_used_when_it_answers(monkeypatch):
    """The first call waits for a bounded time, later ones not at all; an answer that comes late is used."""
    monkeypatch.setattr(keys, "_READ_SECONDS", 0.05)
    monkeypatch.setattr(keys, "current", keys.KeyHolder())
    unlocked, asked = threading.Event(), []

    def get(*args):
        asked.append(args)
        unlocked.wait(20)
        return KEY

    monkeypatch.setattr(keyring, "get_password", get)
    with pytest.warns(UserWarning, match="has not answered") as caught, pytest.raises(MissingKeyError):
        settings.api_key()
    assert len(caught) == 1
    with pytest.raises(MissingKeyError):
        settings.api_key()
    unlocked.set()
    assert keys.current._keyring.within(10)
    assert settings.api_key() == settings.Setting(settings.Secret(KEY), "keyring")
    assert len(asked) == 1


def test_keyring_is_asked_again_after_login_was_called(monkeypatch):
    """A key that was stored meanwhile needs no new kernel."""
    held = []
    monkeypatch.setattr(keyring, "get_password", lambda *_: held[0] if held else None)
    with pytest.raises(MissingKeyError):
        settings.api_key()
    held.append(KEY)
    with pytest.raises(MissingKeyError):
        settings.api_key()
    settings.ask_again()
    assert settings.api_key().source == "keyring"


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_keyring_that_is_written_to_costs_an_error_of_ours(monkeypatch, kind):
    """The key is used in this kernel all the same; forgetting raises nothing."""
    monkeypatch.setattr(keyring, "set_password", BROKEN[kind])
    monkeypatch.setattr(keyring, "delete_password", BROKEN[kind])
    with pytest.raises(ConfigurationError, match="used in this kernel") as caught:
        settings.remember_key(KEY)
    assert KEY not in str(caught.value)
    settings.forget_key()


@pytest.fixture
def homeless(monkeypatch):
    """A container's user, who has neither HOME nor a passwd entry."""

    def nobody(uid):
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    for name in ("HOME", "XDG_DATA_HOME", "NOVAKIT_HISTORY"):
        monkeypatch.delenv(name, raising=False)


async def test_without_a_home_jobs_run_with_one_warning(homeless, sandbox, client):
    """There is no history, and no folder named ~ is made."""
    with pytest.warns(UserWarning, match="no home directory") as caught:
        runs = [JobRun(Tool.IMAGE, {"prompt": "x"}, client=client) for _ in range(3)]
    assert len(caught) == 1
    for run in runs:
        job = await run.wait()
        assert job.status == "completed"
    assert settings.history() == settings.Setting(None, "default")
    assert settings.describe()["history"] == "off (default)"


@pytest.mark.parametrize(
    ("variable", "name", "value"),
    [("NOVAKIT_HISTORY", "history", NOBODY), ("NOVAKIT_SAVE_TO", "save_to", NOBODY), ("NOVAKIT_SAVE_TO", "save_to", "~nobody-2")],
)  # fmt: skip
def test_home_of_an_unknown_user_in_the_environment_costs_one_warning(monkeypatch, variable, name, value):
    """Jobs run, without what needs the folder."""
    monkeypatch.setenv(variable, value)
    with pytest.warns(UserWarning, match=f"{variable}: '{value}'") as caught:
        assert getattr(settings, name)() == settings.Setting(None, variable)
    assert len(caught) == 1
    assert getattr(settings, name)().value is None


@pytest.mark.parametrize("name", ["history", "save_to"])
@pytest.mark.parametrize("value", [NOBODY, "~nobody-of-that-name"])
def test_home_of_an_unknown_user_in_configure_is_refused(name, value):
    """Nothing is changed; the error is ours and says what to use."""
    before = settings.describe()
    with pytest.raises(ConfigurationError, match="without '~'"):
        settings.configure(**{name: value})
    assert settings.describe() == before


async def test_home_of_an_unknown_user_as_the_place_to_save_is_refused(client, tmp_path):
    """Also where a job or a result is saved by hand."""
    job = await JobRun(Tool.IMAGE, {"prompt": "x"}, client=client).wait()
    for path in (NOBODY, f"{NOBODY}/a.png", "~nobody-of-that-name"):
        with pytest.raises(NoHomeError):
            await client.download(job.media[0].url, path)


@pytest.mark.skipif(
    sys.version_info[:3] == (3, 13, 0),
    reason="without a working directory Python 3.13.0 can't import its own socket module",
)
@pytest.mark.parametrize("history", ["absolute", "relative", "off"])
def test_without_a_working_directory_jobs_run(tmp_path, sandbox, history):
    """As in a container whose folder was deleted: a relative history costs one warning, the card says nothing else."""
    gone = tmp_path / "gone"
    gone.mkdir()
    names = {"absolute": str(tmp_path / "history.sqlite3"), "relative": "history.sqlite3", "off": "off"}
    code = (
        "import os, warnings\n"
        "os.rmdir(os.getcwd())\n"
        "import novakit_widgets as nk\n"
        "with warnings.catch_warnings(record=True) as seen:\n"
        "    warnings.simplefilter('always')\n"
        "    print(nk.image('x').wait().status, len(nk.batch('image', ['y', 'z']).wait()))\n"
        "print(*(str(one.message) for one in seen))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=gone,
        env={
            **os.environ,
            "NOVAKIT_API_KEY": sandbox.api_key,
            "NOVAKIT_BASE_URL": sandbox.base_url,
            "NOVAKIT_HISTORY": names[history],
        },
    )
    told, *warned = done.stdout.splitlines()
    assert told == "completed 2"
    assert "the working directory is gone" in warned[0] if history == "relative" else warned == [""]
    assert done.stderr == ""


@given(text=st.text(max_size=20))
def test_any_path_of_the_environment_is_used_or_costs_a_warning_or_our_error(text):
    """Whatever a variable holds."""
    mine = store.Store()
    for name in ("history", "save_to"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                mine._of_environment(name, store.SETTINGS[name], text)
            except ConfigurationError:
                continue


@pytest.mark.parametrize("path", ["~", "~/a", "a/~b", "/x", "~root/x"])
def test_paths_with_a_home_are_expanded(path):
    """As everywhere in Python, where the home exists."""
    assert not str(expanded(path)).startswith("~")


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST", "localhost.", "a.localhost", "A.b.Localhost.", "127.0.0.1", "127.255.255.254", "::1", "[::1]",
     "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "[::ffff:127.8.8.8]", "::ffff:7f00:1"],
)  # fmt: skip
def test_loopback_hosts_are_this_machine(host):
    """Plain http is allowed to them, and no proxy is asked for them."""
    assert is_loopback(host)
    named = host if host.startswith("[") or ":" not in host else f"[{host}]"
    assert settings.base_url(f"http://{named}:8000").source == "argument"


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost.example.org",
        "notlocalhost",
        "128.0.0.1",
        "127.0.0.1.nip.io",
        "::2",
        "0.0.0.0",
        "127.1",
        "::ffff:10.0.0.1",
        "::ffff:128.0.0.1",
    ],
)
def test_other_hosts_are_not_this_machine(host):
    """Names that merely look like it are somebody else's."""
    assert not is_loopback(host)


@given(st.text(max_size=30))
def test_any_host_is_loopback_or_not(text):
    """No text raises."""
    assert is_loopback(text) in (True, False)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/a", "http://127.8.8.8:9/a", "http://m.localhost:9/a", "http://[::1]:9/a"]
)
async def test_media_on_this_machine_go_through_no_proxy(monkeypatch, url):
    """A proxy would look for them on its own machine; elsewhere the environment's proxy is used."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    async with NovaKitClient(KEY, "https://novakit.example") as client, client._connections.lent() as http:
        assert http.to(url)._mounts == {}
        assert http.to("http://media.example/a") is not http.to(url)
        assert http.to("http://media.example/a")._mounts


CALLS = {
    "image": "nk.image('x')",
    "board": "nk.JobBoard([('image', {'prompt': 'x'})])",
    "login": "nk.login()",
    "history": "nk.history()",
}


@pytest.mark.parametrize("call", CALLS)
def test_ipywidgets_7_in_the_kernel_is_a_clear_error(call):
    """Google Colab's is loaded before ours can be: the error says to restart."""
    code = (
        "import sys, types\n"
        "old = types.ModuleType('ipywidgets'); old.__version__ = '7.7.1'; sys.modules['ipywidgets'] = old\n"
        "import novakit_widgets as nk\n"
        f"nk.configure(api_key={KEY!r}, base_url='http://127.0.0.1:9')\n"
        f"try:\n    {CALLS[call]}\nexcept nk.ConfigurationError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("ipywidgets 7.7.1 is loaded in this kernel, and novakit_widgets needs ipywidgets 8.")
    assert "restart the kernel" in done.stdout
    assert done.stderr == ""


def test_embed_of_the_settings_is_the_default_of_cards(client):
    """An argument beats it, as everywhere."""
    settings.configure(embed="link", timeout=7)
    cards = [
        JobWidget("image", {"prompt": "x"}, client=client, autostart=False, **ours) for ours in ({}, {"embed": "auto"})
    ]
    assert [card._embed for card in cards] == ["link", "auto"]
    assert [card.run.timeout for card in cards] == [7.0, 7.0]
    for card in cards:
        card.close()
