"""The page is closed or reloaded, or the kernel restarted, while a job runs."""

from __future__ import annotations

import pytest
from page import LONG, Notebook
from page_media import assert_plays
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

WIDGET = "w = nk.video('A sunset', duration_seconds=1); w"


async def _assert_it_can_be_shown_again(page) -> None:
    """The card plays its result; shown in a new cell it is plain, and is saved as that."""
    await assert_plays(page.card(1).locator("video"), seconds=1)
    new = await page.add("w.show()")
    await assert_plays(page.plain(new).locator("video"), seconds=1)
    saved = await page.save()
    assert "text/html" in saved["cells"][new]["outputs"][0]["data"]
    assert "application/vnd.jupyter.widget-view+json" not in saved["cells"][new]["outputs"][0]["data"]


async def test_the_page_is_closed_while_the_job_ends(open_notebook, sandbox, profile, lab):
    """Opened again, the card has the result, and `show()` in a new cell leaves the plain one."""
    sandbox.next_duration(LONG)
    page = await open_notebook(WIDGET)
    known = len(sandbox.jobs)
    await page.run_all()
    await expect(page.card(1)).to_be_visible()
    await page.until(lambda: len(sandbox.jobs) > known)
    await page.save()
    await page.close()
    job = list(sandbox.jobs)[-1]
    sandbox.finish(job)
    await page.until(lambda: sandbox.jobs[job].ended_at is not None)
    reopened = await Notebook.open(profile, lab, page.path)
    await expect(reopened.card(1).get_by_role("status")).to_have_text("Done")
    await _assert_it_can_be_shown_again(reopened)


async def test_reloaded_in_mid_job(open_notebook, sandbox):
    """The card comes back and goes on; the result is in it, and `show()` leaves the plain one."""
    sandbox.next_duration(800)
    page = await open_notebook(WIDGET)
    await page.run_all()
    bar = page.card(1).get_by_role("progressbar", name="Video")
    await expect(bar).to_be_visible()
    await page.save()
    await page.reload()
    await expect(bar).to_be_visible()
    before = float(await bar.get_attribute("aria-valuenow") or 0)
    await expect(bar).not_to_have_attribute("aria-valuenow", f"{before:.0f}")
    sandbox.finish()
    await expect(page.card(1).get_by_role("status")).to_have_text("Done")
    await _assert_it_can_be_shown_again(page)


async def test_reloaded_after_the_end(open_notebook):
    """A nested card, which stays a widget, brings its result back with its bytes; a plain one is in the file."""
    page = await open_notebook(
        "ipywidgets.VBox([nk.video('nested', duration_seconds=1)])", "nk.video('plain', duration_seconds=1)"
    )
    await page.run_all()
    await expect(page.plain(2)).to_be_visible()
    await expect(page.card(1).locator("video")).to_be_visible()
    await page.save()
    await page.reload()
    await assert_plays(page.card(1).locator("video"), seconds=1)
    await assert_plays(page.plain(2).locator("video"), seconds=1)


async def test_the_kernel_is_restarted_in_mid_job(open_notebook, sandbox):
    """The job goes on at the service; another kernel attaches to it, finishes it and is not billed for a second one."""
    sandbox.next_duration(LONG)
    page = await open_notebook(WIDGET, "print(w.job_id)")
    known = len(sandbox.jobs)
    await page.run_all()
    await expect(page.card(1).get_by_role("progressbar")).to_be_visible()
    await page.until(lambda: len(sandbox.jobs) > known)
    job = list(sandbox.jobs)[-1]
    await page.restart()
    await page.run(0)
    new = await page.add(f"nk.attach({job!r})")
    await expect(page.card(new).get_by_role("progressbar", name="Video")).to_be_visible()
    sandbox.finish(job)
    await assert_plays(page.plain(new).locator("video"), seconds=1)
    assert len(sandbox.jobs) == known + 1
