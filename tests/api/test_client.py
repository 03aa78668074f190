"""One method for each endpoint, against the sandbox over HTTP."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections import Counter

import httpx
import pytest

from novakit_widgets import NovaKitClient
from novakit_widgets.api.requests import MAX_JSON_BYTES
from novakit_widgets.engine.submit import submit
from novakit_widgets.errors import (
    APIError,
    AuthenticationError,
    InvalidBaseURLError,
    InvalidKeyError,
    InvalidParameterError,
    MissingKeyError,
    NotFoundError,
    NovaKitConnectionError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    SubmissionUncertainError,
    UnreadableAnswerError,
)
from novakit_widgets.job_history.jobs import JobHistory
from novakit_widgets.model.job import JobStatus
from novakit_widgets.model.tools import Tool
from novakit_widgets.runtime.clock import Clock
from novakit_widgets.sandbox import Fault

KEY = "sk_" + "a" * 64


def client_of(answer):
    """A client whose network is a function."""
    return NovaKitClient(KEY, "https://api.example/v1", transport=httpx.MockTransport(answer))


@pytest.mark.parametrize("tool", list(Tool))
async def test_a_job_of_each_tool(client, small, tool):
    """Submitted, held until its end, and with a result that can be shown."""
    job = await client.submit(tool.endpoint, small[tool])
    assert job.id.startswith("job_")
    assert (job.status, job.tool, job.params) == (JobStatus.PENDING, tool.value, small[tool])
    done = await client.get(job.id, poll=True)
    assert done.status == JobStatus.COMPLETED
    assert done.params == small[tool]
    assert done.media or done.text


async def test_the_parameters_reach_the_service_as_they_are(client, sandbox):
    """Words of any script, nested objects and unknown names; JSON, asynchronous, with the key."""
    params = {"prompt": "Ein Ölgemälde 🎨", "brightness": 3, "extra": {"a": [1, None, True]}}
    job = await client.submit("image", params)
    asked = [request for request in sandbox.requests if request.method == "POST"][-1]
    assert asked.body == params
    assert (asked.path, asked.query) == ("/images/generations", {"async": "true"})
    assert asked.key == sandbox.api_key[-4:]
    assert (await client.get(job.id)).params == params


async def test_a_service_that_answers_at_once(serve, nothing_left):
    """Speech that is no job is a finished job without an id."""
    sandbox = serve(sync_tools=("tts", "stt"))
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    job = await client.submit("audio/speech", {"input": "Hello"})
    assert (job.id, job.status) == (None, JobStatus.COMPLETED)
    assert len(job.media) == 1
    text = await client.submit("stt", {"file": "https://example.org/a.mp3"})
    assert text.text
    await client.aclose()


async def test_lists_and_their_filters(serve, nothing_left):
    """Newest first; by tool, by what still runs, and as many as asked for."""
    sandbox = serve(speed=1.0)
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    images = [await client.submit("image", {"prompt": "x", "seed": n}) for n in range(3)]
    video = await client.submit("video", {"prompt": "x"})
    assert await client.cancel(images[0].id)
    assert [job.id for job in await client.list()] == [video.id, *[job.id for job in reversed(images)]]
    assert [job.id for job in await client.list(limit=1)] == [video.id]
    assert [job.id for job in await client.list(tool=Tool.VIDEO)] == [video.id]
    assert [job.id for job in await client.list(tool="videos/generations")] == [video.id]
    assert images[0].id not in [job.id for job in await client.list(pending=True, limit=100)]
    with pytest.raises(APIError, match="limit must be"):
        await client.list(limit=0)
    with pytest.raises(InvalidParameterError):
        await client.list(tool="hologram")
    assert sandbox.requests[-1].query == {"limit": "0"}
    assert {request.query.get("pending") for request in sandbox.requests} == {None, "true"}
    await client.list(pending=False)
    assert sandbox.requests[-1].query == {"pending": "false"}
    await client.aclose()


async def test_cancelling(client, sandbox):
    """True for a job that ran, False for one that had ended, an error for one that never was."""
    sandbox.next_duration(60_000.0)
    job = await client.submit("video", {"prompt": "x"})
    assert await client.cancel(job.id) is True
    assert (await client.get(job.id)).status == JobStatus.CANCELLED
    assert await client.cancel(job.id) is False
    with pytest.raises(NotFoundError) as caught:
        await client.cancel("job_unknown")
    assert caught.value.job_id == "job_unknown"


async def test_the_quota(client):
    """What the plan has left, as the service says it."""
    quota = await client.quota()
    assert "credits" in quota["quotas"]
    assert quota["plan"]["code"]


async def test_the_rate_limit_is_that_of_the_last_answer(serve, nothing_left):
    """Unknown before any answer, then what the headers say."""
    sandbox = serve(limits="documented")
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    assert client.rate_limit is None
    await client.list()
    assert (client.rate_limit.limit, client.rate_limit.remaining) == (30, 29)
    await client.aclose()


async def test_each_refusal_of_the_service(serve, nothing_left):
    """401, 402, 403, 404 and 429 from the service itself are the documented errors, and nothing is sent twice for them."""
    sandbox = serve(quotas={"image_generations": 1}, limits="documented", speed=1.0)
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    with pytest.raises(NotFoundError, match="knows no job 'job_0'"):
        await client.get("job_0")
    await client.submit("image", {"prompt": "x"})
    with pytest.raises(QuotaExceededError, match="Nothing was started or billed") as short:
        await client.submit("image", {"prompt": "x", "n": 2})
    assert short.value.response["error"]
    with pytest.raises(APIError, match="Invalid fps") as bad:
        await client.submit("video", {"prompt": "x", "fps": 29})
    assert (type(bad.value), bad.value.status_code) == (APIError, 400)
    before = len(sandbox.requests)
    for _ in range(5):
        await client.submit("video", {"prompt": "x"})
    with pytest.raises(RateLimitError) as many:
        await client.submit("video", {"prompt": "x"})
    assert many.value.retry_after > 60
    assert len(sandbox.requests) == before + 6, "an hour is not waited for"
    await client.aclose()
    for scopes, call in [
        ({"usage"}, lambda one: one.submit("video", {"prompt": "x"})),
        ({"video"}, lambda one: one.list()),
        ({"video"}, lambda one: one.quota()),
    ]:
        narrow = NovaKitClient(sandbox.add_key(scopes), sandbox.base_url)
        with pytest.raises(PermissionDeniedError, match="scope"):
            await call(narrow)
        await narrow.aclose()
    stranger = NovaKitClient(KEY, sandbox.base_url)
    with pytest.raises(AuthenticationError, match=r"nk\.use_sandbox"):
        await stranger.list()
    await stranger.aclose()


def test_bad_input_never_makes_a_request(monkeypatch):
    """No key, a malformed key, a bad address, a wrong endpoint, parameters that are no JSON, ids that are none."""
    with pytest.raises(MissingKeyError):
        NovaKitClient()
    with pytest.raises(InvalidKeyError):
        NovaKitClient("sk_short")
    with pytest.raises(InvalidBaseURLError):
        NovaKitClient(KEY, "http://novakit.ai")

    def answer(request):
        raise AssertionError(request)

    cycle = {}
    cycle["self"] = cycle
    deep = []
    for _ in range(sys.getrecursionlimit() * 50):
        deep = [deep]

    async def main():
        client = client_of(answer)
        with pytest.raises(InvalidParameterError):
            await client.submit("hologram", {})
        for params in (
            {"a": float("nan")},
            {"a": float("inf")},
            {"a": object()},
            {"a": {1, 2}},
            {"a": "\ud800"},
            cycle,
        ):
            with pytest.raises(InvalidParameterError, match="Nothing was sent"):
                await client.submit("video", params)
        with pytest.raises(InvalidParameterError, match="Nothing was sent"):
            await client.submit("video", {"a": deep})
        for job_id in ("", ".", "..", " ", "job 1", "job\n1", "job_\0", "x" * 201, None, 5, "\ud800"):
            for call in (client.get, client.cancel):
                with pytest.raises(InvalidParameterError, match="no job id") as caught:
                    await call(job_id)
                assert len(str(caught.value)) < 200
        await client.aclose()

    asyncio.run(main())
    while deep:  # taken apart by hand: its destructor would recurse
        deep = deep.pop()


@pytest.mark.parametrize("job_id", ["../quota", "a/b", "a?b=c", "a#b", "%2e%2e", "jöb"])
async def test_an_id_stays_one_part_of_the_path(client, sandbox, job_id):
    """Whatever an id holds, the request is for a job."""
    with pytest.raises(NotFoundError):
        await client.get(job_id)
    assert sandbox.requests[-1].path.startswith("/jobs/")
    assert sandbox.requests[-1].query == {}


async def test_a_redirect_is_not_followed_with_the_key(client, sandbox):
    """It is an error, and the other host hears nothing."""
    with_key = []

    async def other(reader, writer):
        with_key.append(await reader.read(1_000))
        writer.close()

    server = await asyncio.start_server(other, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sandbox.inject(Fault.redirect(f"http://127.0.0.1:{port}/steal"), times=None)
    for call in (client.list, client.quota, lambda: client.submit("video", {"prompt": "x"})):
        with pytest.raises(APIError, match="redirect") as caught:
            await call()
        assert caught.value.status_code == 307
    server.close()
    await server.wait_closed()
    assert with_key == []


async def test_nobody_at_the_address(unused_tcp_port, nothing_left):
    """A refused connection says so; a submission certainly did not arrive, so it was tried again."""
    client = NovaKitClient(KEY, f"http://127.0.0.1:{unused_tcp_port}")
    told = []
    with pytest.raises(NovaKitConnectionError, match="Nothing was started or billed") as caught:
        await client.submit("video", {"prompt": "x"}, on_wait=lambda seconds, error: told.append(error))
    assert caught.value.reached is False
    assert len(told) == 2
    with pytest.raises(NovaKitConnectionError, match="can't be reached") as caught:
        await client.get("job_1")
    assert caught.value.job_id == "job_1"
    assert isinstance(caught.value, ConnectionError)
    await client.aclose()


async def test_a_submission_is_sent_again_only_where_it_never_arrived(client, sandbox):
    """429 and a 503 with Retry-After are tried again; a reset and a plain 500 never are."""
    for fault, posts in [
        (Fault.status(429, retry_after=0), 2),
        (Fault.status(503, retry_after=1), 2),
        (Fault.status(503), 1),
        (Fault.status(500), 1),
        (Fault.reset_after(), 1),
        (Fault.reset_before(), 1),
        (Fault.truncated(), 1),
    ]:
        injected = sandbox.inject(fault, method="POST")
        before = sum(request.method == "POST" for request in sandbox.requests)
        call = client.submit("image", {"prompt": "x"})
        if posts == 2:
            assert (await call).id
        else:
            with pytest.raises(SubmissionUncertainError, match=r"client\.list\(\)") as caught:
                await call
            assert "Nothing was started" not in caught.value.message
        assert injected.hits == 1
        assert sum(request.method == "POST" for request in sandbox.requests) == before + posts


async def test_reads_are_tried_again(client, sandbox):
    """After a reset, a 429 and each of the 5xx that pass, the second attempt counts."""
    job = await client.submit("image", {"prompt": "x"})
    for fault in [
        Fault.reset_before(),
        Fault.reset_after(),
        Fault.truncated(),
        *[Fault.status(code) for code in (429, 500, 502, 503, 504)],
    ]:
        for call in (lambda: client.get(job.id), client.list, client.quota, lambda: client.cancel(job.id)):
            injected = sandbox.inject(fault)
            await call()
            assert injected.hits == 1
        sandbox.inject(fault)
        with pytest.raises((APIError, NovaKitConnectionError)):
            await client.get(job.id, retry=False)
        sandbox.inject(fault)
        with pytest.raises((APIError, NovaKitConnectionError)):
            await client.list(retry=False)


@pytest.mark.parametrize("extra", [0, 1])
async def test_an_answer_has_a_longest_size(nothing_left, extra):
    """Eight megabytes are read; a byte more is not."""
    padding = "x" * (MAX_JSON_BYTES - len(json.dumps({"id": "j", "status": "pending", "x": ""})) + extra)
    content = json.dumps({"id": "j", "status": "pending", "x": padding}).encode()
    client = client_of(lambda _: httpx.Response(200, content=content))
    if extra:
        with pytest.raises(UnreadableAnswerError, match="too long"):
            await client.get("j")
    else:
        assert (await client.get("j")).id == "j"
    await client.aclose()


async def test_an_answer_that_can_not_be_decompressed(nothing_left):
    """It is unreadable, and for a submission uncertain."""
    body, headers = httpx.ByteStream(b"this is no gzip"), {"content-encoding": "gzip"}
    client = client_of(lambda _: httpx.Response(200, stream=body, headers=headers))
    with pytest.raises(UnreadableAnswerError, match="decompressed"):
        await client.get("job_1")
    with pytest.raises(SubmissionUncertainError):
        await client.submit("video", {"prompt": "x"})
    await client.aclose()


@pytest.mark.parametrize(
    ("failure", "reached"),
    [
        (httpx.ConnectError, False),
        (httpx.ConnectTimeout, False),
        (httpx.ProxyError, False),  # it would not connect us
        (httpx.PoolTimeout, False),
        (httpx.ReadTimeout, True),
        (httpx.WriteError, True),
        (httpx.ReadError, True),
        (httpx.RemoteProtocolError, True),
    ],
)
async def test_each_failure_of_the_network(nothing_left, failure, reached):
    """What certainly did not arrive is told apart from what may have, and httpx is not in the traceback."""

    def answer(request):
        raise failure("x", request=request)

    client = client_of(answer)
    with pytest.raises(NovaKitConnectionError) as caught:
        await client.list()
    assert caught.value.reached is reached
    assert caught.value.__context__ is None
    with pytest.raises(SubmissionUncertainError if reached else NovaKitConnectionError):
        await client.submit("video", {"prompt": "x"})
    await client.aclose()


async def test_a_proxy_does_not_come_between_us_and_this_machine(sandbox, nothing_left, monkeypatch, unused_tcp_port):
    """With a proxy in the environment the sandbox is asked directly, and so are its media."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_tcp_port}")
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    job = await client.submit("image", {"prompt": "x"})
    done = await client.get(job.id, poll=True)
    async with client.open_media(done.media[0].url) as stream:
        assert stream.status == 200
    await client.aclose()


