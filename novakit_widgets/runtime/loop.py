"""The job loop: the one event loop of a process that everything asynchronous of ours runs on.

It is

1. in a Jupyter kernel, the kernel's own loop;
2. where Python has no threads (Pyodide), the running loop;
3. anywhere else, the loop of a daemon thread of ours, which starts on first use.

A program that owns its process can name its own loop: see `use`. A widget's callback can come on any thread, and that thread
can have a running loop of its own (ipykernel 7's subshells do), so the running loop is never taken for the job loop.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
import threading
import time
from concurrent.futures import CancelledError, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ..errors import LoopStandsStillError, NovaKitError
from .futures import result_of
from .loop_thread import LoopThread, blocked
from .nesting import run_nested

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

__all__ = [
    "background",
    "call",
    "complaints",
    "get",
    "hand_over",
    "here",
    "hops",
    "is_ours",
    "run",
    "run_blocking",
    "running",
    "spawn",
    "use",
]

_T = TypeVar("_T")
_P = ParamSpec("_P")

_STANDS_STILL = 60.0  # seconds; a loop that does not turn for so long is taken to wait for us
_STALLED = 5.0  # seconds that a loop may do something else, such as an import
_LOOK = 1.0  # seconds between two looks for an interrupt, which a wait of Windows does not notice
_QUICK = 1.0  # seconds at the most that a script waits for quick work on our thread
_ENDING = 5.0  # seconds that an interrupted coroutine has to tidy up

_used: list[asyncio.AbstractEventLoop] = []  # those that programs have named, innermost last
_thread: LoopThread | None = None
_starting = threading.Lock()
# The loop itself keeps weak references only.
_tasks: set[asyncio.Task[Any]] = set()


def _in_child() -> None:
    """Forget the loops of the parent process, which claim to run here but do not."""
    global _thread, _starting
    _used.clear()
    _tasks.clear()
    _thread, _starting = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


def running() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs on this thread; ``None`` when none does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def get() -> asyncio.AbstractEventLoop:
    """Return the job loop; our thread starts if it is its loop."""
    if _used:
        return _used[-1]
    if "ipykernel.kernelapp" in sys.modules and (kernel := _kernel_loop()) is not None:
        return kernel
    return _start_our_thread() if _thread is None else _thread.loop


def here() -> bool:
    """Whether this code runs on the job loop."""
    try:
        return asyncio.get_running_loop() is get()
    except RuntimeError:
        return False


def is_ours() -> bool:
    """Whether the job loop is that of our own thread, which always turns and ends with the process."""
    return not _used and _thread is not None and get() is _thread.loop


@contextmanager
def use(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Make a loop the job loop of this process for a while: for a program that owns its process, and for tests.

    Args:
        loop: it runs, and outlives the jobs that are begun meanwhile.

    Example:
        >>> async def main():
        ...     with use(asyncio.get_running_loop()):
        ...         return get() is asyncio.get_running_loop()
        >>> asyncio.run(main())
        True
    """
    _used.append(loop)
    try:
        yield
    finally:
        if loop in _used:  # not in a forked child
            _used.remove(loop)


def _kernel_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop of this process's Jupyter kernel; ``None`` where there is none."""
    module = sys.modules.get("ipykernel.kernelapp")
    if module is None or not module.IPKernelApp.initialized():
        return None
    application = module.IPKernelApp.instance()
    if getattr(getattr(application, "session", None), "pid", os.getpid()) != os.getpid():
        return None  # forked from a kernel
    loop = getattr(getattr(application, "io_loop", None), "asyncio_loop", None)
    if loop is None and threading.current_thread() is threading.main_thread():
        # Before the kernel starts its loop, as in a startup file: the one that it will take.
        loop = running() or getattr(sys.modules["tornado.ioloop"].IOLoop.current(), "asyncio_loop", None)
    return loop if isinstance(loop, asyncio.AbstractEventLoop) and not loop.is_closed() else None


def _start_our_thread() -> asyncio.AbstractEventLoop:
    global _thread
    if sys.platform == "emscripten":
        return running() or asyncio.get_event_loop()
    with _starting:
        if _thread is None:
            try:
                _thread = LoopThread()
            except RuntimeError as error:  # no threads here, or, in Python 3.12, none once the main thread has ended
                loop = running()
                if loop is None:
                    raise NovaKitError(
                        f"Python can't start a thread ({error}), and no event loop runs, so nothing was sent or billed. Write "
                        "'await' in an asyncio program. A program's own threads must be joined before its main thread ends."
                    ) from None
                return loop
    return _thread.loop


def hand_over(work: Callable[[], object], *, closed_ok: bool = False) -> None:
    """Run a function on the job loop: at once on the loop's own thread, otherwise as soon as the loop turns.

    Args:
        work: a quick function, which runs in the caller's context.
        closed_ok: whether to do nothing if the loop is closed.

    Raises:
        RuntimeError: the loop was closed.
    """
    try:
        loop = get()
    except NovaKitError:  # Python is ending
        if closed_ok:
            return
        raise
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        running = None
    if running is loop:
        work()
        return
    try:
        loop.call_soon_threadsafe(work)
    except RuntimeError:
        if not closed_ok:
            raise


def call(work: Callable[[], object]) -> None:
    """Run a quick function on the job loop, like `hand_over`; a script waits until it is done.

    There is no wait on a thread with a running loop, or if the job loop may be blocked, such as a kernel's while a cell runs.

    Args:
        work: the function.
    """
    loop, here = get(), running()
    if here is loop:
        work()
        return
    if here is not None or _thread is None or loop is not _thread.loop:
        loop.call_soon_threadsafe(work)
        return
    done = threading.Event()

    def whole() -> None:
        try:
            work()
        finally:
            done.set()

    loop.call_soon_threadsafe(whole)
    done.wait(_QUICK)


