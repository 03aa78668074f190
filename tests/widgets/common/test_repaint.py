"""How often cards are painted: in virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter

from virtual import run

from novakit_widgets.widgets.common.repaint import Painter


class Card:
    """A card that notes when it was painted, and with what."""

    def __init__(self, *, messages=3, ticking=False, least_seconds=0.25):
        self.least_seconds = least_seconds
        self.value = None
        self.messages = messages
        self.ticking = ticking
        self.painted = []

    def paint(self):
        self.painted.append((asyncio.get_running_loop().time(), self.value))
        return self.messages


def painter():
    loop = asyncio.get_running_loop()
    return Painter(loop, clock=loop.time)


def test_a_card_is_painted_at_most_four_times_a_second_and_the_last_value_always():
    """A rush of changes becomes a few paintings, the last of which shows the last change."""

    async def main():
        card, paint = Card(), painter()
        for value in range(1000):
            card.value = value
            paint.request(card)
            await asyncio.sleep(0.002)
        await asyncio.sleep(1.0)
        assert 8 <= len(card.painted) <= 10
        assert card.painted[-1][1] == 999
        gaps = [b[0] - a[0] for a, b in zip(card.painted, card.painted[1:], strict=False)]
        assert min(gaps) >= 0.249

    run(main())


def test_a_board_is_painted_as_seldom_as_it_says():
    """What shows many jobs stays as it is for half a second, and a card beside it does not wait for that."""

    async def main():
        board, card, paint = Card(least_seconds=0.5), Card(), painter()
        for value in range(1000):
            board.value = card.value = value
            paint.request(board)
            paint.request(card)
            await asyncio.sleep(0.002)
        await asyncio.sleep(1.0)
        assert 4 <= len(board.painted) <= 6
        assert 8 <= len(card.painted) <= 10
        assert board.painted[-1][1] == card.painted[-1][1] == 999

    run(main())


def test_all_cards_together_send_at_most_200_messages_a_second_and_none_is_left_out():
    """Three hundred cards that change all the time share the budget fairly, and each shows its end."""

    async def main():
        cards, paint = [Card() for _ in range(300)], painter()
        for step in range(100):
            for card in cards:
                card.value = step
                paint.request(card)
            await asyncio.sleep(0.1)
        await asyncio.sleep(10.0)
        seconds = Counter(int(at) for card in cards for at, _ in card.painted)
        assert max(seconds.values()) * 3 <= 205
        assert {card.painted[-1][1] for card in cards} == {99}
        counts = [len(card.painted) for card in cards]
        assert max(counts) - min(counts) <= 1

    run(main())


def test_a_running_card_ticks_once_a_second_however_often_it_changes():
    """The elapsed time moves by the second; changes in between start no second clock."""

    async def main():
        card, paint = Card(ticking=True), painter()
        for _ in range(4):
            paint.request(card)
            await asyncio.sleep(0.3)
        card.painted.clear()
        await asyncio.sleep(10.0)
        assert 9 <= len(card.painted) <= 11
        card.ticking = False
        await asyncio.sleep(1.0)
        card.painted.clear()
        await asyncio.sleep(10.0)
        assert card.painted == []

    run(main())


def test_a_card_that_fails_is_reported_and_costs_the_others_nothing():
    """An exception while painting goes to the loop's handler."""

    class Broken(Card):
        def paint(self):
            raise RuntimeError("no paint")

    async def main():
        broken, good, paint = Broken(), Card(), painter()
        paint.request(broken)
        paint.request(good)
        await asyncio.sleep(0.1)
        assert good.painted
        loop = asyncio.get_running_loop()
        assert [str(problem["exception"]) for problem in loop.problems] == ["no paint"]
        loop.problems.clear()

    run(main())


def test_a_forgotten_card_is_painted_no_more():
    """After forget neither a change nor the clock paints it."""

    async def main():
        card, paint = Card(ticking=True), painter()
        paint.request(card)
        await asyncio.sleep(0.1)
        paint.forget(card)
        card.painted.clear()
        await asyncio.sleep(5.0)
        assert card.painted == []

    run(main())
