"""How a run gets its job: it submits one, attaches to one, reuses an equal one, or finds one after a lost answer."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import NotFoundError
from ..model.job import JobStatus
from .equal import WITHIN
from .messages import (
    never_started_error,
    no_equal_job_error,
    nothing_started_error,
    still_lost_error,
)
from .ownership import ownership_of
from .reconcile import Answer, Question, reconcile, without_output
from .submit import Submission, submit

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from ..api.client import NovaKitClient
    from ..errors import NovaKitError
    from ..job_history.jobs import JobHistory
    from ..model.job import Job
    from ..model.tools import Tool
    from ..runtime.clock import Clock
    from .equal import EqualJob

__all__ = ["Earlier", "StartStrategy", "StartingRun", "look_up_runs", "notebook"]

# Finds an equal job to reuse, given the run and the id of the submission's row in the history.
Earlier = Callable[["StartingRun", str], Awaitable["Job | None"]]


class StartingRun(Protocol):
    """What starting needs of a `JobRun`, whose attributes these are."""

    tool: Tool | None
    params: Mapping[str, Any]
    client: NovaKitClient
    history: JobHistory
    submission: Submission | None
    trouble: NovaKitError | None
    note: str
    reused: bool
    cancelling: bool
    mentions_equal: bool
    twin: EqualJob | None

    def waits(self, seconds: float, reason: NovaKitError, /) -> None:
        """Show why the submission has to wait."""
        ...

    def mention(self, note: str) -> None:
        """Show a note."""
        ...

    def changed(self) -> None:
        """Show what else there is."""
        ...


class StartStrategy:
    """How one run gets its job.

    Args:
        earlier: finds an equal job to reuse, or raises why none may be submitted.

    Attributes:
        attached_to: the id of the job, where it is already known.
    """

    def __init__(self, earlier: Earlier | None) -> None:
        self._earlier = earlier
        self.attached_to: str | None = None

    async def answer(self, run: StartingRun) -> Job:
        """Submit or fetch the job, and return the first snapshot of it.

        Args:
            run: gets its submission, and shows waits and a job that is reused.

        Raises:
            SubmissionUncertainError: there may be a job.
            NovaKitError: there is no job, or it can't be fetched.
        """
        if self.attached_to is not None:
            job = await self._attached_job(run, self.attached_to)
            if job is not None:
                return job
        assert run.tool is not None  # for the type checker: a run has a tool or a job id
        run.submission = run.submission or Submission()
        answer = await submit(
            run.client,
            run.tool,
            run.params,
            history=run.history,
            notebook=notebook(),
            on_wait=run.waits,
            submission=run.submission,
            instead=partial(self._instead, run),
            equal_within=WITHIN if run.mentions_equal else None,
        )
        # The list leaves out the results of jobs.
        unshown = answer.status == JobStatus.COMPLETED and answer.output is None
        return await self._known_now(run, answer) if unshown else answer

    async def lost(self, run: StartingRun) -> Job:
        """Look up the job of a submission whose answer was lost. Nothing is submitted.

        Args:
            run: its submission is uncertain.

        Raises:
            SubmissionUncertainError: it still can't be determined whether there is a job.
            JobNotStartedError: there is none.
            NovaKitError: there is one, but it can't be fetched; the run is attached to it from now on.
        """
        assert run.tool is not None  # for the type checker: it was submitted
        submission = run.submission
        if submission is None or submission.begun_at is None:
            # Nothing was sent, because an equal submission was uncertain.
            earlier = None if self._earlier is None else await self._earlier(run, "")
            if earlier is None:
                raise no_equal_job_error()
            return await self._known_now(run, earlier)
        (answer,) = await look_up_runs(
            [run], run.client, run.history, since=submission.begun_at, clock=submission.clock
        )
        if answer.uncertainty is not None:
            raise still_lost_error(run.tool, answer.uncertainty, kept=run.history.path is not None)
        if answer.job is None:
            raise never_started_error()
        return await self._known_now(run, answer.job)

    async def _known_now(self, run: StartingRun, job: Job) -> Job:
        """Fetch a job that was found. From now on nothing is submitted for the run, even if fetching fails."""
        if job.id is None:
            return job
        self.attached_to, self._earlier, run.trouble = job.id, None, None
        return await run.client.get(job.id)

    async def _attached_job(self, run: StartingRun, job_id: str) -> Job | None:
        """Fetch the job that the run is attached to; ``None`` if a reused one is gone."""
        makes_anew = self._earlier is not None and run.tool is not None
        try:
            job = await run.client.get(job_id)
        except NotFoundError:
            if not makes_anew:
                raise
            job = None
        if makes_anew and not _will_do(job):
            self.attached_to = None
            _made_anew(run, job_id, job)
            return None
        return job

    async def _instead(self, run: StartingRun, intent: str) -> Job | None:
        """Return an equal job to reuse, as the service knows it now.

        Raises:
            JobCancelledError: the user cancelled the run before anything was sent.
            SubmissionUncertainError: an equal submission is uncertain, so that nothing may be submitted.
        """
        if run.cancelling:
            raise nothing_started_error(cancelled=True)
        equal = None if run.submission is None else run.submission.equal
        if equal is not None:
            run.twin = ownership_of(run.client.account).equal_of(equal)
            run.changed()
        job = None if self._earlier is None else await self._earlier(run, intent)
        if job is None or job.id is None:
            return job
        try:
            now = await run.client.get(job.id)
        except NotFoundError:
            now = None
        if _will_do(now):
            return now
        _made_anew(run, job.id, now)
        return None


async def look_up_runs(
    runs: Sequence[StartingRun],
    client: NovaKitClient,
    history: JobHistory,
    *,
    since: datetime,
    known: Collection[str] = (),
    clock: Clock | None = None,
) -> list[Answer]:
    """Reconcile runs whose answers were lost; see `reconcile`.

    Args:
        runs: the runs; equal ones oldest first.
        client: lists the service's jobs.
        history: knows other submissions and their jobs, and records what was found.
        since: when the first of them can have been submitted.
        known: ids of jobs that belong to others.
        clock: see `Clock`.
    """
    # A run that was cancelled just after its answer came knows its job.
    answers = {run: Answer(without_output(run.submission.job)) for run in runs if run.submission and run.submission.job}
    asked = [run for run in runs if run not in answers]
    questions = [_question(run, since) for run in asked]
    answers.update(zip(asked, await reconcile(client, history, questions, known=known, clock=clock), strict=True))
    return [answers[run] for run in runs]


def _question(run: StartingRun, since: datetime) -> Question:
    assert run.tool is not None  # for the type checker: it was submitted
    submission = run.submission
    if submission is None:
        return Question(run.tool, run.params, since)

    def keep(job: Job) -> None:
        submission.job = job

    return Question(run.tool, submission.params or run.params, submission.begun_at or since, submission.intent, keep)


def _will_do(job: Job | None) -> bool:
    """Whether a job can be reused: it has a result, or may still get one."""
    return job is not None and (not job.ended or job.status == JobStatus.COMPLETED)


def _made_anew(run: StartingRun, job_id: str, job: Job | None) -> None:
    """Note why a job can't be reused."""
    why = (
        f"the service no longer knows {job_id} of your history"
        if job is None
        else f"{job_id} of your history is {job.status}"
    )
    run.reused, run.note = False, f"Made anew: {why}."


def notebook() -> str | None:
    """Return the notebook's path; ``None`` where the front end does not set it (JupyterLab and Notebook do)."""
    return os.environ.get("JPY_SESSION_NAME") or None
