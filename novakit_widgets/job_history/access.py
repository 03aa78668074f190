"""Access to the history's file: on one thread of its own, so that nobody waits long for a disk or a lock."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ..errors import JobNotStartedError
from ..runtime.worker import DiskThread
from .database import HistoryFile, warn

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

__all__ = ["Access"]

_T = TypeVar("_T")

# Seconds that a caller waits for the file. Together less than 2 s a job: its first step waits, its later steps hardly.
_FIRST_WAIT = 1.0
_LATER_WAIT = 0.1
_WAIT_WITHOUT_LOOP = 5.0  # where no event loop is held up
# Seconds that the thread itself tries on when nobody waits any more, and after it has failed.
_LATE_PATIENCE = 5.0
_LITTLE_PATIENCE = 0.2
# How work on this thread reaches the file: through the file's own thread, directly, or not at all.
_ELSEWHERE, _ON_THREAD, _WITHOUT_FILE = "elsewhere", "on its thread", "without file"


class Access:
    """Runs work on the history's file, one piece after the other, and returns a default where the file can't be used.

    A caller waits for a limited time. Work that takes longer is still done in its turn, so a row is only late.

    Args:
        path: The file, or ``None`` for no history.
        now: Returns the current time, with time zone.

    Attributes:
        trouble: Why the last work was not done in time; ``""`` when it was.
    """

    def __init__(self, path: Path | None, *, now: Callable[[], datetime]) -> None:
        self.path = path
        self.file = None if path is None else HistoryFile(path, now=now)
        self.trouble = ""
        self._thread = DiskThread("novakit-history")
        self._here = threading.local()
        self._to_warn = [True]  # taken by the first of several threads

    def run(self, work: Callable[[sqlite3.Connection], _T], default: _T, *, write: bool = False) -> _T:
        """Run work on the file, and wait for it for a limited time.

        Args:
            work: Takes a connection.
            default: Returned when the file can't be used, or not in time.
            write: Whether the work changes anything.

        Raises:
            JobNotStartedError: The work refused to go on.
        """
        here = getattr(self._here, "mode", _ELSEWHERE)
        if self.file is None or here == _WITHOUT_FILE:
            return default
        if here == _ON_THREAD:
            return self._on_thread(self.file, work, default, write)
        whole = partial(self._on_thread, self.file, work, default, write)
        try:
            working = self._thread.submit(partial(self._mark, whole))
        except RuntimeError:  # no threads here, or the interpreter is shutting down
            return whole()
        try:
            return working.result(self._wait if self.trouble or _loop_runs() else _WAIT_WITHOUT_LOOP)
        except (concurrent.futures.TimeoutError, TimeoutError):
            self._is_late(self.file)
            return default

    @property
    def gap(self) -> str:
        """Why the history may not know an earlier job; ``""`` where it knows all."""
        if self.file is None:
            return "it is switched off"
        if self.file.was_damaged and not self.trouble:
            return "it was damaged, and the new one does not know earlier jobs until Python is restarted"
        return self.trouble

    async def off_loop(self, work: Callable[[], _T]) -> _T:
        """Run a method of the history without blocking the event loop, after everything it was given before.

        Args:
            work: The method with its arguments. It reaches the file through `run` only.
        """
        if self.file is None:
            return work()
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[None] = loop.create_future()
        try:
            working = self._thread.submit(partial(self._mark, work))
        except RuntimeError:  # no threads here, or the interpreter is shutting down
            return self._mark(work)
        working.add_done_callback(partial(_wake, loop, waiting))
        timer = loop.call_later(self._wait, _end, waiting)
        try:
            await waiting
        finally:
            timer.cancel()
        if working.done():
            return working.result()
        self._is_late(self.file)
        return self._without_file(work)

    def later(self, work: Callable[[], object]) -> None:
        """Have a method of the history run in its turn, without waiting for it."""
        if self.file is None:
            return
        try:
            self._thread.submit(partial(self._mark, work))
        except RuntimeError:  # no threads here, or the interpreter is shutting down
            with contextlib.suppress(Exception):  # as on the thread, where nobody reads the result
                self._mark(work)

    @property
    def _wait(self) -> float:
        return _LATER_WAIT if self.trouble else _FIRST_WAIT

    def _mark(self, work: Callable[[], _T]) -> _T:
        """Run work that may use the file on this thread."""
        self._here.mode = _ON_THREAD
        try:
            return work()
        finally:
            self._here.mode = _ELSEWHERE

    def _without_file(self, work: Callable[[], _T]) -> _T:
        """Return what a method returns when the file can't be used."""
        self._here.mode = _WITHOUT_FILE
        try:
            return work()
        finally:
            self._here.mode = _ELSEWHERE

    def _on_thread(self, file: HistoryFile, work: Callable[[sqlite3.Connection], _T], default: _T, write: bool) -> _T:
        try:
            result = file.run(work, write=write)
        except JobNotStartedError:
            raise
        except Exception as error:  # noqa: BLE001 # whatever it is, it must not cost a job that was just paid for
            file.patience = _LITTLE_PATIENCE  # what waits behind it must not wait as long
            self._fail(str(error))
            return default
        file.patience = file.full_patience
        self.trouble = ""
        return result

    def _is_late(self, file: HistoryFile) -> None:
        file.patience = min(file.patience, _LATE_PATIENCE)
        self._fail("it is locked by another program, or its disk does not answer")

    def _fail(self, reason: str) -> None:
        self.trouble = reason
        try:
            self._to_warn.pop()
        except IndexError:
            return
        warn(
            f"The job history {self.path} can't be used: {reason}. Jobs are submitted all the same, but may not be remembered. "
            "NOVAKIT_HISTORY names another file, or 'off'."
        )


def _loop_runs() -> bool:
    """Return whether an event loop runs on this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _wake(loop: asyncio.AbstractEventLoop, waiting: asyncio.Future[None], _working: object) -> None:
    """End the waiting on a loop from another thread."""
    with contextlib.suppress(RuntimeError):  # the loop was closed, so nobody waits
        loop.call_soon_threadsafe(_end, waiting)


def _end(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
