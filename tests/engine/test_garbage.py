"""What is done with is gone at once: no cycle keeps an answer or a job until the garbage collector comes round."""

import asyncio
import gc
import weakref

import httpx
import pytest

from novakit_widgets.api.client import NovaKitClient
from novakit_widgets.api.retry import retried
from novakit_widgets.runtime.sliding_window import SlidingWindow


@pytest.fixture
def no_collector():
    """Only what nothing refers to goes."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def test_answers_are_freed_after_reading(no_collector):
    """The API's and the media's."""
    answers = []

    def answer(request):
        response = httpx.Response(200, json={"id": "job_1", "status": "pending"})
        answers.append(weakref.ref(response))
        return response

    client = NovaKitClient("sk_" + "0" * 64, "http://127.0.0.1:9/api/v1", transport=httpx.MockTransport(answer))
    await client.get("job_1")
    async with client.open_media("http://127.0.0.1:9/video.mp4") as stream:
        async for _ in stream.chunks:
            pass
    del stream
    await client.aclose()
    assert [seen() for seen in answers] == [None, None]


class Card:
    """Somebody who is told of waits."""

    def waits(self, seconds, error):
        """Hear of one."""


async def test_retry_listener_is_freed_after_the_retries(no_collector):
    """The machinery of the retries is itself a cycle, which we can't help."""
    card = Card()
    assert await retried(lambda: asyncio.sleep(0, "done"), lambda error: False, card.waits) == "done"
    gone = weakref.ref(card)
    del card
    assert gone() is None


async def test_successful_request_leaves_no_reference_cycle(no_collector):
    """Most exchanges do: a job makes several, and a kernel thousands."""
    await retried(lambda: asyncio.sleep(0), lambda error: True)
    gc.collect()
    for _ in range(20):
        await retried(lambda: asyncio.sleep(0), lambda error: True)
    assert gc.collect() < 20


def test_sliding_window_forgets_without_being_read():
    """A kernel that makes jobs one by one never asks how many fit."""
    window = SlidingWindow(5, 10.0)
    for second in range(1000):
        window.add(float(second))
    assert len(window._moments) <= 11
