"""Every test begins as a fresh process does: no settings, no key, no history, no kernel's loop, no keyring."""

from __future__ import annotations

import os

import hypothesis
import pytest
import stamina

from novakit_widgets import claims, client, eventloop, settings

# Nobody's own keyring is asked, and no desktop's dialog opens. Read when keyring is first imported.
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"


# A busy machine is no failure.
hypothesis.settings.register_profile("novakit", deadline=None)
hypothesis.settings.load_profile("novakit")


@pytest.fixture(autouse=True)
def _fresh(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("NOVAKIT_") and name != "NOVAKIT_CHROMIUM"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NOVAKIT_HISTORY", str(tmp_path / "history.sqlite3"))
    monkeypatch.setattr(settings, "_configured", {})
    monkeypatch.setattr(client, "_default", None)
    monkeypatch.setattr(claims, "_claims", {})
    monkeypatch.setattr(eventloop, "_home", None)
    yield
    stamina.set_testing(False)
