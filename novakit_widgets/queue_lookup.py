"""Finding out whether places of a queue were submitted whose answers were lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from .claims import Owner, SharedLists, claims_of
from .errors import NovaKitError, SubmissionUncertainError
from .parameters import canonical
from .queue_places import PlaceState
from .submission import all_candidates

if TYPE_CHECKING:
    from .jobhistory import JobHistory
    from .jobs import Job, Tool
    from .queue_places import Place
    from .queueing import JobQueue
    from .submission import Clockwork, Submits

__all__ = ["LookUps", "alike", "jobs_of"]


class LookUps:
    """The places of a queue of which nobody knows whether they were submitted, and that are being looked up.

    Args:
        queue: theirs.
        on_outcome: called with each place and its job, or ``None`` when it was never submitted, or why that can't be told.
    """

    def __init__(
        self, queue: JobQueue, on_outcome: Callable[[Place, Job | SubmissionUncertainError | None], None]
    ) -> None:
        self._queue = queue
        self._on_outcome = on_outcome
        self._waiting: deque[Place] = deque()
        self._in_question: set[Place] = set()

    def __bool__(self) -> bool:
        """Whether of some it is not known yet what becomes of them."""
        return bool(self._in_question)

    @property
    def waiting(self) -> bool:
        """Whether some are not being looked up yet."""
        return bool(self._waiting)

    def add(self, places: Iterable[Place]) -> None:
        """Ask for some."""
        places = list(places)
        self._waiting.extend(places)
        self._in_question.update(places)

    async def work(self, clockwork: Clockwork) -> None:
        """Look all up, with one list for all of a tool."""
        try:
            while self._waiting:
                places = dict.fromkeys(place for place in self._waiting if place.state is PlaceState.UNCERTAIN)
                self._waiting.clear()
                for tool, groups in alike(places):
                    await self._look_up(tool, groups, clockwork)
                    self._in_question.difference_update(*groups)
        finally:
            self._in_question.clear()
            self._in_question.update(self._waiting)

    async def _look_up(self, tool: Tool, groups: Sequence[Sequence[Place]], clockwork: Clockwork) -> None:
        queue = self._queue
        outcomes = await jobs_of(
            tool,
            groups,
            client=queue.client,
            history=queue.history,
            since=queue.made_at,
            ours={place.run.job_id for place in queue.places if place.run.job_id is not None},
            clockwork=clockwork,
        )
        for place, outcome in outcomes:
            self._on_outcome(place, outcome)


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
