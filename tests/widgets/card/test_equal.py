"""The card of a job that was submitted before: it says so, and shows that one below itself."""

from __future__ import annotations

import asyncio

import pytest
from loops import go

from novakit_widgets import JobWidget, batch, image, speech, video

FOREVER = 1_000_000.0


def button(card):
    """Return the button that shows the equal job; ``None`` where there is none."""
    found = [part for part in card.children if getattr(part, "description", "") == "Show that one"]
    return found[0] if found and found[0].layout.display != "none" else None


async def offered(card):
    """Wait until the card offers the equal job."""
    while button(card) is None:
        card.paint()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("make", [image, video, speech], ids=lambda make: make.__name__)
def test_card_shows_equal_job_below_itself(client, make):
    """The button shows the job's card; what is saved has both, and the code."""

    async def main():
        first = make("The same", client=client)
        await first
        card = make("The same", client=client)
        assert button(first) is None
        await card
        await offered(card)
        assert f"nk.attach(&#39;{first.job_id}&#39;)" in card._parts.body.value
        button(card).click()
        below = card.children[-1]
        assert isinstance(below, JobWidget)
        assert below.job_id == first.job_id != card.job_id
        await below
        while below.kept is None:
            await asyncio.sleep(0.01)
        while card.kept is None or below._display.plain() is None:
            await asyncio.sleep(0.01)
        html = card._plain_bundle()["text/html"]
        assert "You generated the same at " in html
        assert html.count(f"nk.attach(&#39;{first.job_id}&#39;)") == 1
        assert html.count('<div class="novakit-plain nk-') == 2
        button(card).click()
        assert card.children[-1] is below, "it is shown once"
        card.close()
        assert not below._made

    go(main, client)


def test_card_shows_equal_job_that_runs(sandbox, client):
    """Both go on; when the older one is cancelled, there is nothing to offer any more."""

    async def main():
        sandbox.next_duration(FOREVER, FOREVER)
        first = image("The same", client=client)
        while first.job_id is None:
            await asyncio.sleep(0.01)
        card = image("The same", client=client)
        await offered(card)
        assert "that job still runs" in card._parts.body.value
        button(card).click()
        assert card.children[-1].job_id == first.job_id
        first.cancel()
        while not first.job.ended:
            await asyncio.sleep(0.01)
        card.paint()
        assert button(card) is None
        assert "the same" not in card._parts.body.value
        card.cancel()
        while card.job is None or not card.job.ended:
            await asyncio.sleep(0.01)

    go(main, client)


def test_card_without_equal_job_has_no_more_models(client):
    """The button is made when it is needed."""

    async def main():
        card = image("The only one", client=client)
        await card
        card.paint()
        assert card.children == card._parts.rows
        assert len(card.children) == 8

    go(main, client)


def test_equal_items_of_one_batch_are_meant(client):
    """Several jobs of one prompt are no mistake; a card of the same afterwards mentions the newest."""

    async def main():
        board = batch("image", ["The same"] * 3, client=client)
        await board
        board.paint()
        assert "already" not in board._painter.parts.notice.value
        card = image("The same", client=client)
        await card
        await offered(card)
        assert card.run.equal.job_id in {job.id for job in board}
        again = batch("image", ["The same", "Another"], client=client)
        await again
        again.paint()
        assert "1 of these 2 jobs already runs or was made within a day" in again._painter.parts.notice.value

    go(main, client)
