"""The card wherever a user may put it."""

from __future__ import annotations

import pytest
from page import LONG
from page_media import assert_plays
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_the_same_widget_shown_twice(open_notebook, sandbox):
    """Both cards run, and both become the plain result, each in its own cell."""
    sandbox.next_duration(LONG)
    page = await open_notebook("w = nk.video('A sunset', duration_seconds=1); w", "w")
    await page.run_all()
    for index in (1, 2):
        await expect(page.card(index).get_by_role("progressbar")).to_be_visible()
    await page.until(sandbox.finish)
    for index in (1, 2):
        await expect(page.plain(index)).to_have_count(1)
        await expect(page.card(index)).to_have_count(0)
        await assert_plays(page.plain(index).locator("video"), seconds=1)


async def test_two_widgets_in_one_cell(open_notebook, sandbox):
    """Each becomes its own result, in the order in which they were shown, whichever is done first."""
    sandbox.next_duration(LONG, 5)
    page = await open_notebook("""
        first = nk.image("first", size="512x512")
        display(first)
        while not first.job_id: await asyncio.sleep(0.05)  # so that the service gets them in this order
        display(nk.image("second", size="512x512"))
    """)
    await page.run_all()
    await expect(page.plain(1)).to_have_count(1)
    await expect(page.plain(1)).to_contain_text("second")
    await expect(page.card(1)).to_contain_text("first")
    await page.until(sandbox.finish)
    await expect(page.plain(1)).to_have_count(2)
    await expect(page.plain(1).nth(0)).to_contain_text("first")
    await expect(page.plain(1).nth(1)).to_contain_text("second")


async def test_nested_cards_stay_widgets_that_play(open_notebook):
    """In a Tab, an Accordion and a box the card stays where it was put, and plays its result."""
    page = await open_notebook(
        "ipywidgets.Tab([nk.video('in a tab', duration_seconds=1)], titles=['One'])",
        "ipywidgets.Accordion([nk.video('in an accordion', duration_seconds=1)], titles=['One'], selected_index=0)",
        "ipywidgets.HBox([nk.video('in a box', duration_seconds=1)])",
    )
    await page.run_all()
    for index in (1, 2, 3):
        await expect(page.card(index).get_by_role("status")).to_have_text("Done")
        await assert_plays(page.card(index).locator("video"), seconds=1)
        await expect(page.plain(index)).to_have_count(0)
    await expect(page.card(1).get_by_role("button", name="Save")).to_be_visible()


async def test_a_nested_card_shows_what_stands_beside_the_notebook(open_notebook, sandbox):
    """embed="file": a widget has no use for the notebook's relative addresses, so the page gets the bytes of the file."""
    page = await open_notebook(
        "ipywidgets.VBox([nk.image('in a file', size='512x512', embed='file')])",
        "ipywidgets.VBox([nk.video('in a file', duration_seconds=1, embed='file')])",
    )
    await page.run_all()
    picture = page.card(1).locator("img")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("async img => { await img.decode(); return img.naturalWidth; }") == 512
    await expect(page.card(2).locator("video")).to_be_visible()  # by then its file is there, too
    sandbox.expire_media()
    await assert_plays(page.card(2).locator("video"), seconds=1)


async def test_in_an_output_widget(open_notebook, sandbox):
    """Shown inside an Output widget it runs, and its result can be seen there."""
    sandbox.next_duration(LONG)
    page = await open_notebook(
        "out = ipywidgets.Output(); display(out)",
        "with out: display(nk.video('in an output', duration_seconds=1))",
    )
    await page.run_all()
    await expect(page.card(1).get_by_role("progressbar")).to_be_visible()
    await page.until(sandbox.finish)
    result = page.output(1).locator("video")
    await expect(result).to_be_visible()
    await assert_plays(result, seconds=1)
    await expect(page.output(2).locator("video")).to_have_count(0)


async def test_the_output_is_collapsed_while_the_job_ends(open_notebook, sandbox):
    """Expanded again, the output has the plain result."""
    sandbox.next_duration(LONG)
    page = await open_notebook("w = nk.video('A sunset', duration_seconds=1); w", "await w; 'ended'")
    await page.run_all()
    await expect(page.card(1)).to_be_visible()
    await page.cell(1).locator(".cm-content").click()
    await page.choose("View", "Collapse Selected Outputs")
    await expect(page.card(1)).to_be_hidden()
    await page.until(sandbox.finish)
    await page.has_run(2)
    await expect(page.output(2)).to_contain_text("ended")
    await page.cell(1).locator(".cm-content").click()
    await page.choose("View", "Expand Selected Outputs")
    await assert_plays(page.plain(1).locator("video"), seconds=1)


async def test_another_page_is_in_front_while_the_job_ends(open_notebook, sandbox):
    """A notebook in a background tab gets its plain result too."""
    sandbox.next_duration(LONG)
    page = await open_notebook("nk.video('A sunset', duration_seconds=1)")
    await page.run_all()
    await expect(page.card(1)).to_be_visible()
    other = await page.page.context.new_page()
    await other.goto("about:blank")
    await other.bring_to_front()
    await page.until(sandbox.finish)
    await expect(page.plain(1)).to_have_count(1)


async def test_narrow_and_wide(open_notebook, sandbox):
    """At 400 px nothing of the card or of the plain result is cut off or makes the page scroll sideways."""
    sandbox.next_duration(LONG, 5)
    page = await open_notebook(
        "nk.video('A sunset over mountains, with ' + 'very ' * 30 + 'many birds')",
        "nk.video('A-sunset-over-mountains' * 20, duration_seconds=1)",
        width=400,
    )
    await page.run_all()
    await expect(page.plain(2)).to_be_visible()
    for place in (page.card(1), page.plain(2)):
        sizes = await place.evaluate("""card => {
            const right = card.getBoundingClientRect().right;
            const beyond = [...card.querySelectorAll('*')].filter(
                part => part.getBoundingClientRect().right > right + 1).map(part => part.className || part.tagName);
            return {beyond, inside: card.getBoundingClientRect().right <= window.innerWidth,
                    scrolls: card.scrollWidth > card.clientWidth};
        }""")
        assert sizes == {"beyond": [], "inside": True, "scrolls": False}
    button = page.card(1).get_by_role("button", name="Cancel")
    await expect(button).to_be_in_viewport()
    await button.click()
    await expect(page.plain(1)).to_contain_text("Cancelled")
