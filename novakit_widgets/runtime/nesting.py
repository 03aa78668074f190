"""Blocking in a kernel's cell: a coroutine runs nested in the loop that runs the cell.

nest-asyncio2 makes that possible. It changes asyncio for the whole process, so it is applied here, at the first need, and nowhere
else.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import LoopStandsStillError
from .interrupts import handled, is_default

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sized

__all__ = ["run_nested"]

_T = TypeVar("_T")


def run_nested(loop: asyncio.AbstractEventLoop, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run a coroutine in a loop that runs on this thread, and return its result.

    Args:
        loop: the kernel's.
        work: makes the coroutine.

    Raises:
        KeyboardInterrupt: the user interrupted it. The coroutine ends, and nothing else.
        BaseException: the program's own handler of SIGINT raised it. The coroutine ends, and nothing else.
        LoopStandsStillError: no loop of this kind can run nested.
    """
    _warn_of_the_old_one()
    try:
        _apply(loop)
    except ValueError:
        kind = f"{type(loop).__module__}.{type(loop).__qualname__}"
        raise LoopStandsStillError(
            f"This kernel's event loop ({kind}) can't run a blocking call, such as wait() or save(), in a cell. Write 'await' in "
            "its place, as in 'await card'. A job that this expression has started goes on."
        ) from None
    task = loop.create_task(work())
    with _interrupt_ends(task, loop) as raised, _ready_kept(loop):
        try:
            return loop.run_until_complete(task)
        except asyncio.CancelledError:
            if raised:
                raise raised[0].with_traceback(None) from None
            raise


def _apply(loop: asyncio.AbstractEventLoop) -> None:
    """Apply nest-asyncio2 to a loop, and leave the loops of other threads, which may be of another kind, as they are.

    Raises:
        ValueError: no loop of this kind can run nested.
    """
    import nest_asyncio2

    policy: Any = None
    if sys.version_info < (3, 14):  # where there are policies, and it changes the class of the one that is set
        policy = type(asyncio.get_event_loop_policy())
    own = None if policy is None else vars(policy).get("get_event_loop")
    try:
        nest_asyncio2.apply(loop)
    finally:
        if policy is not None and not policy.__module__.startswith("asyncio."):  # such as uvloop's
            if own is not None:
                policy.get_event_loop = own
            elif "get_event_loop" in vars(policy):
                del policy.get_event_loop
        if asyncio.run is nest_asyncio2.run:
            asyncio.run = _run


def _run(main: Coroutine[Any, Any, _T], **options: Any) -> _T:
    """Stand in for `asyncio.run`: nested in the loop that runs on this thread, and otherwise Python's own.

    nest-asyncio2's changes every loop that it runs, which fails for those of other kinds, such as uvloop's.
    """
    import nest_asyncio2

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.runners.run(main, **options)
    nested: _T = nest_asyncio2.run(main, **options)
    return nested


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
def _interrupt_ends(task: asyncio.Task[Any], loop: asyncio.AbstractEventLoop) -> Iterator[list[BaseException]]:
    """Let SIGINT end one task, rather than land in whatever background task is running at that moment.

    A handler of the program's own is called. What it raises ends the task; otherwise the waiting goes on.

    Yields:
        What was raised.
    """
    raised: list[BaseException] = []
    before = signal.getsignal(signal.SIGINT)

    def end(number: int, frame: Any) -> None:
        try:
            if is_default(before) or not callable(before):
                raise KeyboardInterrupt
            before(number, frame)
        except BaseException as error:  # noqa: BLE001 # it is raised where the task is waited for
            raised.append(error)
            loop.call_soon_threadsafe(task.cancel)

    with handled(end):
        yield raised


def _warn_of_the_old_one() -> None:
    if hasattr(asyncio, "_nest_patched") and not hasattr(asyncio, "_nest_asyncio2"):
        warnings.warn(
            "The archived package nest_asyncio has already changed asyncio in this kernel. With it, cells that are queued "
            "behind this one can stay [*] for ever. Restart the kernel without nest_asyncio.apply(), or write "
            "'await job' in place of 'job.wait()'.",
            RuntimeWarning,
            stacklevel=5,
        )
