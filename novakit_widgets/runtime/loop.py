"""The kernel's event loop: find it, get onto it from any thread, block on it.

A callback of a widget may come on any thread, and that thread may have a running loop of its own (ipykernel 7's
subshells do). So nobody here takes the running loop for the kernel's: the kernel's is the one of the main thread.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import warnings
from concurrent.futures import wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import LoopStandsStillError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Sized

__all__ = [
    "at_home",
    "complaints",
    "current",
    "done_at_home",
    "ended_here",
    "hand_over",
    "home",
    "run_blocking",
    "run_on",
    "spawn",
]

_T = TypeVar("_T")

_STANDS_STILL = 60.0  # seconds; a loop that does not turn for so long is taken to wait for us
_STALLED = 5.0  # seconds that a loop may do something else, such as an import

_home: asyncio.AbstractEventLoop | None = None
_process = os.getpid()  # that has asked for it
# The loop itself keeps weak references only.
_tasks: set[asyncio.Task[Any]] = set()


def current() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs on this thread; ``None`` when none does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def home() -> asyncio.AbstractEventLoop | None:
    """Return the loop that jobs run on; ``None`` when there is none, as in a plain script.

    That is the main thread's: the one running now, or the one that was running when this was last asked there.
    """
    global _home, _process  # one main thread, one loop
    running = current()
    if running is not None and threading.current_thread() is threading.main_thread():
        _home, _process = running, os.getpid()
    if _is_a_parents():
        return running
    if _home is None or not _home.is_running():
        _home = _kernel_loop()
    return _home or running


def _kernel_loop() -> asyncio.AbstractEventLoop | None:
    """Ask ipykernel, for a callback that comes on another thread before a cell has asked for the loop."""
    kernel = _kernel_application()
    loop = getattr(getattr(kernel, "io_loop", None), "asyncio_loop", None)
    return loop if isinstance(loop, asyncio.AbstractEventLoop) and loop.is_running() else None


def _kernel_application() -> Any:
    application = sys.modules.get("ipykernel.kernelapp")
    if application is None or not application.IPKernelApp.initialized():
        return None
    return application.IPKernelApp.instance()


def _is_a_parents() -> bool:
    """Whether a loop runs in the process that this one was forked from: it says so here, too, and nobody turns it."""
    if _process != os.getpid() and _home is not None and _home.is_running():
        return True
    session = getattr(_kernel_application(), "session", None)
    return session is not None and session.pid != os.getpid() and _kernel_loop() is not None


def hand_over(loop: asyncio.AbstractEventLoop, work: Callable[[], object], *, closed_ok: bool = False) -> None:
    """Have work done on a loop: now, when that loop runs on this thread, otherwise as its next step.

    Args:
        loop: where; on one that stands still it is done when it goes on.
        work: quick, and itself safe to be late.
        closed_ok: whether nothing is to be done on a loop that was closed.

    Raises:
        RuntimeError: the loop was closed.
    """
    if current() is loop:
        work()
        return
    try:
        loop.call_soon_threadsafe(work)
    except RuntimeError:
        if not closed_ok:
            raise


def at_home(work: Callable[[], object]) -> None:
    """Have a callback's work done on the loop that jobs run on, whichever thread the callback came on.

    Args:
        work: quick. In a plain script, where there is no loop, it is done at once.
    """
    loop = home()
    if loop is None:
        work()
    else:
        hand_over(loop, work)


async def done_at_home(work: Callable[[], None]) -> None:
    """Have quick work done on the loop that jobs run on, and wait until it is."""

    async def done() -> None:
        work()

    await run_on(home() or asyncio.get_running_loop(), done)


async def run_on(loop: asyncio.AbstractEventLoop, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do on one loop what is waited for on this one, which may be another thread's.

    Args:
        loop: where; when it has ended, nothing is done.
        work: makes the coroutine, since a task can only be waited for on its own loop.
    """
    if current() is loop:
        await work()
    elif loop.is_running():
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), loop))


