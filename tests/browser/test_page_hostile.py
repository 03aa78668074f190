"""Strings from outside are text on the page, whatever they contain."""

from __future__ import annotations

import json

import pytest
from hostile import HOSTILE, shown
from page_media import media_host
from playwright.async_api import expect

from novakit_widgets.sandbox import Fault

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

_ALL = """
for text in HOSTILE:
    w = nk.JobWidget('image', {'prompt': text, text[:60]: text}, embed=EMBED)
    display(SHOWN)
    try: await w
    except nk.NovaKitError: pass
"""
# A picture of one pixel.
_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
_WHAT_IS_THERE = """() => {
  const places = document.querySelectorAll('.novakit-card, .novakit-plain');
  const all = [...places].flatMap(place => [...place.querySelectorAll('*')]);
  return {
    places: places.length,
    elements: all.filter(one => one.matches('script, iframe, object, embed, a:not([download]), form, b')).map(one => one.outerHTML),
    handlers: all.filter(one => [...one.attributes].some(({name}) => name.startsWith('on'))).map(one => one.outerHTML),
    sources: all.filter(one => one.src || one.hasAttribute('href')).map(one => new URL(one.src || one.href).protocol).filter(
      one => !['http:', 'blob:'].includes(one)),
    ran: window.ran,
  };
}"""


def _answer(sandbox, **fields) -> None:
    sandbox.inject(Fault.status(200, body={"tool": "image", **fields}), method="POST")


def _done(text: str, origin: str) -> dict[str, object]:
    host = {"url": f"{origin}/{''.join(text.split())[:2_000]}", "revised_prompt": text}
    return {"status": "completed", "outputData": {"images": [host, {"url": text}], "text": text, text[:60]: text}}


async def _assert_nothing_ran(page, *, places: int) -> None:
    await page.page.wait_for_timeout(300)  # whatever was going to run has had its time
    found = await page.page.evaluate(_WHAT_IS_THERE)
    assert found == {"places": places, "elements": [], "handlers": [], "sources": [], "ran": []}
    assert page.dialogs == []


async def _assert_shown(page, index, places) -> None:
    await page.cell(index).locator(".cm-content").click()  # what is far away is not laid out, and so can't be read
    for number, text in enumerate(HOSTILE):
        await expect(places.nth(number)).to_contain_text(shown(text), use_inner_text=True)


@pytest.mark.parametrize(("status", "embed"), [("done", "link"), ("failed", "file")])
async def test_hostile_strings_are_text(open_notebook, sandbox, status, embed):
    """In the prompt, parameters, model, message, job id, addresses and text: plain, live, and after a reload."""
    with media_host(_PNG, "image/png") as origin:
        for _ in range(2):
            for number, text in enumerate(HOSTILE):
                told = _done(text, origin) if status == "done" else {"status": "failed", "errorMessage": text}
                _answer(sandbox, id=f"{number}{text}"[:200], model=text, **told)
        page = await open_notebook(
            "import json; HOSTILE = json.load(open('hostile.json'))",
            *(
                _ALL.replace("EMBED", repr(embed)).replace("SHOWN", shown_as)
                for shown_as in ("w", "ipywidgets.VBox([w])")
            ),
        )
        (page.path.parent / "hostile.json").write_text(json.dumps(HOSTILE), encoding="utf-8")
        await page.run_all()
        await page.has_run(3)
        await expect(page.plain(2)).to_have_count(20)
        await _assert_shown(page, 2, page.plain(2))
        await expect(page.card(3).get_by_role("status").get_by_text(status)).to_have_count(20)
        await _assert_shown(page, 3, page.card(3))
        await _assert_nothing_ran(page, places=40)
        await page.save()
        await page.reload(look_at=3)
        await expect(page.plain(2)).to_have_count(20)
        await expect(page.card(3)).to_have_count(20)
        await _assert_nothing_ran(page, places=40)


_BOARD = """
board = nk.batch('image', [{'prompt': text, text[:60]: text} for text in HOSTILE], embed='link', max_running=1)
display(SHOWN)
await board
"""
_DETAILS = """
parts = board._painter.parts
async def painted(part, before):
    while part.value == before: await asyncio.sleep(0.02)
for number in range(len(board)):
    before, parts.number.value = parts.details.value, str(number)
    await painted(parts.details, before)
parts.as_grid.value = True
await painted(parts.cells[0], "")
parts.as_grid.value = False
"""


async def test_hostile_strings_are_text_on_a_board(open_notebook, sandbox):
    """In its table, its grid, each job's details, and the plain result."""
    with media_host(_PNG, "image/png") as origin:
        for _ in range(2):
            for number, text in enumerate(HOSTILE):
                told = _done(text, origin) if number % 2 else {"status": "failed", "errorMessage": text}
                _answer(sandbox, id=f"{number}{text}"[:200], model=text, **told)
        page = await open_notebook(
            "import json; HOSTILE = json.load(open('hostile.json'))",
            _BOARD.replace("SHOWN", "board"),
            _BOARD.replace("SHOWN", "ipywidgets.VBox([board])"),
            _DETAILS,
        )
        (page.path.parent / "hostile.json").write_text(json.dumps(HOSTILE), encoding="utf-8")
        await page.run_all()
        await page.has_run(4)
        await expect(page.plain(2)).to_contain_text("10 of 20 done · 10 failed")
        await expect(page.card(3)).to_contain_text("10 of 20 done · 10 failed")
        rows = page.card(3).locator(".nk-table tbody tr")
        await page.cell(3).locator(".cm-content").click()
        for number, text in enumerate(HOSTILE):
            await expect(rows.nth(number)).to_contain_text(" ".join(text[:60].split()), use_inner_text=True)
        await page.plain(2).get_by_text("All 20 jobs").click()
        await _assert_shown(page, 2, page.plain(2).locator(".nk-all tbody tr"))
        await _assert_nothing_ran(page, places=2)
