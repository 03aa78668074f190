"""What stays in a saved notebook, for readers who have no kernel."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest
from page import LONG, Notebook
from page_media import assert_plays
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CELLS = (
    "nk.video('A sunset over mountains', duration_seconds=2)",
    "nk.music('Slow jazz, brushed drums', duration_seconds=3)",
    "nk.image('A lighthouse', size='512x512')",
    "nk.video('A sunset over mountains', duration_seconds=1, embed='file')",
)


async def _assert_all_play(page) -> None:
    await assert_plays(page.locator(".novakit-plain video").nth(0), seconds=2)
    await assert_plays(page.locator(".novakit-plain audio"), seconds=3)
    picture = page.get_by_role("img", name="A lighthouse")
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 512
    await assert_plays(page.locator(".novakit-plain video").nth(1), seconds=1)


async def _convert(path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "nbconvert", "--to", "html", "--log-level=ERROR", str(path)),
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()


async def test_a_saved_notebook_plays_without_its_kernel(open_notebook, context_of, profile, sandbox, lab):
    """Saved, its kernel gone, its media expired at the service: it plays, trusted, untrusted and as a HTML file."""
    page = await open_notebook(*CELLS)
    await page.run_all()
    for index in range(1, 5):
        await expect(page.plain(index)).to_be_visible()
    content = await page.save()
    await page.shut_down_kernel()
    await page.close()
    assert sandbox.expire_media() >= 4

    assert "widgets" not in content["metadata"]
    assert "application/vnd.jupyter.widget" not in json.dumps(content)
    relative = content["cells"][4]["outputs"][0]["data"]["text/html"]
    assert 'src="novakit-media/' in "".join(relative)

    trusted = await Notebook.open(profile, lab, page.path)
    assert await trusted.is_trusted()
    await _assert_all_play(trusted.page)
    await trusted.close()

    # Signed as it was; another content is another notebook, which nobody here has run.
    content["metadata"]["title"] = "from a colleague"
    stranger = page.path.with_name("stranger.ipynb")
    stranger.write_text(json.dumps(content), encoding="utf-8")
    untrusted = await Notebook.open(profile, lab, stranger)
    assert not await untrusted.is_trusted()
    await expect(untrusted.plain(1)).to_be_visible()
    assert await untrusted.page.locator(".novakit-plain style").count() == 0
    await _assert_all_play(untrusted.page)
    await untrusted.trust()
    await expect(untrusted.page.locator(".novakit-plain style")).not_to_have_count(0)
    assert await untrusted.is_trusted()
    await untrusted.close()

    await _convert(page.path)
    context = await context_of(offline=True)
    paper = await context.new_page()
    await paper.goto(page.path.with_suffix(".html").as_uri(), wait_until="domcontentloaded")
    await _assert_all_play(paper)


async def test_a_failed_and_a_cancelled_job_stay_too(open_notebook, sandbox):
    """What went wrong, what it means and what to do is saved as text, and so is what a user has cancelled."""
    sandbox.next_duration(5, LONG)
    page = await open_notebook("nk.video('fail please')", "nk.video('A sunset')")
    await page.run_all()
    await page.card(2).get_by_role("button", name="Cancel").click()
    await expect(page.plain(1)).to_contain_text("Failed")
    await expect(page.plain(2)).to_contain_text("Cancelled")
    content = await page.save()
    failed, cancelled = ("".join(content["cells"][index]["outputs"][0]["data"]["text/html"]) for index in (1, 2))
    assert "not charged" in failed or "billed" in failed
    assert "job id" in failed
    assert "nk.video(&#39;A sunset&#39;)" in cancelled
