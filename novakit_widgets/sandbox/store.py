"""The jobs on the server's side: their lives, their ends, and who may see them."""

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
from .results import charge_for, model_of, output_data, tier_of

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping
    from concurrent.futures import ThreadPoolExecutor

    from .accounts import Charge, Key, Organisation
    from .artifact import Artifact
    from .library import Library

__all__ = ["FAIL_PHRASE", "JobStore", "Pace", "SandboxJob"]

FAIL_PHRASE = "fail please"
"""A generation with these words in its prompt or input fails in the middle of its work, in any case of letters."""

_FAILURE = "The model could not generate a result for this prompt."
_BROKEN = "Internal error while rendering the result."
_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class SandboxJob:
    """One job as the server knows it.

    Attributes:
        id: such as ``"job_1f…"``.
        tool: what makes it.
        params: as they arrived.
        seconds: real seconds from its start to its end, as planned.
        started_at: when it was accepted, as `time.monotonic` counts.
        ended_at: when it ended, as `time.monotonic` counts; ``None`` before.
        status: where it stands.
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

    @property
    def progress(self) -> int:
        """Percent: unsteady, but never back, and 100 only when it is completed."""
        if self.status is JobStatus.COMPLETED:
            return 100
        if self.status is JobStatus.PENDING:
            return 0
        until = time.monotonic() if self.ended_at is None else self.ended_at
        passed = min(0.999, max(0.0, (until - self.started_at) / self.seconds if self.seconds else 0.0))
        # Each step is a moment of the job's life at which its progress makes a jump of the same size.
        return int(99 * bisect_right(self.steps, passed) / len(self.steps))

    def as_json(self) -> dict[str, Any]:
        """Return the job as the API shows it."""
        done = self.status is JobStatus.COMPLETED
        actual = {JobStatus.COMPLETED: self.charge.credits, JobStatus.FAILED: 0, JobStatus.CANCELLED: 0}
        body: dict[str, Any] = {
            "id": self.id,
            "orgId": self.owner.id,
            "userId": self.user_id,
            "tool": self.tool.value,
            "status": self.status.value,
            "progress": self.progress,
            "inputParams": dict(self.params),
            "outputData": output_data(self.tool, self.artifacts, self.urls, self.transcript) if done else None,
            "estimatedCredits": self.charge.credits,
            "actualCredits": actual.get(self.status),
            "createdAt": _iso(self.created),
            "completedAt": _iso(self.completed) if self.completed else None,
            "model": self.model,
            "modelTier": self.tier,
        }
        if self.error is not None:
            body["errorMessage"] = self.error
        return body


@dataclass(slots=True)
class Pace:
    """How long jobs take.

    Attributes:
        speed: divides every duration.
        durations: seconds by tool, as ``(shortest, longest)``.
        rng: draws between them.
        next_seconds: durations for the next jobs, before any drawn.
    """

    speed: float
    durations: Mapping[str, tuple[float, float]]
    rng: random.Random
    next_seconds: deque[float] = field(default_factory=deque)

    def draw(self, tool: Tool) -> tuple[float, tuple[float, ...]]:
        """Return a job's real seconds, and the moments of its life (0 to 1) at which it makes progress."""
        drawn = self.rng.uniform(*self.durations[tool.value])
        seconds = self.next_seconds.popleft() if self.next_seconds else drawn
        waiting = self.rng.uniform(0.03, 0.12)
        steps = sorted(waiting + (1 - waiting) * self.rng.betavariate(1.1, 1.0) for _ in range(60))
        return seconds / self.speed, tuple(steps)


class JobStore:
    """Every job; belongs to the server's loop.

    Args:
        pace: how long they take.
        library: makes their media.
        workers: where it makes them.
    """

    def __init__(self, pace: Pace, library: Library, workers: ThreadPoolExecutor) -> None:
        self.jobs: dict[str, SandboxJob] = {}
        self.closing = asyncio.Event()
        self._alive: set[SandboxJob] = set()
        self._pace = pace
        self._library = library
        self._workers = workers

    def submit(
        self,
        key: Key,
        tool: Tool,
        params: Mapping[str, Any],
        *,
        transcript: Mapping[str, Any] | None,
        listed: bool,
    ) -> SandboxJob:
        """Start a job and take its charge; the caller has checked that it fits."""
        seconds, steps = self._pace.draw(tool)
        model = model_of(tool, params)
        words = f"{params.get('prompt') or ''} {params.get('input') or ''}".lower()
        job = SandboxJob(
            id=f"job_{secrets.token_hex(8)}",
            owner=key.organisation,
            user_id=key.user_id,
            tool=tool,
            params=params,
            model=model,
            tier=tier_of(model),
            charge=charge_for(tool, params, transcript),
            seconds=seconds,
            started_at=time.monotonic(),
            created=datetime.now(timezone.utc),
            fails=FAIL_PHRASE in words,
            listed=listed,
            transcript=transcript,
            steps=steps,
        )
        job.owner.take(job.charge)
        if listed:
            self.jobs[job.id] = job
        self._alive.add(job)
        job.task = asyncio.get_running_loop().create_task(self._live(job), name=job.id)
        job.task.add_done_callback(lambda _: self._alive.discard(job))
        return job

    def find(self, key: Key, job_id: str) -> SandboxJob | None:
        """Return a job that a key may see."""
        job = self.jobs.get(job_id)
        return job if job is not None and job.owner is key.organisation else None

    def newest(self, key: Key, *, tool: str | None, pending: bool, limit: int) -> list[SandboxJob]:
        """Return a key's jobs, newest first."""
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
        """Wait until a job has ended, the time is over, or the server ends."""
        try:
            await asyncio.wait_for(job.woken.wait(), seconds)
        except asyncio.TimeoutError:
            return

    def cancel(self, job: SandboxJob) -> bool:
        """Cancel a job; ``False`` when it had ended before."""
        if job.status.is_final:
            return False
        if job.task is not None:
            job.task.cancel()
        self._end(job, JobStatus.CANCELLED)
        return True

    def finish(self, job: SandboxJob) -> None:
        """Let a job that runs come to its end at once."""
        job.hurried = True
        job.due.set()

    async def close(self) -> None:
        """End every job's task, and let go of everybody who waits for one."""
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
        # A job that is cancelled never looks at what became of its media.
        making.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            await self._come(job, began + job.seconds * job.steps[0])
            job.status = JobStatus.PROCESSING
            await self._come(job, began + job.seconds)
            job.artifacts = await making
        except asyncio.CancelledError:
            making.cancel()
            raise
        except Exception:  # noqa: BLE001 # whatever broke, the job has to end, and to say so
            _log.exception("The sandbox could not make the media of %s.", job.id)
            self._end(job, JobStatus.FAILED, _BROKEN)
            return
        self.publish(job)
        self._end(job, JobStatus.COMPLETED)

    @staticmethod
    async def _come(job: SandboxJob, moment: float) -> None:
        """Wait until a moment of the loop's time, or until the job is to come to its end."""
        timer = asyncio.get_running_loop().call_at(moment, job.due.set)
        try:
            await job.due.wait()
        finally:
            timer.cancel()
        if not job.hurried:
            job.due.clear()

    def publish(self, job: SandboxJob) -> None:
        """Give a job's media new URLs."""
        words = str(job.params["input"]) if job.tool is Tool.TTS else None
        job.urls = tuple(self._library.publish(made, job.id, words) for made in job.artifacts)

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
