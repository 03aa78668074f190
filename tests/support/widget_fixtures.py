"""A sandbox over HTTP, fast enough for tests, and no widget left behind."""

from __future__ import annotations

import pytest

from novakit_widgets import NovaKitClient, Sandbox
from novakit_widgets.engine.tracker import tracker_of
from novakit_widgets.runtime import loop as job_loop


@pytest.fixture
def sandbox():
    """A sandbox whose jobs end within a fraction of a second."""
    with Sandbox(speed=200.0, limits="off", seed=1) as running:
        yield running


@pytest.fixture
def client(sandbox):
    """A client of that sandbox. What still runs for it ends with the test, and its connections before the sandbox."""
    made = NovaKitClient(sandbox.api_key, sandbox.base_url)
    yield made
    job_loop.run_blocking(tracker_of(made).aclose)
    job_loop.run_blocking(made.aclose)


@pytest.fixture(autouse=True)
def no_widget_stays():
    """Close what a test has left, so that tests can count models."""
    yield
    from ipywidgets.widgets.widget import _instances

    for widget in list(_instances.values()):
        widget.close()
