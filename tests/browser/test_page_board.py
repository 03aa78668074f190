"""Many jobs on the page: rows move, the keyboard reaches everything, and what is saved keeps the results."""

from __future__ import annotations

import json
import re

import pytest
from axe_playwright_python.async_playwright import Axe
from page import LONG, Notebook
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

_BATCH = (
    "board = nk.batch('image', [f'Lighthouse {{n}}' for n in range({count})]{others}, size='512x512'{options})\nboard"
)
_LINES = """element => {
  const range = document.createRange();
  range.selectNodeContents(element);
  return new Set([...range.getClientRects()].map(part => Math.round(part.top))).size;
}"""
_COLOURS = "() => document.body.dataset.jpThemeLight"


def _batch(count, *others, **options):
    told = "".join(f", {name}={value!r}" for name, value in options.items())
    return _BATCH.format(count=count, others=f" + {list(others)!r}" if others else "", options=told)


def _rows(board):
    return board.locator(".nk-table tbody tr")


async def _tab_to(page, target):
    """Press Tab until something has the focus."""
    for _ in range(40):
        if await target.evaluate("element => element === document.activeElement"):
            return
        await page.page.keyboard.press("Tab")
    raise AssertionError("Tab does not reach it")


async def _pick(page, menu, entry, steps):
    """Open a menu with Space, go up or down in it, and choose with Enter. A closed one leaves the arrows to JupyterLab."""
    await _tab_to(page, menu)
    for key in ("Space", *["ArrowDown" if steps > 0 else "ArrowUp"] * abs(steps), "Enter"):
        await page.page.keyboard.press(key)
        await page.page.wait_for_timeout(100)
    await expect(menu.locator("option:checked")).to_have_text(entry)


# Whether no result shares a part of its place with another: where a line breaks between number and picture, one does.
_APART = """results => results.map(one => one.getBoundingClientRect()).every((a, at, all) => all.slice(at + 1).every(
    b => a.bottom <= b.top + 1 || b.bottom <= a.top + 1 || a.right <= b.left + 1 || b.right <= a.left + 1))"""


async def test_rows_move_and_the_saved_notebook_keeps_all(open_notebook, profile, sandbox, lab):
    """Each row goes its way, totals and bar with it; the plain result plays without a kernel, trusted or not."""
    sandbox.next_duration(*[800] * 3)  # they move, and end when they are told to
    known = len(sandbox.jobs)
    page = await open_notebook(_batch(6, "fail please", max_running=3))
    await page.run_all()
    await page.has_run(1)
    board = page.card(1)
    await expect(_rows(board)).to_have_count(7)
    await expect(board.get_by_role("progressbar", name="All jobs: progress")).to_have_attribute(
        "aria-valuenow", re.compile(r"[1-9]\d?")
    )
    await expect(_rows(board).nth(0)).to_contain_text(re.compile(r"Generating [1-9]\d? %"))
    sandbox.finish(list(sandbox.jobs)[known])
    picture = _rows(board).nth(0).locator("img")
    await expect(picture).to_be_visible()
    await expect(board).to_contain_text(re.compile(r"[1-4] of 7 done · (1 failed · )?\d generating"))
    sandbox.finish()
    await expect(page.plain(1)).to_contain_text("6 of 7 done · 1 failed")
    await expect(page.card(1)).to_have_count(0)
    content = await page.save()
    await page.shut_down_kernel()
    await page.close()
    sandbox.expire_media()

    content["metadata"]["title"] = "from a colleague"
    stranger = page.path.with_name("stranger.ipynb")
    stranger.write_text(json.dumps(content), encoding="utf-8")
    for path, trusted in ((page.path, True), (stranger, False)):
        reader = await Notebook.open(profile, lab, path)
        assert await reader.is_trusted() is trusted
        plain = reader.plain(1)
        await expect(plain.locator("img")).to_have_count(6)
        widths = await plain.locator("img").evaluate_all(
            "images => Promise.all(images.map(image => image.decode().then(() => image.naturalWidth)))"
        )
        assert widths == [512] * 6
        assert await plain.locator(".nk-result").evaluate_all(_APART)
        failed = plain.locator(".nk-failed")
        await expect(failed).to_have_count(1)
        await expect(failed).to_contain_text("Failed")
        await plain.get_by_text("All 7 jobs").click()
        await expect(plain.get_by_role("row", name=re.compile("fail please"))).to_contain_text(
            re.compile("NovaKit could not finish.*Failed")
        )
        await expect(plain.get_by_role("table").get_by_role("row")).to_have_count(8)
        await reader.close()


