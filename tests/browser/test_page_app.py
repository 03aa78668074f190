"""Cards in forms of other people: a teaching notebook as an app in Voila, and `ipywidgets.interact`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.async_api import expect

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "02_explore_prompts.ipynb"

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_explore_prompts_in_voila(voila, context_of):
    """Two prompts are typed, made and compared; the newest comes first, each with its picture, and no code is shown."""
    copy = voila.folder / "app.ipynb"
    shutil.copyfile(NOTEBOOK, copy)
    page = await (await context_of()).new_page()
    await page.goto(voila.address(copy), timeout=90_000)
    box = page.get_by_role("textbox", name="Prompt", exact=True)
    generate = page.get_by_role("button", name="Generate", exact=True)
    await expect(generate).to_be_visible(timeout=60_000)
    await expect(page.get_by_text("import novakit_widgets")).to_have_count(0)
    for prompt in ("A red boat", "A green boat"):
        await box.fill(prompt)
        await generate.click()
        await expect(page.get_by_role("img", name=prompt)).to_be_visible(timeout=30_000)
    shown = await page.locator(".novakit-explorer .novakit-card img").evaluate_all("all => all.map(one => one.alt)")
    assert shown == ["A green boat", "A red boat"]
    for place in (0, 1):
        await page.get_by_role("checkbox", name="Compare").nth(place).check()
    await page.get_by_role("button", name="Compare 2 results").click()
    await expect(page.locator(".nk-compare img")).to_have_count(2)
    await box.fill(" ")
    await generate.click()
    await expect(page.get_by_role("alert")).to_have_text("Enter a prompt")


async def test_interact(open_notebook, sandbox):
    """A function that returns a card shows its result below its controls, and another one when it is called again."""
    before = len(sandbox.jobs)
    page = await open_notebook(
        "ipywidgets.interact_manual(lambda seed: nk.image(f'Lighthouse {seed}', size='512x512'), seed=(1, 9));"
    )
    await page.run_all()
    await page.has_run(1)
    run = page.page.get_by_role("button", name="Run Interact")
    for key, prompt in (("Home", "Lighthouse 1"), ("End", "Lighthouse 9")):
        await page.page.get_by_role("slider").first.focus()
        await page.page.keyboard.press(key)
        await run.click()
        await expect(page.page.get_by_role("img", name=prompt)).to_be_visible(timeout=30_000)
    assert await page.page.locator(".novakit-card").count() == 1
    assert len(sandbox.jobs) == before + 2
