"""The fixture `novakit_replay` in test suites of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CONFTEST = 'pytest_plugins = ["novakit_widgets.notebook.pytest_plugin"]'
SUITE = """
import novakit_widgets as nk

def test_picture(novakit_replay):
    assert nk.image("A {}", size="512x512").wait().media

def test_speech(novakit_replay):
    card = nk.speech("Hello")
    assert card.wait().ended
"""


@pytest.fixture
def suite(pytester, monkeypatch):
    """Write a suite and run it in a process of its own."""
    pytester.makeconftest(CONFTEST)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)

    def run(prompt, *arguments):
        pytester.makepyfile(test_film=SUITE.format(prompt))
        return pytester.runpytest_subprocess(
            "-p", "no:xdist", "-p", "no:asyncio", "-p", "no:cacheprovider", "-W", "error", *arguments
        )

    return run


@pytest.fixture
def service(monkeypatch, sandbox):
    """The sandbox as the service that the user has configured."""
    monkeypatch.setenv("NOVAKIT_API_KEY", sandbox.api_key)
    monkeypatch.setenv("NOVAKIT_BASE_URL", sandbox.base_url)
    return sandbox


def test_fixture_records_once_and_replays(suite, pytester, service, monkeypatch):
    """Recorded with the user's settings; replayed without any; a changed call fails with the difference."""
    suite("boat", "--novakit-record").assert_outcomes(passed=2)
    made = sorted(path.name for path in (pytester.path / "novakit").iterdir())
    assert made == ["test_film.test_picture.novakit", "test_film.test_speech.novakit"]
    monkeypatch.delenv("NOVAKIT_API_KEY")
    monkeypatch.delenv("NOVAKIT_BASE_URL")
    before = len(service.requests)
    suite("boat").assert_outcomes(passed=2)
    changed = suite("ship")
    changed.assert_outcomes(passed=1, failed=1, errors=1)
    changed.stdout.fnmatch_lines(["*prompt is 'A ship', recorded is 'A boat'*"])
    changed.stdout.fnmatch_lines(["*Record again if the change is meant: pytest --novakit-record*"])
    assert len(service.requests) == before


def test_fixture_no_recording_fails(suite):
    """The message names the file and the option that makes it."""
    ended = suite("boat")
    ended.assert_outcomes(errors=2)
    ended.stdout.fnmatch_lines(["*There is no recording *test_film.test_picture.novakit*--novakit-record*"])


def test_plugin_unused_costs_nothing():
    """Pytest's start imports neither widgets nor HTTP nor a server for it."""
    code = (
        "import sys, pytest; before = set(sys.modules)\n"
        "import novakit_widgets.notebook.pytest_plugin; print(*set(sys.modules) - before)"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.split()
    ours = {name.removeprefix("novakit_widgets") for name in loaded if name.startswith("novakit_widgets")}
    assert ours == {"", ".notebook", ".notebook.pytest_plugin", ".runtime", ".runtime.hooks"}
    assert not {"ipywidgets", "starlette", "httpx", "asyncio", "traitlets", "nbclient"} & set(loaded)


def test_plugin_is_an_entry_point():
    """Pytest finds it in every environment that has the package."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    name = '"novakit_widgets.notebook.pytest_plugin"'
    assert f"[project.entry-points.pytest11]\n{name} = {name}\n" in text
