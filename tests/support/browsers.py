"""Which browser the tests drive."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Playwright, ViewportSize

HOW_TO_GET_ONE = (
    "no Chromium: apt-get install chromium, or playwright install chromium, or let NOVAKIT_CHROMIUM name one; "
    "and pip install novakit_widgets[test]"
)
_NAMES = ("chromium", "chromium-browser", "google-chrome")
# A container has no sandbox for the browser, and nothing here is to talk to the world.
# There is no graphics card either, and imitating one costs time.
# Media play without a click, as a user's click would allow it.
_FLAGS = (
    "--no-sandbox",
    "--disable-quic",
    "--disable-gpu",
    "--disable-background-networking",
    "--autoplay-policy=no-user-gesture-required",
)


def chromium(playwright: Playwright) -> str | None:
    """Return the browser's path: the one that NOVAKIT_CHROMIUM names, else one on PATH, else Playwright's own."""
    named = os.environ.get("NOVAKIT_CHROMIUM")
    if named:
        return shutil.which(named)
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    own = playwright.chromium.executable_path
    return found or (own if Path(own).is_file() else None)


async def launch(playwright: Playwright, path: str) -> Browser:
    """Start a browser whose contexts keep nothing."""
    return await playwright.chromium.launch(executable_path=path, args=_FLAGS)


async def launch_with_profile(
    playwright: Playwright, path: str, folder: Path, *, viewport: ViewportSize
) -> BrowserContext:
    """Start a browser of one context, which keeps what it has loaded.

    Args:
        playwright: drives it.
        path: the browser's.
        folder: where it keeps that.
        viewport: the size of its pages.
    """
    return await playwright.chromium.launch_persistent_context(
        folder, executable_path=path, args=_FLAGS, viewport=viewport, color_scheme="light"
    )
