"""Every fault of the sandbox on every endpoint, once and for good: what a job comes to, and whether it is lost or doubled."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from novakit_widgets.api.downloads import save_all
from novakit_widgets.engine.reconcile import look_up_all
from novakit_widgets.engine.run import JobRun
from novakit_widgets.engine.state import Phase
from novakit_widgets.engine.submit import submit
from novakit_widgets.errors import (
    APIError,
    AuthenticationError,
    JobCancelledError,
    JobTimeoutError,
    MediaError,
    MediaExpiredError,
    NotFoundError,
    NovaKitConnectionError,
    NovaKitError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    SubmissionUncertainError,
    UnreadableAnswerError,
)
from novakit_widgets.job_history.jobs import JobHistory
from novakit_widgets.model.job import Job, JobStatus
from novakit_widgets.model.tools import Tool
from novakit_widgets.runtime.clock import Clock
from novakit_widgets.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from novakit_widgets.api.client import NovaKitClient
    from novakit_widgets.sandbox.faults import InjectedFault


class NotCancelledError(NovaKitError):
    """A job that was to be cancelled goes on, and its card says why."""


Error = type[NovaKitError] | None
Pair = tuple[Error, Error]  # once, and for good
OK: Error = None
LOST, ODD, UNSURE = NovaKitConnectionError, UnreadableAnswerError, SubmissionUncertainError
OVER, MEDIA, EXPIRED, KEPT = JobTimeoutError, MediaError, MediaExpiredError, NotCancelledError
_NEVER: Pair = (OK, OK)

_LONG = 100_000.0  # seconds of the sandbox's time, for a job that is to be cancelled
_ENDLESS = ("cancel", "progress")  # where the job must not end by itself
_PATIENCE = 0.4  # seconds to watch a job that can't be asked about
_PARAMS: dict[Tool, dict[str, Any]] = {
    Tool.VIDEO: {"prompt": "{}", "duration_seconds": 1},
    Tool.MUSIC: {"prompt": "{}", "duration_seconds": 2},
    Tool.IMAGE: {"prompt": "{}", "size": "512x512"},
    Tool.IMAGE_EDIT: {"prompt": "{}", "image": "https://example.org/a.png"},
    Tool.TTS: {"input": "{}"},
    Tool.STT: {"file": "https://example.org/{}.mp3"},
}


@dataclass(frozen=True)
class Row:
    """What is expected of one fault on each endpoint, once and for good; ``None`` where all goes well.

    Attributes:
        fault: what goes wrong.
        post: on the submission, for each of the six tools.
        watch: on ``GET /jobs/{id}``.
        progress: on ``GET /jobs`` while the job runs.
        look_up: on ``GET /jobs`` after the answer to a submission was lost.
        cancel: on ``DELETE /jobs/{id}``.
        quota: on ``GET /quota``.
        media: on the result's address.
    """

    fault: Fault
    post: Pair = _NEVER
    watch: Pair = _NEVER
    progress: Pair = _NEVER
    look_up: Pair = _NEVER
    cancel: Pair = _NEVER
    quota: Pair = _NEVER
    media: Pair = _NEVER


def _refusal(
    code: int, error: Error, *, progress: Error = OK, look_up: Pair = (UNSURE, UNSURE), media: Error = MEDIA
) -> Row:
    """Expect an error that no repetition mends."""
    both = (error, error)
    return Row(Fault.status(code), both, both, (progress, progress), look_up, (KEPT, KEPT), both, (media, media))


def _failure(fault: Fault, error: Error, *, post: Pair = (UNSURE, UNSURE), cancel: Error = KEPT) -> Row:
    """Expect an error that reads are repeated after."""
    return Row(fault, post, (OK, OVER), _NEVER, (OK, UNSURE), (OK, cancel), (OK, error), (OK, MEDIA))


def _nonsense(fault: Fault, error: Error, *, post: Pair = (UNSURE, UNSURE), media: Error = MEDIA) -> Row:
    """Expect an answer that is taken as it is, so that only the watching, which goes on anyway, asks again."""
    return Row(fault, post, (OK, OVER), _NEVER, (OK, UNSURE), (KEPT, KEPT), (error, error), (media, MEDIA))


TABLE: dict[str, Row] = {
    "400": _refusal(400, APIError, media=EXPIRED),
    "401": _refusal(401, AuthenticationError, progress=AuthenticationError, media=EXPIRED),
    "402": _refusal(402, QuotaExceededError, look_up=(OK, UNSURE)),
    "403": _refusal(403, PermissionDeniedError, media=EXPIRED),
    "404": _refusal(404, NotFoundError, media=EXPIRED),
    "429": _failure(Fault.status(429, retry_after=0), RateLimitError, post=(OK, RateLimitError)),
    "500": _failure(Fault.status(500), APIError),
    "502": _failure(Fault.status(502), APIError),
    "503": _failure(Fault.status(503), APIError),
    "503, come back": _failure(Fault.status(503, retry_after=0), APIError, post=(OK, APIError)),
    "504": _failure(Fault.status(504), APIError),
    "redirect": _nonsense(Fault.redirect("http://127.0.0.1:1/"), APIError, post=(APIError, APIError), media=OK),
    "reset before": _failure(Fault.reset_before(), LOST),
    "reset after": _failure(Fault.reset_after(), LOST, post=_NEVER, cancel=OK),
    "truncated": _failure(Fault.truncated(), LOST, post=_NEVER, cancel=OK),
    "not JSON": _nonsense(Fault.not_json(), ODD),
    "empty": _nonsense(Fault.not_json(""), ODD),
    "not JSON, 502": _failure(Fault.not_json(status_code=502), APIError),
    "huge": _nonsense(Fault.huge(8_100_000), ODD),
    "delay": Row(Fault.delay(0.02)),
    "odd status": Row(Fault.odd_status("queued_somewhere")),  # the list of all jobs tells of the end
    "no id": Row(Fault.missing_fields("id"), watch=(OK, OVER), look_up=(OK, UNSURE)),
    "no optional field": Row(Fault.missing_fields("progress", "createdAt", "model", "tool")),
    "null fields": Row(Fault.null_fields("progress", "inputParams", "model"), look_up=(OK, UNSURE)),
    "odd fields": Row(Fault.fields(progress="oops", createdAt=[1], estimatedCredits={}, tool=5)),
}

ENDPOINTS = (*(f"POST /{tool.endpoint}" for tool in Tool), "watch", "progress", "look_up", "cancel", "quota", "media")


@dataclass(frozen=True)
class Trial:
    """One fault on one endpoint.

    Attributes:
        fault: its name in the table.
        endpoint: one of `ENDPOINTS`.
        for_good: whether it happened to every request, and not to the first alone.
        expected: the error that the table expects.
        error: the error that there was.
        hits: how often the fault happened.
        jobs: how many jobs the service made of the one that was wanted.
        lost: how many of them the history lacks in the end, or has without their end.
        doubled: how many jobs, or rows of the history, there are beyond one.
        tasks: how many were left.
    """

    fault: str
    endpoint: str
    for_good: bool
    expected: Error
    error: Error
    hits: int
    jobs: int
    lost: int
    doubled: int
    tasks: int

    @property
    def right(self) -> bool:
        """Whether it went as it should."""
        return self.error is self.expected and self.hits > 0 and not (self.lost or self.doubled or self.tasks)


class Matrix:
    """Tries the faults on one sandbox.

    Args:
        sandbox: runs, fast.
        client: speaks to it.
        folder: for histories and results.
    """

    def __init__(self, sandbox: Sandbox, client: NovaKitClient, folder: Path) -> None:
        self._sandbox = sandbox
        self._client = client
        self._folder = folder
        self._history = JobHistory(folder / "matrix.sqlite3")

    async def row(self, name: str) -> list[Trial]:
        """Try one fault on every endpoint, once and for good."""
        return [
            await self.trial(name, endpoint, for_good)
            for endpoint, for_good in itertools.product(ENDPOINTS, (False, True))
        ]

    async def trial(self, name: str, endpoint: str, for_good: bool) -> Trial:
        """Try one fault on one endpoint, then see what has become of the job when all is well again."""
        before, tasks = set(self._sandbox.jobs), asyncio.all_tasks()
        self._sandbox.clear_faults()
        method, path = _ADDRESSES.get(endpoint, ("POST", endpoint.removeprefix("POST ")))
        injected = self._sandbox.inject(TABLE[name].fault, method=method, path=path, times=None if for_good else 1)
        expected = _expected(name, endpoint, for_good)
        run = None
        try:
            if endpoint == "quota":
                await self._client.quota()
            elif endpoint == "look_up":
                self._sandbox.inject(Fault.reset_after(), method="POST")
                run = await self._submitted(Tool.IMAGE)
                await self._finish(run)
            elif endpoint.startswith("POST"):
                run = await self._submitted(next(tool for tool in Tool if endpoint.endswith(tool.endpoint)))
                await self._finish(run)
            else:
                run = self._run(endpoint, expected)
                if endpoint == "progress":
                    await self._meet(run, injected, 1 + for_good, expected)
                # In its end, too, a job must not depend on a list that only shows its progress.
                await (self._cancel(run) if endpoint in _ENDLESS else self._finish(run))
        except NovaKitError as problem:
            error: Error = type(problem)
        else:
            error = OK
        hits = injected.hits
        await self._put_right(run, cancels=endpoint in _ENDLESS)
        made = set(self._sandbox.jobs) - before
        lost = [job_id for job_id in made if not await self._is_known(job_id)]
        rows = Counter(entry.job.id for entry in self._history.entries(limit=100_000) if entry.job is not None)
        doubled = max(0, len(made) - 1) + sum(count - 1 for count in rows.values())
        left = asyncio.all_tasks() - tasks
        if left:
            _, left = await asyncio.wait(left, timeout=30.0)
        return Trial(name, endpoint, for_good, expected, error, hits, len(made), len(lost), doubled, len(left))

    def _run(self, endpoint: str, expected: Error) -> JobRun:
        timeout = _PATIENCE if expected is OVER else None
        if endpoint in _ENDLESS:
            self._sandbox.next_duration(_LONG)
        return JobRun(Tool.IMAGE, self._params(Tool.IMAGE), client=self._client, history=self._history, timeout=timeout)

    async def _submitted(self, tool: Tool) -> JobRun:
        """Submit a job without waiting for real time when its answer is lost."""
        params = self._params(tool)
        job = await submit(self._client, tool, params, history=self._history, clock=_quick())
        return self._attached(job)

    def _attached(self, job: Job) -> JobRun:
        assert job.id is not None
        run = JobRun.attached(job.id, client=self._client)
        run.history = self._history
        return run

    def _params(self, tool: Tool) -> dict[str, Any]:
        name = f"matrix-{secrets.token_hex(6)}"  # other histories know jobs of the same sandbox
        return {key: value.format(name) if isinstance(value, str) else value for key, value in _PARAMS[tool].items()}

    async def _finish(self, run: JobRun) -> None:
        job = await run.wait()
        if job.media:
            await save_all(self._client, job, self._folder / "results")

    async def _meet(self, run: JobRun, injected: InjectedFault, times: int, expected: Error) -> None:
        """Let a job run until the fault has happened so often, or the job is left because of it."""
        run.start()
        # The last answer is still on its way when it is counted.
        while not run.settled and (injected.hits < times or expected is not OK):
            await asyncio.sleep(0.002)

    async def _cancel(self, run: JobRun) -> None:
        """Cancel a job, and return when it is; raise why it is no longer watched, or what is shown when that does not go."""
        run.start()
        while run.phase is not Phase.WATCHING:
            if run.settled:
                run.result()
            await asyncio.sleep(0.002)
        run.cancel()
        while run.cancelling:
            await asyncio.sleep(0.002)
        assert run.job_id is not None
        if self._sandbox.jobs[run.job_id].status is not JobStatus.CANCELLED:
            raise NotCancelledError(run.note)
        with contextlib.suppress(JobCancelledError):
            await run.wait()

    async def _put_right(self, run: JobRun | None, *, cancels: bool) -> None:
        """Do what a user does when the service is well again: recover, watch on, cancel."""
        self._sandbox.clear_faults()
        found = (await look_up_all(self._client, self._history, clock=_quick())).found
        runs = [self._attached(job) for job in found] if run is None else [run]
        for one in runs:
            if cancels and one.phase in (Phase.WATCHING, Phase.LEFT):
                one.cancel()
                while one.cancelling:
                    await asyncio.sleep(0.002)
            # What was refused, or failed, has settled.
            if one.phase in (Phase.NEW, Phase.WATCHING, Phase.LEFT):
                with contextlib.suppress(JobCancelledError):
                    await one.wait()

    async def _is_known(self, job_id: str) -> bool:
        """Whether the history has a job to its end. The last row is written in a thread, so it may take a moment."""
        for _ in range(3000):
            entry = self._history.find(job_id, base_url=self._client.base_url)
            if entry is not None and entry.job is not None and entry.job.ended:
                return True
            await asyncio.sleep(0.01)
        return False


_ADDRESSES = {
    "watch": ("GET", "/jobs/*"),
    "progress": ("GET", "/jobs"),
    "look_up": ("GET", "/jobs"),
    "cancel": ("DELETE", "/jobs/*"),
    "quota": ("GET", "/quota"),
    "media": ("GET", "/media/*"),
}


def _expected(name: str, endpoint: str, for_good: bool) -> Error:
    row = TABLE[name]
    pair: Pair = row.post if endpoint.startswith("POST") else getattr(row, endpoint)
    return pair[for_good]


def _quick() -> Clock:
    """Return time that passes without waiting."""
    passed: Iterator[float] = itertools.count(0.0, 10.0)

    async def nap(_seconds: float) -> None:
        await asyncio.sleep(0)

    return Clock(monotonic=lambda: next(passed), sleep=nap)
