"""`reuse=True` is refused before anything is billed when no history can tell of an equal job."""

from __future__ import annotations

import contextlib
import sqlite3
import warnings

import pytest

import novakit_widgets as nk
from novakit_widgets import JobHistory, settings


@pytest.fixture
def sandbox():
    """A fast sandbox."""
    with nk.Sandbox(speed=300.0, limits="off", quotas="off", media="canned", seed=1) as running:
        yield running


@contextlib.contextmanager
def unusable(kind, folder):
    """Set a history that can't be used, for one of several reasons."""
    path = folder / "history.sqlite3"
    database = None
    if kind == "folder":
        path.mkdir()
    elif kind == "another program's":
        database = sqlite3.connect(path)
        database.execute("CREATE TABLE theirs (a)")
    elif kind == "damaged":
        path.write_bytes(b"SQLite format 3\0" + b"no database any more " * 500)
    elif kind == "newer":
        database = sqlite3.connect(path)
        database.execute("PRAGMA user_version = 999")
    elif kind == "locked":
        database = sqlite3.connect(path, isolation_level=None)
        database.execute("BEGIN EXCLUSIVE")
    settings.configure(history="off" if kind == "off" else str(path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if database is not None:
            database.close()


KINDS = ["off", "folder", "another program's", "newer", "locked", "damaged"]


@pytest.mark.parametrize("kind", KINDS)
def test_reuse_card_without_history_is_refused(sandbox, tmp_path, kind):
    """A card says why, and nothing is submitted."""
    settings.configure(api_key=sandbox.api_key, base_url=sandbox.base_url)
    with (
        unusable(kind, tmp_path),
        pytest.raises(
            nk.ConfigurationError, match=r"reuse=True needs the job history.*Nothing was submitted or billed"
        ),
    ):
        nk.image("A lighthouse", reuse=True).wait(20)
    assert not sandbox.jobs


@pytest.mark.parametrize("kind", KINDS)
def test_reuse_board_without_history_is_refused(sandbox, tmp_path, kind):
    """A batch submits nothing either, and says why."""
    settings.configure(api_key=sandbox.api_key, base_url=sandbox.base_url)
    with unusable(kind, tmp_path), pytest.raises(nk.NovaKitError, match=r"reuse=True needs the job history"):
        nk.batch("image", [{"prompt": "A lighthouse"}, {"prompt": "A boat"}], reuse=True).wait(20)
    assert not sandbox.jobs


@pytest.mark.parametrize("kind", ["off", "folder", "damaged"])
@pytest.mark.parametrize("ask", ["argument", "setting"])
def test_reuse_of_every_short_form_without_history_is_refused(sandbox, tmp_path, kind, ask):
    """Each tool, a sweep, and a line of the magic: asked for by the call or by the settings."""
    settings.configure(api_key=sandbox.api_key, base_url=sandbox.base_url, reuse=ask == "setting")
    asked = {"reuse": True} if ask == "argument" else {}
    calls = [
        lambda: nk.video("A lighthouse", **asked).wait(20),
        lambda: nk.music("Slow jazz", **asked).wait(20),
        lambda: nk.edit_image("Make it winter", image=b"\x89PNG\r\n\x1a\n0000", **asked).wait(20),
        lambda: nk.speech("Hello", **asked).wait(20),
        lambda: nk.transcribe(b"RIFF", **asked).wait(20),
        lambda: nk.sweep("image", prompt=["A lighthouse", "A boat"], confirm=False, **asked).wait(20),
    ]
    with unusable(kind, tmp_path):
        for call in calls:
            with pytest.raises(nk.ConfigurationError, match="reuse=True needs the job history"):
                call()
    assert not sandbox.jobs


def test_reuse_after_damage_is_refused_and_goes_on_in_a_new_process(sandbox, tmp_path):
    """The new file does not know what was paid for; who starts again knows that, since it was said."""
    settings.configure(api_key=sandbox.api_key, base_url=sandbox.base_url)
    with unusable("damaged", tmp_path):
        for _ in range(2):
            with pytest.raises(nk.ConfigurationError, match=r"it was damaged.*until Python is restarted"):
                nk.image("A lighthouse", reuse=True).wait(20)
        assert not sandbox.jobs
        nk.image("A lighthouse").wait(20)
        again = JobHistory(tmp_path / "history.sqlite3")  # as a new process has it
        again.entries()
        again.require("reuse=True")


def test_no_reuse_without_history_is_submitted(sandbox, tmp_path):
    """Without reuse the job goes out, and one warning tells of the history."""
    settings.configure(api_key=sandbox.api_key, base_url=sandbox.base_url)
    with unusable("folder", tmp_path):
        assert nk.image("A lighthouse").wait(20).ended
    assert len(sandbox.jobs) == 1
