"""Middleware of every request: the log, faults, the key and the rate limit."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.responses import Response, StreamingResponse

from .accounts import Accounts, Key
from .json_answers import JSONAnswer, decoded
from .limits import KeyLimiter, Limits, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from .connections import Connections
    from .faults import Fault, FaultPlan

__all__ = ["API", "Gate", "RequestRecord"]

API = "/api/v1"
_LARGEST_BODY = 48 * 1024 * 1024  # bytes; large enough for a source as a data URI
_KEPT = 20_000  # requests in the log
_CHUNK = 64 * 1024


@dataclass(slots=True, eq=False)
class RequestRecord:
    """A request that the sandbox received.

    Attributes:
        method: such as ``"GET"``.
        path: relative to the base URL, such as ``"/jobs/job_1"``; for other addresses the whole path (``"/media/…"``).
        query: the fields of the query.
        body: the decoded JSON; raw bytes if it is not JSON; ``None`` if it is empty.
        key: the last four characters of the key; ``None`` without a valid key.
        at: the time of its arrival, by `time.monotonic`.
        status: the status of the answer; ``None`` before it, and where the connection was reset.
        fault: the name of the injected fault.
    """

    method: str
    path: str
    query: dict[str, str]
    body: Any
    key: str | None
    at: float
    status: int | None = None
    fault: str | None = None


class Gate:
    """An ASGI middleware.

    Args:
        app: the API; it finds the `Key` in ``scope["state"]["key"]``, its limiter in ``["limiter"]``.
        accounts: the keys.
        limits: the rate limits.
        speed: how much faster than real time the rate limits' windows pass.
        faults: the injected faults.
        connections: the open connections.
        closing: set when the server stops.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        accounts: Accounts,
        limits: Limits,
        speed: float,
        faults: FaultPlan,
        connections: Connections,
        closing: asyncio.Event,
    ) -> None:
        self.log: deque[RequestRecord] = deque(maxlen=_KEPT)
        self._app = app
        self._accounts = accounts
        self._limits = limits
        self._speed = speed
        self._faults = faults
        self._connections = connections
        self._closing = closing
        self._limiters: dict[int, KeyLimiter] = {}
        self._keys: dict[int, Key] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = await _read(receive)
        if body is None:
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        found = self._accounts.find(headers.get("authorization"))
        key = found if isinstance(found, Key) else None
        path = scope["path"]
        is_api = path == API or path.startswith(f"{API}/")
        record = RequestRecord(
            method=scope["method"],
            path=(path.removeprefix(API) or "/") if is_api else path,
            query=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
            body=decoded(body),
            key=key.last4 if key else None,
            at=time.monotonic(),
        )
        self.log.append(record)
        limiter = self._limiter(key)
        answer = _noting(send, record, limiter if is_api else None)
        fault = self._faults.draw(record.method, record.path)
        record.fault = fault.name if fault else None

        async def work(to: Send) -> None:
            if len(body) > _LARGEST_BODY:
                await JSONAnswer({"error": "Request body too large"}, 413)(scope, receive, to)
                return
            refusal = self._refusal(found, limiter) if is_api else None
            if refusal is not None:
                await refusal(scope, receive, to)
                return
            state = {"key": key, "limiter": limiter, "body": record.body, "raw": body}
            await self._app({**scope, "state": state}, _replay(body, receive), to)

        if fault is None:
            await work(answer)
        else:
            await self._suffer(fault, work, scope, receive, answer)

    def _limiter(self, key: Key | None) -> KeyLimiter | None:
        if key is None:
            return None
        # By identity, since a Key holds no secret. The key is kept, so that its id is not reused.
        if id(key) not in self._limiters:
            self._keys[id(key)] = key
            self._limiters[id(key)] = KeyLimiter(self._limits, key.plan.code, self._speed)
        return self._limiters[id(key)]

    @staticmethod
    def _refusal(found: Key | str, limiter: KeyLimiter | None) -> Response | None:
        if isinstance(found, str) or limiter is None:
            return JSONAnswer({"error": found}, 401, {"WWW-Authenticate": "Bearer"})
        verdict = limiter.request(time.monotonic())
        return None if verdict.retry_after is None else too_many(verdict.retry_header)

    async def _suffer(
        self, fault: Fault, work: Callable[[Send], Any], scope: Scope, receive: Receive, answer: Send
    ) -> None:
        client = tuple(scope["client"])
        if fault.kind == "answer":
            response = Response(fault.body, fault.status_code, dict(fault.headers))
            await response(scope, receive, answer)
        elif fault.kind == "huge":
            await StreamingResponse(_filler(fault.size), 200, dict(fault.headers))(scope, receive, answer)
        elif fault.kind == "delay":
            await _pause(self._closing, fault.seconds)
            await work(answer)
        elif fault.kind == "reset_before":
            self._connections.reset(client)
            await _until_gone(receive)
        else:
            collected = _Collected()
            await work(collected)
            if fault.kind == "change":
                await _send(answer, collected.start, _changed(fault, collected))
            elif fault.kind == "truncated":
                await _send(answer, collected.start, collected.body, stop=len(collected.body) // 2)
                self._connections.close(client)
                await _until_gone(receive)
            else:
                self._connections.reset(client)
                await _until_gone(receive)


class _Collected:
    """Collects an answer instead of sending it."""

    def __init__(self) -> None:
        self.start: Message = {"type": "http.response.start", "status": 500, "headers": []}
        self.body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


def too_many(seconds: int) -> Response:
    """Return a 429 as documented."""
    return JSONAnswer({"error": "Rate limit exceeded", "retryAfter": seconds}, 429, {"Retry-After": str(seconds)})


def _changed(fault: Fault, collected: _Collected) -> bytes:
    body = decoded(collected.body)
    return collected.body if isinstance(body, bytes) else json.dumps(fault.changed(body)).encode()


def _noting(send: Send, record: RequestRecord, limiter: KeyLimiter | None) -> Send:
    """Record the status of an answer, and add the rate limit's headers."""

    async def noting(message: Message) -> None:
        if message["type"] == "http.response.start":
            record.status = message["status"]
            if record.path.startswith(("/media/", "/sandbox")):
                await send(message)
                return
            verdict = limiter.look(time.monotonic()) if limiter else _ANONYMOUS
            message = {**message, "headers": [*message["headers"], *_limit_headers(verdict)]}
        await send(message)

    return noting


# A request without a key has no rate limit of its own, but the headers.
_ANONYMOUS = Verdict(limit=30, remaining=30, reset=0.0)


def _limit_headers(verdict: Verdict) -> list[tuple[bytes, bytes]]:
    reset = math.ceil(time.time() + verdict.reset)
    named = {"limit": verdict.limit, "remaining": verdict.remaining, "reset": reset}
    return [(f"x-ratelimit-{name}".encode(), str(value).encode()) for name, value in named.items()]


async def _read(receive: Receive) -> bytes | None:
    """Read the body of a request; ``None`` when the client has disconnected."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        size += len(message.get("body", b""))
        # An excess is read, so that the refusal arrives, but not kept.
        if size <= _LARGEST_BODY + _CHUNK:
            chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


async def _send(answer: Send, start: Message, body: bytes, *, stop: int | None = None) -> None:
    headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
    headers.append((b"content-length", str(len(body)).encode()))
    await answer({**start, "headers": headers})
    await answer({"type": "http.response.body", "body": body[:stop], "more_body": stop is not None})


def _filler(size: int) -> Iterator[bytes]:
    head, tail = b'{"id": "job_huge", "status": "pending", "padding": "', b'"}'
    left = max(0, size - len(head) - len(tail))
    yield head
    while left > 0:
        yield b"x" * min(_CHUNK, left)
        left -= _CHUNK
    yield tail


async def _pause(closing: asyncio.Event, seconds: float) -> None:
    waiting = asyncio.ensure_future(closing.wait())
    await asyncio.wait({waiting}, timeout=seconds)
    waiting.cancel()


async def _until_gone(receive: Receive) -> None:
    """Wait until uvicorn knows that the connection is closed; otherwise it logs an unfinished answer."""
    while (await receive())["type"] != "http.disconnect":
        pass
