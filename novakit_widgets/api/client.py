"""The client: one method for each endpoint of the API."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from ..config import settings
from ..errors import ConfigurationError, InvalidParameterError, NovaKitError, SubmissionUncertainError
from ..limits.tool_limits import limit_of
from ..model.encoding import encode
from ..model.job import Job, is_job_id
from ..model.tools import Tool
from ..runtime.loop import hops
from .answers import Action, Answer
from .bodies import job_of_submission, jobs_of, object_of, parsed
from .connect import READ_SECONDS
from .connections import Connections
from .media_stream import open_stream
from .requests import Requests
from .retry import may_have_arrived, retried, sent_until_taken, worth_reading_again

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import httpx
    from typing_extensions import Self

    from ..model.rate_limit import RateLimit
    from .transfers import MediaStream

__all__ = ["NovaKitClient", "checked_id", "default_client"]

HOLD_SECONDS = 30.0  # documented: how long the service holds a long poll


class NovaKitClient:
    """A client for the NovaKit API. Returns jobs, raises errors of `novakit_widgets.errors`, and retries reads.

    Its methods can be awaited on any event loop; they run on the job loop, which owns the connections. `aclose`, or the end of an
    ``async with``, closes the connections.

    Args:
        api_key: ``"sk_"`` and 64 hex digits; default: from the settings, see `novakit_widgets.config.settings`.
        base_url: such as ``"https://www.novakit.ai/api/v1"``; default: from the settings.
        transport: an httpx transport, for tests; default: the network.

    Attributes:
        base_url: the base URL of the API, without a slash at its end.
        account: an opaque fingerprint of the key and the base URL; it does not reveal the key.

    Raises:
        MissingKeyError: there is no key.
        InvalidKeyError: the key is malformed.
        InvalidBaseURLError: the base URL is malformed or insecure.

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
        self.base_url: Final = settings.base_url(base_url).value
        self.account: Final = hashlib.sha256(f"{self.base_url} {self._key.reveal()}".encode()).hexdigest()[:16]
        self._connections = Connections(self.base_url, transport)
        self._requests = Requests(self._key, self.base_url, self.account, self._connections)

    def __repr__(self) -> str:
        return f"NovaKitClient({self._key}, {self.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def rate_limit(self) -> RateLimit | None:
        """The rate limit of the key that the latest answer reported; ``None`` before the first answer."""
        return self._requests.rate_limit

    @hops
    async def submit(
        self,
        endpoint: str,
        params: Mapping[str, Any],
        *,
        on_wait: Callable[[float, NovaKitError], None] | None = None,
    ) -> Job:
        """Submit a job: ``POST /{endpoint}?async=true``.

        The request is retried only if it certainly started nothing: no connection, 429, or 503 with a Retry-After.

        Args:
            endpoint: such as ``"videos/generations"``.
            params: the service's own parameters, which are sent unchanged.
            on_wait: called before each wait, with its length in seconds and the reason.

        Returns:
            The pending job; or a completed job without an id if the service answered with the result itself.

        Raises:
            SubmissionUncertainError: the request may have reached the service, but the answer was lost.
            NovaKitConnectionError: the request did not reach the service.
            APIError: the service refused it; nothing was started.
        """
        tool = Tool.of(endpoint)
        facts = tool.facts
        content = encode(tool, params)
        action = Action(f"submit the {tool} job", "Nothing was started or billed.", limit=limit_of(tool))

        async def post() -> Answer:
            return await self._requests.send(
                "POST",
                facts.endpoint,
                action,
                query={"async": "true"},
                content=content,
                read_seconds=facts.submit_seconds,
            )

        try:
            return job_of_submission(tool, params, await sent_until_taken(post, on_wait))
        except NovaKitError as error:
            if not may_have_arrived(error):
                raise
            # Leave out "Nothing was started", which holds for a refusal only.
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
        """Return one job: ``GET /jobs/{id}``.

        Args:
            job_id: such as ``"job_abc123"``.
            poll: whether the service holds the request until the job ends, for at most 30 s (a long poll).
            retry: whether to retry after a lost connection, 429, 500, 502, 503 or 504.

        Raises:
            NotFoundError: this key has no such job.
            APIError: the service refused the request, or its answer can't be read.
            NovaKitConnectionError: no answer. The job continues.
        """
        path = f"jobs/{checked_id(job_id)}"
        action = Action("show the job", "The job itself is not affected.", job_id, reads_jobs=True)
        read_seconds = READ_SECONDS + (HOLD_SECONDS if poll else 0.0)
        answer = await self._requests.read(
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
        """Return the newest jobs, newest first: ``GET /jobs``.

        Args:
            tool: only jobs of this tool.
            pending: ``True`` for only jobs that have not ended.
            limit: the number of jobs at most, 1 to 100; the service's default is 20.
            retry: see `get`.

        Returns:
            The jobs. An entry that can't be read is left out.

        Raises:
            APIError: the service refused the request, or its answer can't be read.
            NovaKitConnectionError: no answer.
        """
        query = {
            "tool": None if tool is None else str(Tool.of(tool)),
            "pending": None if pending is None else str(pending).lower(),
            "limit": None if limit is None else str(limit),
        }
        action = Action("list the jobs", "The jobs themselves are not affected.", reads_jobs=True)
        answer = await self._requests.read(
            "jobs", action, {name: value for name, value in query.items() if value}, retry=retry
        )
        return parsed(answer, jobs_of, None)

    @hops
    async def cancel(self, job_id: str) -> bool:
        """Cancel a job: ``DELETE /jobs/{id}``.

        The request is retried like a read: cancelling twice does no harm.

        Returns:
            Whether the service cancelled it; ``False`` if the job had already ended.

        Raises:
            APIError: the service refused to cancel it.
            NovaKitConnectionError: no answer; the job may or may not be cancelled.
        """
        action = Action("cancel the job", "It may still run and be billed.", job_id)
        path = f"jobs/{checked_id(job_id)}"
        answer = await retried(lambda: self._requests.send("DELETE", path, action), worth_reading_again)
        return isinstance(answer.body, Mapping) and answer.body.get("success") is True

    @hops
    async def quota(self) -> Mapping[str, Any]:
        """Return the remaining quota: ``GET /quota``.

        Returns:
            The service's answer with ``org_id``, ``plan``, and ``quotas``, which maps a bucket to ``{"remaining": …}``
            or to ``None`` (unlimited, or not in the plan).

        Raises:
            APIError: the service refused the request, or its answer can't be read.
            NovaKitConnectionError: no answer.
        """
        answer = await self._requests.read("quota", Action("show the quota", "No job is affected."), None)
        return parsed(answer, object_of, None)

    @hops
    async def download(self, url: str, path: str | Path) -> Path:
        """Download a result's media to a file. The key is not sent.

        See `novakit_widgets.api.downloads.save`.

        Args:
            url: http or https.
            path: the file to write, or an existing folder to write a new file into.

        Returns:
            The file that was written.

        Raises:
            MediaError: the address can't be fetched or serves no media; no file is left behind.
        """
        from . import downloads

        return await downloads.save(self, url, path)

    def open_media(
        self, url: str, *, start: int = 0, version: str | None = None
    ) -> AbstractAsyncContextManager[MediaStream]:
        """Request media and follow redirects. The key is not sent.

        Args:
            url: http or https.
            start: the first byte to request; a server that can't start there answers with status 200 and the whole file.
            version: `MediaStream.version` of an earlier answer; if the file has changed since, the server sends all of it.

        Raises:
            MediaError: the address is not http or https, or there was no answer.
        """
        return open_stream(self._connections, url, start=start, version=version)

    @hops
    async def aclose(self) -> None:
        """Close the connections. The client can be used again afterwards.

        Requests under way get their answers first: a submission that is cut off might start a job that nobody knows of. This
        call does not wait for them.
        """
        await self._connections.aclose()


def checked_id(job_id: str) -> str:
    """Return a job id, quoted for a URL's path.

    Args:
        job_id: such as ``"job_abc123"``.

    Raises:
        InvalidParameterError: the text can't be a job id.
    """
    if not is_job_id(job_id):
        raise InvalidParameterError(
            f"{job_id!r:.60} is no job id; those look like 'job_abc123'. Nothing was sent.",
            parameter="job_id",
        )
    return quote(job_id, safe="")


_default: tuple[tuple[Any, str], NovaKitClient] | None = None


def default_client(client: NovaKitClient | None = None) -> NovaKitClient:
    """Return a client, or the one for the present settings. That stays the same as long as key and base URL do.

    Args:
        client: what a call was given; ``None`` for the settings.

    Raises:
        ConfigurationError: there is no usable key or base URL, or what was given is no client.
    """
    global _default  # one process, one default
    if client is not None:
        if not hasattr(client, "account"):
            kind = type(client).__name__
            raise ConfigurationError(f"client must be a NovaKitClient, got {kind}. Nothing was sent or billed.")
        return client
    key = (settings.api_key().value, settings.base_url().value)
    if _default is None or _default[0] != key:
        _default = (key, NovaKitClient())
    return _default[1]
