"""When a card is painted: often enough to look alive, seldom enough that no message is lost.

A Jupyter server drops messages above 1000 a second on a connection, the last one included, and that is one budget for
all widgets of a kernel. So a card is painted at most four times a second, all cards together send at most 200 messages
a second, and every change is painted in the end.
"""

from __future__ import annotations

import time
import weakref
from typing import TYPE_CHECKING, Protocol

from ...runtime.loop_cache import belonging

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["LEAST_SECONDS", "Paintable", "Painter", "painter"]

LEAST_SECONDS = 0.25  # between two paintings of one job's card
MESSAGES_A_SECOND = 200
TICK_SECONDS = 1.0  # a running card shows its elapsed time by the second


class Paintable(Protocol):
    """What can be painted."""

    @property
    def least_seconds(self) -> float:
        """How long it stays as it was painted, at least."""
        ...

    @property
    def ticking(self) -> bool:
        """Whether it changes with time alone."""
        ...

    def paint(self) -> int:
        """Send what has changed, and return in how many messages."""
        ...


class Painter:
    """Paints cards on one event loop, the one that waited longest first.

    Args:
        loop: where.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._wanted: dict[Paintable, None] = {}
        self._painted: weakref.WeakKeyDictionary[Paintable, float] = weakref.WeakKeyDictionary()
        self._ticks: weakref.WeakKeyDictionary[Paintable, asyncio.TimerHandle] = weakref.WeakKeyDictionary()
        self._timer: asyncio.TimerHandle | None = None
        self._free_at = clock()

    def ask(self, card: Paintable) -> None:
        """Paint a card as soon as it may be."""
        self._wanted.setdefault(card, None)
        self._arm(self._delay(card))

    def forget(self, card: Paintable) -> None:
        """Paint a card no more."""
        self._wanted.pop(card, None)
        self._painted.pop(card, None)
        self._stop_ticking(card)

    def _delay(self, card: Paintable) -> float:
        now = self._clock()
        return max(0.0, self._painted.get(card, float("-inf")) + card.least_seconds - now, self._free_at - now)

    def _arm(self, seconds: float) -> None:
        when = self._loop.time() + seconds
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._step)

    def _step(self) -> None:
        self._timer = None
        for card in list(self._wanted):
            if self._clock() < self._free_at:
                break
            if self._delay(card) <= 0.0:
                del self._wanted[card]
                self._paint(card)
        if self._wanted:
            self._arm(min(self._delay(card) for card in self._wanted))

    def _paint(self, card: Paintable) -> None:
        now = self._clock()
        self._painted[card] = now
        try:
            sent = card.paint()
        except Exception as error:  # noqa: BLE001 # whatever it is, it is shown, and the others go on
            self._loop.call_exception_handler({"message": "A card could not be painted", "exception": error})
            return
        self._free_at = max(self._free_at, now) + sent / MESSAGES_A_SECOND
        self._stop_ticking(card)
        if card.ticking:
            self._ticks[card] = self._loop.call_later(TICK_SECONDS, self._tick, weakref.ref(card))

    def _stop_ticking(self, card: Paintable) -> None:
        timer = self._ticks.pop(card, None)
        if timer is not None:
            timer.cancel()

    def _tick(self, reference: weakref.ref[Paintable]) -> None:
        card = reference()
        if card is not None and card.ticking and card in self._painted:
            self.ask(card)


def painter(loop: asyncio.AbstractEventLoop) -> Painter:
    """Return the one painter of a loop."""
    return belonging(loop, Painter, lambda: Painter(loop))
