"""Every example in a docstring does what it says, on a sandbox."""

import doctest
import importlib
import pkgutil

import pytest

import novakit_widgets
from novakit_widgets import settings

SPEED = 200.0
MODULES = [
    found.name
    for found in pkgutil.walk_packages(novakit_widgets.__path__, "novakit_widgets.")
    if not found.name.endswith("__main__")
]


@pytest.fixture(scope="module")
def sandbox():
    """One sandbox for all examples."""
    with novakit_widgets.Sandbox(speed=SPEED, limits="off") as running:
        yield running


@pytest.fixture
def configured(sandbox, monkeypatch, tmp_path):
    """A process whose environment leads to the sandbox; an example of configure() has that to go back to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOVAKIT_BASE_URL", sandbox.base_url)
    monkeypatch.setenv("NOVAKIT_API_KEY", sandbox.api_key)
    # Six images are more than the real service takes in a minute.
    settings.configure(speed=SPEED)


@pytest.mark.parametrize("name", ["novakit_widgets", *MODULES])
def test_examples(name, configured, capsys):
    """The module's examples run and print what they show."""
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0, capsys.readouterr().out


def test_there_are_examples():
    """The examples are found at all, those behind decorators too."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = {test.name for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples}
    assert {"novakit_widgets.api.client.NovaKitClient", "novakit_widgets.notebook.short_forms.video"} <= found