async def test_filter_order_pages_and_details_by_keyboard(open_notebook, sandbox):
    """Tab reaches the menus, the pages, the table that scrolls and the details; arrows and Enter work them."""
    # Long enough for all that follows; and yet the first of its progress, at some tenths of that, comes while we wait for it.
    sandbox.next_duration(5, 5, *[800] * 300)
    page = await open_notebook(_batch(230, max_running=4))
    await page.run_all()
    board = page.card(1)
    await expect(board).to_contain_text("2 of 230 done")
    await page.cell(1).locator(".cm-content").click()
    await page.page.keyboard.press("Escape")
    wanted = board.get_by_role("combobox", name="Show")
    await _pick(page, wanted, "Done", 4)
    await expect(_rows(board)).to_have_count(2)
    await _pick(page, wanted, "All jobs", -4)
    await expect(_rows(board)).to_have_count(100)
    order = board.get_by_role("combobox", name="Sort")
    await _pick(page, order, "By status", 1)
    await expect(_rows(board).nth(0)).to_contain_text("Generating")
    await _pick(page, order, "By number", -1)
    following = board.get_by_role("button", name="Next")
    await _tab_to(page, following)
    await page.page.keyboard.press("Enter")
    await expect(board).to_contain_text("Page 2 of 3, 230 jobs")
    await expect(_rows(board).nth(0)).to_contain_text("100")
    table = board.locator(".widget-html:has(.nk-table)")
    await _tab_to(page, table)
    await page.page.keyboard.press("End")
    await page.page.wait_for_function("table => table.scrollTop > 500", arg=await table.element_handle())
    await page.page.wait_for_timeout(2_500)  # some paintings later it is where it was
    assert await table.evaluate("table => table.scrollTop") > 500
    assert await table.evaluate("table => table === document.activeElement")
    number = board.get_by_label("Details of")
    await _tab_to(page, number)
    await page.page.keyboard.type("7")
    await page.page.keyboard.press("Enter")
    await expect(board).to_contain_text("nk.image('Lighthouse 7', size='512x512')")
    this = board.get_by_role("button", name="Cancel", exact=True)
    await _tab_to(page, this)
    await page.page.keyboard.press("Enter")
    await expect(board).to_contain_text("1 cancelled")
    everything = board.get_by_role("button", name="Cancel all")
    await everything.focus()
    await page.page.keyboard.press("Enter")
    await expect(page.plain(1)).to_contain_text("2 of 230 done · 228 cancelled")


async def test_results_are_loaded_when_they_are_looked_at(open_notebook, sandbox):
    """The grid plays in its place while other results come; a player loads nothing by itself."""
    sandbox.next_duration(5, *[LONG] * 3)
    known = len(sandbox.jobs)
    page = await open_notebook("board = nk.batch('video', list('abcd'), duration_seconds=2)\nipywidgets.VBox([board])")
    await page.run_all()
    board = page.card(1)
    await expect(board).to_contain_text("1 of 4 done")
    await board.get_by_role("button", name="Results").click()
    video = board.locator("video")
    await expect(video).to_have_count(1)
    assert await video.evaluate("video => video.networkState !== video.NETWORK_LOADING && video.readyState") == 0
    await video.evaluate(
        "video => { window.first = video; video.muted = true; video.loop = true; return video.play(); }"
    )
    await page.until(lambda: len(sandbox.jobs) == known + 4)
    sandbox.finish()
    await expect(board).to_contain_text("4 of 4 done")
    await expect(video).to_have_count(4)
    assert await page.page.evaluate("window.first.isConnected && !window.first.paused && window.first.currentTime > 0")


async def _violations(page) -> list[str]:
    found = (
        await Axe().run(page.page, context={"include": [[".novakit-card"], [".novakit-plain"]]}, options={})
    ).response
    unsure = [node["html"] for rule in found["incomplete"] if rule["id"] == "color-contrast" for node in rule["nodes"]]
    # Axe is silent about a text that it can't judge. JupyterLab's own menus have a picture behind theirs.
    assert [html for html in unsure if not html.startswith("<select")] == []
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]} {node['failureSummary'][:300]}"
        for rule in found["violations"]
        for node in rule["nodes"]
        if rule["impact"] in ("serious", "critical")
    ]


