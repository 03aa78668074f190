"""`reuse=True` is refused before anything is billed when no history can tell of an equal job."""

from __future__ import annotations

import contextlib
import sqlite3
import warnings

import pytest

import novakit_widgets as nk
from novakit_widgets import settings


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


KINDS = ["off", "folder", "another program's", "newer", "locked"]


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


def test_no_reuse_without_history_is_submitted(sandbox, tmp_path):
    """Without reuse the job goes out, and one warning tells of the history."""
    settings.configure(api_key=sandbox.api_key, base_url=sandbox.base_url)
    with unusable("folder", tmp_path):
        assert nk.image("A lighthouse").wait(20).ended
    assert len(sandbox.jobs) == 1
