"""A fast sandbox, clients of it, and a check that nothing is left behind on the loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc

import pytest
import stamina

from novakit_widgets import NovaKitClient, Sandbox, settings
from novakit_widgets.model.tools import Tool

SPEED = 1000.0
SMALL = {
    Tool.VIDEO: {"prompt": "A sunset over mountains", "duration_seconds": 1},
    Tool.MUSIC: {"prompt": "Slow jazz, brushed drums", "duration_seconds": 2},
    Tool.IMAGE: {"prompt": "A sunset over mountains", "size": "512x512"},
    Tool.IMAGE_EDIT: {"prompt": "Make it winter", "image": "https://example.org/a.png"},
    Tool.TTS: {"input": "Hello there. Does it work?"},
    Tool.STT: {"file": "https://example.org/a.mp3"},
}


@pytest.fixture(scope="session")
def small():
    """Parameters for each tool that are cheap to make."""
    return SMALL


@pytest.fixture(autouse=True)
def _no_waiting():
    """Retries without waits, two attempts each; the package's own pace is that of the sandbox."""
    stamina.set_testing(True, attempts=2)
    settings.configure(speed=SPEED)


@pytest.fixture(scope="session")
def _served():
    with Sandbox(speed=SPEED, seed=1, limits="off", quotas="off", media="canned") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_served):
    """The sandbox of all tests, without the faults and the durations of the last one."""
    _served.clear_faults()
    yield _served
    _served.clear_faults()
    _served._pace.next_seconds.clear()


@pytest.fixture(scope="session", autouse=True)
def _frozen():
    """What was imported is no garbage, and need not be looked through after each test."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
async def nothing_left():
    """Fail when a task is left on the loop, or the loop was told of an exception that nobody took."""
    problems = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: problems.append(context))
    before = asyncio.all_tasks()
    yield problems
    # What was cancelled in the last step needs some more to be gone, and a row of the history its time on the disk.
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=2.0)
    assert not left, left
    gc.collect()  # the exception of a task that is in a circle is only told of when the circle is found
    assert not problems, problems


@pytest.fixture
async def client(sandbox, nothing_left):
    """A client of that sandbox; it closes with the test."""
    made = NovaKitClient(sandbox.api_key, sandbox.base_url)
    yield made
    # What is still being asked, such as what became of a cancellation, would open connections anew.
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        await asyncio.wait(left, timeout=2.0)
    await made.aclose()


@pytest.fixture
def serve():
    """Start a sandbox of one's own; it ends with the test."""
    with contextlib.ExitStack() as stack:

        def start(**options):
            chosen = {"speed": SPEED, "seed": 1, "limits": "off", "quotas": "off", "media": "canned", **options}
            return stack.enter_context(Sandbox(**chosen))

        yield start
