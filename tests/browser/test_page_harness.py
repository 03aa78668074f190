"""The harness itself: each front end runs plain widgets, and the page object does and sees what a user does and sees."""

from __future__ import annotations

import re

import pytest
from page import Notebook, write_notebook
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

WIDGETS = """
import ipywidgets
bar = ipywidgets.FloatProgress(max=10)
button = ipywidgets.Button(description="Move it")
def move(_):
    bar.value += 5
button.on_click(move)
ipywidgets.VBox([bar, button])
"""
_BRIGHTNESS = """element => {
  const [r, g, b] = getComputedStyle(element).backgroundColor.match(/[0-9.]+/g).map(Number);
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}"""


@pytest.mark.parametrize("name", ["lab", "notebook7", "voila"])
async def test_a_click_moves_a_bar(name, request, open_notebook):
    """A button's callback runs in the kernel, and what it changes is seen."""
    server = request.getfixturevalue(name)
    page = await open_notebook(WIDGETS, server=server)
    if server.kind != "voila":
        await page.run_all()
        assert await page.has_run(1) == 2
    button = page.page.get_by_role("button", name="Move it")
    moved = page.page.locator(".widget-hprogress .progress-bar")
    await expect(moved).to_have_attribute("style", re.compile(r"width: 0%"))
    for percent in (50, 100):
        await button.click()
        await expect(moved).to_have_attribute("style", re.compile(rf"width: {percent}%"))


@pytest.mark.parametrize("name", ["lab", "notebook7"])
async def test_the_theme_is_the_one_that_is_preferred(name, request, context_of):
    """A page in the dark is dark, and another is light."""
    server = request.getfixturevalue(name)
    path = write_notebook(server.folder / f"theme_{name}" / "notebook.ipynb", ["1 + 1"])
    brightness = []
    for dark in (False, True):
        page = await Notebook.open(await context_of(dark=dark), server, path)
        await page.page.wait_for_function(f"() => document.body.dataset.jpThemeLight === '{str(not dark).lower()}'")
        brightness.append(await page.page.locator(".jp-Notebook").evaluate(_BRIGHTNESS))
        await page.close()
    light, dark = brightness
    assert light > 0.8
    assert dark < 0.2


async def test_what_a_user_does_in_notebook(notebook7, open_notebook):
    """Cells are run and added, a cell is interrupted, the file is saved, the page reloaded, the kernel restarted and ended."""
    page = await open_notebook("known = 'known'", "import time; time.sleep(60)", server=notebook7)
    await page.run(0)
    await page.run(1)
    await page.run(2, wait=False)
    await page.is_running(2)
    await page.interrupt()
    await page.has_run(2)
    await expect(page.output(2)).to_contain_text("KeyboardInterrupt")

    new = await page.add("print(known, 1 + 1)")
    await expect(page.output(new)).to_have_text("known 2")
    saved = await page.save()
    assert [cell["execution_count"] for cell in saved["cells"]] == [1, 2, 3, 4]
    assert "".join(saved["cells"][new]["outputs"][0]["text"]) == "known 2\n"

    await page.reload()
    await expect(page.output(new)).to_have_text("known 2")
    await page.run(new)
    await expect(page.output(new)).to_have_text("known 2")

    await page.restart()
    await page.run(new)
    await expect(page.output(new)).to_contain_text("NameError")
    await page.shut_down_kernel()
    await expect(page.output(new)).to_contain_text("NameError")


@pytest.mark.parametrize("name", ["lab", "notebook7", "voila"])
async def test_a_front_end_is_for_who_has_its_token(name, request, context_of):
    """Whoever comes without the token, from the same machine, sees no notebook and runs none."""
    server = request.getfixturevalue(name)
    path = write_notebook(server.folder / "closed" / "notebook.ipynb", ["print('it ran')"])
    page = await (await context_of()).new_page()
    await page.goto(server.address(path).partition("?")[0])
    assert "/login?" in page.url
    assert "it ran" not in await page.content()
