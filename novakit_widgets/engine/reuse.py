"""Taking a job of the history for a new one that asks for the same."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..errors import SubmissionUncertainError
from ..job_history.jobs import default_history
from ..model.job import JobStatus
from ..runtime.clock import Clockwork
from .reconcile import look_up_entries
from .run import JobRun

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..api.client import NovaKitClient
    from ..job_history.jobs import HistoryEntry
    from ..model.job import Job
    from ..model.tools import Tool
    from .start import StartingRun

__all__ = ["TWIN_AGE", "equal_job", "lost_job", "reused_note", "run_of", "twin_note"]

TWIN_AGE = timedelta(days=1)  # how long an equal job is worth a hint
_LOOK = 0.2  # seconds between two looks at whether equal submissions are done; they may be another kernel's
_GIVEN_UP = frozenset({JobStatus.FAILED, JobStatus.CANCELLED})


def run_of(
    tool: Tool, params: Mapping[str, Any], *, client: NovaKitClient, timeout: float | None = None, reuse: bool
) -> JobRun:
    """Make the run of something that is asked for: a new job, or one of the history that asked for the same.

    Args:
        tool: what makes it.
        params: the service's own parameters.
        client: speaks to the service.
        timeout: seconds to watch; ``None`` for the tool's.
        reuse: whether one of the history will do; otherwise its note tells of it.
    """
    twin = default_history().twin(
        tool, params, base_url=client.base_url, account=client.account, within=None if reuse else TWIN_AGE
    )
    if twin is not None and twin.job is not None and reuse:
        job_id = twin.job.id
        if job_id is None:
            # It was answered at once: the service keeps nothing to ask for, and the row has the result.
            run = JobRun.known(tool, params, twin.job, client=client, timeout=timeout)
        else:
            run = JobRun.attached(job_id, client=client, timeout=timeout, tool=tool, params=params, earlier=equal_job)
        run.note = reused_note(twin)
        run.reused = True
        return run
    run = JobRun(tool, params, client=client, timeout=timeout, earlier=equal_job if reuse else None)
    run.note = "" if twin is None else twin_note(twin)
    return run


async def equal_job(run: StartingRun, intent: str, *, clockwork: Clockwork | None = None) -> Job | None:
    """Find the job of an equal submission: one that is on its way now, in any kernel, one whose answer was lost, or one since.

    Args:
        run: about to be submitted; it is told what was found.
        intent: its own row in the history: of those that are submitted at the same time, the first row's is made.
        clockwork: time and chance.

    Raises:
        SubmissionUncertainError: as `lost_job` does.
    """
    if intent:
        await _those_ahead(run, intent, clockwork or Clockwork())
    return await lost_job(run, intent, clockwork=clockwork) or await _found_meanwhile(run)


async def _those_ahead(run: StartingRun, intent: str, works: Clockwork) -> None:
    """Wait for the answers to equal submissions that were begun before this one."""
    before = run.note
    while await run.history.off_loop(run.history.ahead, intent):
        run.mention("The same is being submitted already. This waits for it, to show its job instead of paying twice.")
        await works.sleep(_LOOK)
    run.mention(before)


async def lost_job(run: StartingRun, _intent: str = "", *, clockwork: Clockwork | None = None) -> Job | None:
    """Find the job of an equal submission whose answer was lost, such as one of a kernel that died in the midst of it.

    Args:
        run: about to be submitted; it is told what was found.
        clockwork: time and chance.

    Raises:
        SubmissionUncertainError: whether there is such a job can't be told, so that this one might be paid twice.
    """
    assert run.tool is not None  # for the type checker: it is about to be submitted
    history, client = run.history, run.client
    asked = [(run.tool, run.params)]
    lost = await history.off_loop(history.lost, base_url=client.base_url, account=client.account, asked=asked)
    if not lost:
        # Asked once more: what was in question may have been found by somebody else.
        return await _found_meanwhile(run) if isinstance(run.trouble, SubmissionUncertainError) else None
    outcome = await look_up_entries(client, history, lost, clockwork=clockwork)
    job = next((job for job in reversed(outcome.found) if job.status not in _GIVEN_UP), None)
    if job is not None:
        run.reused = True
        run.note = (
            f"{_when(lost[-1])} its answer was lost; this is its job, not billed again. reuse=False makes it anew."
        )
        return job
    if outcome.unclear:
        raise SubmissionUncertainError(
            f"You asked for the same before. {_when(lost[-1])} its answer was lost, and whether it runs can't be told "
            f"({outcome.reasons[0].rstrip('.')}). Nothing was submitted now: nk.recover() looks again, reuse=False makes it anew."
        )
    return None


async def _found_meanwhile(run: StartingRun) -> Job | None:
    """Find the job of an equal submission that has got it since this run was made.

    Args:
        run: not submitted so far; it is told what was found.
    """
    assert run.tool is not None  # for the type checker: it is about to be submitted
    client = run.client
    twin = await run.history.off_loop(
        run.history.twin, run.tool, run.params, base_url=client.base_url, account=client.account
    )
    if twin is None or twin.job is None:
        return None
    run.reused, run.note = True, reused_note(twin)
    return twin.job


def _when(entry: HistoryEntry) -> str:
    return f"On {entry.begun_at.astimezone():%d %b %Y} at {entry.begun_at.astimezone():%H:%M}"


def reused_note(twin: HistoryEntry) -> str:
    """Say that a job of the history was taken."""
    return f"From your history of {twin.begun_at.astimezone():%d %b %Y}, not billed again; reuse=False makes it anew."


def twin_note(twin: HistoryEntry) -> str:
    """Say that the history has such a job; ``""`` for one without a result."""
    if twin.job is None or twin.job.status != JobStatus.COMPLETED:
        return ""
    shows = "reuse=True" if twin.job.id is None else f"nk.attach({twin.job.id!r})"
    return f"You made the same at {twin.begun_at.astimezone():%H:%M}; {shows} shows that at no cost."
