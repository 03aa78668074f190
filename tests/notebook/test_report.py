"""`report`: everything that a bug report needs, and no secret."""

from __future__ import annotations

import keyring
import pytest
from IPython.core.formatters import DisplayFormatter

import novakit_widgets as nk
from novakit_widgets.config import logs
from novakit_widgets.notebook.report import _HOSTS

KEY = "sk_" + "c0ffee" * 10 + "beef"


def test_report_has_versions_settings_and_recent_warnings(monkeypatch):
    """In sections that a reader finds."""
    monkeypatch.setenv("NOVAKIT_EMBED", "file")
    logs.log.warning("The disk %s is full", "sda1")
    text = str(nk.report())
    for expected in (
        "Python: 3.",
        "platform: ",
        "ipywidgets: 8.",
        "httpx: ",
        "traitlets: ",
        "nest_asyncio2: ",
        "jupyterlab: ",
    ):
        assert expected in text
    assert f"novakit_widgets: {nk.__version__}" in text
    assert "embed: file (NOVAKIT_EMBED)" in text
    assert "WARNING The disk sda1 is full" in text.splitlines()[-1]


def test_report_shows_itself_as_its_text():
    """In a cell, with print, and by str."""
    report = nk.report()
    assert str(report) == repr(report)
    data, _ = DisplayFormatter().format(report)
    assert data["text/plain"] == str(report)


PLACES = {
    "configure": lambda _: nk.configure(api_key=KEY),
    "environment": lambda patch: patch.setenv("NOVAKIT_API_KEY", KEY),
    "environment, with a typing error": lambda patch: patch.setenv("NOVAKIT_API_KEY", KEY[:-1]),
    "a wrong variable": lambda patch: patch.setenv("NOVAKIT_BASE_URL", f"https://x.example/{KEY}"),
    "keyring": lambda patch: patch.setattr(keyring, "get_password", lambda *_: KEY),
    "a warning": lambda _: logs.log.warning("The header was Bearer %s", KEY),
}


@pytest.mark.parametrize("place", PLACES)
def test_report_has_no_secret(monkeypatch, place):
    """Wherever the key is."""
    PLACES[place](monkeypatch)
    assert KEY[3:20] not in str(nk.report())


@pytest.mark.parametrize("broken", ["NOVAKIT_BASE_URL", "NOVAKIT_REUSE", "NOVAKIT_LIMITS", "NOVAKIT_TIMEOUT"])
def test_report_of_a_broken_environment_raises_nothing(monkeypatch, broken):
    """It is what somebody calls when nothing works."""
    monkeypatch.setenv(broken, "no sense")
    assert f"unusable: {broken}: " in str(nk.report())


@pytest.mark.parametrize("variable", _HOSTS)
def test_report_names_the_environment_without_its_values(monkeypatch, variable):
    """Such as the hub, and not its user."""
    monkeypatch.setenv(variable, "ada-lovelace")
    text = str(nk.report())
    assert _HOSTS[variable] in text
    assert "ada-lovelace" not in text


def test_report_hides_the_home_directory(monkeypatch, tmp_path):
    """Its name is often the user's."""
    monkeypatch.setenv("HOME", str(tmp_path / "ada"))
    monkeypatch.setenv("NOVAKIT_HISTORY", str(tmp_path / "ada" / "jobs.sqlite3"))
    assert "history: ~/jobs.sqlite3 (NOVAKIT_HISTORY)" in str(nk.report())
