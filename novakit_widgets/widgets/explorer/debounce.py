"""Debouncing a click on a form: it waits for the last changes of the form, and disables its button until it is answered."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from ...engine.state import Phase

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import ipywidgets

    from ..card.widget import JobWidget

__all__ = ["Debounce", "disable", "enable_when_answered"]

# A page sends one change of a control at a time, and holds back what is typed meanwhile until the kernel has processed it. A click
# is sent at once, so it can arrive before the rest of the prompt, which follows one round trip later.
QUIET_SECONDS = 0.5
_MOST_SECONDS = 3.0  # a user who goes on typing has clicked nevertheless
_LATE_SECONDS = 0.1  # a timer this late: the loop was busy, and changes may be waiting to be processed
_SUBMITTING = "Submitting …"
_WHY = "The service has not answered yet"


class Debounce:
    """Waits until there are no more changes.

    Args:
        clock: returns monotonic seconds.
        sleep: sleeps for a number of seconds.
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
        """Record a change."""
        self._changed = self._clock()

    async def wait(self) -> None:
        """Return after `QUIET_SECONDS` without a change, or after 3 s of changes.

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


def disable(button: ipywidgets.Button) -> Callable[[], None]:
    """Disable a button while a submission is under way; return the function that enables it again.

    Args:
        button: the button. If it is disabled already, nothing changes.
    """
    if button.disabled:
        return lambda: None
    description, tooltip = button.description, button.tooltip
    button.disabled, button.description, button.tooltip = True, _SUBMITTING, _WHY

    def enable() -> None:
        button.disabled, button.description, button.tooltip = False, description, tooltip

    return enable


def enable_when_answered(card: JobWidget, enable: Callable[[], None]) -> None:
    """Enable a button when the service has answered a submission: a double click must submit one job.

    Args:
        card: the submitted job's card. Closing it enables the button too.
        enable: the result of `disable`.
    """
    observed = ["status", "comm"]  # a closed widget has no comm

    def check(_change: object = None) -> None:
        if card.comm is None or card.run.phase not in (Phase.NEW, Phase.SUBMITTING):
            card.unobserve(check, observed)
            enable()

    card.observe(check, observed)