async def test_nothing_is_compressed_on_the_way():
    """The longest size of an answer is that of the bytes that arrive; some kilobytes can be unpacked to any size."""
    asked = []

    def answer(request):
        asked.append(request.headers["accept-encoding"])
        return httpx.Response(200, json={"jobs": []})

    plain = client_of(answer)
    await plain.list()
    assert asked == ["identity"]
    await plain.aclose()


@pytest.mark.parametrize("job_id", ["j" * 300, "job 1", "a\0b", ".."])
async def test_a_job_whose_id_can_not_be_asked_for(job_id):
    """It was taken and will be billed, so nothing says that nothing was sent; the service's list tells no more of it."""
    odd = {"id": job_id, "status": "pending", "inputParams": {"prompt": "x"}}

    def answer(request):
        return httpx.Response(200, json=odd if request.method == "POST" else {"jobs": [odd]})

    odd_client = client_of(answer)
    with pytest.raises(SubmissionUncertainError, match=r"job id that can't be asked for.*bill it"):
        await odd_client.submit("image", {"prompt": "x"})
    jobs = await odd_client.list()
    assert (jobs, jobs.left_out) == ((), 1)
    quick = Clock(sleep=lambda _seconds: asyncio.sleep(0))
    with pytest.raises(SubmissionUncertainError, match="it may run") as caught:
        await submit(odd_client, Tool.IMAGE, {"prompt": "x"}, history=JobHistory(None), clock=quick)
    assert "Nothing was sent" not in caught.value.message
    await odd_client.aclose()


