"""Taking a job of the history for a new one that asks for the same."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from .jobhistory import default_history
from .jobs import JobStatus
from .run import JobRun

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .client import NovaKitClient
    from .jobhistory import HistoryEntry
    from .jobs import Tool

__all__ = ["TWIN_AGE", "reused_note", "run_of", "twin_note"]

TWIN_AGE = timedelta(days=1)  # how long an equal job is worth a hint


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
    twin = default_history().twin(tool, params, base_url=client.base_url, within=None if reuse else TWIN_AGE)
    if twin is not None and twin.job is not None and twin.job.id is not None and reuse:
        run = JobRun.attached(twin.job.id, client=client, timeout=timeout, tool=tool, params=params)
        run.note = reused_note(twin)
        run.reused = True
        return run
    run = JobRun(tool, params, client=client, timeout=timeout)
    run.note = "" if twin is None else twin_note(twin)
    return run


def reused_note(twin: HistoryEntry) -> str:
    """Say that a job of the history was taken."""
    return f"From your history of {twin.begun_at.astimezone():%d %b %Y}, not billed again; reuse=False makes it anew."


def twin_note(twin: HistoryEntry) -> str:
    """Say that the history has such a job; ``""`` for one without a result."""
    if twin.job is None or twin.job.status != JobStatus.COMPLETED:
        return ""
    return f"You made the same at {twin.begun_at.astimezone():%H:%M}; nk.attach({twin.job.id!r}) shows that at no cost."
