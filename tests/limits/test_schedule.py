"""Intervals that back off, and the waits after failures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novakit_widgets.limits.schedule import Pace


@given(failures=st.integers(1, 5_000), chance=st.floats(0, 1, exclude_max=True))
def test_retry_after_any_number_of_failures_is_bounded(failures, chance):
    """Exponential, with full jitter, and never longer than the longest, however long the outage."""
    pace = Pace()
    wait = pace.retry(failures, lambda: chance)
    assert 0.0 <= wait <= min(pace.retry_most, 2.0 ** min(failures - 1, 30))


def test_after_grows_to_the_longest_interval():
    """2 s, x 1.5, to 10 s."""
    pace, interval, seen = Pace(), Pace().first, []
    for _ in range(6):
        seen.append(interval)
        interval = pace.after(interval)
    assert seen == pytest.approx([2.0, 3.0, 4.5, 6.75, 10.0, 10.0])


@given(speed=st.floats(0.01, 10_000))
def test_at_any_speed_keeps_its_bounds(speed):
    """A faster service is asked faster, but no bar moves more than ten times a second."""
    pace = Pace.at(speed)
    assert pace.first >= 0.1
    assert pace.most >= pace.first
    assert pace.window == pytest.approx(60.0 / speed)
    assert Pace.at(1.0) == Pace()
