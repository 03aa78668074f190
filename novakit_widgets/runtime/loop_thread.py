"""The daemon thread whose loop is the job loop where neither a kernel nor a program brings one, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import NovaKitError
from .interrupts import handled

try:
    import concurrent.futures.thread as executors
except (
    RuntimeError
) as error:  # nothing can be registered once the main thread has ended, and without it no host is looked up
    raise NovaKitError(
        f"The main thread has ended ({error}), so nothing was sent or billed. A program must join its threads before its main "
        "thread ends."
    ) from None

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

__all__ = ["LoopThread", "at_exit", "blocked"]

FINISH_SECONDS = 5.0  # at exit, for submissions whose answer is on its way
_CLOSE_SECONDS = 2.0  # at exit, for cancelled tasks to tidy up, and for connections
_LOOK = 0.05  # seconds between two looks at what has to end first

blocked: set[threading.Thread] = set()
"""The threads that wait for something on the job loop."""


@dataclass(frozen=True, slots=True)
class _Exit:
    finish: Callable[[float], Coroutine[Any, Any, None]] | None
    report: Callable[[], None] | None
    close: Callable[[], Coroutine[Any, Any, None]] | None


_exits: list[_Exit] = []


def at_exit(
    *,
    finish: Callable[[float], Coroutine[Any, Any, None]] | None = None,
    report: Callable[[], None] | None = None,
    close: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> None:
    """Have something done before Python ends, where the job loop is that of our thread.

    Args:
        finish: on the loop, while there is time: given the seconds that it may take.
        report: on the main thread, after that.
        close: on the loop, after all of its tasks have ended.
    """
    _exits.append(_Exit(finish, report, close))


class LoopThread:
    """A daemon thread that runs an event loop until Python ends.

    Attributes:
        loop: its loop.

    Raises:
        RuntimeError: this Python can't start threads.
    """

    def __init__(self) -> None:
        if sys.is_finalizing():
            # Starting would wait for ever for a thread that never runs, such as when a widget is deleted at the very end.
            raise RuntimeError("Python is ending.")
        # Whatever policy a program has set: its loops are for its own work.
        if sys.platform == "win32":
            self.loop: asyncio.AbstractEventLoop = asyncio.ProactorEventLoop()
        else:
            self.loop = asyncio.SelectorEventLoop()
        self._process = os.getpid()
        self._thread = threading.Thread(target=self.loop.run_forever, name="novakit-jobs", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self.loop.close()
            raise
        _threads.append(self)

    def _end(self) -> None:
        """End before Python does: see what is on its way through, report the rest, and close what is open."""
        if self._process != os.getpid() or self.loop.is_closed():
            return  # a forked child knows the parent's
        with _quiet_interrupts() as interrupted:
            while not interrupted.is_set() and _others_work():
                time.sleep(_LOOK)
            if not interrupted.is_set():
                self._do(
                    _all(each.finish(FINISH_SECONDS) for each in _exits if each.finish), FINISH_SECONDS, interrupted
                )
            for each in _exits:
                if each.report is not None:
                    each.report()
            self._do(self._tidy(), _CLOSE_SECONDS, threading.Event())
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(_CLOSE_SECONDS)
            if not self._thread.is_alive():
                self.loop.close()

    def _do(self, work: Coroutine[Any, Any, None], seconds: float, interrupted: threading.Event) -> None:
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        end = time.monotonic() + seconds + _LOOK
        while not future.done() and time.monotonic() < end and not interrupted.is_set():
            with contextlib.suppress(FutureTimeoutError):
                future.exception(_LOOK)
        future.cancel()

    async def _tidy(self) -> None:
        """End all tasks, and then close what they have used."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_SECONDS / 2)
        await _all(each.close() for each in _exits if each.close)
        await self.loop.shutdown_asyncgens()


_threads: list[LoopThread] = []


def _end_all() -> None:
    for thread in _threads:
        thread._end()  # noqa: SLF001 # theirs alone


# What is registered last is done first. So executors, which are registered when they are imported, still work: host names are
# looked up in one. atexit would be too late. At import, because nothing can be registered once the main thread has ended.
with contextlib.suppress(RuntimeError):  # it has ended already
    threading._register_atexit(_end_all)  # type: ignore[attr-defined]  # noqa: SLF001 # there is no public one


async def _all(works: Iterator[Coroutine[Any, Any, None]]) -> None:
    await asyncio.gather(*works, return_exceptions=True)


def _others_work() -> bool:
    """Whether threads still work that Python waits for before it ends: they may need the loop.

    Those of executors end when Python tells them to; only what they wait for here is waited for.
    """
    pool = executors._threads_queues  # noqa: SLF001 # nothing else tells them apart
    return any(
        thread.is_alive() and not thread.daemon and (thread not in pool or thread in blocked)
        for thread in threading.enumerate()
        if thread is not threading.main_thread()
    )


@contextlib.contextmanager
def _quiet_interrupts() -> Iterator[threading.Event]:
    """Note that the user presses Ctrl-C instead of raising it, which would print a traceback of Python's own shutting down."""
    interrupted = threading.Event()
    with handled(lambda *_: interrupted.set()):
        yield interrupted
