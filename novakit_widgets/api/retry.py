"""When a request may be sent again. The waiting itself is stamina's."""

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
_LONGEST_WAIT = 60.0  # seconds of Retry-After that a call sits out; a longer one is the caller's decision
_RETRIED_READS = frozenset({429, 500, 502, 503, 504})

_T = TypeVar("_T")

_NOTHING_SENT = "nothing was sent"
# Those that sit out a wait between two tries of a POST: nothing of theirs is on its way.
_resting: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()

_ours: ContextVar[bool] = ContextVar("novakit_widgets_retrying", default=False)


def _not_ours(_record: logging.LogRecord) -> bool:
    return not _ours.get()


async def retried(
    exchange: Callable[[], Awaitable[_T]],
    again: Callable[[Exception], bool | float],
    on_wait: Callable[[float, NovaKitError], None] | None = None,
) -> _T:
    """Repeat an exchange while ``again`` says so: after the seconds it returns, or with stamina's back-off."""
    # Hardly any exchange needs a second try. tenacity's objects, some fifty for each, hold each other until the garbage collector
    # comes round, so they are not made before one does.
    try:
        return await exchange()
    except Exception as error:
        if again(error) is False:
            raise
        failed: list[Exception] = [error]

    import stamina

    # Where nobody has set up logging, stamina's warnings would stand on stderr in a cell; a card says "reconnecting" itself.
    logging.getLogger("stamina").addFilter(_not_ours)

    # They hold `decide` as well, and are not to hold a job.
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
                    raise failed.pop()  # the first try, which stamina counts and waits after as after any other
                return await exchange()
    finally:
        _ours.reset(token)
        tell.clear()
    raise AssertionError("stamina ended without an outcome")  # pragma: no cover


async def sent_until_taken(
    post: Callable[[], Awaitable[_T]], on_wait: Callable[[float, NovaKitError], None] | None = None
) -> _T:
    """Repeat a POST while it certainly started nothing. A cancellation that comes in a wait can be told: `nothing_sent`."""
    task = asyncio.current_task()
    assert task is not None  # for the type checker

    def waiting(seconds: float, error: NovaKitError) -> None:
        _resting.add(task)
        if on_wait is not None:
            on_wait(seconds, error)

    async def once() -> _T:
        if task in _resting:
            await asyncio.sleep(0)  # so that a cancellation in the wait's last moment still comes in it
            _resting.discard(task)
        return await post()

    try:
        return await retried(once, never_arrived, waiting)
    except asyncio.CancelledError:
        if task in _resting:
            # No class of its own: asyncio.timeout() knows this one only.
            raise cancelled_unsent() from None
        raise
    finally:
        _resting.discard(task)


@contextmanager
def at_rest() -> Iterator[None]:
    """Do something before a POST. A cancellation that comes meanwhile can be told: `nothing_sent`."""
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
    """Whether a task sits out a wait before or between tries of a POST, so that cancelling it breaks nothing off.

    Args:
        task: of the running loop.
    """
    return task in _resting


def cancelled_unsent() -> asyncio.CancelledError:
    """Return what is raised in a task that is cancelled before the first byte of its request has left."""
    return asyncio.CancelledError(_NOTHING_SENT)


def nothing_sent(error: BaseException) -> bool:
    """Whether a task was cancelled while nothing of its POST was on its way, so that nothing was started."""
    return isinstance(error, asyncio.CancelledError) and error.args == (_NOTHING_SENT,)


def _sits_out(error: APIError) -> bool | float:
    """Say how long to wait for a busy service: a Retry-After that is bearable, or stamina's back-off."""
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= _LONGEST_WAIT else False


def worth_reading_again(error: Exception) -> bool | float:
    """Whether a request that changes nothing twice may be sent again, and after how many seconds."""
    if isinstance(error, NovaKitConnectionError):
        return True
    return isinstance(error, APIError) and error.status_code in _RETRIED_READS and _sits_out(error)


def never_arrived(error: Exception) -> bool | float:
    """Whether a POST may be sent again because it certainly started nothing."""
    if isinstance(error, NovaKitConnectionError):
        return not error.reached
    if not isinstance(error, APIError):
        return False
    refused = error.status_code == HTTPStatus.TOO_MANY_REQUESTS or _asks_to_come_back(error)
    return refused and _sits_out(error)


def may_have_arrived(error: NovaKitError) -> bool:
    """Whether a POST that failed like this may have started a job."""
    if isinstance(error, NovaKitConnectionError):
        return error.reached
    if isinstance(error, UnreadableAnswerError):
        return True
    broken = isinstance(error, APIError) and (error.status_code or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR
    return broken and not _asks_to_come_back(error)


def _asks_to_come_back(error: NovaKitError) -> bool:
    """Whether it is a 503 with a Retry-After: the service said itself that it did not take the request."""
    return (
        isinstance(error, APIError)
        and error.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        and error.retry_after is not None
    )
