"""A thread for what waits for the disk: the event loop must not, and one thread is enough for one file."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DiskThread"]

_T = TypeVar("_T")


class DiskThread:
    """Does one thing after the other, in the order in which it was asked to; begun at the first.

    Not `asyncio.to_thread`: SQLite lets one write at a time anyway, and each thread of a pool keeps an arena of malloc's, which
    is a megabyte that the process never gives back. The thread ends with this object, or with the process, after its work.

    Args:
        name: of the thread, for debuggers.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._process = 0
        self._executor: ThreadPoolExecutor | None = None

    def submit(self, work: Callable[[], _T]) -> Future[_T]:
        """Have some work done there, in the context of the caller, without waiting for it.

        Raises:
            RuntimeError: There are no threads here, or the interpreter is shutting down.
        """
        return self._began().submit(contextvars.copy_context().run, work)

    async def run(self, work: Callable[[], _T]) -> _T:
        """Do some work there, and wait for it. It is done even if the waiting is given up: a row is not lost with a task.

        Args:
            work: what to do.

        Raises:
            Exception: what it raises.
            RuntimeError: the interpreter is shutting down.
        """
        loop = asyncio.get_running_loop()
        told: asyncio.Future[_T] = loop.create_future()

        def over(working: Future[_T]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile, so nobody waits
                loop.call_soon_threadsafe(_tell, told, working)

        # With the context, a warning goes to the cell that it belongs to.
        self._began().submit(contextvars.copy_context().run, work).add_done_callback(over)
        return await told

    def _began(self) -> ThreadPoolExecutor:
        # A forked process has the object, but not the thread.
        if self._executor is None or self._process != os.getpid():
            self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=self._name)
            self._process = os.getpid()
        return self._executor


def _tell(told: asyncio.Future[_T], working: Future[_T]) -> None:
    # Not in a closure: a future keeps its callbacks, and one that held it would leave each to the garbage collector.
    if told.done():
        return
    error = working.exception()
    if error is None:
        told.set_result(working.result())
    else:
        told.set_exception(error)