async def test_axe_finds_nothing_serious(open_notebook, sandbox):
    """Running, held, with details and results, plain; in the light theme and in the dark one."""
    sandbox.next_duration(*[LONG] * 4)
    page = await open_notebook(
        _batch(8, max_running=4),
        "nested = nk.batch('image', ['A boat', 'fail please'], size='512x512'); ipywidgets.VBox([nested])",
        "plain = nk.batch('image', ['A boat', 'fail please'], size='512x512'); plain",
    )
    await page.run(0)
    await page.run(1)
    board, nested = page.card(1), page.card(2)
    await expect(board).to_contain_text("4 generating · 4 queued")
    await page.run(2)
    await page.run(3)
    await expect(nested).to_contain_text("1 failed")
    await expect(page.plain(3)).to_contain_text("1 failed")
    for card in (board, nested):
        await card.get_by_label("Details of").fill("0")
        await page.page.keyboard.press("Enter")
        await expect(card).to_contain_text("nk.image(")
    await nested.get_by_role("button", name="Results").click()
    await expect(nested.get_by_role("img", name="A boat")).to_be_visible()
    await page.lay_out(4000)
    for dark in (False, True):
        await page.page.emulate_media(color_scheme="dark" if dark else "light")
        await page.page.wait_for_function(f"({_COLOURS})() === '{str(not dark).lower()}'")
        await expect(page.page.locator("#jupyterlab-splash")).to_have_count(0)
        assert await _violations(page) == []


async def test_what_a_screen_reader_learns(open_notebook, sandbox):
    """The table has a caption and headers, the bar a value, and how far it is is said politely and seldom."""
    sandbox.next_duration(*[LONG] * 3)
    page = await open_notebook(_batch(3))
    await page.run_all()
    board = page.card(1)
    await expect(board.get_by_role("table", name="3 jobs")).to_be_visible()
    for name in ("No.", "Prompt", "Status", "Time"):
        await expect(board.get_by_role("columnheader", name=name)).to_be_visible()
    await expect(board.get_by_role("rowheader", name="2")).to_be_visible()
    status = board.get_by_role("status")
    await expect(status).to_have_attribute("aria-live", "polite")
    await expect(status).to_contain_text("0 of 3 done")
    await board.get_by_role("button", name="Cancel all").click()
    await expect(page.plain(1)).to_contain_text("3 cancelled")


@pytest.mark.parametrize("width", [400, 1000])
async def test_nothing_is_cut_off(open_notebook, sandbox, width):
    """On a narrow page, too, the board is no wider than its place, its table no wider than the board, a time on one line."""
    sandbox.next_duration(0.4, *[LONG] * 2)
    page = await open_notebook(
        "board = nk.batch('image', ['A lighthouse', 'W' * 300, 'A boat'], size='512x512')\nboard", width=width
    )
    await page.run_all()
    board = page.card(1)
    await expect(board).to_contain_text("1 of 3 done")
    for target in (board, board.locator(".widget-html:has(.nk-table)")):
        assert await target.evaluate("element => element.scrollWidth <= element.clientWidth + 1")
    await board.get_by_role("button", name="Table").click()
    await expect(board.locator(".nk-gallery")).to_have_count(0)
    for target in (board, board.locator(".widget-html:has(.nk-table)")):
        assert await target.evaluate("element => element.scrollWidth <= element.clientWidth + 1")
    # The widest there is; how long the job took is the machine's to say. At one go, since the next painting puts others there.
    lines, fits = await board.evaluate(
        f"""board => {{
            const element = board.querySelector('tbody .nk-t');
            element.textContent = 'under 1 s';
            return [({_LINES})(element), element.scrollWidth <= element.clientWidth + 1];
        }}"""
    )
    assert (lines, fits) == (1, True)
    await board.get_by_role("button", name="Cancel all").click()
    await expect(page.plain(1)).to_contain_text("1 of 3 done")
    assert await page.plain(1).evaluate("element => element.scrollWidth <= element.clientWidth + 1")


async def test_voila_shows_the_results_on_the_board(voila, open_notebook, sandbox):
    """Where displays can't be replaced, the board itself has the results."""
    # What changes while Voila's page makes its widgets reaches no page, so the jobs end only when the board is there.
    sandbox.next_duration(LONG, LONG)
    known = len(sandbox.jobs)
    page = await open_notebook("nk.batch('image', ['A lighthouse', 'A boat'], size='512x512')", server=voila)
    board = page.page.locator(".novakit-board")
    await expect(board).to_contain_text("2 generating", timeout=60_000)
    await page.until(lambda: len(sandbox.jobs) == known + 2)
    sandbox.finish()
    await expect(board).to_contain_text("2 of 2 done")
    await expect(board.locator(".nk-table tbody img")).to_have_count(2)
    await board.get_by_role("button", name="Results").click()
    picture = board.get_by_role("img", name="A boat")
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 512
