"""The card for those who use no mouse, or do not see it."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.async_playwright import Axe
from page import LONG
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

_FOCUS = """button => {
  const look = () => { const {outline, boxShadow, border, backgroundColor} = getComputedStyle(button);
                       return [outline, boxShadow, border, backgroundColor].join('|'); };
  const with_focus = look(); button.blur(); const without = look(); button.focus();
  return with_focus !== without;
}"""
_KINDS = ("passes", "violations", "incomplete")
_COLOURS = "() => document.body.dataset.jpThemeLight"


async def _violations(page) -> list[str]:
    context = {"include": [[".novakit-card"], [".novakit-plain"]]}
    found = (await Axe().run(page.page, context=context, options={})).response
    nodes = {kind: [(rule, node) for rule in found[kind] for node in rule["nodes"]] for kind in _KINDS}
    contrast = {kind: [node["html"] for rule, node in nodes[kind] if rule["id"] == "color-contrast"] for kind in _KINDS}
    assert contrast["incomplete"] == []  # axe is silent about a text that it can't judge
    assert len(contrast["passes"] + contrast["violations"]) > 50
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]} {node['failureSummary'][:300]}"
        for rule, node in nodes["violations"]
        if rule["impact"] in ("serious", "critical")
    ]


async def test_axe_finds_nothing_serious(open_notebook, sandbox):
    """In each state, live and plain, in the light theme and in the dark one."""
    sandbox.next_duration(LONG, LONG, 5, 5, 5, 5, 5, 5, 5, 5)
    page = await open_notebook(
        "nk.video('A sunset that runs')",
        "ipywidgets.VBox([nk.video('A sunset that is left', timeout=0.5)])",
        "ipywidgets.VBox([nk.video('A nested sunset', duration_seconds=1)])",
        "ipywidgets.VBox([nk.video('A nested one: fail please')])",
        "nk.video('A plain sunset', duration_seconds=1)",
        "nk.video('A plain one: fail please')",
        "nk.music('Plain music', duration_seconds=2)",
        "nk.image('Plain pictures', n=2, size='512x512')",
        "ipywidgets.VBox([nk.music('Nested music', duration_seconds=2)])",
        "ipywidgets.VBox([nk.transcribe('https://x.example/a-nested-talk.mp3')])",
        "ipywidgets.VBox([nk.image('Not started', autostart=False)])",
    )
    await page.run_all()
    for index in (5, 6, 7, 8):
        await expect(page.plain(index)).to_be_visible()
    await expect(page.card(2).get_by_role("button", name="Keep watching")).to_be_visible()
    await expect(page.card(4).get_by_role("button", name="Try again")).to_be_visible()
    await expect(page.card(3).get_by_role("button", name="Save")).to_be_visible()
    await expect(page.card(9).locator("audio")).to_be_visible()
    await expect(page.card(10).get_by_role("status")).to_have_text("Done")
    await expect(page.card(10).get_by_role("button", name="Save")).to_be_visible()
    await expect(page.card(11).get_by_role("button", name="Generate")).to_be_visible()
    for index in (5, 6, 7, 8):
        await page.plain(index).get_by_text("Copy code").click()
    await page.lay_out(7000)
    await page.cell(0).locator(".cm-content").click()
    for dark in (False, True):
        await page.page.emulate_media(color_scheme="dark" if dark else "light")
        await page.page.wait_for_function(f"({_COLOURS})() === '{str(not dark).lower()}'")
        await expect(page.page.locator("#jupyterlab-splash")).to_have_count(0)
        assert await _violations(page) == []


async def test_the_keyboard_alone(open_notebook, sandbox):
    """Tab reaches the button, which shows that it has the focus, and Enter presses it."""
    sandbox.next_duration(LONG)
    page = await open_notebook("nk.video('A sunset')")
    await page.run_all()
    button = page.card(1).get_by_role("button", name="Cancel")
    await expect(button).to_be_visible()
    await page.cell(1).locator(".cm-content").click()
    await page.page.keyboard.press("Escape")
    for _ in range(20):
        await page.page.keyboard.press("Tab")
        if await button.evaluate("button => button === document.activeElement"):
            break
    await expect(button).to_be_focused()
    assert await button.evaluate(_FOCUS)
    await page.page.keyboard.press("Enter")
    await expect(page.plain(1)).to_contain_text("Cancelled")


async def test_what_a_screen_reader_learns(open_notebook, sandbox):
    """The bar is a progressbar with a name and a value, and the status is announced politely."""
    sandbox.next_duration(800)
    page = await open_notebook("nk.video('A sunset')")
    await page.run_all()
    bar = page.card(1).get_by_role("progressbar", name="Video: progress")
    await expect(bar).to_have_attribute("aria-valuenow", re.compile(r"[1-9]\d*"))
    await expect(bar).to_have_attribute("aria-valuetext", re.compile(r"\d+ % · \d+ s"))
    status = page.card(1).get_by_role("status")
    await expect(status).to_have_attribute("aria-live", "polite")
    await expect(status).to_have_text("Generating")
    await page.card(1).get_by_role("button", name="Cancel").click()
    await expect(page.plain(1)).to_contain_text("Cancelled")
