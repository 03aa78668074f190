"""Finding out whether places of a queue were submitted whose answers were lost."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from .claims import Owner, SharedLists, claims_of
from .errors import NovaKitError, SubmissionUncertainError
from .parameters import canonical
from .submission import all_candidates

if TYPE_CHECKING:
    from .jobhistory import JobHistory
    from .jobs import Job, Tool
    from .queue_places import Place
    from .submission import Clockwork, Submits

__all__ = ["alike", "jobs_of"]


def alike(places: Iterable[Place]) -> list[tuple[Tool, list[list[Place]]]]:
    """Put places together that ask for the same, by tool: of their jobs it is of no account which is whose."""
    tools: dict[Tool, dict[str, list[Place]]] = {}
    for place in places:
        groups = tools.setdefault(place.tool, {})
        groups.setdefault(canonical(place.tool, place.params), []).append(place)
    return [(tool, list(groups.values())) for tool, groups in tools.items()]


async def jobs_of(
    tool: Tool,
    groups: Sequence[Sequence[Place]],
    *,
    client: Submits,
    history: JobHistory,
    since: datetime,
    ours: Collection[str],
    clockwork: Clockwork,
) -> list[tuple[Place, Job | SubmissionUncertainError | None]]:
    """Find the jobs of places that were lost, with one list for all of a tool, and note in the history what was found.

    Args:
        tool: what makes them.
        groups: the places, those together that ask for the same.
        client: asks for the service's list.
        history: knows other jobs, which are not theirs.
        since: when the queue was made.
        ours: ids of jobs that are other places'.
        clockwork: time and chance.

    Returns:
        For each place its job, or ``None`` when it was never submitted, or why that can't be told.
    """
    owner = Owner(claims_of(client.account), history, client.base_url, None, clockwork)
    asked = []
    for group in groups:
        tickets = [place.run.ticket for place in group]
        begun = [ticket.begun_at for ticket in tickets if ticket is not None and ticket.begun_at is not None]
        asked.append((group[0].params, min(begun, default=since)))
    try:
        found = await all_candidates(SharedLists(client), tool, asked, known=ours, owner=owner, clockwork=clockwork)
    except NovaKitError as error:
        unknown = SubmissionUncertainError(f"Not submitted again: it can't be looked up. {error.message}")
        return [(place, unknown) for group in groups for place in group]
    outcomes: list[tuple[Place, Job | SubmissionUncertainError | None]] = []
    for group, sighting in zip(groups, found, strict=True):
        jobs = sighting.jobs
        if len(jobs) > len(group):
            ids = ", ".join(str(job.id) for job in jobs)
            several = SubmissionUncertainError(
                f"Not submitted again: {len(jobs)} jobs could be it: {ids}. Look at each with nk.attach(id).",
                candidates=jobs,
            )
            outcomes += [(place, several) for place in group]
            continue
        for place, job in zip(group, [*reversed(jobs), *[None] * (len(group) - len(jobs))], strict=True):
            if job is None and sighting.doubt:
                untold = SubmissionUncertainError(f"Not submitted again: {sighting.doubt}.", candidates=jobs)
                outcomes.append((place, untold))
            else:
                outcomes.append((place, await _noted(place, job, owner=owner, history=history)))
    return outcomes


async def _noted(
    place: Place, job: Job | None, *, owner: Owner, history: JobHistory
) -> Job | SubmissionUncertainError | None:
    intent = "" if place.run.ticket is None else place.run.ticket.intent
    if job is None:
        await history.off_loop(history.unsent, intent, "the service's list has no such job")
    elif not await owner.take(job, intent):
        return SubmissionUncertainError(
            f"Not submitted again: {job.id}, which it could be, is another's by now. Trying it again looks once more."
        )
    return job
