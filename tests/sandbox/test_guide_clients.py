"""The two clients of the vendor's guide run unchanged against the sandbox."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import av
import httpx
import pytest

HERE = Path(__file__).parent


def python():
    """Return the command of the Python client."""
    return [sys.executable, str(HERE / "guide_client.py")]


def javascript():
    """Return the command of the JavaScript client."""
    node = shutil.which("node")
    if node is None:
        message = "node is not on PATH: install Node.js 18 or newer (https://nodejs.org, or: apt install nodejs)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return [node, str(HERE / "guide_client.mjs")]


def run(command, sandbox, prompt):
    """Run a client as its own process, with nothing but the base URL and the key changed."""
    environment = {
        **os.environ,
        "NOVAKIT_BASE_URL": sandbox.base_url,
        "NOVAKIT_API_KEY": sandbox.api_key,
        "NO_PROXY": "127.0.0.1",
    }
    return subprocess.run([*command, prompt], env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("command", [python, javascript])
def test_a_video(serve, command):
    """Submitted with ``?async=true``, long-polled with pauses, the URL found where the guide looks for it."""
    # Held for less than the job takes, so that the loop goes round and sleeps its five seconds.
    sandbox = serve(speed=1.0, durations={"video": 3}, hold_seconds=1.0, limits="documented", quotas=None)
    done = run(command(), sandbox, "A sunset over mountains")
    assert done.returncode == 0, done.stderr
    assert "Status: processing, progress: " in done.stderr
    content = httpx.get(done.stdout.strip(), trust_env=False).content
    with av.open(io.BytesIO(content)) as container:
        assert container.duration / 1e6 == pytest.approx(5, abs=0.05)
    assert [(record.method, record.query) for record in sandbox.requests[:3]] == [
        ("POST", {"async": "true"}),
        ("GET", {"poll": "true"}),
        ("GET", {"poll": "true"}),
    ]


@pytest.mark.parametrize("command", [python, javascript])
def test_a_failure(serve, command):
    """A failed job reaches the guide's own error with the service's message."""
    done = run(command(), serve(), "fail please")
    assert done.returncode != 0
    assert "The model could not generate a result for this prompt." in done.stderr
