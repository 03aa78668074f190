"""The polling budget, which no course of events exceeds."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual import run

from novakit_widgets.limits.budget import PollingBudget
from novakit_widgets.model.rate_limit import DEFAULT_LIMIT, RateLimit
from novakit_widgets.runtime.clock import Clock

SECONDS = st.integers(0, 4_000).map(lambda ticks: ticks / 32)
EVENTS = st.one_of(
    st.tuples(st.just("take"), st.integers(0, 2)),
    st.tuples(st.just("sleep"), SECONDS),
    st.tuples(st.just("pause"), SECONDS),
    st.tuples(st.just("limit"), st.integers(1, 60)),
    st.tuples(st.just("empty"), SECONDS),
)


@given(events=st.lists(EVENTS, max_size=60), takers=st.integers(1, 3))
def test_take_never_exceeds_the_window(events, takers):
    """With pauses, changing limits and several callers at once, no window has more requests than its limit allowed."""

    async def main():
        loop = asyncio.get_running_loop()
        budget = PollingBudget(60.0, clock=Clock(monotonic=loop.time))
        taken = []
        paused_until = 0.0

        async def taker(mine):
            nonlocal paused_until
            for kind, value in mine:
                if kind == "take":
                    await budget.take(value)
                    now = loop.time()
                    assert now >= paused_until
                    taken.append(now)
                    recent = sum(1 for at in taken if at + 60.0 > now)
                    assert recent <= max(1, budget.places - value)
                elif kind == "sleep":
                    await asyncio.sleep(value)
                elif kind == "pause":
                    budget.pause(value)
                    paused_until = max(paused_until, loop.time() + value)
                elif kind == "limit":
                    budget.observe(RateLimit(value, 1), wall=loop.time())
                else:
                    budget.observe(RateLimit(30, 0, loop.time() + value), wall=loop.time())
                    paused_until = max(paused_until, loop.time() + min(value, 60.0))

        await asyncio.gather(*(taker(events[start::takers]) for start in range(takers)))

    run(main())


def test_places_are_half_of_the_limit():
    """30 a minute until a header says otherwise, and at least one place."""

    async def main():
        loop = asyncio.get_running_loop()
        budget = PollingBudget(60.0, clock=Clock(monotonic=loop.time))
        assert budget.places == DEFAULT_LIMIT // 2 == 15
        budget.observe(None, wall=0.0)
        assert budget.places == 15
        for limit, places in [(300, 150), (31, 15), (1, 1)]:
            budget.observe(RateLimit(limit, 5), wall=0.0)
            assert budget.places == places

    run(main())


def test_take_frees_places_after_a_window():
    """Each place is free again one window after it was taken."""

    async def main():
        loop = asyncio.get_running_loop()
        budget = PollingBudget(60.0, clock=Clock(monotonic=loop.time))
        for _ in range(14):
            await budget.take()
        await asyncio.sleep(20.0)
        await budget.take()
        assert loop.time() == 20.0
        assert budget.delay() == 40.0
        await budget.take()
        assert loop.time() == pytest.approx(60.0)

    run(main())


def test_observe_without_remaining_waits_for_the_reset():
    """A reset in a year, by a wrong clock, stops us for one window."""

    async def main():
        loop = asyncio.get_running_loop()
        budget = PollingBudget(60.0, clock=Clock(monotonic=loop.time))
        budget.observe(RateLimit(30, 0, 1_000.0), wall=990.0)
        assert budget.delay() == 10.0
        budget.observe(RateLimit(30, 0, 900.0), wall=990.0)
        assert budget.delay() == 10.0
        budget.observe(RateLimit(30, 0, 9e9), wall=990.0)
        assert budget.delay() == 60.0
        budget.observe(RateLimit(30, 0, None), wall=990.0)
        assert budget.delay() == 60.0

    run(main())


def test_delay_with_keep_leaves_a_place():
    """A caller that keeps one place waits while only one is left."""

    async def main():
        loop = asyncio.get_running_loop()
        budget = PollingBudget(60.0, clock=Clock(monotonic=loop.time))
        for _ in range(14):
            await budget.take()
        assert budget.delay(keep=1) == 60.0
        assert budget.delay() == 0.0

    run(main())


def test_take_with_a_margin_keeps_a_place_longer():
    """Requests that are sent a window apart may arrive within one."""

    async def main():
        loop = asyncio.get_running_loop()
        budget = PollingBudget(60.0, margin=0.25, clock=Clock(monotonic=loop.time))
        for _ in range(16):
            await budget.take()
        assert loop.time() == pytest.approx(60.25)

    run(main())
