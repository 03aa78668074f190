"""A job on the page: the card moves while it runs, and what stands there afterwards plays."""

from __future__ import annotations

import re

import pytest
from page import LONG
from page_media import assert_plays
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def _values_of(bar) -> list[float]:
    """Look at a progress bar until it is gone, and return the different values that it had."""
    seen: list[float] = []
    while await bar.count():
        value = await bar.evaluate_all("bars => bars.map(bar => bar.getAttribute('aria-valuenow'))[0]")
        if value is not None and (not seen or float(value) != seen[-1]):
            seen.append(float(value))
        await bar.page.wait_for_timeout(40)
    return seen


@pytest.mark.parametrize("server", ["lab", "notebook7"])
async def test_a_video_moves_its_bar_and_plays(server, open_notebook, sandbox, request):
    """The bar rises while the cell is long done, and the plain result has data, lasts, seeks and plays."""
    sandbox.next_duration(80)
    page = await open_notebook(
        "nk.video('A sunset over mountains', duration_seconds=2)", server=request.getfixturevalue(server)
    )
    await page.run_all()
    await page.has_run(1)
    bar = page.card(1).get_by_role("progressbar", name="Video")
    await expect(bar).to_be_visible()
    values = await _values_of(bar)
    assert values == sorted(values)
    assert len([value for value in values if 0 < value < 100]) >= 3
    await expect(page.plain(1)).to_be_visible()
    await expect(page.card(1)).to_have_count(0)
    await assert_plays(page.plain(1).locator("video"), seconds=2)


async def test_a_sound_plays(open_notebook):
    """Music ends as an audio element that has data, lasts, seeks and plays."""
    page = await open_notebook("nk.music('Slow jazz, brushed drums', duration_seconds=3)")
    await page.run_all()
    await assert_plays(page.plain(1).locator("audio"), seconds=3)


async def test_voila_shows_the_result_in_the_widget(voila, context_of, sandbox, open_notebook):
    """Where displays can't be replaced, the widget itself plays the result."""
    sandbox.next_duration(LONG)
    page = await open_notebook("nk.video('A sunset over mountains', duration_seconds=2)", server=voila)
    card = page.page.locator(".novakit-card")
    await expect(card.get_by_role("progressbar")).to_be_visible(timeout=30_000)
    await page.until(sandbox.finish)
    await expect(card.get_by_role("status")).to_have_text("Done")
    await assert_plays(card.locator("video"), seconds=2)


_JUMP = 8  # pixels that a card's height may change between its start and its result
_TITLE = "A lighthouse on a cliff at sunset, with waves below, in a slow aerial shot that ends above the open sea"


@pytest.mark.parametrize(
    ("call", "media"),
    [
        (f"nk.video({_TITLE!r}, duration_seconds=1)", "video"),
        (f"nk.video({_TITLE!r}, duration_seconds=1, aspect_ratio='9:16')", "video"),
        ("nk.video('A boat', duration_seconds=1, aspect_ratio='1:1')", "video"),
        ("nk.image('A lighthouse', size='512x512')", "img"),
        ("nk.image('Four lighthouses', n=4, size='512x512')", "img"),
        ("nk.music('Slow jazz', duration_seconds=2)", "audio"),
        ("nk.speech('Hello there')", "audio"),
    ],
)
@pytest.mark.parametrize("nested", [False, True], ids=["replaced", "nested"])
async def test_height_from_start_to_result_stays(open_notebook, sandbox, call, media, nested):
    """The place of the result is kept free, so that card and plain result have the same height, width and position."""
    sandbox.next_duration(LONG)
    known = len(sandbox.jobs)
    page = await open_notebook(f"ipywidgets.VBox([{call}])" if nested else call)
    await page.run_all()
    await page.until(lambda: len(sandbox.jobs) > known)
    await expect(page.card(1).get_by_role("status")).to_have_text(re.compile("Queued|Generating"))
    before = await page.card(1).bounding_box()
    sandbox.finish()
    after = page.card(1) if nested else page.plain(1)
    await expect(after.get_by_text("Copy code")).to_be_visible()
    shown = after.locator(media).first
    await expect(shown).to_be_visible()
    ready = "one => one.tagName === 'IMG' ? one.complete : one.readyState >= 1"
    await page.page.wait_for_function(ready, arg=await shown.element_handle())
    box = await after.bounding_box()
    assert abs(box["height"] - before["height"]) <= _JUMP
    for side in ("x", "y", "width"):
        assert abs(box[side] - before[side]) <= 1


async def test_the_remaining_time_is_shown_and_goes_down(open_notebook, sandbox):
    """Once the job's own pace is known, the card tells what is left."""
    sandbox.next_duration(400)
    page = await open_notebook("nk.video('A sunset over mountains', duration_seconds=1)")
    await page.run_all()
    left = re.compile(r"\d+ % · [\d mins]+\s+about (?:(\d+) min ?)?(?:(\d+) s ?)?left")
    await expect(page.card(1)).to_contain_text(left)
    seen = []
    while not seen or seen[-1] >= max(seen):  # its first pace may be corrected upwards
        found = left.search(await page.card(1).inner_text())
        assert found, "it has not gone down"
        minutes, seconds = (int(part or 0) for part in found.groups())
        seen.append(60 * minutes + seconds)
        await page.page.wait_for_timeout(100)
    await page.card(1).get_by_role("button", name="Cancel").click()
    await expect(page.plain(1)).to_contain_text("Cancelled")
