"""Sleeping that an event can end."""

from __future__ import annotations

import asyncio

from virtual import run

from novakit_widgets.runtime.sleep import sleep_or_wake


def test_sleep_or_wake_without_an_event_takes_its_time():
    """Nothing wakes it, not even an event that was set before."""

    async def main():
        wake = asyncio.Event()
        wake.set()
        await sleep_or_wake(40.0, wake)
        return asyncio.get_running_loop().time()

    assert run(main()) == 40.0


def test_sleep_or_wake_with_an_event_ends_at_once():
    """The event that comes meanwhile ends it, and its timer is gone."""

    async def main():
        loop, wake = asyncio.get_running_loop(), asyncio.Event()
        loop.call_later(3.0, wake.set)
        await sleep_or_wake(40.0, wake)
        return loop.time()

    assert run(main()) == 3.0
