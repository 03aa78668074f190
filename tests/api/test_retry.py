"""What is sent again, after how long, and what never is."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import httpx
import pytest
import stamina

from novakit_widgets import NovaKitClient
from novakit_widgets.api.retry import (
    may_have_arrived,
    never_arrived,
    nothing_sent,
    resting,
    retried,
    sent_until_taken,
    worth_reading_again,
)
from novakit_widgets.errors import (
    APIError,
    AuthenticationError,
    InvalidParameterError,
    NovaKitConnectionError,
    NovaKitError,
    RateLimitError,
    UnreadableAnswerError,
)

UNREACHED = NovaKitConnectionError("refused", reached=False)
BROKEN = NovaKitConnectionError("reset")
CASES = [
    # error, a read is repeated, a POST is repeated, a POST may have started a job
    (UNREACHED, True, True, False),
    (BROKEN, True, False, True),
    (RateLimitError("m", 429, retry_after=30.0), 30.0, 30.0, False),
    (RateLimitError("m", 429), True, True, False),
    (RateLimitError("m", 429, retry_after=3600.0), False, False, False),
    (APIError("m", 503, retry_after=2.0), 2.0, 2.0, False),
    (APIError("m", 503), True, False, True),
    (APIError("m", 500), True, False, True),
    (APIError("m", 502), True, False, True),
    (APIError("m", 504), True, False, True),
    (APIError("m", 501), False, False, True),
    (APIError("m", 400), False, False, False),
    (APIError("m", 307), False, False, False),
    (AuthenticationError("m", 401), False, False, False),
    (UnreadableAnswerError("m", 200), False, False, True),
    (UnreadableAnswerError("m"), False, False, True),
    (InvalidParameterError("m"), False, False, False),
]


@pytest.mark.parametrize(("error", "read", "post", "uncertain"), CASES, ids=lambda value: repr(value)[:60])
def test_what_each_error_allows(error, read, post, uncertain):
    """A read may be repeated when it may help; a POST only when it certainly started nothing."""
    assert worth_reading_again(error) == read
    assert never_arrived(error) == post
    assert may_have_arrived(error) is uncertain
    assert not (post is not False and uncertain), "what may have arrived is never sent again"


def test_a_fault_of_ours_is_no_reason_to_repeat():
    """Only what the network and the service do is tried again."""
    assert worth_reading_again(ValueError("x")) is False
    assert never_arrived(ValueError("x")) is False


@pytest.fixture
def attempts():
    """An exchange that fails with each of the errors in turn, and counts."""

    class Attempts:
        count = 0

        def __init__(self, *errors):
            self.errors = list(errors)

        async def __call__(self):
            self.count += 1
            if self.errors:
                raise self.errors.pop(0)
            return "done"

    return Attempts


async def test_it_is_repeated_until_it_succeeds(attempts):
    """Four attempts in all, and whoever waits is told before each wait."""
    stamina.set_testing(True, attempts=4)
    exchange, told = attempts(BROKEN, BROKEN, UNREACHED), []
    assert await retried(exchange, worth_reading_again, lambda seconds, error: told.append((seconds, error))) == "done"
    assert exchange.count == 4
    assert told == [(0.0, BROKEN), (0.0, BROKEN), (0.0, UNREACHED)]


async def test_the_last_error_comes_out(attempts):
    """Who gives up raises what happened last, unwrapped."""
    stamina.set_testing(True, attempts=4)
    exchange = attempts(*[BROKEN] * 9)
    with pytest.raises(NovaKitConnectionError) as caught:
        await retried(exchange, worth_reading_again)
    assert caught.value is BROKEN
    assert exchange.count == 4


async def test_what_is_not_to_be_repeated_is_not(attempts):
    """The first refusal is the last."""
    exchange = attempts(AuthenticationError("m", 401), NovaKitError("never"))
    with pytest.raises(AuthenticationError):
        await retried(exchange, worth_reading_again)
    assert exchange.count == 1


async def told_of(post, on_wait, told):
    """Send, and note whether a cancellation says that nothing was sent. Here, because Python 3.10 makes another of a task's."""
    try:
        await sent_until_taken(post, on_wait)
    except asyncio.CancelledError as error:
        told.append(nothing_sent(error))
        raise


