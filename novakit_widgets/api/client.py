"""One method for each endpoint."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..config import settings
from ..config.logs import log
from ..config.redaction import redact_bytes
from ..errors import (
    ConfigurationError,
    InvalidParameterError,
    MediaError,
    NovaKitConnectionError,
    NovaKitError,
    SubmissionUncertainError,
    UnreadableAnswerError,
)
from ..limits.tool_limits import limit_of
from ..model.encoding import encode
from ..model.job import Job, is_job_id
from ..model.media import is_web_address
from ..model.rate_limit import DEFAULT_LIMIT, LIMIT_WINDOW, RateLimit
from ..model.tools import Tool
from ..runtime.clock import utc_now
from ..runtime.loop import here, hops, run
from ..runtime.registry import of_account
from ..runtime.sliding_window import SlidingWindow
from .answers import HEADERS, Action, Answer, answer_of, retry_after
from .bodies import job_of_submission, jobs_of, object_of, parsed
from .connect import CONNECT_SECONDS, READ_SECONDS, unreachable
from .connections import Connections
from .retry import may_have_arrived, retried, sent_until_taken, worth_reading_again
from .transfers import MediaStream

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from typing_extensions import Self

__all__ = ["NovaKitClient", "checked_id", "default_client"]

MAX_JSON_BYTES = 8_000_000  # a job with its file is below, and a hundred without are; a bomb is not
HOLD_SECONDS = 30.0  # documented: how long the service holds a long poll
_MAX_DIGITS = 18  # of a size in bytes


class NovaKitClient:
    """Speaks the service's HTTP: answers become Jobs, bad answers become errors, reads are retried.

    Its methods can be awaited on any event loop; what they do is done on the job loop, to which the connections belong. `aclose`,
    or the end of an ``async with``, closes them.

    Args:
        api_key: ``"sk_"`` and 64 hex digits; where it is left out, see `novakit_widgets.config.settings`.
        base_url: such as ``"https://www.novakit.ai/api/v1"``.
        transport: a httpx transport to use instead of the network's.

    Raises:
        MissingKeyError: there is no key.
        InvalidKeyError: the key has not the form of one.
        InvalidBaseURLError: the key must not be sent there.

    Example:
        >>> import asyncio
        >>> from novakit_widgets import NovaKitClient, Sandbox
        >>> async def main(sandbox):
        ...     async with NovaKitClient(sandbox.api_key, sandbox.base_url) as client:
        ...         job = await client.submit("images/generations", {"prompt": "A lighthouse"})
        ...     return job.status
        >>> with Sandbox() as sandbox:
        ...     asyncio.run(main(sandbox))
        <JobStatus.PENDING: 'pending'>
    """

    def __init__(
        self,
        api_key: str | settings.Secret | None = None,
        base_url: str | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        api_key = settings.veiled(api_key)  # what follows may raise, and a verbose traceback shows the arguments
        self._key = settings.api_key(api_key).value
        self._base_url = settings.base_url(base_url).value
        self._connections = Connections(self._base_url, transport)
        self._rate_limit: RateLimit | None = None
        self._sent = of_account(self.account, "sent", lambda: SlidingWindow(DEFAULT_LIMIT, LIMIT_WINDOW))

    def __repr__(self) -> str:
        return f"NovaKitClient({self._key}, {self._base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def base_url(self) -> str:
        """The API's base URL, without a slash at its end."""
        return self._base_url

    @property
    def rate_limit(self) -> RateLimit | None:
        """What the latest answer said of the key's requests a minute; ``None`` before any did."""
        return self._rate_limit

    @property
    def account(self) -> str:
        """The same text for the same key and base URL, of which the key can't be told."""
        return hashlib.sha256(f"{self._base_url} {self._key.reveal()}".encode()).hexdigest()[:16]

    @hops
    async def submit(
        self,
        endpoint: str,
        params: Mapping[str, Any],
        *,
        on_wait: Callable[[float, NovaKitError], None] | None = None,
    ) -> Job:
        """Start a job: ``POST /{endpoint}?async=true``.

        It is sent again only where it certainly did not reach the service: no connection, 429, or 503 with a
        Retry-After.

        Args:
            endpoint: such as ``"videos/generations"``.
            params: the service's own parameters; they are sent as they are.
            on_wait: called with seconds and the reason before a wait of that length.

        Returns:
            The job, pending; or finished and without an id where the service answered with the result itself.

        Raises:
            SubmissionUncertainError: it may have reached the service, but the answer was lost.
            NovaKitConnectionError: it did not reach the service.
            APIError: the service refused it; nothing was started.
        """
        tool = Tool.of(endpoint)
        content = encode(tool, params)
        action = Action(f"submit the {tool} job", "Nothing was started or billed.", limit=limit_of(tool))

        async def post() -> Answer:
            return await self._exchange(
                "POST",
                tool.endpoint,
                action,
                query={"async": "true"},
                content=content,
                read_seconds=tool.facts.submit_seconds,
            )

        try:
            return job_of_submission(tool, params, await sent_until_taken(post, on_wait))
        except NovaKitError as error:
            if not may_have_arrived(error):
                raise
            # Without what holds for a refusal: here nobody knows whether it was started.
            reason = error.message.partition(f" {action.meaning}")[0]
            uncertain = SubmissionUncertainError(
                f"The answer to the {tool} job was lost. ({reason}) The service may have started it and will then "
                "bill it. Look for it with client.list() before you submit it again.",
                error.status_code,
                error.response,
            )
        raise uncertain

    @hops
    async def get(self, job_id: str, *, poll: bool = False, retry: bool = True) -> Job:
        """Ask for one job: ``GET /jobs/{id}``.

        Args:
            job_id: such as ``"job_abc123"``.
            poll: let the service hold the request until the job ends, for at most 30 s.
            retry: whether to try again after a lost connection, 429, 500, 502, 503 or 504.

        Raises:
            NotFoundError: the service does not know it, for this key.
            APIError: any other answer that is no job.
            NovaKitConnectionError: no answer. The job goes on.
        """
        path = f"jobs/{checked_id(job_id)}"
        action = Action("show the job", "The job itself is not affected.", job_id, reads_jobs=True)
        read_seconds = READ_SECONDS + (HOLD_SECONDS if poll else 0.0)
        answer = await self._read(
            path, action, {"poll": "true"} if poll else None, retry=retry, read_seconds=read_seconds
        )
        return parsed(answer, Job.from_json, job_id)

    @hops
    async def list(
        self,
        *,
        tool: Tool | str | None = None,
        pending: bool | None = None,
        limit: int | None = None,
        retry: bool = True,
    ) -> tuple[Job, ...]:
        """Ask for the newest jobs: ``GET /jobs``.

        Args:
            tool: only this tool's.
            pending: ``True`` for those that have not ended.
            limit: how many at most, 1 to 100; the service's default is 20.
            retry: as for `get`.

        Returns:
            Newest first. An entry that can't be read is left out; the others are kept.

        Raises:
            APIError: an answer that is no list of jobs.
            NovaKitConnectionError: no answer.
        """
        query = {
            "tool": None if tool is None else str(Tool.of(tool)),
            "pending": None if pending is None else str(pending).lower(),
            "limit": None if limit is None else str(limit),
        }
        action = Action("list the jobs", "The jobs themselves are not affected.", reads_jobs=True)
        answer = await self._read("jobs", action, {name: value for name, value in query.items() if value}, retry=retry)
        return parsed(answer, jobs_of, None)

    @hops
    async def cancel(self, job_id: str) -> bool:
        """Cancel a job: ``DELETE /jobs/{id}``.

        It is tried again like a read: cancelling twice does no harm.

        Returns:
            Whether the service cancelled it; ``False`` when it had already ended.

        Raises:
            APIError: the service would not.
            NovaKitConnectionError: no answer, so it may or may not be cancelled.
        """
        action = Action("cancel the job", "It may still run and be billed.", job_id)
        path = f"jobs/{checked_id(job_id)}"
        answer = await retried(lambda: self._exchange("DELETE", path, action), worth_reading_again)
        return isinstance(answer.body, Mapping) and answer.body.get("success") is True

    @hops
    async def quota(self) -> Mapping[str, Any]:
        """Ask what the plan has left: ``GET /quota``.

        Returns:
            The service's answer with ``org_id``, ``plan``, and ``quotas``, which maps a bucket to ``{"remaining": …}``
            or to ``None`` (unlimited, or not in the plan).

        Raises:
            APIError: an answer that is no quota.
            NovaKitConnectionError: no answer.
        """
        answer = await self._read("quota", Action("show the quota", "No job is affected."), None)
        return parsed(answer, object_of, None)

    @hops
    async def download(self, url: str, path: str | Path) -> Path:
        """Save a result's media to a file, without the key.

        See `novakit_widgets.api.downloads.save` for what it takes care of.

        Args:
            url: http or https.
            path: the file to make, or an existing folder to make one in.

        Returns:
            The file that was written.

        Raises:
            MediaError: it can't be fetched or is no media; nothing was left behind.
        """
        from . import downloads

        return await downloads.save(self, url, path)

    @asynccontextmanager
    async def open_media(self, url: str, *, start: int = 0, version: str | None = None) -> AsyncIterator[MediaStream]:
        """Request media, without the key and with redirects followed.

        Args:
            url: http or https.
            start: the byte to begin at; a server that can't answers with status 200 and the whole file.
            version: what an earlier answer said; a server that has another by now is asked to begin at its first byte.

        Raises:
            MediaError: no such address, or no answer.
        """
        if here():
            async with self._open_media(url, start=start, version=version) as stream:
                yield stream
            return
        opened = self._open_media(url, start=start, version=version)
        stream = await run(opened.__aenter__)
        try:
            yield replace(stream, chunks=_from_here(stream.chunks))
        except BaseException as error:
            if not await run(partial(opened.__aexit__, type(error), error, error.__traceback__)):
                raise
        else:
            await run(lambda: opened.__aexit__(None, None, None))

    @asynccontextmanager
    async def _open_media(self, url: str, *, start: int, version: str | None) -> AsyncIterator[MediaStream]:
        if not is_web_address(url):
            raise MediaError("The result's address is no http or https URL, so it was not fetched.")
        import httpx

        # Compressed on the way, the bytes that arrive would not be those that a range counts.
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers |= {"Range": f"bytes={start}-", **({} if version is None else {"If-Range": version})}
        failure: str
        opened = False
        try:
            async with self._connections.lent() as http, http.to(url).stream("GET", url, headers=headers) as response:
                opened = True
                try:
                    yield MediaStream(
                        response.status_code,
                        response.headers.get("content-type", "").partition(";")[0].strip().lower(),
                        _total_of(response.headers),
                        response.aiter_bytes(),
                        _first_of(response.headers),
                        _version_of(response.headers),
                        retry_after(response.headers, None, now=utc_now),
                    )
                    return
                finally:
                    await _release(response)
        except httpx.HTTPError as error:
            failure = type(error).__name__
        except httpx.InvalidURL:
            failure = "invalid URL"
        except UnicodeError:
            if opened:
                raise  # of whoever reads it
            failure = "invalid host name"
        raise MediaError(
            f"The result could not be fetched ({failure}). The job has ended; fetching again costs nothing."
        )

    @hops
    async def aclose(self) -> None:
        """Close the connections. The client can be used again afterwards.

        A request that is under way gets its answer first: cut off, a job that it submits might be started without anybody
        knowing it. This call does not wait for it.
        """
        await self._connections.aclose()

    async def _read(
        self,
        path: str,
        action: Action,
        query: Mapping[str, str] | None,
        *,
        retry: bool = True,
        read_seconds: float = READ_SECONDS,
    ) -> Answer:
        async def once() -> Answer:
            return await self._exchange("GET", path, action, query=query, read_seconds=read_seconds)

        return await retried(once, worth_reading_again) if retry else await once()

    async def _exchange(
        self,
        method: str,
        path: str,
        action: Action,
        *,
        query: Mapping[str, str] | None = None,
        content: bytes | None = None,
        read_seconds: float = READ_SECONDS,
    ) -> Answer:
        """Send one request and read its answer, bounded; anything but a success is raised."""
        import httpx

        # Not compressed: a bomb of some kilobytes would be unpacked by hundreds of megabytes before we see that it is too long.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        timeout = httpx.Timeout(read_seconds, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS)
        failure: NovaKitError
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
                ) as response,
            ):
                try:
                    content_read = await _bounded(response)
                finally:
                    await _release(response)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            failure = unreachable(error, self._base_url, action)
        except httpx.DecodingError:
            failure = UnreadableAnswerError("NovaKit's answer could not be decompressed.", job_id=action.job_id)
        except httpx.HTTPError as error:
            failure = NovaKitConnectionError(
                f"The connection to NovaKit broke before the answer was there ({type(error).__name__}).",
                job_id=action.job_id,
            )
        except ConfigurationError:
            raise  # from making the client, where no frame has the key; its cause is kept
        except BaseException as error:  # noqa: BLE001 # it is raised again
            # Cut off from httpx's frames, too: those of an await that was interrupted show the key in a verbose traceback.
            raise error.with_traceback(None) from None
        else:
            told = {name: response.headers[name] for name in HEADERS if name in response.headers}
            limit = RateLimit.from_headers(told)
            if limit is not None:
                self._rate_limit = replace(limit, sent=sent, sent_at=sent_at, answered_at=time.monotonic())
            log.debug("%s /%s: %d", method, path, response.status_code)
            return answer_of(response.status_code, told, content_read, action)
        log.info("%s /%s: %s", method, path, failure.message)
        # Raised out here so that it carries no traceback through httpx, whose frames hold the key.
        raise failure

    def _note_request(self) -> tuple[float, int]:
        """Note that a request is sent, and return when, and how many of this process that makes in the last minute."""
        now = time.monotonic()
        self._sent.seconds = LIMIT_WINDOW / settings.speed().value
        self._sent.add(now)
        return now, self._sent.used(now)

    def _sign(self, request: httpx.Request) -> httpx.Request:
        request.headers["Authorization"] = f"Bearer {self._key.reveal()}"
        return request


