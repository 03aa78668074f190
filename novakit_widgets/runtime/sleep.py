"""Sleeping that an event can end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["sleep_or_wake"]


async def sleep_or_wake(
    seconds: float, wake: asyncio.Event, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Sleep until the time is over or an event is set.

    Args:
        seconds: how long at most.
        wake: ends the sleep; cleared first.
        sleep: sleeps for some seconds.

    Example:
        >>> async def main():
        ...     wake = asyncio.Event()
        ...     asyncio.get_running_loop().call_later(0.01, wake.set)
        ...     await sleep_or_wake(3600.0, wake)
        >>> asyncio.run(main())
    """
    wake.clear()
    sleeping = asyncio.ensure_future(sleep(seconds))
    waking = asyncio.ensure_future(wake.wait())
    try:
        await asyncio.wait((sleeping, waking), return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleeping.cancel()
        waking.cancel()