async def test_a_post_that_is_cancelled_in_a_wait(attempts):
    """It is not sent again, and the cancellation tells that nothing was started."""
    stamina.set_testing(False)
    exchange = attempts(RateLimitError("m", 429, retry_after=30.0))
    told = []
    said = []
    task = asyncio.ensure_future(told_of(exchange, lambda *_: told.append(resting(task)), said))
    await asyncio.sleep(0.01)
    assert told == [True]
    assert resting(task)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert said == [True]
    assert exchange.count == 1
    assert not resting(task)


async def test_a_post_that_is_cancelled_by_who_is_told_of_the_wait(attempts):
    """Also where the wait has no length."""
    exchange = attempts(RateLimitError("m", 429))
    said = []
    task = asyncio.ensure_future(told_of(exchange, lambda *_: task.cancel(), said))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert said == [True]
    assert exchange.count == 1


async def test_a_post_that_is_cancelled_on_its_way():
    """It may have arrived."""
    under_way = asyncio.Event()
    failed = [RateLimitError("m", 429)]

    async def post():
        if failed:
            raise failed.pop()
        under_way.set()
        await asyncio.sleep(60)

    said = []
    task = asyncio.ensure_future(told_of(post, None, said))
    await under_way.wait()
    assert not resting(task)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert said == [False]


@pytest.fixture
def slept(monkeypatch):
    """The waits of stamina itself, which take no time."""
    stamina.set_testing(False)
    waits = []
    real = asyncio.sleep

    async def sleep(seconds):
        if threading.current_thread() is not threading.main_thread():
            return await real(seconds)  # a sandbox's
        waits.append(seconds)
        await real(0)
        return None

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return waits


async def test_a_retry_after_that_is_a_date_is_waited_for(slept):
    """As long as it is until then."""
    then = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=40), usegmt=True)
    answers = [httpx.Response(503, headers={"Retry-After": then}), httpx.Response(200, json={"jobs": []})]
    transport = httpx.MockTransport(lambda _: answers.pop(0))
    client = NovaKitClient("sk_" + "a" * 64, "https://api.example/v1", transport=transport)
    assert await client.list() == ()
    await client.aclose()
    (waited,) = [seconds for seconds in slept if seconds]
    assert 20.0 < waited <= 40.0


@pytest.mark.parametrize("hours", [-5, 3])
async def test_retry_after_date_of_a_service_in_another_time_is_waited_for(slept, hours):
    """A wrong clock of this machine neither shortens nor lengthens the wait."""
    date = datetime.now(timezone.utc) + timedelta(hours=hours)
    told = {
        "Date": format_datetime(date, usegmt=True),
        "Retry-After": format_datetime(date + timedelta(seconds=40), usegmt=True),
    }
    answers = [httpx.Response(503, headers=told), httpx.Response(200, json={"jobs": []})]
    transport = httpx.MockTransport(lambda _: answers.pop(0))
    client = NovaKitClient("sk_" + "a" * 64, "https://api.example/v1", transport=transport)
    assert await client.list() == ()
    await client.aclose()
    assert [seconds for seconds in slept if seconds] == [40.0]


async def test_a_retry_after_is_waited_for(attempts, slept):
    """The wait is as long as the service asked, zero included, and nobody else's loop is blocked meanwhile."""
    exchange = attempts(RateLimitError("m", 429, retry_after=17.0), APIError("m", 503, retry_after=0.0))
    assert await retried(exchange, never_arrived) == "done"
    assert slept == [17.0, 0.0]
