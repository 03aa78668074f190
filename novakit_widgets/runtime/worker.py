"""A thread for work that waits for the disk, so that the event loop does not."""

from __future__ import annotations

import contextvars
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from .futures import result_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

__all__ = ["DiskThread"]

_T = TypeVar("_T")


class DiskThread:
    """Run functions one after another in one thread, which is started at first use.

    Not `asyncio.to_thread`: SQLite allows one write at a time anyway, and each thread of a pool keeps about a megabyte of malloc's
    memory. The thread ends with this object or with the process, after its work.

    Args:
        name: the name of the thread, for debuggers.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._process = 0
        self._executor: ThreadPoolExecutor | None = None

    def submit(self, work: Callable[[], _T]) -> Future[_T]:
        """Run a function in the thread, with the caller's context, without waiting for it.

        Raises:
            RuntimeError: There are no threads here, or the interpreter is shutting down.
        """
        return self._began().submit(contextvars.copy_context().run, work)

    async def run(self, work: Callable[[], _T]) -> _T:
        """Run a function in the thread and await its result. Cancelling the await does not cancel the function.

        Args:
            work: the function.

        Raises:
            Exception: the function raised it.
            RuntimeError: the interpreter is shutting down.
        """
        return await result_of(self.submit(work))

    def _began(self) -> ThreadPoolExecutor:
        # A forked process inherits the object but not the thread.
        if self._executor is None or self._process != os.getpid():
            self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=self._name)
            self._process = os.getpid()
        return self._executor
