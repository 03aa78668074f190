"""Reuses jobs of the history that have the same parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import SubmissionUncertainError
from ..job_history.jobs import default_history
from ..model.job import JobStatus
from ..runtime import loop as job_loop
from ..runtime.clock import Clock
from .equal import WITHIN
from .ownership import ownership_of
from .reconcile import look_up_entries
from .run import JobRun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..api.client import NovaKitClient
    from ..job_history.jobs import HistoryEntry, JobHistory
    from ..model.job import Job
    from ..model.tools import Tool
    from .start import StartingRun

__all__ = ["check_reuse", "equal_job", "lost_job", "read_for_reuse", "reused_note", "run_of"]

_LOOK = 0.2  # seconds between two looks at whether equal submissions, also other kernels', are answered
_GIVEN_UP = frozenset({JobStatus.FAILED, JobStatus.CANCELLED})
_REUSE = "reuse=True"
_T = TypeVar("_T")


def run_of(
    tool: Tool,
    params: Mapping[str, Any],
    *,
    client: NovaKitClient,
    timeout: float | None = None,
    reuse: bool,
    starts: bool = True,
) -> JobRun:
    """Create the run of a new job, or of an equal job of the history. The history is read when the run starts.

    Args:
        tool: The job's tool.
        params: The service's own parameters.
        client: Sends the requests.
        timeout: Seconds to watch the job; ``None`` for the tool's default.
        reuse: Whether an equal job of the history is taken instead of a new one. Otherwise a note tells of one.
        starts: Whether the run is started at once. Otherwise the note is looked up before the user starts it.

    Raises:
        ConfigurationError: ``reuse`` is set, and the history is switched off.
    """
    if reuse:
        check_reuse(default_history())
        return JobRun(tool, params, client=client, timeout=timeout, earlier=equal_job)
    run = JobRun(tool, params, client=client, timeout=timeout)
    run.mentions_equal = True
    if not starts:
        job_loop.background(lambda: _mention_equal(run))
    return run


def check_reuse(history: JobHistory) -> None:
    """Refuse ``reuse=True`` when there is no history that could tell of an equal job.

    Raises:
        ConfigurationError: The history is switched off.
    """
    if history.path is None:
        history.require(_REUSE)


async def _mention_equal(run: JobRun) -> None:
    """Let a run mention an equal job of the last day before it starts."""
    assert run.tool is not None  # for the type checker: it is about to be submitted
    client, history = run.client, run.history
    twin = await history.off_loop(
        history.twin, run.tool, run.params, base_url=client.base_url, account=client.account, within=WITHIN
    )
    if twin is not None:
        run.twin = ownership_of(client.account).equal_of(twin)
        run.changed()


async def read_for_reuse(history: JobHistory, work: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
    """Read the history, and refuse to go on without an answer: an equal job might be paid twice.

    Raises:
        ConfigurationError: The history can't be used.
    """
    result = await history.off_loop(work, *args, **kwargs)
    history.require(_REUSE)
    return result


async def equal_job(run: StartingRun, intent: str, *, clock: Clock | None = None) -> Job | None:
    """Find the job of an equal submission: one on its way in any kernel, one whose answer was lost, or a newer one.

    Args:
        run: about to be submitted; its note says what was found.
        intent: its row in the history: of equal submissions at the same time, the first row's is submitted.
        clock: see `Clock`.

    Raises:
        SubmissionUncertainError: see `lost_job`.
        ConfigurationError: the history can't be used.
    """
    if intent:
        await _those_ahead(run, intent, clock or Clock())
    return await lost_job(run, intent, clock=clock) or await _found_meanwhile(run)


async def _those_ahead(run: StartingRun, intent: str, clock: Clock) -> None:
    """Wait for the answers to equal submissions that were begun before this one."""
    before = run.note
    while await read_for_reuse(run.history, run.history.ahead, intent):
        run.mention("An equal job is being submitted already. This card waits for it instead of paying twice.")
        await clock.sleep(_LOOK)
    run.mention(before)


async def lost_job(run: StartingRun, _intent: str = "", *, clock: Clock | None = None) -> Job | None:
    """Find the job of an equal submission whose answer was lost, such as that of a kernel that died.

    Args:
        run: about to be submitted; its note says what was found.
        clock: see `Clock`.

    Raises:
        SubmissionUncertainError: it can't be determined whether there is such a job, so this one might be paid twice.
    """
    assert run.tool is not None  # for the type checker: it is about to be submitted
    history, client = run.history, run.client
    asked = [(run.tool, run.params)]
    lost = await read_for_reuse(history, history.lost, base_url=client.base_url, account=client.account, asked=asked)
    if not lost:
        # Another kernel may have found the uncertain one meanwhile.
        return await _found_meanwhile(run) if isinstance(run.trouble, SubmissionUncertainError) else None
    outcome = await look_up_entries(client, history, lost, clock=clock)
    job = next((job for job in reversed(outcome.found) if job.status not in _GIVEN_UP), None)
    if job is not None:
        run.reused = True
        run.note = f"{_when(lost[-1])} its answer was lost; this is its job, not billed again. reuse=False generates a new one."
        return job
    if outcome.unclear:
        raise SubmissionUncertainError(
            f"{_when(lost[-1])} the answer to an equal submission was lost, and whether its job runs is not known "
            f"({outcome.reasons[0].rstrip('.')}). Nothing was submitted now: nk.recover() looks again, reuse=False submits it."
        )
    return None


async def _found_meanwhile(run: StartingRun) -> Job | None:
    """Find an equal job that the history has got since this run was made.

    Args:
        run: not submitted so far; its note says what was found.
    """
    assert run.tool is not None  # for the type checker: it is about to be submitted
    client = run.client
    history = run.history
    twin = await read_for_reuse(
        history, history.twin, run.tool, run.params, base_url=client.base_url, account=client.account
    )
    if twin is None or twin.job is None:
        return None
    run.reused, run.note = True, reused_note(twin)
    return twin.job


def _when(entry: HistoryEntry) -> str:
    return f"On {entry.begun_at.astimezone():%d %b %Y} at {entry.begun_at.astimezone():%H:%M}"


def reused_note(twin: HistoryEntry) -> str:
    """Return the note of a run that reuses a job of the history."""
    return f"From your history of {twin.begun_at.astimezone():%d %b %Y}, not billed again; reuse=False generates a new one."
