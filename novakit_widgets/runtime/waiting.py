"""Waiting on the job loop for what happens there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["Waiters", "check_timeout", "within"]

_T = TypeVar("_T")


class Waiters:
    """Those who wait for one thing, on the job loop."""

    def __init__(self) -> None:
        self._futures: set[asyncio.Future[None]] = set()

    def __len__(self) -> int:
        return len(self._futures)

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait until it is done.

        Args:
            done: asked at once, and again after each `wake`.
        """
        while not done():
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._futures.add(future)
            try:
                await future
            finally:
                self._futures.discard(future)

    def wake(self) -> None:
        """Have everybody ask again."""
        for future in self._futures:
            if not future.done():
                future.set_result(None)


async def within(timeout: float | None, coroutine: Coroutine[Any, Any, _T]) -> asyncio.Task[_T] | None:
    """Wait for a coroutine no longer than so many seconds; what is waited for longer is cancelled, and nothing else is.

    Returns:
        Its task, which is done; ``None`` when the time is over.
    """
    waiting = asyncio.ensure_future(coroutine)
    try:
        done, _ = await asyncio.wait((waiting,), timeout=timeout)
    finally:
        waiting.cancel()
    return waiting if done else None


def check_timeout(timeout: float | None, *, waiting: bool = False) -> float | None:
    """Refuse a time-out that is no length of time.

    Args:
        timeout: seconds.
        waiting: whether it is for waiting, so that what is waited for may be under way.

    Raises:
        ConfigurationError: it is not a number above 0.
    """
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < float("inf"):
        means = "Nothing was waited for; what was submitted goes on." if waiting else "Nothing was sent or billed."
        raise ConfigurationError(f"timeout is a number of seconds above 0, not {timeout!r}. {means}")
    return float(timeout)
