"""What happens between a click and its submission: it waits for the rest of what was typed, and says that it was taken."""

from __future__ import annotations

import asyncio

import ipywidgets
import pytest

from novakit_widgets.widgets.explorer.debounce import Debounce, disable


class Time:
    """A clock that is moved on by who sleeps; things happen at their moments meanwhile, and the loop can be busy."""

    def __init__(self, *events, busy_until=0.0):
        self.now = 0.0
        self.events = sorted(events)
        self.busy_until = busy_until
        self.debounce = Debounce(clock=lambda: self.now, sleep=self.sleep)

    async def sleep(self, seconds):
        until = max(self.now + seconds, self.busy_until)
        while self.events and self.events[0] <= until:
            self.now = max(self.now, self.events.pop(0))
            self.debounce.changed()
        self.now = until


@pytest.mark.parametrize(
    ("events", "end"),
    [
        ([], 0.5),
        ([0.2], 0.7),  # the rest of the prompt
        ([0.2, 0.6, 1.0], 1.5),
        ([step / 4 for step in range(1, 99)], 3.0),  # somebody types on
    ],
)
def test_a_click_waits_until_the_form_is_quiet(events, end):
    """Half a second without a change, three seconds at most."""
    time = Time(*events)
    asyncio.run(time.debounce.wait())
    assert time.now == pytest.approx(end)


def test_what_came_before_the_click_is_waited_for_too():
    """A trip to the page and back may begin with the click, so the half second begins there."""
    time = Time()
    time.debounce.changed()
    time.now = 100.0
    asyncio.run(time.debounce.wait())
    assert time.now == pytest.approx(100.5)


def test_while_the_loop_was_busy_nobody_was_quiet():
    """A cell that blocks the loop keeps the rest of the prompt from coming, however long it takes."""
    time = Time(20.3, busy_until=20.0)
    asyncio.run(time.debounce.wait())
    assert time.now == pytest.approx(20.8)


def test_a_button_that_is_held_says_why():
    """And is as before afterwards; what is held twice is let go once."""
    button = ipywidgets.Button(description="Generate", tooltip="Submit this")
    enable = disable(button)
    assert (button.disabled, button.description) == (True, "Submitting …")
    assert "not answered yet" in button.tooltip
    disable(button)()
    assert button.disabled
    enable()
    assert (button.disabled, button.description, button.tooltip) == (False, "Generate", "Submit this")
    button.close()
