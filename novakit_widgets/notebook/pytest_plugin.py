"""A pytest plugin: the fixture `novakit_replay`, a recording for each test, as cassettes are.

pytest loads this module at its start in every environment that has the package, so it imports next to nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .record import Recording
    from .replay import Replay

__all__ = ["novakit_replay", "pytest_addoption"]

_SPEED = 100.0
_SECONDS = 600.0  # for jobs that a test does not wait for, while recording
_LENGTH = 120  # characters of a file's name


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--novakit-record``."""
    parser.getgroup("novakit").addoption(
        "--novakit-record",
        action="store_true",
        help="novakit_replay: record the jobs of tests with your own settings, which may be billed, instead of replaying them",
    )


@pytest.fixture
def novakit_replay(request: pytest.FixtureRequest) -> Iterator[Recording | Replay]:
    """Replay the jobs of this test from ``novakit/`` beside it; with ``--novakit-record``, record them.

    A call that differs from the recorded ones is refused, and fails the test with the parameter that differs.
    """
    name = re.sub(r"[^\w.-]+", "-", f"{request.path.stem}.{request.node.name}").strip("-")[:_LENGTH]
    path = request.path.parent / "novakit" / f"{name}.novakit"
    if request.config.getoption("--novakit-record"):
        from .record import record

        recording = record(path)
        yield recording
        recording.stop(wait=_SECONDS)
        return
    if not path.is_file():
        pytest.fail(
            f"There is no recording {path}. Make it once with a key, or on a sandbox: pytest --novakit-record",
            pytrace=False,
        )
    from .replay import replay

    running = replay(path, speed=_SPEED)
    yield running
    unrecorded = running.unrecorded
    running.stop()
    if unrecorded:
        told = "\n".join(unrecorded)
        pytest.fail(f"{told}\nRecord again if the change is meant: pytest --novakit-record", pytrace=False)
