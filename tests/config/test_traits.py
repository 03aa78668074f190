"""The settings as traitlets: IPython's configuration files, ``%config``, and what is refused there."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import novakit_widgets
from novakit_widgets import settings
from novakit_widgets.config import keys, store
from novakit_widgets.config.traits import NovaKit
from novakit_widgets.errors import ConfigurationError, InvalidBaseURLError, MissingKeyError

KEY = "sk_" + "c0ffee" * 10 + "beef"


@pytest.fixture
def start(monkeypatch):
    """Return what starts an IPython with a configuration, as its files would give it."""
    settings.configure(speed=None)
    monkeypatch.delenv("NOVAKIT_HISTORY")

    def started(**values):
        config = Config()
        config.NovaKit.update(values)
        config.HistoryManager.enabled = False
        return InteractiveShell.instance(config=config)

    InteractiveShell.clear_instance()
    yield started
    InteractiveShell.clear_instance()


def say(shell, line):
    """Run ``%config`` with a line, and return its value."""
    return shell.run_line_magic("config", line)


FILE_VALUES = {
    "base_url": ("http://127.0.0.2:8000/", "http://127.0.0.2:8000"),
    "embed": ("file", "file"),
    "limits": ("off", {}),
    "reuse": (True, True),
    "timeout": (600, 600.0),
    "speed": ("12", 12.0),
}


@pytest.mark.parametrize("name", FILE_VALUES)
def test_configuration_file_sets_each_setting(start, name):
    """What ipython_config.py or the command line assigns is checked and used, and its source is named."""
    value, used = FILE_VALUES[name]
    start(**{name: value})
    assert getattr(settings, name)() == settings.Setting(used, "configuration file")
    assert settings.describe()[name].endswith("(configuration file)")


def test_sources_beat_each_other_in_the_documented_order(start, monkeypatch):
    """Argument over configure or %config (the later one) over environment over configuration file over default."""
    assert settings.embed() == settings.Setting("auto", "default")
    shell = start(embed="inline")
    assert settings.embed() == settings.Setting("inline", "configuration file")
    monkeypatch.setenv("NOVAKIT_EMBED", "link")
    assert settings.embed() == settings.Setting("link", "NOVAKIT_EMBED")
    settings.configure(embed="auto")
    assert settings.embed() == settings.Setting("auto", "configure")
    say(shell, 'NovaKit.embed = "file"')
    assert settings.embed() == settings.Setting("file", "%config")
    settings.configure(embed="inline")
    assert settings.embed() == settings.Setting("inline", "configure")
    assert settings.embed("link") == settings.Setting("link", "argument")
    settings.configure(embed=None)
    assert settings.embed().source == "NOVAKIT_EMBED"


@pytest.mark.parametrize("name", store.SETTINGS)
def test_config_magic_lists_each_setting_with_help(start, capsys, name):
    """``%config NovaKit`` shows every setting, what it does, and its value now."""
    shell = start()
    settings.register()
    say(shell, "NovaKit")
    shown = capsys.readouterr().out
    assert f"NovaKit.{name}=" in shown
    trait = NovaKit.class_traits(config=True)[name]
    assert "Default: " in trait.help
    assert trait.help.split()[0] in shown


def test_there_is_a_trait_for_every_setting_but_the_key():
    """The key would be shown by %config, by reprs and in widget states."""
    assert set(NovaKit.class_traits(config=True)) == set(store.SETTINGS) == set(settings.NAMES) - {"api_key"}


def test_config_magic_returns_the_value_in_use(start, monkeypatch):
    """Also where it comes from elsewhere; None takes an assignment back."""
    shell = start()
    settings.register()
    assert say(shell, "NovaKit.embed") == "auto"
    monkeypatch.setenv("NOVAKIT_EMBED", "link")
    assert say(shell, "NovaKit.embed") == "link"
    say(shell, 'NovaKit.embed = "file"')
    assert say(shell, "NovaKit.embed") == "file"
    say(shell, "NovaKit.embed = None")
    assert say(shell, "NovaKit.embed") == "link"


@pytest.mark.parametrize(
    "line",
    [
        'NovaKit.embed = "nonsense"',
        'NovaKit.base_url = "http://novakit.ai"',
        "NovaKit.timeout = -1",
        'NovaKit.limits = {"vidoe": (1, 2)}',
        "NovaKit.embd = 1",
    ],
)
def test_config_magic_refuses_a_bad_value_once_and_keeps_the_old_one(start, caplog, line):
    """One line says what is wrong; nothing is changed, and the next call works."""
    shell = start()
    settings.register()
    before = settings.describe()
    say(shell, line)
    assert len(caplog.records) == 1
    assert caplog.records[0].levelname == "ERROR"
    assert settings.describe() == before
    assert settings.embed().value == "auto"


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"embed": "nonsense"}, "embed must be one of auto"),
        ({"base_url": "ftp://x"}, "not a web address"),
        ({"timeout": "soon", "speed": 0}, "speed must be a number"),
        ({"embd": "file"}, "Did you mean 'embed'"),
        ({"history": "~nobody-of-that-name/x"}, "home directory"),
        ({"limits": 5}, "limits must be"),
    ],
)
def test_configuration_file_with_a_bad_value_costs_one_error(start, values, named):
    """The first call that reads a setting raises; from then on the setting counts as not set, and describe() still tells."""
    start(**values, reuse=True)
    assert any("refused in the configuration file" in text for text in settings.describe().values())
    with pytest.raises(ConfigurationError, match=named) as caught:
        settings.reuse()
    assert caught.value.__cause__ is None
    assert settings.reuse() == settings.Setting(True, "configuration file")
    for name in set(values) & set(store.SETTINGS):
        assert "(default); refused" in settings.describe()[name]


@given(
    values=st.dictionaries(
        st.sampled_from([*store.SETTINGS, "api_key", "other"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.binary(max_size=5)
        | st.lists(st.integers(), max_size=2) | st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
        max_size=4,
    )
)  # fmt: skip
@hypothesis_settings(max_examples=50)
def test_any_configuration_file_costs_at_most_one_error_of_ours(values):
    """Whatever stands in it: a ConfigurationError at most, and then every setting can be read."""
    mine = store.Store()
    mine.read_file(values)
    try:
        mine.raise_refused()
    except ConfigurationError:
        assert mine.refused
    mine.raise_refused()
    for name in store.SETTINGS:
        mine.find(name)


def test_key_in_a_configuration_file_is_refused_and_removed(start):
    """The message says what to do instead; no configuration has the key afterwards, and none is used."""
    shell = start(api_key=KEY, embed="file")
    with pytest.raises(ConfigurationError, match=r"nk\.login\(\)") as caught:
        settings.embed()
    assert KEY not in str(caught.value)
    assert settings.embed().value == "file"
    assert KEY not in repr(shell.config)
    assert KEY not in repr(settings.describe())
    with pytest.raises(MissingKeyError):
        settings.api_key()


def test_key_by_config_magic_is_refused_and_removed(start, caplog):
    """No part of the shell keeps it, though each part merges what %config assigns."""
    shell = start()
    settings.register()
    say(shell, f'NovaKit.api_key = "{KEY}"')
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "nk.login()" in caplog.text
    assert KEY not in caplog.text
    for part in shell.configurables:
        assert KEY not in repr(part.config), part
    with pytest.raises(MissingKeyError):
        settings.api_key()


@pytest.mark.parametrize("name", ["base_url", "embed", "save_to"])
def test_key_under_another_name_is_not_repeated(start, caplog, name):
    """A key that was pasted into the wrong setting stays out of the messages."""
    shell = start(**{name: KEY})
    with pytest.raises(ConfigurationError) as caught:
        settings.speed()
    assert KEY not in str(caught.value)
    say(shell, f'NovaKit.{name} = "{KEY}"')
    assert KEY not in caplog.text


def test_observers_see_assignments_from_everywhere(start):
    """A trait is observed as any other: %config and configure notify, the same value again does not."""
    shell = start()
    settings.register()
    (mine,) = (one for one in shell.configurables if isinstance(one, NovaKit))
    seen = []
    mine.observe(lambda change: seen.append((change.name, change.new)), ["embed", "reuse"])
    settings.configure(embed="file")
    settings.configure(embed="file")
    say(shell, "NovaKit.reuse = True")
    mine.embed = "link"
    assert seen == [("embed", "file"), ("reuse", True), ("embed", "link")]
    assert settings.embed() == settings.Setting("link", "%config")
    with pytest.raises(InvalidBaseURLError):
        mine.base_url = "ftp://x"


def test_loading_the_extension_lists_the_settings_once(start):
    """``%load_ext novakit_widgets`` makes ``%config NovaKit`` work before any call; a second time adds nothing."""
    shell = start()
    novakit_widgets.load_ipython_extension(shell)
    settings.embed()
    novakit_widgets.load_ipython_extension(shell)
    assert len([one for one in shell.configurables if isinstance(one, NovaKit)]) == 1


def test_first_reads_on_several_threads_see_the_configuration_file(start):
    """No thread reads a default while another one reads the file."""
    start(embed="file")
    with ThreadPoolExecutor(8) as threads:
        assert {found.value for found in threads.map(settings.embed, [None] * 64)} == {"file"}


SHELLS = {
    "nothing of IPython's": object(),
    "no configuration": SimpleNamespace(configurables=[], config=None, parent=None),
    "another kind of list": SimpleNamespace(configurables=(), config={"NovaKit": {"embed": "file"}}, parent=object()),
}


@pytest.mark.parametrize("kind", SHELLS)
def test_shell_that_is_not_quite_ipythons_costs_nothing(kind):
    """Some front ends define get_ipython() themselves."""
    settings.register(SHELLS[kind])
    assert store.current.find("embed").value in ("auto", "file")


CHEAP = {
    "import": "import novakit_widgets",
    "settings": "from novakit_widgets import settings",
    "configure": "import novakit_widgets as nk; nk.configure(embed='file')",
    "read": "from novakit_widgets import settings; settings.embed()",
}


@pytest.mark.parametrize("case", CHEAP)
def test_without_ipython_no_traitlets_are_imported(case):
    """A script has no %config and no ipython_config.py, so it needs no Configurable."""
    code = f"{CHEAP[case]}\nimport sys; print([name for name in ('traitlets', 'keyring', 'IPython') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture
def colab(monkeypatch):
    """Google Colab's module for secrets, with a list of what it was asked for."""
    import types

    class SecretNotFoundError(Exception):
        pass

    class NotebookAccessError(Exception):
        pass

    module = types.ModuleType("google.colab.userdata")
    module.answer = KEY
    module.asked = []
    module.errors = {"missing": SecretNotFoundError, "denied": NotebookAccessError}

    def get(name):
        module.asked.append(name)
        if module.answer in module.errors:
            raise module.errors[module.answer]
        return module.answer

    module.get = get
    package = types.ModuleType("google.colab")
    package.userdata = module
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", package)
    monkeypatch.setitem(sys.modules, "google.colab.userdata", module)
    return module


@pytest.mark.parametrize(("answer", "asked_twice"), [(KEY, 1), ("denied", 1), ("missing", 2)])
def test_colab_secret_is_the_key_and_asked_for_as_little_as_possible(colab, answer, asked_twice):
    """Its owner is asked once whether the notebook may see it; a secret that is added later is found."""
    colab.answer = answer
    for _ in range(2):
        if answer == KEY:
            assert settings.api_key() == settings.Setting(settings.Secret(KEY), "Colab secret")
        else:
            with pytest.raises(MissingKeyError):
                settings.api_key()
    assert colab.asked == ["NOVAKIT_API_KEY"] * asked_twice


def test_environment_beats_the_colab_secret(colab, monkeypatch):
    """And then nobody is asked."""
    monkeypatch.setenv("NOVAKIT_API_KEY", "sk_" + "a" * 64)
    assert settings.api_key().source == "NOVAKIT_API_KEY"
    assert colab.asked == []
    assert repr(keys.current) == "KeyHolder(None)"
