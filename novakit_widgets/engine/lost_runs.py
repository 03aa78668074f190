"""Finding the jobs of runs whose answers were lost, in the service's own list."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import NovaKitError, SubmissionUncertainError
from ..job_history.rows import digest_of
from .matching import sightings_of
from .ownership import Owner, SharedLists, claims_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from ..api.client import NovaKitClient
    from ..job_history.jobs import JobHistory
    from ..model.job import Job
    from ..model.tools import Tool
    from ..runtime.clock import Clockwork
    from .run import JobRun

__all__ = ["look_up_runs"]


async def look_up_runs(
    tool: Tool,
    groups: Sequence[Sequence[JobRun]],
    *,
    client: NovaKitClient,
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
        history: knows other jobs, which are not theirs, and other submissions that were lost.
        since: when the first of them can have been submitted.
        ours: ids of jobs that are known to be others'.
        clockwork: time and chance.

    Returns:
        For each run its job, or ``None`` when it was never submitted, or an error that says why that can't be told.
    """
    # Somebody else may have looked meanwhile, such as recover(), and what is theirs by now is not in question any more.
    known = await _answered([run for group in groups for run in group], history)
    outcomes: list[tuple[JobRun, Job | SubmissionUncertainError | None]] = [*known.items()]
    groups = [left for group in groups if (left := [run for run in group if run not in known])]
    if not groups:
        return outcomes
    owner = Owner(claims_of(client.account), history, client.base_url, None, clockwork)
    asked = []
    for group in groups:
        begun = [run.ticket.begun_at for run in group if run.ticket is not None and run.ticket.begun_at is not None]
        asked.append((group[0].params, min(begun, default=since)))
    try:
        found = await sightings_of(SharedLists(client), tool, asked, known=ours, owner=owner, clockwork=clockwork)
    except NovaKitError as error:
        unknown = SubmissionUncertainError(f"It can't be looked up. {error.message}", error.status_code, error.response)
        return [*outcomes, *((run, unknown) for group in groups for run in group)]
    others = await _others_lost(tool, groups, client, history)
    for group, sighting in zip(groups, found, strict=True):
        jobs = sighting.jobs
        if len(jobs) > len(group) + others[digest_of(tool, group[0].params)]:
            ids = ", ".join(str(job.id) for job in jobs)
            several = SubmissionUncertainError(
                f"{len(jobs)} jobs could be it: {ids}. Look at each with nk.attach(id).", candidates=jobs
            )
            outcomes += [(run, several) for run in group]
            continue
        oldest = [*reversed(jobs)][: len(group)]
        for run, job in zip(group, [*oldest, *[None] * (len(group) - len(oldest))], strict=True):
            if job is None and sighting.doubt:
                doubt = sighting.doubt[0].upper() + sighting.doubt[1:]
                outcomes.append((run, SubmissionUncertainError(f"{doubt}.", candidates=jobs)))
            else:
                outcomes.append((run, await _noted(run, job, owner=owner, history=history)))
    return outcomes


async def _answered(runs: Sequence[JobRun], history: JobHistory) -> dict[JobRun, Job]:
    """Return the jobs of those who have one by now: they were told before it was broken off, or their rows in the history were."""
    told = {run: run.ticket.job for run in runs if run.ticket is not None and run.ticket.job is not None}
    intents = {run: run.ticket.intent for run in runs if run.ticket is not None and run.ticket.intent}
    jobs = await history.off_loop(history.jobs_of, list(intents.values()))
    kept = {run: jobs[intent] for run, intent in intents.items() if intent in jobs}
    # The address of a result that was noted then may have expired, so it is asked for.
    return {run: job if job.id is None else replace(job, output=None) for run, job in {**kept, **told}.items()}


async def _others_lost(
    tool: Tool, groups: Sequence[Sequence[JobRun]], client: NovaKitClient, history: JobHistory
) -> Counter[str | None]:
    """Count the other submissions that asked for the same and were lost as well: as many jobs more are no riddle."""
    asked = [(tool, group[0].params) for group in groups]
    lost = await history.off_loop(history.lost, base_url=client.base_url, account=client.account, asked=asked)
    own = {run.ticket.intent for group in groups for run in group if run.ticket is not None}
    return Counter(digest_of(tool, entry.params) for entry in lost if entry.intent not in own)


async def _noted(
    run: JobRun, job: Job | None, *, owner: Owner, history: JobHistory
) -> Job | SubmissionUncertainError | None:
    intent = "" if run.ticket is None else run.ticket.intent
    if job is None:
        await history.off_loop(history.unsent, intent, "the service's list has no such job")
        return (await _answered([run], history)).get(run)  # another kernel may have been quicker
    if not await owner.take(job, intent):
        return SubmissionUncertainError(f"{job.id}, which it could be, is another's by now. Look once more.")
    if run.ticket is not None:
        run.ticket.job = job
    return job
