"""Replacing what a card left on the page: once, in the right context, and only where there is a page."""

from __future__ import annotations

import asyncio

import pytest
from loops import go

from novakit_widgets import JobFailedError, image, video
from novakit_widgets.widgets.common import display as module


class Page:
    """Takes the place of the displays of one kernel."""

    def __init__(self):
        self.shown, self.replaced = [], []

    def handles(self):
        """Return the display handles of a card."""
        page = self

        class Handles:
            any = False

            def show(self, bundle):
                self.any = True
                page.shown.append(bundle)

            def replace(self, bundle):
                if self.any:
                    page.replaced.append(bundle)

        return Handles()


@pytest.fixture
def page(monkeypatch):
    """A page without a kernel behind it."""
    made = Page()
    monkeypatch.setattr(module, "DisplayHandles", made.handles)
    monkeypatch.setattr(module, "in_kernel", lambda: True)
    return made


def test_awaiting_shows_the_card_and_returns_when_its_result_is_there(page, client):
    """Nbclient takes no update after the cell, so the plain result is there before the cell ends, and once."""

    async def main():
        job = await image("Show me", size="512x512", client=client)
        assert len(page.shown) == 1
        (bundle,) = page.replaced
        assert "data:image/png;base64," in bundle["text/html"]
        assert job.id in bundle["text/html"]
        await asyncio.sleep(0.3)
        assert len(page.replaced) == 1

    go(main, client)


def test_a_card_that_nobody_waits_for_is_replaced_all_the_same(page, client):
    """In the background, when the job ends; a failed one too."""

    async def main():
        good, bad = image("Good", size="512x512", client=client), video("fail please", client=client)
        good.show()
        bad.show()
        while len(page.replaced) < 2:
            await asyncio.sleep(0.01)
        assert {"Done" in bundle["text/plain"] for bundle in page.replaced} == {True, False}

    go(main, client)


def test_giving_up_the_waiting_still_replaces_the_card(page, sandbox, client):
    """A cell that was interrupted leaves the card to the background."""

    async def main():
        widget = image("Later", size="512x512", client=client)
        waiting = asyncio.ensure_future(widget._wait())
        widget.show()
        await asyncio.sleep(0.05)
        waiting.cancel()
        while not page.replaced:
            await asyncio.sleep(0.01)

    sandbox.next_duration(0.5 * 200)
    go(main, client)


def test_a_failure_is_on_the_page_before_it_is_raised(page, client):
    """The exception and the plain card are in the same cell."""

    async def main():
        with pytest.raises(JobFailedError):
            await video("fail please", client=client)
        assert len(page.replaced) == 1

    go(main, client)


def test_an_ended_job_shown_again_is_plain_at_once(page, client, monkeypatch):
    """show() in a later cell needs no replacing: what it leaves is what stays."""
    displayed = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: displayed.append(bundle))

    async def main():
        widget = image("Again", size="512x512", client=client)
        await widget
        widget.show()
        assert "data:image/png" in displayed[0]["text/html"]

    go(main, client)
