"""The smoke test against the service runs on the sandbox as it would on the service, and only when it is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from novakit_widgets import Sandbox

LIVE = Path(__file__).parents[1] / "live"


def run(folder, **variables):
    """Run the smoke test in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-o",
        "addopts=--import-mode=importlib -q",
        "-p",
        "no:cacheprovider",
        str(LIVE),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("NOVAKIT_", "PYTEST_"))}
    return subprocess.run(
        command, cwd=folder, env={**environment, **variables}, capture_output=True, text=True, timeout=100, check=False
    )  # fmt: skip


@pytest.mark.parametrize(
    "variables", [{}, {"NOVAKIT_LIVE": "0"}, {"NOVAKIT_LIVE": "", "NOVAKIT_API_KEY": "sk_" + "0" * 64}]
)
def test_smoke_test_is_not_collected_unless_asked_for(tmp_path, variables):
    """Nothing is sent, whatever key there is."""
    done = run(tmp_path, NOVAKIT_BASE_URL="http://127.0.0.1:9", **variables)
    assert done.returncode == 5, done.stdout
    assert "no tests ran" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_smoke_test_without_a_key_says_so(tmp_path):
    """And sends nothing."""
    done = run(tmp_path, NOVAKIT_LIVE="1", NOVAKIT_BASE_URL="http://127.0.0.1:9")
    assert done.returncode == 1
    assert "needs a key in NOVAKIT_API_KEY" in done.stdout


@pytest.mark.parametrize("named", [None, "seen.md"])
def test_smoke_test_writes_down_what_the_sandbox_does(tmp_path, named):
    """In the file that it names at its end; without the key."""
    with Sandbox(speed=20, limits="off", media="canned") as sandbox:
        variables = {"NOVAKIT_LIVE": "1", "NOVAKIT_API_KEY": sandbox.api_key, "NOVAKIT_BASE_URL": sandbox.base_url}
        done = run(tmp_path, **variables, **({} if named is None else {"NOVAKIT_LIVE_FILE": named}))
        assert done.returncode == 0, done.stdout
        file = tmp_path / (named or "novakit-live.md")
        assert f"written down in {file}" in done.stdout
        text = file.read_text(encoding="utf-8")
        assert sandbox.api_key not in text + done.stdout
    for expected in (
        "## A held poll",
        "- all: ",
        "newest first",
        "- of a running job: [200",
        "- of the ended job: [200",
    ):
        assert expected in text, text
