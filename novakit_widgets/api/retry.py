"""Retries: which requests may be sent again, and when. stamina does the waiting."""

from __future__ import annotations

import asyncio
import logging
import weakref
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from ..config.logs import log
from ..errors import APIError, NovaKitConnectionError, NovaKitError, UnreadableAnswerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

__all__ = [
    "at_rest",
    "cancelled_unsent",
    "may_have_arrived",
    "never_arrived",
    "nothing_sent",
    "resting",
    "retried",
    "sent_until_taken",
    "worth_reading_again",
]

_ATTEMPTS = 4
_LONGEST_WAIT = 60.0  # seconds; a call with a longer Retry-After fails, and the caller decides
_RETRIED_READS = frozenset({429, 500, 502, 503, 504})

_T = TypeVar("_T")

_NOTHING_SENT = "nothing was sent"
# The tasks that wait between two attempts of a POST, so that no request of theirs is in flight.
_resting: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()

_ours: ContextVar[bool] = ContextVar("novakit_widgets_retrying", default=False)


def _not_ours(_record: logging.LogRecord) -> bool:
    return not _ours.get()


async def retried(
    exchange: Callable[[], Awaitable[_T]],
    again: Callable[[Exception], bool | float],
    on_wait: Callable[[float, NovaKitError], None] | None = None,
) -> _T:
    """Send a request, and retry it as ``again`` decides.

    Args:
        exchange: sends the request.
        again: returns ``False`` to give up, the seconds to wait, or ``True`` to wait as long as stamina's back-off.
        on_wait: called before each wait, with its length in seconds and the reason.
    """
    # Hardly any exchange needs a second try. tenacity's objects, some fifty for each, hold each other until the garbage collector
    # comes round, so they are not made before one does.
    try:
        return await exchange()
    except Exception as error:
        if again(error) is False:
            raise
        failed: list[Exception] = [error]

    import stamina

    # Without a logging configuration, stamina's warnings would appear in the cell; the card shows "Reconnecting" already.
    logging.getLogger("stamina").addFilter(_not_ours)

    # stamina's objects keep `decide` alive; this list is emptied so that they do not keep a job alive.
    tell = [] if on_wait is None else [on_wait]

    def decide(error: Exception) -> bool | float:
        decision = again(error)
        if decision is not False:
            log.info("Sending it again, if tries are left: %s", error)
        if decision is not False and isinstance(error, NovaKitError):
            for told in tell:
                told(0.0 if decision is True else decision, error)
        return decision

    token = _ours.set(True)
    try:
        async for attempt in stamina.retry_context(decide, attempts=_ATTEMPTS, timeout=None):
            with attempt:
                if failed:
                    raise failed.pop()  # the first attempt, for stamina to count
                return await exchange()
    finally:
        _ours.reset(token)
        tell.clear()
    raise AssertionError("stamina ended without an outcome")  # pragma: no cover


async def sent_until_taken(
    post: Callable[[], Awaitable[_T]], on_wait: Callable[[float, NovaKitError], None] | None = None
) -> _T:
    """Send a POST, and retry it while it certainly started nothing. `nothing_sent` recognises a cancellation during a wait."""
    task = asyncio.current_task()
    assert task is not None  # for the type checker

    def waiting(seconds: float, error: NovaKitError) -> None:
        _resting.add(task)
        if on_wait is not None:
            on_wait(seconds, error)

    async def once() -> _T:
        if task in _resting:
            await asyncio.sleep(0)  # a cancellation at the end of the wait still counts as during it
            _resting.discard(task)
        return await post()

    try:
        return await retried(once, never_arrived, waiting)
    except asyncio.CancelledError:
        if task in _resting:
            # Not a class of its own: asyncio.timeout() recognises only this one.
            raise cancelled_unsent() from None
        raise
    finally:
        _resting.discard(task)


@contextmanager
def at_rest() -> Iterator[None]:
    """Run what comes before a POST. `nothing_sent` recognises a cancellation during it."""
    task = asyncio.current_task()
    assert task is not None  # for the type checker
    _resting.add(task)
    try:
        yield
    except asyncio.CancelledError:
        raise cancelled_unsent() from None
    finally:
        _resting.discard(task)


def resting(task: asyncio.Task[Any]) -> bool:
    """Return whether a task waits before or between attempts of a POST, so that cancelling it interrupts no request.

    Args:
        task: a task of the running loop.
    """
    return task in _resting


def cancelled_unsent() -> asyncio.CancelledError:
    """Return what is raised in a task that is cancelled before the first byte of its request has left."""
    return asyncio.CancelledError(_NOTHING_SENT)


def nothing_sent(error: BaseException) -> bool:
    """Return whether a task was cancelled while no POST was in flight, so that nothing was started."""
    return isinstance(error, asyncio.CancelledError) and error.args == (_NOTHING_SENT,)


def _sits_out(error: APIError) -> bool | float:
    """Return how long to wait for a busy service: its Retry-After, stamina's back-off, or ``False`` for too long."""
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= _LONGEST_WAIT else False


def worth_reading_again(error: Exception) -> bool | float:
    """Return whether an idempotent request is retried, and after how many seconds."""
    if isinstance(error, NovaKitConnectionError):
        return True
    return isinstance(error, APIError) and error.status_code in _RETRIED_READS and _sits_out(error)


def never_arrived(error: Exception) -> bool | float:
    """Return whether a POST is retried because it certainly started nothing, and after how many seconds."""
    if isinstance(error, NovaKitConnectionError):
        return not error.reached
    if not isinstance(error, APIError):
        return False
    refused = error.status_code == HTTPStatus.TOO_MANY_REQUESTS or _asks_to_come_back(error)
    return refused and _sits_out(error)


def may_have_arrived(error: NovaKitError) -> bool:
    """Return whether a POST that failed with this error may have started a job."""
    if isinstance(error, NovaKitConnectionError):
        return error.reached
    if isinstance(error, UnreadableAnswerError):
        return True
    broken = isinstance(error, APIError) and (error.status_code or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR
    return broken and not _asks_to_come_back(error)


def _asks_to_come_back(error: NovaKitError) -> bool:
    """Return whether an error is a 503 with Retry-After, by which the service says that it did not take the request."""
    return (
        isinstance(error, APIError)
        and error.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        and error.retry_after is not None
    )
