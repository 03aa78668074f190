"""Finding the jobs of runs whose answers were lost, in the service's own list."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from .claims import Owner, SharedLists, claims_of
from .errors import NovaKitError, SubmissionUncertainError
from .submission import all_candidates

if TYPE_CHECKING:
    from .jobhistory import JobHistory
    from .jobs import Job, Tool
    from .run import JobRun
    from .submission import Clockwork, Submits

__all__ = ["look_up_runs"]


async def look_up_runs(
    tool: Tool,
    groups: Sequence[Sequence[JobRun]],
    *,
    client: Submits,
    history: JobHistory,
    since: datetime,
    ours: Collection[str],
    clockwork: Clockwork,
) -> list[tuple[JobRun, Job | SubmissionUncertainError | None]]:
    """Find the jobs of runs whose answers were lost, with one list for all of a tool, and note in the history what was found.

    Args:
        tool: what makes them.
        groups: the runs, those together that ask for the same: of their jobs it is of no account which is whose.
        client: asks for the service's list.
        history: knows other jobs, which are not theirs.
        since: when the first of them can have been submitted.
        ours: ids of jobs that are known to be others'.
        clockwork: time and chance.

    Returns:
        For each run its job, or ``None`` when it was never submitted, or why that can't be told.
    """
    owner = Owner(claims_of(client.account), history, client.base_url, None, clockwork)
    asked = []
    for group in groups:
        tickets = [run.ticket for run in group]
        begun = [ticket.begun_at for ticket in tickets if ticket is not None and ticket.begun_at is not None]
        asked.append((group[0].params, min(begun, default=since)))
    try:
        found = await all_candidates(SharedLists(client), tool, asked, known=ours, owner=owner, clockwork=clockwork)
    except NovaKitError as error:
        unknown = SubmissionUncertainError(f"Not submitted again: it can't be looked up. {error.message}")
        return [(run, unknown) for group in groups for run in group]
    outcomes: list[tuple[JobRun, Job | SubmissionUncertainError | None]] = []
    for group, sighting in zip(groups, found, strict=True):
        jobs = sighting.jobs
        if len(jobs) > len(group):
            ids = ", ".join(str(job.id) for job in jobs)
            several = SubmissionUncertainError(
                f"Not submitted again: {len(jobs)} jobs could be it: {ids}. Look at each with nk.attach(id).",
                candidates=jobs,
            )
            outcomes += [(run, several) for run in group]
            continue
        for run, job in zip(group, [*reversed(jobs), *[None] * (len(group) - len(jobs))], strict=True):
            if job is None and sighting.doubt:
                untold = SubmissionUncertainError(f"Not submitted again: {sighting.doubt}.", candidates=jobs)
                outcomes.append((run, untold))
            else:
                outcomes.append((run, await _noted(run, job, owner=owner, history=history)))
    return outcomes


async def _noted(
    run: JobRun, job: Job | None, *, owner: Owner, history: JobHistory
) -> Job | SubmissionUncertainError | None:
    intent = "" if run.ticket is None else run.ticket.intent
    if job is None:
        await history.off_loop(history.unsent, intent, "the service's list has no such job")
    elif not await owner.take(job, intent):
        return SubmissionUncertainError(
            f"Not submitted again: {job.id}, which it could be, is another's by now. Trying it again looks once more."
        )
    return job
