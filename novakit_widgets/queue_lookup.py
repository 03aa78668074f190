"""Finding out whether places of a queue were submitted whose answers were lost."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from .errors import NovaKitError, SubmissionUncertainError
from .parameters import canonical
from .submission import candidates

if TYPE_CHECKING:
    from .jobhistory import JobHistory
    from .jobs import Job, Tool
    from .queue_places import Place
    from .submission import Clockwork, Submits

__all__ = ["alike", "jobs_of"]


def alike(places: Iterable[Place]) -> list[list[Place]]:
    """Put places together that ask for the same: of their jobs it is of no account which is whose."""
    groups: dict[tuple[Tool, str], list[Place]] = {}
    for place in places:
        groups.setdefault((place.tool, canonical(place.tool, place.params)), []).append(place)
    return list(groups.values())


async def jobs_of(
    group: Sequence[Place],
    *,
    client: Submits,
    history: JobHistory,
    since: datetime,
    ours: Collection[str],
    clockwork: Clockwork,
) -> list[Job | None]:
    """Find the jobs of places that ask for the same, and note in the history what was found.

    Args:
        group: the places.
        client: asks for the service's list.
        history: knows other jobs, which are not theirs.
        since: when the queue was made.
        ours: ids of jobs that are other places'.
        clockwork: time and chance.

    Returns:
        For each its job, or ``None`` when it was never submitted.

    Raises:
        NovaKitError: it can't be told.
    """
    known = {*ours, *await history.off_loop(history.job_ids, base_url=client.base_url)}
    tickets = [place.run.ticket for place in group]
    begun = [ticket.begun_at for ticket in tickets if ticket is not None and ticket.begun_at is not None]
    tool, params = group[0].tool, group[0].params
    try:
        found = await candidates(
            client, tool, params, since=min(begun, default=since), known=known, clockwork=clockwork, number=len(group)
        )
    except NovaKitError as error:
        raise SubmissionUncertainError(f"Not submitted again: it can't be looked up. {error.message}") from None
    if len(found) > len(group):
        ids = ", ".join(str(job.id) for job in found)
        raise SubmissionUncertainError(
            f"Not submitted again: {len(found)} jobs could be it: {ids}. Look at each with nk.attach(id).",
            candidates=found,
        )
    jobs: list[Job | None] = [*reversed(found), *[None] * (len(group) - len(found))]
    for ticket, job in zip(tickets, jobs, strict=True):
        intent = "" if ticket is None else ticket.intent
        if job is None:
            await history.off_loop(history.unsent, intent, "the service's list has no such job")
        else:
            await history.off_loop(history.started, intent, job, base_url=client.base_url)
    return jobs
