"""The smoke test against the real service: collected only with ``NOVAKIT_LIVE=1``, since it sends requests that are billed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

LIVE = os.environ.get("NOVAKIT_LIVE") == "1"
# Read now: each test begins without these variables.
KEY = os.environ.get("NOVAKIT_API_KEY", "")
BASE_URL = os.environ.get("NOVAKIT_BASE_URL", "https://www.novakit.ai/api/v1").rstrip("/")
FILE = Path(os.environ.get("NOVAKIT_LIVE_FILE", "novakit-live.md")).absolute()

collect_ignore_glob = [] if LIVE else ["test_*.py"]


@pytest.fixture(scope="session")
def live():
    """The key, the base URL, and the file for what was observed."""
    if not KEY:
        pytest.fail("NOVAKIT_LIVE=1 needs a key in NOVAKIT_API_KEY. Nothing was sent.")
    return KEY, BASE_URL, FILE


def pytest_terminal_summary(terminalreporter):
    """Name the file."""
    if LIVE and FILE.exists():
        terminalreporter.write_line(f"What the service did is written down in {FILE}")