async def run(work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run a coroutine on the job loop, and wait for its result on any loop.

    Args:
        work: makes the coroutine. Cancelling the waiting cancels the coroutine, too.

    Raises:
        NovaKitError: no asyncio loop runs here, as under trio.
        Exception: what the coroutine raises.
    """
    if running() is None:
        raise NovaKitError(
            "'await' needs asyncio, and another framework runs this. The job goes on; wait for it in a thread, as in "
            "'await trio.to_thread.run_sync(card.wait)'."
        )
    if here():
        return await work()
    future = asyncio.run_coroutine_threadsafe(work(), get())
    try:
        return await result_of(future)
    finally:
        future.cancel()  # of no effect once it is done


def hops(method: Callable[_P, Coroutine[Any, Any, _T]]) -> Callable[_P, Coroutine[Any, Any, _T]]:
    """Let an async function be awaited on any loop; its work is done on the job loop.

    Args:
        method: the function.
    """

    @functools.wraps(method)
    async def hopping(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        if here():
            return await method(*args, **kwargs)
        return await run(lambda: method(*args, **kwargs))

    return hopping


def spawn(coroutine: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
    """Start a task on the running loop, and hold it until it is done."""
    task = asyncio.get_running_loop().create_task(coroutine)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task


def background(work: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Start a task on the job loop, from any thread.

    Args:
        work: makes the coroutine.
    """
    hand_over(lambda: spawn(work()))


@contextmanager
def complaints(message: str) -> Iterator[None]:
    """Report exceptions of the user's code, such as an observer, to the running loop's exception handler.

    In a callback or a background task, nobody would see them in the notebook.

    Args:
        message: what failed.

    Raises:
        Exception: no loop runs, so the exception is not caught.
    """
    try:
        yield
    except Exception as error:
        loop = running()
        if loop is None:
            raise
        loop.call_exception_handler({"message": message, "exception": error})


def run_blocking(work: Callable[[], Coroutine[Any, Any, _T]], *, timeout: float | None = None) -> _T:
    """Run a coroutine on the job loop and return its result, from a cell, a thread, or a script.

    In a kernel's cell it runs nested in the kernel's running loop; see `novakit_widgets.runtime.nesting`. Interrupting the
    kernel ends the coroutine, and only that.

    Args:
        work: makes the coroutine.
        timeout: seconds after which the coroutine ends by itself. A thread waits as long for a job loop that stands still, but at
            least 5 s, and at most a minute.

    Raises:
        KeyboardInterrupt: the user interrupted it.
        LoopStandsStillError: waiting would never end, since the job loop waits for this call.
    """
    loop = get()
    if running() is loop:
        if loop is _kernel_loop():
            return run_nested(loop, work)
        raise LoopStandsStillError(
            "A blocking call, such as wait() or save(), can't run on the loop that NovaKit's jobs run on, as in an observer: "
            "it would wait for itself. Write 'await' in a task of that loop, or make the call on another thread. Jobs go on."
        )
    if not loop.is_running() and threading.current_thread() is threading.main_thread() and loop is _kernel_loop():
        return loop.run_until_complete(work())  # the kernel has not begun yet, as in a startup file
    patience = _STANDS_STILL if timeout is None else min(max(timeout, _STALLED), _STANDS_STILL)
    return _from_a_thread(loop, work, patience)


def _from_a_thread(loop: asyncio.AbstractEventLoop, work: Callable[[], Coroutine[Any, Any, _T]], patience: float) -> _T:
    """Wait for a coroutine on another thread's loop for as long as that turns.

    A cell that waits for its threads keeps the loop, which they wait for, from turning; interrupting the kernel does not free them.
    """
    begun: list[asyncio.Task[Any]] = []
    ended, given_up = threading.Event(), threading.Event()

    async def whole() -> _T:
        task = asyncio.current_task()
        if given_up.is_set() or task is None:
            raise asyncio.CancelledError
        begun.append(task)
        try:
            return await work()
        finally:
            ended.set()

    try:
        blocked.add(threading.current_thread())
        future = asyncio.run_coroutine_threadsafe(whole(), loop)
        asked, turned = time.monotonic(), _turn_of(loop)
        while not wait((future,), timeout=_LOOK).done:
            if time.monotonic() - asked < patience:
                continue
            if not turned.is_set():
                given_up.set()
                future.cancel()
                raise LoopStandsStillError(
                    f"The event loop of NovaKit's jobs has stood still for {patience:g} s: the cell or observer that it runs may "
                    "be waiting for this thread, which waits for the loop. Nothing of NovaKit moves until that has ended; then "
                    "its jobs go on. In a cell write nk.batch(…) or 'await asyncio.gather(…)' in place of threads."
                )
            asked, turned = time.monotonic(), _turn_of(loop)
        return future.result()
    except CancelledError:
        raise asyncio.CancelledError from None
    except BaseException:
        # Unless it is the work's: a handler of a signal raised it here, Python's own or one of the program.
        if not ended.is_set() and not given_up.is_set():
            given_up.set()
            for task in begun:
                loop.call_soon_threadsafe(task.cancel)
                ended.wait(_ENDING)  # such as for a download to take its unfinished file away
        raise
    finally:
        blocked.discard(threading.current_thread())


def _turn_of(loop: asyncio.AbstractEventLoop) -> threading.Event:
    """Return an event that is set when the loop turns."""
    turned = threading.Event()
    loop.call_soon_threadsafe(turned.set)
    return turned
