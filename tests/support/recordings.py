"""Recordings made on a fast sandbox, and replays that end with the test."""

import asyncio
import contextlib

import pytest
from core_fixtures import _frozen, _no_waiting, _served, sandbox, serve  # noqa: F401

import novakit_widgets as nk
from novakit_widgets import NovaKitClient
from novakit_widgets.api import downloads
from novakit_widgets.notebook import record as recording
from novakit_widgets.notebook import replay as replaying


@pytest.fixture(autouse=True)
def _stopped():
    """No recording and no replay is left."""
    yield
    for active in list(recording._active.values()):
        active.stop()
    if replaying._running is not None:
        replaying._running[1].stop()
        replaying._running = None


@pytest.fixture
def source(sandbox):
    """A client of the sandbox that stands for the service."""
    return NovaKitClient(sandbox.api_key, sandbox.base_url)


def bytes_of(job, client=None):
    """Return the bytes of a job's media."""

    async def fetch():
        return [(await downloads.fetch(client or NovaKitClient(), media.url, limit=10**8))[0] for media in job.media]

    return asyncio.run(fetch())


@pytest.fixture
def lesson(tmp_path, source):
    """A recording of a picture, an edit of it, speech and a failure, with what the first run has got."""
    path = tmp_path / "lesson.novakit"
    with nk.record(path):
        picture = nk.image("A lighthouse", client=source).wait()
        edited = nk.edit_image(prompt="In winter", image=picture.media[0].url, client=source).wait()
        spoken = nk.speech("Hello there", client=source).wait()
        with contextlib.suppress(nk.JobFailedError):
            nk.video("fail please", client=source).wait()
    first = [bytes_of(job, source) for job in (picture, edited, spoken)]
    return path, [picture, edited, spoken], first
