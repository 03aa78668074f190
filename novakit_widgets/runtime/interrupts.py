"""Ctrl-C while something blocks: a handler for SIGINT that leaves those of others alone."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable, Iterator

__all__ = ["handled", "is_default"]

_ACTION_BYTES = 1_024  # more than any system's struct sigaction has
_POINTER_BYTES = 8
_RUNNERS = ("asyncio.runners", "backports.asyncio.runner.runner")


@contextmanager
def handled(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Have SIGINT call a function for a while, and put the handler back afterwards.

    It is not called on other threads than the main one, where the program ignores SIGINT or lets it end the process, or where
    the handler is the C code of a program that Python is embedded in, such as R or Julia. Their handlers stay.

    Args:
        handler: see `signal.signal`.
    """
    known = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(known):
        yield
        return
    action = _action()
    signal.signal(signal.SIGINT, handler)
    # Python does not notice when C code sets a handler, and keeps the one that it knows.
    hosts = action is not None and _function(action) != _function(_action())
    try:
        if hosts:
            signal.signal(signal.SIGINT, known)
            _put_back(action)
        yield
    finally:
        if not hosts:
            signal.signal(signal.SIGINT, known)


def is_default(handler: object) -> bool:
    """Whether a handler is Python's own: that of the interpreter, or that of `asyncio.Runner` and its backport to Python 3.10."""
    if handler is signal.default_int_handler:
        return True
    return getattr(getattr(handler, "func", None), "__module__", None) in _RUNNERS


def _action() -> ctypes.Array[ctypes.c_char] | None:
    """Return what the system does on SIGINT, as C's ``struct sigaction``; ``None`` where it can't be asked."""
    if sys.platform in ("win32", "emscripten", "wasi"):
        return None
    try:
        import ctypes

        action = ctypes.create_string_buffer(_ACTION_BYTES)
        failed = ctypes.CDLL(None).sigaction(int(signal.SIGINT), None, action)
    except (ImportError, OSError, AttributeError):
        return None
    return None if failed else action


def _put_back(action: ctypes.Array[ctypes.c_char] | None) -> None:
    """Have the system do on SIGINT what it did before, with all flags."""
    import ctypes

    ctypes.CDLL(None).sigaction(int(signal.SIGINT), action, None)


def _function(action: ctypes.Array[ctypes.c_char] | None) -> bytes:
    """Return the address of the handler, the first member of the structure on all systems."""
    return b"" if action is None else action.raw[:_POINTER_BYTES]
