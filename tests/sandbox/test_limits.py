"""Sliding windows: never more than allowed, never less than promised."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novakit_widgets.sandbox import Limits
from novakit_widgets.sandbox.limits import KeyLimiter, SlidingWindow

GAPS = st.lists(st.floats(0, 20, allow_nan=False), max_size=80)


@given(gaps=GAPS, count=st.integers(1, 6), seconds=st.floats(0.5, 30))
def test_no_window_ever_exceeds(gaps, count, seconds):
    """However requests come, no stretch of the window's length holds more than its count."""
    window, now, passed = SlidingWindow(count, seconds), 0.0, []
    for gap in gaps:
        now += gap
        if window.wait(now) <= 0:
            window.add(now)
            passed.append(now)
    for start in passed:
        assert sum(start <= moment < start + seconds for moment in passed) <= count


@given(gaps=GAPS, count=st.integers(1, 6))
def test_who_waits_as_told_is_let_in(gaps, count):
    """A refused request that waits for Retry-After's whole seconds passes."""
    limits = Limits({"free": count}, {"free": count}, {})
    limiter, now = KeyLimiter(limits, "free", speed=6.0), 0.0
    for gap in gaps:
        now += gap
        verdict = limiter.request(now)
        if verdict.retry_after is not None:
            now += verdict.retry_header
            assert limiter.request(now).retry_after is None


def test_documented_numbers():
    """The limits are those of the documentation."""
    limits = Limits()
    assert limits.requests_per_minute == {
        "free": 30,
        "pro": 60,
        "business": 120,
        "cli_pro": 120,
        "cli_team": 300,
    }
    assert limits.burst == {"free": 30, "pro": 120, "business": 300, "cli_pro": 300, "cli_team": 600}
    assert limits.tools["video"] == (5, 3600.0)
    assert limits.tools["music"] == (10, 3600.0)
    assert {limits.tools[tool] for tool in ("image", "image_edit", "stt")} == {(10, 60.0)}
    assert limits.tools["tts"] == (20, 60.0)


def test_free_plan_passes_thirty_a_minute():
    """The free plan's window is a plain minute."""
    limiter = KeyLimiter(Limits(), "free", speed=1.0)
    verdicts = [limiter.request(number * 0.1) for number in range(31)]
    assert [verdict.remaining for verdict in verdicts[:30]] == list(range(29, -1, -1))
    assert verdicts[30].retry_after == pytest.approx(57.0)
    assert limiter.request(60.0).retry_after is None


def test_a_burst_is_paid_back():
    """A paid key may send its burst at once, and its long-run average stays the documented number."""
    limiter = KeyLimiter(Limits(), "pro", speed=1.0)
    assert all(limiter.request(0.0).retry_after is None for _ in range(120))
    assert limiter.request(60.0).retry_after == pytest.approx(60.0)
    assert limiter.request(120.0).retry_after is None


def test_a_refused_request_does_not_count():
    """Knocking all the time does not keep the door shut."""
    limiter = KeyLimiter(Limits({"free": 1}, {"free": 1}, {}), "free", speed=1.0)
    limiter.request(0.0)
    assert all(limiter.request(float(second)).retry_after is not None for second in range(1, 60))
    assert limiter.request(60.0).retry_after is None


def test_speed_divides_the_windows():
    """At sixty times the speed a minute passes in a second."""
    limiter = KeyLimiter(Limits({"free": 1}, {"free": 1}, {"video": (1, 3600.0)}), "free", speed=60.0)
    limiter.request(0.0)
    assert limiter.request(0.5).retry_after == pytest.approx(0.5)
    assert limiter.generation("video", 0.0) == 0.0
    assert limiter.generation("video", 0.0) == pytest.approx(60.0)


@pytest.mark.parametrize("name", ["documented", "requests", "off"])
def test_limits_by_name(name):
    """Limits have names for the three usual cases."""
    assert (Limits.of(name).tools == {}) is (name != "documented")


def test_bad_limits_are_refused():
    """A limit that nothing could pass, and an unknown name, are errors."""
    with pytest.raises(ValueError, match="documented"):
        Limits.of("none")
    with pytest.raises(ValueError, match="at least 1"):
        Limits(tools={"video": (0, 60.0)})
