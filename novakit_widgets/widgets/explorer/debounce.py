"""A click that is taken and not yet answered: when what it means is all here, and the button that waits meanwhile."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from ...engine.state import Phase

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import ipywidgets

    from ..card.widget import JobWidget

__all__ = ["Quiet", "hold", "release_when_sent"]

# A page sends one change of a control at a time, and keeps what is typed meanwhile until the kernel has taken it in. A click waits
# for nothing, so it can be here before the rest of the prompt. That comes one trip to the page and back later.
QUIET_SECONDS = 0.5
_MOST_SECONDS = 3.0  # somebody who types on has clicked all the same
_LATE_SECONDS = 0.1  # a timer that is later: the loop was busy, and what came meanwhile is still to be taken in
_SUBMITTING = "Being submitted …"
_WHY = "The service has not answered yet; as soon as it has, there can be another"


class Quiet:
    """Waits until no change comes any more.

    Args:
        clock: monotonic seconds.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._changed = float("-inf")

    def changed(self) -> None:
        """Note that something has changed now."""
        self._changed = self._clock()

    async def wait(self) -> None:
        """Return when nothing has changed for `QUIET_SECONDS` from now on, or something goes on changing for 3 s.

        Time in which the loop was busy does not count.
        """
        began = self._clock()
        last = began
        while True:
            due = min(max(last, self._changed) + QUIET_SECONDS, began + _MOST_SECONDS)
            if (left := due - self._clock()) <= 0:
                return
            await self._sleep(left)
            late = self._clock() - due
            if late > _LATE_SECONDS:
                began += late
                last = self._clock()


def hold(button: ipywidgets.Button) -> Callable[[], None]:
    """Take no further click on a button, and say why; return what ends that.

    Args:
        button: which. Where it is held already, nothing is changed.
    """
    if button.disabled:
        return lambda: None
    description, tooltip = button.description, button.tooltip
    button.disabled, button.description, button.tooltip = True, _SUBMITTING, _WHY

    def release() -> None:
        button.disabled, button.description, button.tooltip = False, description, tooltip

    return release


def release_when_sent(card: JobWidget, release: Callable[[], None]) -> None:
    """Hold a button until the service has answered a submission: somebody who clicks twice wants one job.

    Args:
        card: whose submission. One that is closed tells no more, so that its closing ends the waiting too.
        release: what `hold` returned.
    """
    told = ["status", "comm"]  # a widget that is closed has no comm

    def look(_change: object = None) -> None:
        if card.comm is None or card.run.phase not in (Phase.NEW, Phase.SUBMITTING):
            card.unobserve(look, told)
            release()

    card.observe(look, told)
