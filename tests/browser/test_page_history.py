"""The past jobs in a real page: found, shown again and turned into code."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_job_is_found_shown_and_written_as_code(open_notebook, sandbox):
    """The search and the menus stand above the table, the buttons below it, and each does what it says."""
    page = await open_notebook(
        "nk.configure(history='kept.sqlite3')\n"
        "for time in ('noon', 'night'): await nk.image(f'A zebra at {time}', size='512x512')",
        "nk.history(search='zebra')",
    )
    await page.page.set_viewport_size({"width": 1000, "height": 4000})  # what is out of sight is not there
    await page.run_all()
    view = page.output(2)
    rows = view.locator("table tbody tr")
    await expect(rows).to_have_count(2)
    for name in ("Refresh", "Open", "Copy code"):
        await expect(view.get_by_role("button", name=name, exact=True)).to_be_visible()
    search = view.get_by_placeholder("words or job id")
    await search.fill("night zebra")
    await search.press("Enter")
    await expect(rows).to_have_count(1)
    await view.get_by_role("button", name="Copy code", exact=True).click()
    await expect(view).to_contain_text("nk.image('A zebra at night', size='512x512')")
    await view.get_by_role("button", name="Open", exact=True).click()
    await expect(view.get_by_role("img", name="A zebra at night").last).to_be_visible()
    await expect(view.get_by_role("button", name="Look it up")).to_be_hidden()
