"""Wait on the job loop for a condition."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["Waiters", "check_timeout", "within"]

_T = TypeVar("_T")


class Waiters:
    """The waiters for conditions of one object, on the job loop."""

    def __init__(self) -> None:
        self._futures: set[asyncio.Future[None]] = set()

    def __len__(self) -> int:
        return len(self._futures)

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait until a condition holds.

        Args:
            done: the condition, which is checked at once and after each `wake`.
        """
        while not done():
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._futures.add(future)
            try:
                await future
            finally:
                self._futures.discard(future)

    def wake(self) -> None:
        """Let all waiters check their conditions."""
        for future in self._futures:
            if not future.done():
                future.set_result(None)


async def within(timeout: float | None, coroutine: Coroutine[Any, Any, _T]) -> asyncio.Task[_T] | None:
    """Wait for a coroutine, and cancel it at a timeout.

    Returns:
        Its finished task; ``None`` at a timeout.
    """
    waiting = asyncio.ensure_future(coroutine)
    try:
        done, _ = await asyncio.wait((waiting,), timeout=timeout)
    finally:
        waiting.cancel()
    return waiting if done else None


def check_timeout(timeout: float | None, *, waiting: bool = False) -> float | None:
    """Check a timeout, and return it in seconds.

    Args:
        timeout: seconds; ``None`` for no timeout.
        waiting: whether it limits a wait for jobs, which the error message then mentions.

    Raises:
        ConfigurationError: it is not a number above 0.
    """
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < float("inf"):
        means = "Nothing was waited for; what was submitted goes on." if waiting else "Nothing was sent or billed."
        raise ConfigurationError(f"timeout is a number of seconds above 0, not {timeout!r}. {means}")
    return float(timeout)