async def _from_here(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield on this loop what is read on the job loop."""

    async def following() -> bytes | None:
        return await anext(chunks, None)

    while (chunk := await run(following)) is not None:
        yield chunk


async def _release(response: httpx.Response) -> None:
    """Close a response and part it from its stream.

    They hold each other and all that is behind them, some 80 objects for each answer, until the garbage collector comes round.
    """
    import httpx

    await response.aclose()
    response.stream = httpx.ByteStream(b"")


async def _bounded(response: httpx.Response) -> bytes | None:
    """Read a body, without a key that it may repeat; ``None`` when it is longer than any honest answer."""
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > MAX_JSON_BYTES:
            return None
    return redact_bytes(bytes(content))


def checked_id(job_id: str) -> str:
    """Refuse what can't be a job id, and quote the rest for a path.

    Args:
        job_id: such as ``"job_abc123"``.

    Raises:
        InvalidParameterError: it is none.
    """
    if not is_job_id(job_id):
        raise InvalidParameterError(
            f"{job_id!r:.60} is no job id; those look like 'job_abc123'. Nothing was sent.",
            parameter="job_id",
        )
    return quote(job_id, safe="")


def _total_of(headers: Mapping[str, str]) -> int | None:
    """Find the whole file's size: behind the slash of Content-Range, or the length of a whole answer."""
    if headers.get("content-encoding", "identity") != "identity":
        return None  # compressed against our wish, so no number fits the bytes that we see
    size = headers.get("content-range", "").rpartition("/")[2] or headers.get("content-length", "")
    return _bytes_of(size)


def _first_of(headers: Mapping[str, str]) -> int | None:
    """Find where a partial answer begins: "bytes 100-199/200" begins at 100."""
    first = headers.get("content-range", "").removeprefix("bytes ").partition("-")[0].strip()
    return _bytes_of(first)


def _version_of(headers: Mapping[str, str]) -> str | None:
    """Find what tells a file from another at the same address. A weak ETag does not: it may stay where bytes change."""
    tag = headers.get("etag", "")
    return tag if tag.startswith('"') else headers.get("last-modified") or None


def _bytes_of(number: str) -> int | None:
    """Read a number of bytes. One of more digits than any file has is none, and of thousands Python would not read it."""
    return int(number) if number.isdecimal() and len(number) <= _MAX_DIGITS else None


_default: tuple[tuple[Any, str], NovaKitClient] | None = None


def default_client() -> NovaKitClient:
    """Return the client that the settings describe: the same one as long as they stay the same.

    Raises:
        ConfigurationError: there is no usable key or base URL.
    """
    global _default  # one process, one default
    key = (settings.api_key().value, settings.base_url().value)
    if _default is None or _default[0] != key:
        _default = (key, NovaKitClient())
    return _default[1]
