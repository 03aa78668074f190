"""When a widget is repainted: often enough to look live, rarely enough that no message is lost.

A Jupyter server drops messages above 1000 a second on a connection, the last one included, and all widgets of a kernel share
that limit. So a card is repainted at most four times a second, all cards together send at most 200 messages a second, and the
last change is always sent.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import ipywidgets

__all__ = ["LEAST_SECONDS", "Paintable", "Painter", "painter", "send_changes"]

LEAST_SECONDS = 0.25  # between two repaints of a card
MESSAGES_A_SECOND = 200
TICK_SECONDS = 1.0  # between two repaints of the elapsed time


class Paintable(Protocol):
    """A widget that can be repainted."""

    @property
    def least_seconds(self) -> float:
        """The shortest time between two repaints, in seconds."""
        ...

    @property
    def ticking(self) -> bool:
        """Whether it changes with time alone."""
        ...

    def paint(self) -> int:
        """Send what has changed since the last repaint; return the number of messages."""
        ...


class Painter:
    """Repaints widgets on one event loop, in the order in which they asked.

    Args:
        loop: the event loop.
        clock: returns monotonic seconds.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.loop = loop
        self._clock = clock
        self._pending: dict[Paintable, None] = {}
        self._painted: weakref.WeakKeyDictionary[Paintable, float] = weakref.WeakKeyDictionary()
        self._ticks: weakref.WeakKeyDictionary[Paintable, asyncio.TimerHandle] = weakref.WeakKeyDictionary()
        self._timer: asyncio.TimerHandle | None = None
        self._free_at = clock()

    def request(self, card: Paintable) -> None:
        """Repaint a widget as soon as the limits allow."""
        if card not in self._pending:  # otherwise the timer is armed
            self._pending[card] = None
            self._arm(self._delay(card))

    def forget(self, card: Paintable) -> None:
        """Never repaint a widget again."""
        self._pending.pop(card, None)
        self._painted.pop(card, None)
        self._stop_ticking(card)

    def _delay(self, card: Paintable) -> float:
        now = self._clock()
        return max(0.0, self._painted.get(card, float("-inf")) + card.least_seconds - now, self._free_at - now)

    def _arm(self, seconds: float) -> None:
        when = self.loop.time() + seconds
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = self.loop.call_at(when, self._step)

    def _step(self) -> None:
        self._timer = None
        for card in list(self._pending):
            if self._clock() < self._free_at:
                break
            if self._delay(card) <= 0.0:
                del self._pending[card]
                self._paint(card)
        if self._pending:
            self._arm(min(self._delay(card) for card in self._pending))

    def _paint(self, card: Paintable) -> None:
        now = self._clock()
        self._painted[card] = now
        try:
            sent = card.paint()
        except Exception as error:  # noqa: BLE001 # any error is reported, and the other widgets are repainted
            self.loop.call_exception_handler({"message": "A card could not be repainted", "exception": error})
            return
        self._free_at = max(self._free_at, now) + sent / MESSAGES_A_SECOND
        self._stop_ticking(card)
        if card.ticking:
            self._ticks[card] = self.loop.call_later(TICK_SECONDS, self._tick, weakref.ref(card))

    def _stop_ticking(self, card: Paintable) -> None:
        timer = self._ticks.pop(card, None)
        if timer is not None:
            timer.cancel()

    def _tick(self, reference: weakref.ref[Paintable]) -> None:
        card = reference()
        if card is not None and card.ticking and card in self._painted:
            self.request(card)


_painter: Painter | None = None


def painter() -> Painter:
    """Return the one painter of all widgets. On the job loop."""
    global _painter
    loop = asyncio.get_running_loop()
    if _painter is None or _painter.loop is not loop:  # not in a forked child, whose loop is another
        _painter = Painter(loop)
    return _painter


def send_changes(states: Mapping[ipywidgets.Widget, Mapping[str, Any]]) -> int:
    """Set the traits that have changed; return the number of messages, one for each changed widget.

    Args:
        states: the traits that each widget should have.
    """
    messages = 0
    for widget, state in states.items():
        changed = {name: value for name, value in state.items() if getattr(widget, name) != value}
        if changed:
            with widget.hold_sync():
                for name, value in changed.items():
                    setattr(widget, name, value)
            messages += 1
    return messages
