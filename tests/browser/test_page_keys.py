"""Keys pressed in a form of ours, while JupyterLab is in command mode, are the form's: no shortcuts of the notebook."""

from __future__ import annotations

import string

import pytest
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# Those of JupyterLab's shortcuts that change, cut, run or leave a cell are among them.
_KEYS = [
    *string.ascii_lowercase,
    *"MDZOSXF0123456",
    "ArrowUp",
    "ArrowDown",
    "ArrowLeft",
    "ArrowRight",
    "Space",
    "Enter",
    "Escape",
]
_KEYS += ["d", "d", "0", "0", "i", "i", "Shift+M", "Shift+Enter", "Alt+Enter", "Control+Enter"]
# The kind and the text of each cell, and which of them has run how often.
_CELLS = """() => [...document.querySelectorAll(".jp-Notebook .jp-Cell")].map(
    (cell) => [cell.className.match(/jp-(Code|Markdown|Raw)Cell/)[1], cell.querySelector(".cm-content")?.innerText,
        cell.querySelector(".jp-InputPrompt")?.innerText])"""
_CONTROLS = "input, select, button, textarea"


@pytest.mark.parametrize(
    ("call", "root"), [("nk.explore('image')", ".novakit-explorer"), ("nk.history()", ".novakit-history")]
)
async def test_no_key_reaches_the_notebook(open_notebook, call, root):
    """Whatever is pressed on whichever control: the cells are what they were, and none has run again."""
    notebook = await open_notebook(call, "'The next cell.'")
    await notebook.run_all()
    await notebook.has_run(2)
    page, form = notebook.page, notebook.output(1).locator(root)
    await expect(form).to_be_visible()
    before = await page.evaluate(_CELLS)
    controls = form.locator(_CONTROLS)
    tried = 0
    for number in range(await controls.count()):
        control = controls.nth(number)
        if not await control.is_visible() or not await control.is_enabled():
            continue
        tried += 1
        for key in _KEYS:
            await control.focus()
            await page.keyboard.press(key)
        assert await page.evaluate(_CELLS) == before, await control.evaluate("it => it.outerHTML")
    assert tried > 3


async def test_control_enter_generates(open_notebook, sandbox):
    """From the text of the prompt; the cell does not run again."""
    known = len(sandbox.jobs)
    notebook = await open_notebook("nk.explore('image', size='512x512')")
    await notebook.run_all()
    ran = await notebook.has_run(1)
    prompt = notebook.output(1).get_by_role("textbox", name="Prompt", exact=True)
    await prompt.focus()
    await notebook.page.keyboard.type("A red boat", delay=20)
    await notebook.page.keyboard.press("Control+Enter")
    await notebook.until(lambda: len(sandbox.jobs) > known)
    assert [job.params["prompt"] for job in list(sandbox.jobs.values())[known:]] == ["A red boat"]
    assert await notebook.has_run(1) == ran


async def test_without_the_module_the_form_shows_no_error(open_notebook):
    """A server that lacks anywidget's front-end module: the form is there, and nothing says that anything is missing."""
    notebook = await open_notebook("nk.explore('image')")
    await notebook.page.route("**/labextensions/anywidget/**", lambda route: route.abort())
    await notebook.page.reload()
    await notebook.wait_for_kernel()
    await notebook.run_all()
    await notebook.has_run(1)
    await expect(notebook.output(1).get_by_role("button", name="Generate", exact=True)).to_be_visible()
    await expect(notebook.output(1).get_by_text("anywidget")).to_have_count(0)
    for box in await notebook.output(1).locator(".jupyter-widgets-error-widget").all():
        await expect(box).to_be_hidden()