def test_connections_of_a_closed_loop_are_forgotten():
    """Whoever closes a loop without aclose leaves nothing behind that grows."""
    client = client_of(lambda _: httpx.Response(200, json={"jobs": []}))
    for _ in range(3):
        asyncio.run(client.list())
    assert len(client._connections) == 1


def test_one_client_on_several_loops(sandbox):
    """Each loop has connections of its own; those of loops that were closed are forgotten."""
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)

    async def main(*, close):
        await client.list()
        if close:
            await client.aclose()
            await client.aclose()
            await client.list()
            await client.aclose()

    for _ in range(3):
        asyncio.run(main(close=True))
    assert not client._connections


async def test_closing_ends_the_connections(sandbox, nothing_left):
    """Nothing is left for the garbage collector, and the client works again afterwards."""
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    await asyncio.gather(*(client.list() for _ in range(5)))
    await client.aclose()
    assert await client.list() is not None
    await client.aclose()
    gc.collect()


async def test_closing_lets_requests_end(sandbox, nothing_left):
    """At whichever step of a request it comes, as it connects, waits or reads: the answer comes, and then all is closed."""
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    step, over = 0, False
    while not over:
        asking = asyncio.ensure_future(client.list(retry=False))
        for _ in range(step):
            await asyncio.sleep(0)
        over = asking.done()
        await client.aclose()
        assert isinstance(await asking, tuple)
        await client.aclose()  # of a request that had not begun when the first came
        assert not client._connections
        step += 1
    assert step > 5
    gc.collect()


