"""``nk.quota()`` in a real kernel."""

from __future__ import annotations

from generations import on_the_newest

from novakit_widgets import Sandbox


@on_the_newest
def test_what_is_left_follows_the_jobs(start):
    """It is plain HTML in its own cell, and is replaced there when a job has ended."""
    with Sandbox(speed=100.0, seed=1, limits="off") as sandbox:
        kernel = start(NOVAKIT_SANDBOX_URL=sandbox.origin)
        cell = kernel.ok("nk.quota()")
        (display_id,) = cell.display_ids
        assert "100 of 100 left" in kernel.displays[display_id]["text/html"]
        assert cell.views == []
        kernel.ok("await nk.image('A lighthouse', n=2, size='512x512')")
        kernel.until(lambda: "98 of 100 left" in kernel.displays[display_id]["text/html"])
