"""The jobs of the sandbox: their states, results and owners."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ..model.job import JobStatus
from ..model.tools import Tool
from .accounts import Charge
from .results import charge_for, model_of, output_data, tier_of

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping
    from concurrent.futures import ThreadPoolExecutor

    from .accounts import Key, Organisation
    from .artifact import Artifact
    from .library import Library
    from .script import Part, Script

__all__ = ["FAIL_PHRASE", "JobStore", "Pace", "SandboxJob"]

FAIL_PHRASE = "fail please"
"""A job whose prompt or input contains these words, in any case, fails halfway."""

_FAILURE = "The model could not generate a result for this prompt."
_BROKEN = "Internal error while rendering the result."
_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class SandboxJob:
    """A job of the sandbox.

    Attributes:
        id: such as ``"job_1f…"``.
        tool: the tool of the job.
        params: the parameters as they were received.
        seconds: the planned duration in real seconds.
        started_at: when the job was accepted, by `time.monotonic`.
        ended_at: when the job ended, by `time.monotonic`; ``None`` before.
        status: the current status.
    """

    id: str
    owner: Organisation
    user_id: str
    tool: Tool
    params: Mapping[str, Any]
    model: str
    tier: str
    charge: Charge
    seconds: float
    started_at: float
    created: datetime
    fails: bool
    listed: bool
    transcript: Mapping[str, Any] | None
    steps: tuple[float, ...]
    status: JobStatus = JobStatus.PENDING
    ended_at: float | None = None
    completed: datetime | None = None
    error: str | None = None
    artifacts: tuple[Artifact, ...] = ()
    urls: tuple[str, ...] = ()
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    due: asyncio.Event = field(default_factory=asyncio.Event)
    hurried: bool = False
    task: asyncio.Task[None] | None = None
    part: Part | None = None
    unrecorded: bool = False

    @property
    def progress(self) -> float | None:
        """Progress in percent: unsteady, never decreasing, and 100 only when the job is completed."""
        if self.part is not None:
            return 100 if self.status is JobStatus.COMPLETED else self.part.at(self.share)[1]
        if self.status is JobStatus.COMPLETED:
            return 100
        if self.status is JobStatus.PENDING:
            return 0
        # At each step the progress increases by the same amount.
        return int(99 * bisect_right(self.steps, min(0.999, self.share)) / len(self.steps))

    @property
    def share(self) -> float:
        """The share of the planned duration that has passed, from 0."""
        until = time.monotonic() if self.ended_at is None else self.ended_at
        return max(0.0, (until - self.started_at) / self.seconds if self.seconds else 0.0)

    def as_json(self) -> dict[str, Any]:
        """Return the job as the API reports it."""
        done = self.status is JobStatus.COMPLETED
        if self.part is None:
            result = output_data(self.tool, self.artifacts, self.urls, self.transcript) if done else None
        else:
            result = self.part.output(self.urls) if done else None
        actual = {JobStatus.COMPLETED: self.charge.credits, JobStatus.FAILED: 0, JobStatus.CANCELLED: 0}
        body: dict[str, Any] = {
            "id": self.id,
            "orgId": self.owner.id,
            "userId": self.user_id,
            "tool": self.tool.value,
            "status": self.status.value,
            "progress": self.progress,
            "inputParams": dict(self.params),
            "outputData": result,
            "estimatedCredits": self.charge.credits if self.part is None else self.part.estimated,
            "actualCredits": actual.get(self.status) if self.part is None or not done else self.part.actual,
            "createdAt": _iso(self.created),
            "completedAt": _iso(self.completed) if self.completed else None,
            "model": self.model,
            "modelTier": self.tier,
        }
        if self.error is not None:
            body["errorMessage"] = self.error
        if self.unrecorded:
            body["madeBy"] = "sandbox"
        return body


@dataclass(slots=True)
class Pace:
    """The durations of jobs.

    Attributes:
        speed: divides every duration.
        durations: seconds by tool, as ``(shortest, longest)``.
        rng: draws a duration from the range.
        next_seconds: durations of the next jobs, used first.
    """

    speed: float
    durations: Mapping[str, tuple[float, float]]
    rng: random.Random
    next_seconds: deque[float] = field(default_factory=deque)

    def draw(self, tool: Tool) -> tuple[float, tuple[float, ...]]:
        """Return the duration of a job in real seconds, and the shares of it (0 to 1) after which progress increases."""
        drawn = self.rng.uniform(*self.durations[tool.value])
        seconds = self.next_seconds.popleft() if self.next_seconds else drawn
        waiting = self.rng.uniform(0.03, 0.12)
        steps = sorted(waiting + (1 - waiting) * self.rng.betavariate(1.1, 1.0) for _ in range(60))
        return seconds / self.speed, tuple(steps)


class JobStore:
    """The jobs of a sandbox. Use it on the server's event loop.

    Args:
        pace: how long they take.
        library: makes their media.
        workers: where it makes them.
        script: how its jobs go; ``None`` where it makes all of them itself.
    """

    def __init__(self, pace: Pace, library: Library, workers: ThreadPoolExecutor, script: Script | None = None) -> None:
        self.jobs: dict[str, SandboxJob] = {}
        self.closing = asyncio.Event()
        self._alive: set[SandboxJob] = set()
        self._pace = pace
        self._library = library
        self._workers = workers
        self._script = script

    def submit(
        self,
        key: Key,
        tool: Tool,
        params: Mapping[str, Any],
        *,
        transcript: Mapping[str, Any] | None,
        listed: bool,
        part: Part | None = None,
    ) -> SandboxJob:
        """Start a job and charge it; the caller has checked the quotas. One with a course of its own is not charged."""
        seconds, steps = self._pace.draw(tool) if part is None else (part.seconds / self._pace.speed, ())
        model = model_of(tool, params) if part is None or part.model is None else part.model
        job_id = None if part is None or part.job_id in self.jobs else part.job_id
        words = f"{params.get('prompt') or ''} {params.get('input') or ''}".lower()
        job = SandboxJob(
            id=job_id or f"job_{secrets.token_hex(8)}",
            owner=key.organisation,
            user_id=key.user_id,
            tool=tool,
            params=params,
            model=model,
            tier=tier_of(model) if part is None or part.tier is None else part.tier,
            charge=charge_for(tool, params, transcript) if part is None else Charge(tool.facts.bucket, 0.0, 0.0),
            seconds=seconds,
            started_at=time.monotonic(),
            created=datetime.now(timezone.utc),
            fails=FAIL_PHRASE in words,
            listed=listed,
            transcript=transcript,
            steps=steps,
            part=part,
            unrecorded=part is None and self._script is not None,
        )
        job.owner.take(job.charge)
        if listed:
            self.jobs[job.id] = job
        self._alive.add(job)
        living = self._live(job) if part is None else self._follow(job, part)
        job.task = asyncio.get_running_loop().create_task(living, name=job.id)
        job.task.add_done_callback(lambda _: self._alive.discard(job))
        return job

    def find(self, key: Key, job_id: str) -> SandboxJob | None:
        """Return a job if the key may see it."""
        job = self.jobs.get(job_id)
        return job if job is not None and job.owner is key.organisation else None

    def newest(self, key: Key, *, tool: str | None, pending: bool, limit: int) -> list[SandboxJob]:
        """Return the jobs of a key, newest first."""
        found: list[SandboxJob] = []
        for job in reversed(self.jobs.values()):
            if len(found) == limit:
                break
            if (
                job.owner is key.organisation
                and tool in (None, job.tool.value)
                and not (pending and job.status.is_final)
            ):
                found.append(job)
        return found

    async def wait(self, job: SandboxJob, seconds: float | None) -> None:
        """Wait until a job ends, the time is over, or the server stops."""
        try:
            await asyncio.wait_for(job.woken.wait(), seconds)
        except asyncio.TimeoutError:
            return

    def cancel(self, job: SandboxJob) -> bool:
        """Cancel a job; return ``False`` if it had ended before."""
        if job.status.is_final:
            return False
        if job.task is not None:
            job.task.cancel()
        self._end(job, JobStatus.CANCELLED)
        return True

    def finish(self, job: SandboxJob) -> None:
        """End a running job at once."""
        job.hurried = True
        job.due.set()

    async def close(self) -> None:
        """Cancel the tasks of all jobs, and release all waiting requests."""
        self.closing.set()
        alive = tuple(self._alive)
        tasks = [job.task for job in alive if job.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for job in alive:
            job.woken.set()

    async def _live(self, job: SandboxJob) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        if job.fails:
            await self._come(job, began + job.seconds * job.steps[0])
            job.status = JobStatus.PROCESSING
            await self._come(job, began + job.seconds * max(0.6, job.steps[0]))
            self._end(job, JobStatus.FAILED, _FAILURE)
            return
        making = loop.run_in_executor(self._workers, self._library.make, job.tool, job.params)
        # A cancelled job never reads the result of its rendering.
        making.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            await self._come(job, began + job.seconds * job.steps[0])
            job.status = JobStatus.PROCESSING
            await self._come(job, began + job.seconds)
            job.artifacts = await making
        except asyncio.CancelledError:
            making.cancel()
            raise
        except Exception:  # noqa: BLE001 # whatever fails, the job must end and report it
            _log.exception("The sandbox could not make the media of %s.", job.id)
            self._end(job, JobStatus.FAILED, _BROKEN)
            return
        self.publish(job)
        self._end(job, JobStatus.COMPLETED)

    async def _follow(self, job: SandboxJob, part: Part) -> None:
        """Let a job go as its course says."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for share, status, _ in part.answers:
            await self._come(job, began + job.seconds * share)
            job.status = status
        await self._come(job, began + job.seconds + part.until_cancelled)
        if part.status is JobStatus.COMPLETED:
            try:
                job.artifacts = await loop.run_in_executor(self._workers, part.media)
            except Exception as problem:  # noqa: BLE001 # whatever fails, the job must end and report it
                self._end(job, JobStatus.FAILED, str(problem))
                return
            self.publish(job)
        self._end(job, part.status, part.error)

    @staticmethod
    async def _come(job: SandboxJob, moment: float) -> None:
        """Wait until a time of the event loop, or until the job is ended early."""
        timer = asyncio.get_running_loop().call_at(moment, job.due.set)
        try:
            await job.due.wait()
        finally:
            timer.cancel()
        if not job.hurried:
            job.due.clear()

    def publish(self, job: SandboxJob) -> None:
        """Publish the media of a job under new URLs."""
        words = str(job.params.get("input")) if job.tool is Tool.TTS else None
        job.urls = tuple(self._library.publish(made, job.id, words) for made in job.artifacts)
        if job.part is not None and self._script is not None:
            for made, url in zip(job.artifacts, job.urls, strict=True):
                self._script.published(url, made)

    @staticmethod
    def _end(job: SandboxJob, status: JobStatus, error: str | None = None) -> None:
        if status is not JobStatus.COMPLETED:
            job.owner.take(job.charge, sign=-1)
        job.status, job.error = status, error
        job.completed = datetime.now(timezone.utc)
        job.ended_at = time.monotonic()
        job.woken.set()


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
