"""The HTTP endpoints of the sandbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import metadata
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from ..model.job import JobStatus
from ..model.tools import Tool
from .accounts import Key, quota_json
from .checks import refusal
from .gate import API, too_many
from .json_answers import JSONAnswer
from .limits import Verdict
from .results import charge_for
from .script import Refusal
from .slices import Slice
from .sync_answers import sync_body

if TYPE_CHECKING:
    from .library import Library
    from .limits import KeyLimiter
    from .script import Part, Script
    from .store import JobStore, SandboxJob

__all__ = ["Endpoints"]

Handler = Callable[[Request], Awaitable[Response]]
_LONGEST_LIST = 100
_GONE = {403: "Forbidden", 404: "Not Found", 410: "Gone"}


class Endpoints:
    """The endpoints of the API, backed by one job store and one media library.

    Args:
        store: the jobs.
        library: the media.
        hold_seconds: how long ``?poll=true`` holds a request; 0 turns long polling off.
        sync_tools: tools that answer with the result even with ``?async=true``.
        about: returns the answer of ``GET /sandbox``.
        clock: the time in seconds, for the rate limits.
        script: how jobs go; ``None`` where the sandbox makes all of them itself.
    """

    def __init__(
        self,
        store: JobStore,
        library: Library,
        *,
        hold_seconds: float,
        sync_tools: frozenset[str],
        about: Callable[[], dict[str, Any]],
        clock: Callable[[], float],
        script: Script | None = None,
    ) -> None:
        self._store = store
        self._library = library
        self._hold = hold_seconds
        self._sync_tools = sync_tools
        self._about = about
        self._clock = clock
        self._script = script

    def application(self) -> Starlette:
        """Return the application with every route."""
        generations = [Route(f"{API}/{tool.endpoint}", self._generation(tool), methods=["POST"]) for tool in Tool]
        return Starlette(
            routes=[
                *generations,
                Route(f"{API}/jobs", self._list, methods=["GET"]),
                Route(f"{API}/jobs/{{job_id}}", self._job, methods=["GET"]),
                Route(f"{API}/jobs/{{job_id}}", self._cancel, methods=["DELETE"]),
                Route(f"{API}/quota", self._quota, methods=["GET"]),
                Route("/media/{token}/{name}", self._media, methods=["GET", "HEAD"]),
                Route("/sandbox", self._sandbox, methods=["GET"]),
            ],
            exception_handlers={HTTPException: _plain_error, Exception: _server_error},
        )

    def _generation(self, tool: Tool) -> Handler:
        async def generate(request: Request) -> Response:
            key: Key = request.state.key
            missing = _missing_scope(key, tool.facts.scope)
            if missing is not None:
                return missing
            params = request.state.body
            if not isinstance(params, dict):
                return _error(
                    "Invalid JSON body" if isinstance(params, bytes) else "Request body must be a JSON object"
                )
            part = None if self._script is None else self._script.next(tool, params)
            if isinstance(part, Refusal):
                return JSONAnswer(dict(part.body), part.status, dict(part.headers))
            if part is not None:
                return await self._follow(request, key, tool, params, part)
            problem = refusal(tool, params)
            if problem is not None:
                return _error(problem)
            return await self._accept(request, key, tool, params)

        return generate

    async def _accept(self, request: Request, key: Key, tool: Tool, params: dict[str, Any]) -> Response:
        transcript = None
        if tool is Tool.STT:
            from .studio.transcript import transcribe

            transcript = transcribe(params, self._library.words_of(params["file"]))
        shortage = key.organisation.shortage(charge_for(tool, params, transcript))
        if shortage is not None:
            return JSONAnswer(shortage, 402)
        limiter: KeyLimiter = request.state.limiter
        wait = limiter.generation(tool.value, self._clock())
        if wait > 0:
            return too_many(Verdict(0, 0, wait, wait).retry_header)
        as_job = request.query_params.get("async", "").lower() == "true" and tool not in self._sync_tools
        job = self._store.submit(key, tool, params, transcript=transcript, listed=as_job)
        if as_job:
            return JSONAnswer({"id": job.id, "status": job.status.value})
        return await self._finished(job)

    async def _follow(self, request: Request, key: Key, tool: Tool, params: dict[str, Any], part: Part) -> Response:
        as_job = request.query_params.get("async", "").lower() == "true" and not part.at_once
        job = self._store.submit(key, tool, params, transcript=None, listed=as_job, part=part)
        if as_job:
            return JSONAnswer({"id": job.id, "status": job.status.value})
        return await self._finished(job)

    async def _finished(self, job: SandboxJob) -> Response:
        await self._store.wait(job, None)
        if job.status is JobStatus.COMPLETED and job.part is not None:
            return JSONAnswer(job.part.body(job.urls))
        if job.status is JobStatus.COMPLETED:
            return JSONAnswer(sync_body(job, job.owner.remaining(job.charge.bucket)))
        return JSONAnswer({"error": job.error or "Service unavailable"}, 500 if job.error else 503)

    async def _list(self, request: Request) -> Response:
        key: Key = request.state.key
        missing = _missing_scope(key, "usage", "jobs")
        if missing is not None:
            return missing
        query = request.query_params
        limit = query.get("limit", "20")
        if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:9]) <= _LONGEST_LIST:
            return _error(f"limit must be between 1 and {_LONGEST_LIST}")
        tool = query.get("tool") or None
        if tool is not None and tool not in set(Tool):
            return _error(f"Invalid tool. Must be one of: {', '.join(Tool)}")
        pending = query.get("pending", "").lower() == "true"
        found = self._store.newest(key, tool=tool, pending=pending, limit=int(limit))
        return JSONAnswer({"jobs": [job.as_json() for job in found]})

    async def _job(self, request: Request) -> Response:
        job = self._wanted(request)
        if isinstance(job, Response):
            return job
        if request.query_params.get("poll", "").lower() == "true" and self._hold > 0:
            await self._store.wait(job, self._hold)
        return JSONAnswer(job.as_json())

    async def _cancel(self, request: Request) -> Response:
        job = self._wanted(request)
        return job if isinstance(job, Response) else JSONAnswer({"success": self._store.cancel(job)})

    def _wanted(self, request: Request) -> SandboxJob | Response:
        key: Key = request.state.key
        missing = _missing_scope(key, "usage", "jobs")
        if missing is not None:
            return missing
        job_id = request.path_params["job_id"]
        job = self._store.find(key, job_id)
        if job is None and self._script is not None and job_id not in self._store.jobs:
            past = self._script.past(job_id)
            if past is not None:
                tool, params, part = past
                job = self._store.submit(key, tool, params, transcript=None, listed=True, part=part)
        return JSONAnswer({"error": "Job not found"}, 404) if job is None else job

    async def _quota(self, request: Request) -> Response:
        key: Key = request.state.key
        return _missing_scope(key, "usage") or JSONAnswer(quota_json(key))

    async def _media(self, request: Request) -> Response:
        # As on a media host the URL is the secret: it needs no key, and any page may play it.
        open_to_all = {"Access-Control-Allow-Origin": "*"}
        found = self._library.find(request.path_params["token"])
        status = 404 if found is None else found.gone
        if found is None or status is not None:
            text = _GONE.get(status or 404, "Not Available")
            return HTMLResponse(f"<html><body><h1>{status} {text}</h1></body></html>", status or 404, open_to_all)
        if found.artifact.size is not None:
            return Slice(found.artifact, open_to_all)
        return FileResponse(found.artifact.path, media_type=found.artifact.mime, headers=open_to_all)

    async def _sandbox(self, request: Request) -> Response:  # noqa: ARG002 # a handler's signature
        return JSONAnswer(self._about())


def version() -> str:
    """Return the version of this package, ``"0"`` where it is not installed."""
    try:
        return metadata.version("novakit_widgets")
    except metadata.PackageNotFoundError:
        return "0"


def _error(text: str, status: int = 400) -> Response:
    return JSONAnswer({"error": text}, status)


def _missing_scope(key: Key, *scopes: str) -> Response | None:
    """Return a 403 when a key has none of the scopes."""
    if key.scopes.intersection(scopes):
        return None
    named = " or ".join(scopes)
    return JSONAnswer({"error": f"API key is missing the required scope: {named}", "required_scope": named}, 403)


async def _plain_error(request: Request, problem: Exception) -> Response:  # noqa: ARG001 # a handler's signature
    status = problem.status_code if isinstance(problem, HTTPException) else 500
    text = problem.detail if isinstance(problem, HTTPException) else "Internal server error"
    return _error(text.capitalize(), status)


async def _server_error(request: Request, problem: Exception) -> Response:  # noqa: ARG001 # a handler's signature
    return _error("Internal server error", 500)
