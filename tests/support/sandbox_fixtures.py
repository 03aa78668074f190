"""Sandboxes and clients for the tests of the sandbox."""

from __future__ import annotations

import contextlib

import httpx
import pytest

from novakit_widgets.model.tools import Tool
from novakit_widgets.sandbox import Sandbox

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


@pytest.fixture
def serve():
    """Start a sandbox with options; it ends with the test."""
    with contextlib.ExitStack() as stack:

        def start(**options):
            chosen = {"speed": 300.0, "seed": 1, "limits": "off", "quotas": "off", **options}
            return stack.enter_context(Sandbox(**chosen))

        yield start


@pytest.fixture
def client_of():
    """Make a client of a sandbox; it closes with the test."""
    with contextlib.ExitStack() as stack:

        def make(sandbox, key=None):
            headers = {"Authorization": f"Bearer {key or sandbox.api_key}"}
            client = httpx.Client(base_url=sandbox.base_url, headers=headers, timeout=40, trust_env=False)
            return stack.enter_context(client)

        yield make


@pytest.fixture(scope="module")
def shared():
    """One fast sandbox without limits for a whole file."""
    with Sandbox(speed=300.0, seed=1, limits="off", quotas="off") as sandbox:
        yield sandbox


@pytest.fixture
def api(shared, client_of):
    """A client of the shared sandbox."""
    return client_of(shared)


@pytest.fixture
def finish():
    """Submit a job and wait for its end."""

    def run(client, tool, params):
        answer = client.post(tool.endpoint, params={"async": "true"}, json=params)
        assert answer.status_code == 200, answer.text
        return client.get(f"jobs/{answer.json()['id']}", params={"poll": "true"}).json()

    return run
