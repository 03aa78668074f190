"""Every fault of the sandbox on every endpoint, once and for good: what a job comes to, and whether it is lost or doubled."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from novakit_widgets.client import NovaKitClient
from novakit_widgets.downloads import save_all
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
from novakit_widgets.jobhistory import JobHistory
from novakit_widgets.jobs import JobStatus, Tool
from novakit_widgets.recovery import look_up_all
from novakit_widgets.run import JobRun, Phase
from novakit_widgets.sandbox import Fault, Sandbox
from novakit_widgets.submission import Clockwork, submit

Error = type[NovaKitError] | None
Pair = tuple[Error, Error]  # once, and for good
OK: Error = None
LOST, ODD, UNSURE = NovaKitConnectionError, UnreadableAnswerError, SubmissionUncertainError
OVER, MEDIA, EXPIRED = JobTimeoutError, MediaError, MediaExpiredError
_NEVER: Pair = (OK, OK)

_LONG = 100_000.0  # seconds of the sandbox's time: a job that is to be cancelled must not end by itself
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
    return Row(Fault.status(code), both, both, (progress, progress), look_up, both, both, (media, media))


def _failure(fault: Fault, error: Error, *, post: Pair = (UNSURE, UNSURE), media: Error = MEDIA) -> Row:
    """Expect an error that reads are repeated after."""
    then = (OK, error)
    return Row(fault, post, (OK, OVER), _NEVER, (OK, UNSURE), then, then, (media, MEDIA))


def _nonsense(fault: Fault, error: Error, *, post: Pair = (UNSURE, UNSURE), media: Error = MEDIA) -> Row:
    """Expect an answer that is taken as it is, so that only the watching, which goes on anyway, asks again."""
    both = (error, error)
    return Row(fault, post, (OK, OVER), _NEVER, (OK, UNSURE), both, both, (media, MEDIA))


TABLE: dict[str, Row] = {
    "400": _refusal(400, APIError),
    "401": _refusal(401, AuthenticationError, progress=AuthenticationError),
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
    "reset before": _failure(Fault.reset_before(), LOST, media=OK),
    "reset after": _failure(Fault.reset_after(), LOST, post=_NEVER, media=OK),
    "truncated": _failure(Fault.truncated(), LOST, post=_NEVER, media=OK),
    "not JSON": _nonsense(Fault.not_json(), ODD),
    "empty": _nonsense(Fault.not_json(""), ODD),
    "not JSON, 502": _failure(Fault.not_json(status_code=502), APIError),
    "huge": _nonsense(Fault.huge(8_100_000), ODD),
    "delay": Row(Fault.delay(0.02)),
    "odd status": Row(Fault.odd_status("queued_somewhere"), watch=(OK, OVER)),
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
        self._numbers = itertools.count()

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
                await self._look_up()
            else:
                run = self._run(endpoint, expected)
                await (self._cancel(run) if endpoint == "cancel" else self._finish(run))
        except NovaKitError as problem:
            error: Error = type(problem)
        else:
            error = OK
        hits = injected.hits
        await self._put_right(run)
        made = set(self._sandbox.jobs) - before
        rows = Counter(entry.job.id for entry in self._history.entries(limit=100_000) if entry.job is not None)
        lost = sum(1 for job_id in made if not self._is_known(job_id))
        doubled = max(0, len(made) - 1) + sum(count - 1 for count in rows.values())
        left = asyncio.all_tasks() - tasks
        if left:
            _, left = await asyncio.wait(left, timeout=2.0)
        return Trial(name, endpoint, for_good, expected, error, hits, len(made), lost, doubled, len(left))

    def _run(self, endpoint: str, expected: Error) -> JobRun:
        tool = next((tool for tool in Tool if endpoint.endswith(tool.endpoint)), Tool.IMAGE)
        timeout = _PATIENCE if expected is OVER else None
        if endpoint in ("cancel", "progress"):
            # A job that ends before it was ever listed has no progress to show.
            self._sandbox.next_duration(_LONG if endpoint == "cancel" else 200.0)
        return JobRun(tool, self._params(tool), client=self._client, history=self._history, timeout=timeout)

    def _params(self, tool: Tool) -> dict[str, Any]:
        number = next(self._numbers)
        return {
            name: value.format(f"matrix-{number}") if isinstance(value, str) else value
            for name, value in _PARAMS[tool].items()
        }

    async def _finish(self, run: JobRun) -> None:
        job = await run.wait()
        if job.media:
            await save_all(self._client, job, self._folder / "results")

    async def _cancel(self, run: JobRun) -> None:
        """Cancel a job, and return when it is; raise what is shown when that does not go."""
        run.start()
        while run.phase is not Phase.WATCHING:
            await asyncio.sleep(0.002)
        troubles: list[NovaKitError | None] = []
        # The next news of the job takes its place.
        run.on_change = lambda: troubles.append(run.trouble)
        run.cancel()
        while run.cancelling:
            await asyncio.sleep(0.002)
        assert run.job_id is not None
        if self._sandbox.jobs[run.job_id].status is not JobStatus.CANCELLED:
            raise next(trouble for trouble in troubles if trouble is not None)
        try:
            await run.wait()
        except JobCancelledError:
            return

    async def _look_up(self) -> None:
        """Lose the answer to a submission, so that it is looked up."""
        self._sandbox.inject(Fault.reset_after(), method="POST")
        tool = Tool.IMAGE
        await submit(self._client, tool, self._params(tool), history=self._history, clockwork=_quick())

    async def _put_right(self, run: JobRun | None) -> None:
        """Do what a user does when the service is well again: recover, watch on, cancel."""
        self._sandbox.clear_faults()
        await look_up_all(self._client, self._history, clockwork=_quick())
        if run is None:
            return
        if run.phase is Phase.WATCHING:
            run.cancel()
        if run.phase in (Phase.WATCHING, Phase.LEFT):
            try:
                await run.wait()
            except JobCancelledError:
                pass
        # The last row of the history is written in a thread.
        for _ in range(200):
            if run.job_id is None or self._is_known(run.job_id):
                return
            await asyncio.sleep(0.01)

    def _is_known(self, job_id: str) -> bool:
        """Whether the history has a job; and its end, where somebody watched it."""
        entry = self._history.find(job_id, base_url=self._client.base_url)
        return entry is not None and entry.job is not None


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


def _quick() -> Clockwork:
    """Return time that passes without waiting."""
    passed: Iterator[float] = itertools.count(0.0, 10.0)

    async def nap(_seconds: float) -> None:
        await asyncio.sleep(0)

    return Clockwork(clock=lambda: next(passed), sleep=nap, random=random.random)