async def test_closing_does_not_wait(sandbox, nothing_left):
    """A long poll goes on until its job has ended or it is cancelled, and then takes its connection along."""
    sandbox.next_duration(60_000.0)
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    job = await client.submit("video", {"prompt": "x"})
    before = len(sandbox.requests)
    waiting, given_up = (asyncio.ensure_future(client.get(job.id, poll=True, retry=False)) for _ in range(2))
    while len(sandbox.requests) < before + 2:
        await asyncio.sleep(0)
    await client.aclose()
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert not waiting.done()
    sandbox.finish(job.id)
    assert (await waiting).status == JobStatus.COMPLETED
    gc.collect()


async def test_giving_up_a_long_poll(client, sandbox):
    """A read that is cancelled stays cancelled; nothing is tried again."""
    sandbox.next_duration(60_000.0)
    job = await client.submit("video", {"prompt": "x"})
    before = len(sandbox.requests)
    waiting = asyncio.ensure_future(client.get(job.id, poll=True))
    while len(sandbox.requests) == before:
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert Counter(request.path for request in sandbox.requests)[f"/jobs/{job.id}"] == 1
    await client.cancel(job.id)


def test_a_client_shows_where_but_not_what_with():
    """Its repr has the address and four characters of the key; its account can't be told from either."""
    client = client_of(None)
    assert repr(client) == "NovaKitClient(sk_…aaaa, 'https://api.example/v1')"
    assert client.base_url == "https://api.example/v1"
    assert client.account == client_of(None).account != NovaKitClient(KEY).account
    assert KEY not in client.account


async def test_a_client_closes_with_its_block(sandbox):
    """``async with`` is `aclose` at its end, also after an error; the client can be used again."""
    made = NovaKitClient(sandbox.api_key, sandbox.base_url)
    for _ in range(2):
        async with made as client:
            assert client is made
            await client.quota()
            assert client._connections
        assert not client._connections
