"""One sandbox for all kernels, and a kernel of each generation."""

from __future__ import annotations

import contextlib

import pytest
from environments import KERNELS, environment
from kernel import running

from novakit_widgets import Sandbox

# At this speed 60 seconds of the service's time are 3 of ours, in which the tracker looks about eight times.
SPEED = 20.0
BEGIN = "import novakit_widgets as nk; link = nk.use_sandbox()"


def pytest_collection_modifyitems(items):
    for item in items:
        if "kernels" in item.path.parts:
            item.add_marker(pytest.mark.kernel)


@pytest.fixture(scope="session")
def _served():
    with Sandbox(speed=SPEED, seed=1, limits="off", quotas="off") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_served):
    """The sandbox of all kernels, without the faults and the durations of the last test."""
    _served.clear_faults()
    yield _served
    _served.clear_faults()
    _served._pace.next_seconds.clear()


@pytest.fixture(scope="session", params=KERNELS, ids=lambda name: f"ipykernel-{name}")
def environ(request):
    """A Python of each generation of ipykernel."""
    return environment(request.param)


@pytest.fixture
def start(environ, sandbox, tmp_path):
    """Start kernels that use the sandbox; they end with the test."""
    with contextlib.ExitStack() as stack:
        count = iter(range(100))

        def start(begin=BEGIN, **variables):
            folder = tmp_path / f"kernel-{next(count)}"
            named = {"NOVAKIT_SANDBOX_URL": sandbox.origin, **variables}
            kernel = stack.enter_context(running(environ, folder, **named))
            if begin:
                kernel.ok(begin)
            return kernel

        yield start


@pytest.fixture
def kernel(start):
    """A new kernel that has imported the package and uses the sandbox."""
    return start()
