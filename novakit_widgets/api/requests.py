"""Send one API request and read its answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..config import settings
from ..config.logs import log
from ..config.redaction import redact_bytes
from ..errors import ConfigurationError, NovaKitError, UnreadableAnswerError
from ..model.rate_limit import DEFAULT_LIMIT, LIMIT_WINDOW, RateLimit
from ..runtime.hosts import is_loopback
from ..runtime.registry import of_account
from ..runtime.sliding_window import SlidingWindow
from .answers import HEADERS, Action, Answer, answer_of
from .connect import CONNECT_SECONDS, READ_SECONDS, Departure, broken
from .observers import Exchange, observers, tell
from .retry import retried, worth_reading_again

if TYPE_CHECKING:
    import httpx

    from ..config.redaction import Secret
    from .connections import Connections

__all__ = ["MAX_JSON_BYTES", "Requests", "release"]

MAX_JSON_BYTES = 8_000_000  # larger than a job with its file, or a list of a hundred jobs without files


class Requests:
    """Sends the API requests of one client. On the job loop.

    Args:
        key: the API key; it is revealed only to sign a request.
        base_url: the base URL of the API, without a slash at its end.
        account: the fingerprint of both; see `NovaKitClient`.
        connections: the connections of the client.

    Attributes:
        rate_limit: the rate limit that the latest answer reported; ``None`` before the first one.
    """

    def __init__(self, key: Secret, base_url: str, account: str, connections: Connections) -> None:
        self.rate_limit: RateLimit | None = None
        self._key = key
        self._base_url = base_url
        self._account = account
        self._connections = connections
        self._sent = of_account(account, "sent", lambda: SlidingWindow(DEFAULT_LIMIT, LIMIT_WINDOW))

    async def read(
        self,
        path: str,
        action: Action,
        query: Mapping[str, str] | None,
        *,
        retry: bool = True,
        read_seconds: float = READ_SECONDS,
    ) -> Answer:
        """Send a GET request, and retry it if it fails for a reason that may pass.

        Args:
            path: the path below the base URL, such as ``"jobs"``.
            action: the purpose of the request, for error messages.
            query: the query parameters.
            retry: whether to retry.
            read_seconds: the time limit for the answer, in seconds.

        Raises:
            APIError: the service answered with an error.
            NovaKitConnectionError: there was no answer.
        """

        async def once() -> Answer:
            return await self.send("GET", path, action, query=query, read_seconds=read_seconds)

        return await retried(once, worth_reading_again) if retry else await once()

    async def send(
        self,
        method: str,
        path: str,
        action: Action,
        *,
        query: Mapping[str, str] | None = None,
        content: bytes | None = None,
        read_seconds: float = READ_SECONDS,
    ) -> Answer:
        """Send one request once, and return its answer.

        Args:
            method: the HTTP method.
            path: see `read`.
            action: see `read`.
            query: see `read`.
            content: the JSON body.
            read_seconds: see `read`.

        Raises:
            APIError: the service answered with an error.
            UnreadableAnswerError: the answer is too large, or can't be decompressed.
            NovaKitConnectionError: there was no answer.
        """
        began = time.monotonic()
        try:
            answer = await self._send(method, path, action, query, content, read_seconds)
        except NovaKitError as error:
            if observers:
                tell(Exchange(self._account, self._connections, method, path, content, error, time.monotonic() - began))
            raise
        if observers:
            tell(Exchange(self._account, self._connections, method, path, content, answer, time.monotonic() - began))
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        action: Action,
        query: Mapping[str, str] | None,
        content: bytes | None,
        read_seconds: float,
    ) -> Answer:
        import httpx

        # No compression: a few kilobytes could be unpacked to hundreds of megabytes before the limit is checked.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        timeout = httpx.Timeout(read_seconds, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS)
        failure: NovaKitError
        departure = Departure()
        sent_at, sent = self._note_request()
        try:
            async with (
                self._connections.lent() as http,
                http.api.stream(
                    method,
                    f"{self._base_url}/{path}",
                    params=query,
                    content=content,
                    headers=headers,
                    auth=self._sign,
                    timeout=timeout,
                    extensions={"trace": departure},
                ) as response,
            ):
                try:
                    content_read = await _bounded(response)
                finally:
                    await release(response)
        except httpx.DecodingError:
            failure = UnreadableAnswerError("NovaKit's answer could not be decompressed.", job_id=action.job_id)
        except ConfigurationError:
            raise  # raised before httpx got the key, so its cause can be kept
        except Exception as error:  # noqa: BLE001 # whatever it is, the error says whether it may have arrived
            broke = broken(error, departure, self._base_url, action)
            if broke is None:
                raise error.with_traceback(None) from None
            failure = broke
        except BaseException as error:  # noqa: BLE001 # it is raised again
            raise departure.interrupted(error) from None
        else:
            told = {name: response.headers[name] for name in HEADERS if name in response.headers}
            limit = RateLimit.from_headers(told)
            # However slow its answer is, a request counts when it comes; of one that the service holds, nobody knows.
            answered_at = time.monotonic() if query is not None and "poll" in query else sent_at
            if limit is not None:
                self.rate_limit = replace(limit, sent=sent, sent_at=sent_at, answered_at=answered_at)
            log.debug("%s /%s: %d", method, path, response.status_code)
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                action = replace(action, local=is_loopback(urlsplit(self._base_url).hostname or ""))
            return answer_of(response.status_code, told, content_read, action)
        log.info("%s /%s: %s", method, path, failure.message)
        # Raise outside of `except`, so that the error has no traceback through httpx's frames, which hold the key.
        raise failure

    def _note_request(self) -> tuple[float, int]:
        """Count a request. Return its time and this process's number of requests in the last minute."""
        now = time.monotonic()
        self._sent.seconds = LIMIT_WINDOW / settings.speed().value
        return now, self._sent.add(now)

    def _sign(self, request: httpx.Request) -> httpx.Request:
        request.headers["Authorization"] = f"Bearer {self._key.reveal()}"
        return request


async def release(response: httpx.Response) -> None:
    """Close a response and drop its stream.

    The two reference each other: without this, some 80 objects for each answer wait for the garbage collector.
    """
    import httpx

    await response.aclose()
    response.stream = httpx.ByteStream(b"")


async def _bounded(response: httpx.Response) -> bytes | None:
    """Return a response's body with keys redacted; ``None`` if it is larger than `MAX_JSON_BYTES`."""
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > MAX_JSON_BYTES:
            return None
    return redact_bytes(bytes(content))
