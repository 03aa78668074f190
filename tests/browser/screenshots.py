"""The pictures of the README, from the real page: ``PYTHONPATH=tests/support python tests/browser/screenshots.py``."""

from __future__ import annotations

import asyncio
import io
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from browsers import HOW_TO_GET_ONE, chromium, launch
from page import Notebook, write_notebook
from PIL import Image
from playwright.async_api import async_playwright, expect
from servers import end_sessions, serving

from novakit_widgets import Sandbox

if TYPE_CHECKING:
    from playwright.async_api import Browser, Locator
    from servers import Server

_FOLDER = Path(__file__).parents[2] / "docs" / "images"
_WIDTH = 840
_COLOURS = 256  # of a palette: the pictures are for reading, and a repository keeps each of them for ever
_CALL = 'nk.video("A sunset over mountains", duration_seconds=5)'
_FAILING = 'nk.video("A sunset over mountains, fail please")'
_BATCH = """places = ["lighthouse", "harbour at night", "mountain lake", "market square", "tram in the rain", "birch forest",
          "field of sunflowers", "snowed-in village", "desert railway", "greenhouse", "canal", "observatory"]
nk.batch("image", [f"Woodcut: {place}" for place in places], size="512x512")"""
_EXPLORE = 'nk.explore("video", duration_seconds=3)'
_WORDS = ("A mountain lake at dawn", "A mountain lake at night")
_EXPLORER_WIDTH = 1040  # two results beside each other
_BATCH_SECONDS = (2, 3, 2, 3, 12, 14, 16, 18, 20, 22, 30, 30)


async def _take(cell: Locator, name: str) -> None:
    await cell.locator(".cm-content").scroll_into_view_if_needed()
    png = await cell.screenshot(animations="disabled")
    with Image.open(io.BytesIO(png)) as picture:
        small = picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    path = _FOLDER / f"{name}.png"
    small.save(path, optimize=True)
    sys.stdout.write(f"{path.relative_to(_FOLDER.parents[1])}: {path.stat().st_size / 1000:.0f} kB\n")


async def _picture(browser: Browser, server: Server, sandbox: Sandbox, *, dark: bool) -> None:
    theme = "dark" if dark else "light"
    sandbox.next_duration(60, 10)
    start = f"import novakit_widgets as nk; nk.use_sandbox(url={sandbox.origin!r})"
    path = write_notebook(server.folder / theme / "notebook.ipynb", [start, _CALL, _FAILING, "", ""])
    context = await browser.new_context(
        viewport={"width": _WIDTH, "height": 1400}, color_scheme="dark" if dark else "light"
    )
    page = await Notebook.open(context, server, path)
    await page.run_all()
    await expect(page.card(1)).to_contain_text(re.compile(r"[3-6]\d %.*left"))
    await _take(page.cell(1), f"running-{theme}")
    await expect(page.plain(2)).to_contain_text("Failed")
    await _take(page.cell(2), f"failed-{theme}")
    video = page.plain(1).locator("video")
    await expect(video).to_be_visible()
    await page.page.wait_for_function("video => video.readyState >= 2", arg=await video.element_handle())
    await page.page.wait_for_timeout(3_000)  # until the player's own ring has gone
    await _take(page.cell(1), f"finished-{theme}")
    await context.close()
    end_sessions(server)


async def _board(browser: Browser, server: Server, sandbox: Sandbox, *, dark: bool) -> None:
    theme = "dark" if dark else "light"
    sandbox.next_duration(*_BATCH_SECONDS)
    start = f"import novakit_widgets as nk; nk.use_sandbox(url={sandbox.origin!r})"
    path = write_notebook(server.folder / f"board-{theme}" / "notebook.ipynb", [start, _BATCH, "", ""])
    context = await browser.new_context(
        viewport={"width": _WIDTH, "height": 1400}, color_scheme="dark" if dark else "light"
    )
    page = await Notebook.open(context, server, path)
    await page.run_all()
    await expect(page.card(1)).to_contain_text(re.compile(r"4 of 12 done.*2 queued, next starts about"))
    await expect(page.card(1).locator("tbody tr").nth(9)).to_contain_text(re.compile(r"[1-4]\d %"))
    await _take(page.cell(1), f"board-{theme}")
    await context.close()
    end_sessions(server)


async def _explorer(browser: Browser, server: Server, sandbox: Sandbox, *, dark: bool) -> None:
    theme = "dark" if dark else "light"
    start = f"import novakit_widgets as nk; nk.use_sandbox(url={sandbox.origin!r})"
    path = write_notebook(server.folder / f"explorer-{theme}" / "notebook.ipynb", [start, _EXPLORE, "", ""])
    context = await browser.new_context(
        viewport={"width": _EXPLORER_WIDTH, "height": 1800}, color_scheme="dark" if dark else "light"
    )
    page = await Notebook.open(context, server, path)
    await page.run_all()
    output = page.output(1)
    prompt = output.get_by_role("textbox", name="Prompt", exact=True)
    generate = output.get_by_role("button", name="Generate", exact=True)
    for number, words in enumerate(_WORDS, start=1):
        await prompt.fill(words)
        await generate.click()
        await expect(output.locator("video")).to_have_count(number)
    for place in range(len(_WORDS)):
        await output.get_by_role("checkbox", name="Compare").nth(place).check()
    await output.get_by_role("button", name="Compare 2 results").click()
    together = output.locator(".novakit-comparison video")
    await page.page.wait_for_function("video => video.readyState >= 2", arg=await together.first.element_handle())
    await page.page.wait_for_timeout(3_000)  # until the players' own rings have gone
    await _take(page.cell(1), f"explorer-{theme}")
    await context.close()
    end_sessions(server)


async def main() -> str | None:
    """Make all of them; return what is missing, if anything."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        path = chromium(playwright)
        if path is None:
            return HOW_TO_GET_ONE
        browser = await launch(playwright, path)
        with (
            tempfile.TemporaryDirectory() as folder,
            Sandbox(speed=3, seed=1, limits="off", quotas="off") as sandbox,
            serving("lab", Path(folder)) as server,
        ):
            for dark in (False, True):
                await _picture(browser, server, sandbox, dark=dark)
                # With the documented limits, which what waits waits for; and none of the last board's count.
                with Sandbox(seed=1, quotas="off") as limited:
                    await _board(browser, server, limited, dark=dark)
                with Sandbox(speed=30, seed=1, limits="off") as fast:
                    await _explorer(browser, server, fast, dark=dark)
        await browser.close()
    return None


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
