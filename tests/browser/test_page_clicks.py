"""Clicks and interrupts while the kernel is idle, while it is busy, and while a cell waits."""

from __future__ import annotations

import re

import pytest
from page import LONG, UNTIL_TOLD
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def _newest_job(sandbox):
    return list(sandbox.jobs.values())[-1]


async def _is_running(page, sandbox, index=1) -> None:
    await expect(page.card(index).get_by_role("status")).to_have_text(re.compile("Queued|Generating"))
    assert _newest_job(sandbox).ended_at is None


async def test_every_click_counts(open_notebook, sandbox, kernel):
    """The first click, those after the card has changed, and one after a reload: each does what the button says."""
    sandbox.next_duration(LONG, LONG, LONG)
    page = await open_notebook("w = nk.video('A sunset'); ipywidgets.VBox([w])", kernel=kernel)
    await page.run_all()
    card = page.card(1)
    for last in (False, False, True):
        await _is_running(page, sandbox)
        if last:
            await page.save()
            await page.reload()
            await _is_running(page, sandbox)
        await card.get_by_role("button", name="Cancel").click()
        await expect(card.get_by_role("status")).to_have_text("Cancelled")
        assert _newest_job(sandbox).status == "cancelled"
        if not last:
            await card.get_by_role("button", name="Try again").click()


async def test_cancelled_while_another_cell_awaits(open_notebook, sandbox, kernel):
    """The click gets through during the cell; with ipykernel 6, which has no subshells, right after it."""
    sandbox.next_duration(LONG)
    page = await open_notebook("nk.video('A sunset')", UNTIL_TOLD, kernel=kernel)
    await page.run_all()
    await page.is_running(2)
    await _is_running(page, sandbox)
    await page.card(1).get_by_role("button", name="Cancel").click()
    if "-6." not in kernel:
        await page.until(lambda: _newest_job(sandbox).ended_at)
        await page.is_running(2)
    page.go_on()
    await page.has_run(2)
    await expect(page.plain(1)).to_contain_text("Cancelled")
    assert _newest_job(sandbox).status == "cancelled"


async def test_cancelled_while_a_cell_waits(open_notebook, sandbox, kernel):
    """The click ends the job and with it the wait; where the kernel holds it back, it counts once the wait is over."""
    sandbox.next_duration(LONG)
    page = await open_notebook("w = nk.video('A sunset'); w", "w.wait()", kernel=kernel)
    await page.run_all()
    await page.is_running(2)
    await _is_running(page, sandbox)
    await page.card(1).get_by_role("button", name="Cancel").click()
    if "-7.3." not in kernel:
        await page.interrupt()
    await page.has_run(2)
    await expect(page.output(2)).to_contain_text(re.compile("JobCancelledError|KeyboardInterrupt"))
    await expect(page.plain(1)).to_contain_text("Cancelled")
    assert _newest_job(sandbox).status == "cancelled"


async def test_an_interrupt_ends_the_wait_alone(open_notebook, sandbox, kernel):
    """With `wait()` and with `await` the cell ends at once, the card goes on, and the job is done in its time."""
    sandbox.next_duration(LONG)
    page = await open_notebook("w = nk.video('A sunset', duration_seconds=1); w", "w.wait()", "await w", kernel=kernel)
    await page.run(0)
    await page.run(1)
    for index, told in ((2, "KeyboardInterrupt"), (3, "CancelledError")):
        await page.run(index, wait=False)
        await page.is_running(index)
        await _is_running(page, sandbox)
        await page.interrupt()
        await page.has_run(index)
        await expect(page.output(index)).to_contain_text(told)
        await _is_running(page, sandbox)
    sandbox.finish()
    await expect(page.plain(1).locator("video")).to_be_visible()
    assert _newest_job(sandbox).status == "completed"


async def test_run_all_with_three_waits(open_notebook):
    """Every cell has run, in order, and every result is there."""
    wait = "nk.image('A lighthouse', size='512x512').wait().status"
    cells = (wait, "1 + 1", wait, "await asyncio.sleep(0.1)", wait, "'the end'")
    page = await open_notebook(*cells)
    await page.run_all()
    counts = [await page.has_run(index) for index in range(len(cells) + 1)]
    assert counts == list(range(1, len(cells) + 2))
    await expect(page.output(6)).to_contain_text("the end")
    for index in (1, 3, 5):
        await expect(page.plain(index).get_by_role("img", name="A lighthouse")).to_be_visible()
