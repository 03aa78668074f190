"""Awaiting what another thread does, on any event loop."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["result_of"]

_T = TypeVar("_T")


async def result_of(future: Future[_T]) -> _T:
    """Return the result of another thread's future. Cancelling the waiting does not cancel the future.

    Unlike `asyncio.wrap_future`, this is silent when the waiting loop is closed before the future is done.

    Args:
        future: from an executor, or of `asyncio.run_coroutine_threadsafe`.

    Raises:
        Exception: what the future raises.
    """
    loop = asyncio.get_running_loop()
    told: asyncio.Future[_T] = loop.create_future()

    def over(done: Future[_T]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed, so nobody waits
            loop.call_soon_threadsafe(_tell, told, done)

    future.add_done_callback(over)
    return await told


def _tell(told: asyncio.Future[_T], done: Future[_T]) -> None:
    # Not in a closure: a future keeps its callbacks, and one that held it would leave each to the garbage collector.
    if told.done():
        return
    if done.cancelled():
        told.cancel()
    elif (error := done.exception()) is not None:
        told.set_exception(error)
    else:
        told.set_result(done.result())