def spawn(coroutine: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
    """Start a task on the running loop, and hold it until it is done."""
    task = asyncio.get_running_loop().create_task(coroutine)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task


async def ended_here(tasks: Iterable[asyncio.Task[Any] | None], *, timeout: float | None = None) -> None:
    """Wait for those tasks that are on the running loop, so many seconds at most. What they raise stays theirs."""
    here = asyncio.get_running_loop()
    left = [task for task in tasks if task is not None and not task.done() and task.get_loop() is here]
    if left:
        await asyncio.wait(left, timeout=timeout)


@contextmanager
def complaints(message: str) -> Iterator[None]:
    """Show what somebody else's code raises, such as an observer, which must not break off what is being done here.

    In a callback or a background task it would be seen nowhere in the notebook, so the running loop's handler is told.

    Args:
        message: what failed.

    Raises:
        Exception: no loop runs, so that whoever called gets to see it.
    """
    try:
        yield
    except Exception as error:
        loop = current()
        if loop is None:
            raise
        loop.call_exception_handler({"message": message, "exception": error})


def run_blocking(
    coroutine: Coroutine[Any, Any, _T],
    *,
    farewell: Callable[[], Coroutine[Any, Any, None]] | None = None,
    timeout: float | None = None,
) -> _T:
    """Run a coroutine to its end and return its result, from a cell, a thread, or a plain script.

    In a cell it runs nested in the kernel's running loop, by nest-asyncio2, which is applied here and nowhere else
    because it changes asyncio for the whole process. Interrupting the kernel ends the coroutine, and only that.

    Args:
        coroutine: what to wait for.
        farewell: what to do before a loop is closed that was made for this call alone.
        timeout: seconds after which the coroutine ends by itself. A thread waits as long for a main loop that stands still, but at
            least 5 s, and at most a minute.

    Raises:
        KeyboardInterrupt: the user interrupted it.
        LoopStandsStillError: a thread waits, and the main thread does not run its loop, since it waits for that thread, say; or
            this process was forked from one with a loop.
    """
    if current() is None and _is_a_parents():
        coroutine.close()
        raise LoopStandsStillError(
            "This process was forked, as multiprocessing does, from one whose event loop runs, such as a notebook's kernel. That "
            "loop does not run here, so nothing was sent or billed. In the notebook write nk.batch(…), or use "
            "multiprocessing.get_context('spawn')."
        )
    running, main = current(), home()
    if running is None and main is None:
        return asyncio.run(_and_then(coroutine, farewell))
    if main is not None and running is not main:
        patience = _STANDS_STILL if timeout is None else min(max(timeout, _STALLED), _STANDS_STILL)
        return _from_a_thread(coroutine, main, patience)
    assert running is not None  # for the type checker: what is left
    return _run_nested(running, coroutine)


def _from_a_thread(coroutine: Coroutine[Any, Any, _T], loop: asyncio.AbstractEventLoop, patience: float) -> _T:
    """Wait for a coroutine on the main thread's loop for as long as that turns.

    A cell that waits for its threads keeps the loop, which they wait for, from turning; interrupting the kernel does not free them.
    """
    future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    while True:
        turned = threading.Event()
        loop.call_soon_threadsafe(turned.set)
        done, _ = wait((future,), timeout=patience)
        if done:
            return future.result()
        if not turned.is_set():
            future.cancel()
            raise LoopStandsStillError(
                f"The event loop of the main thread has stood still for {patience:g} s: its cell may be waiting for this thread, "
                "which waits for the loop. Nothing of NovaKit moves until that cell has ended; then its jobs go on. In a cell "
                "write nk.batch(…) or 'await asyncio.gather(…)' in place of threads."
            )


async def _and_then(coroutine: Coroutine[Any, Any, _T], farewell: Callable[[], Coroutine[Any, Any, None]] | None) -> _T:
    task = asyncio.current_task()
    assert task is not None  # for the type checker
    try:
        # Python 3.11's asyncio.run does the same; before it, an interrupt could land in the middle of a submission.
        with _interrupt_ends(task, asyncio.get_running_loop()) as interrupted:
            try:
                return await coroutine
            except asyncio.CancelledError:
                if interrupted.is_set():
                    raise KeyboardInterrupt from None
                raise
    finally:
        if farewell is not None:
            await farewell()


def _run_nested(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, _T]) -> _T:
    _warn_of_the_old_one()
    import nest_asyncio2

    nest_asyncio2.apply(loop)
    task = loop.create_task(coroutine)
    with _interrupt_ends(task, loop) as interrupted, _ready_kept(loop):
        try:
            return loop.run_until_complete(task)
        except asyncio.CancelledError:
            if interrupted.is_set():
                raise KeyboardInterrupt from None
            raise


@contextmanager
def _ready_kept(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Leave the outer run of a loop as many ready handles as it has counted.

    asyncio's own ``_run_once`` counts the handles that are ready and then takes so many. The first nested run of a kernel happens
    inside such a step, takes handles of its own, and the kernel's loop dies of "pop from an empty deque". (The patched
    ``_run_once`` looks first.)
    """
    ready: Sized = getattr(loop, "_ready", ())
    counted = len(ready)
    try:
        yield
    finally:
        for _ in range(counted - len(ready)):
            loop.call_soon(_nothing)


def _nothing() -> None:
    """Fill a place."""


@contextmanager
def _interrupt_ends(task: asyncio.Task[Any], loop: asyncio.AbstractEventLoop) -> Iterator[threading.Event]:
    """Let SIGINT end one task, rather than land in whatever background task is running at that moment."""
    interrupted = threading.Event()

    def end(_number: int, _frame: object) -> None:
        interrupted.set()
        loop.call_soon_threadsafe(task.cancel)

    if threading.current_thread() is not threading.main_thread():
        yield interrupted  # signals are the main thread's alone
        return
    before = signal.signal(signal.SIGINT, end)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def _warn_of_the_old_one() -> None:
    if hasattr(asyncio, "_nest_patched") and not hasattr(asyncio, "_nest_asyncio2"):
        warnings.warn(
            "The archived package nest_asyncio has already changed asyncio in this kernel. With it, cells that are queued "
            "behind this one can stay [*] for ever. Restart the kernel without nest_asyncio.apply(), or write "
            "'await job' in place of 'job.wait()'.",
            RuntimeWarning,
            stacklevel=5,
        )
