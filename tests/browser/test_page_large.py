"""A result that is too large for a notebook."""

from __future__ import annotations

import httpx
import pytest
from page_media import assert_plays, media_host, padded
from playwright.async_api import expect

from novakit_widgets.sandbox import Fault

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SIZE = 30_000_000
# The longest time that the page did nothing else, in milliseconds.
_WATCH = """() => {
  window.longest = 0; let last = performance.now();
  setInterval(() => { const now = performance.now(); window.longest = Math.max(window.longest, now - last); last = now; }, 10);
}"""


def _small_video(sandbox) -> bytes:
    with httpx.Client(headers={"Authorization": f"Bearer {sandbox.api_key}"}, base_url=sandbox.base_url) as client:
        params = {"prompt": "A sunset over mountains", "duration_seconds": 2}
        job = client.post("videos/generations", params={"async": "true"}, json=params).json()["id"]
        done = client.get(f"jobs/{job}", params={"poll": "true"}, timeout=60).json()
        return client.get(done["outputData"]["video"]["url"]).content


async def test_30_mb_go_beside_the_notebook(open_notebook, sandbox):
    """They are in neither the kernel's messages nor the notebook, play from the folder beside it, and hold up no page."""
    with media_host(padded(_small_video(sandbox), SIZE), "video/mp4") as origin:
        sandbox.inject(
            Fault.fields(outputData={"video": {"url": f"{origin}/large.mp4"}}), method="GET", path="/jobs/*", times=None
        )
        page = await open_notebook("w = nk.video('A large one'); w", "(await w).status")
        await page.page.evaluate(_WATCH)
        await page.run_all()
        await page.has_run(2)
        video = page.plain(1).locator("video")
        await expect(video).to_be_visible()
        longest = await page.page.evaluate("window.longest")
        content = await page.save()
        await assert_plays(video, seconds=2)
    assert [file.stat().st_size for file in (page.path.parent / "novakit-media").iterdir()] == [SIZE]
    assert 'src="novakit-media/' in "".join(content["cells"][1]["outputs"][0]["data"]["text/html"])
    assert page.path.stat().st_size < 20_000
    assert page.traffic.size < 200_000
    assert page.traffic.largest < 20_000
    assert longest < 1_000
