"""What the service's own list shows of submissions whose answers were lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..api.bodies import JobList
from ..api.listing import LONGEST, newest
from ..errors import APIError, AuthenticationError, NovaKitConnectionError, UnreadableAnswerError
from ..job_history.rows import digest_of
from ..model.parameters import canonical
from ..model.tools import Tool
from ..runtime.clock import Clockwork

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ..api.listing import Lists
    from ..model.job import Job
    from .ownership import Owner

__all__ = ["CLOCK_SKEW", "RECENT", "Sighting", "sightings_of"]

# How far the service's clock may be behind ours. Too wide only means that an older twin, which the caller does not
# know of, makes the answer ambiguous; too narrow would overlook the job.
CLOCK_SKEW = timedelta(minutes=5)
RECENT = timedelta(days=1)  # jobs that were begun before can't be the one we lost
# A request whose connection broke may still be on its way in: seconds before each look.
_LOOKS = (0.0, 2.0, 5.0)
_LOOKING_SECONDS = 120.0  # how long to try to get at the list at all
# Documented to answer without a job. Only a list that has some shows that a service makes jobs of them.
_AT_ONCE = frozenset({Tool.TTS, Tool.STT})


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the service's list shows of a lost submission.

    Attributes:
        jobs: those that it could have started, newest first.
        doubt: why there may be others that the list does not show; ``""`` where there are none.
    """

    jobs: list[Job]
    doubt: str = ""


async def sightings_of(
    client: Lists,
    tool: Tool,
    asked: Sequence[tuple[Mapping[str, Any], datetime]],
    *,
    known: Collection[str] = (),
    owner: Owner | None = None,
    clockwork: Clockwork | None = None,
) -> list[Sighting]:
    """Find for each of many lost submissions the service's jobs that it could have started, newest first; one list does for all.

    Args:
        client: asks for the list, several times: a request whose connection broke may still be on its way in.
        tool: what makes them.
        asked: what was sent for each, and when, by our clock.
        known: ids of jobs that are somebody else's.
        owner: tells which others are, when there is something that it could be.
        clockwork: time and chance.

    Raises:
        NovaKitError: the list can't be had, or whose its jobs are can't be told.
    """
    works = clockwork or Clockwork()
    found: list[list[Job]] = [[] for _ in asked]
    limit = LONGEST
    for pause in _LOOKS:
        if pause:
            await works.sleep(pause)
        jobs, limit = await _listed(client, tool, works, limit)
        for index, (params, since) in enumerate(asked):
            found[index] = [job for job in jobs if _could_be(job, params, since, known, tool)] or found[index]
        if owner is not None and any(found):
            known = {*known, *await owner.others({digest_of(tool, params) for params, _ in asked})}
            found = [[job for job in each if job.id not in known] for each in found]
        if all(found):
            break
    if owner is not None and not any(found):
        known = {*known, *await owner.known()}
    answered = {} if owner is None or all(found) else await owner.answered()
    return [
        Sighting(mine, _doubt(jobs, params, since, known, tool) or _older(jobs, since, tool, answered, limit))
        for mine, (params, since) in zip(found, asked, strict=True)
    ]


async def _listed(client: Lists, tool: Tool, works: Clockwork, limit: int) -> tuple[tuple[Job, ...], int]:
    """Get the list, as often as it takes while the network is down, and how many jobs it could have shown."""
    until = works.clock() + _LOOKING_SECONDS
    failures = 0
    while True:
        try:
            return await newest(client, tool=tool, limit=limit)
        except (NovaKitConnectionError, APIError) as error:
            denied = isinstance(error, AuthenticationError) or (error.status_code or 500) in (400, 403, 404)
            # One job alone is too long, and will be the next time.
            too_long = isinstance(error, UnreadableAnswerError) and error.too_long
            if denied or too_long or works.clock() >= until:
                raise
            failures += 1
        await works.sleep(works.random() * min(30.0, 2.0**failures))


def _could_be(job: Job, params: Mapping[str, Any], since: datetime, known: Collection[str], tool: Tool) -> bool:
    return _is_open(job, since, known) and _asks_for(job, params, tool) is True


def _is_open(job: Job, since: datetime, known: Collection[str]) -> bool:
    """Whether a job may have been started since, and by nobody that we know of."""
    return job.id not in known and (job.created_at is None or job.created_at >= since - CLOCK_SKEW)


def _is_early(job: Job, since: datetime) -> bool:
    """Whether a job would be too old, unless our clock is ahead of the service's by more than it should be."""
    return job.created_at is not None and since - RECENT <= job.created_at < since - CLOCK_SKEW


def _asks_for(job: Job, params: Mapping[str, Any], tool: Tool) -> bool | None:
    """Whether a job was made of some parameters; ``None`` where its own are not told."""
    if job.params is None:
        return None
    ours = canonical(tool, params)
    try:
        return canonical(tool, job.params) == ours
    except RecursionError:
        return False  # nested deeper than ours


def _doubt(
    jobs: Sequence[Job],
    params: Mapping[str, Any],
    since: datetime,
    known: Collection[str],
    tool: Tool,
) -> str:
    """Say why something that the list does show may be a job of ours; ``""`` where nothing is."""
    if tool in _AT_ONCE and not jobs:
        return f"a {tool} request can be answered and billed at once, and NovaKit's list shows jobs only"
    if isinstance(jobs, JobList) and jobs.left_out:
        return f"the service's list has entries that can't be read ({jobs.left_out}), one of which may be it"
    odd = next((job for job in jobs if _is_open(job, since, known) and _asks_for(job, params, tool) is None), None)
    if odd is not None:
        return f"the service's list does not say what {odd.id} was made of, so it may be that"
    early = next(
        (job for job in jobs if job.id not in known and _is_early(job, since) and _asks_for(job, params, tool)), None
    )
    if early is not None:
        return f"{early.id} asks for the same and is nobody's that we know of; by this machine's clock it is older"
    return ""


def _older(jobs: Sequence[Job], since: datetime, tool: Tool, answered: Mapping[str, datetime], limit: int) -> str:
    """Say why there may be a job of ours that the list does not show; ``""`` where it shows all of that time.

    Args:
        jobs: the list.
        since: when it was asked for, by our clock.
        tool: what makes it.
        answered: when the answers to our submissions came, by the ids of their jobs.
        limit: how many jobs the list could have shown.
    """
    if len(jobs) < limit:
        return ""
    dates = [job.created_at for job in jobs if job.created_at is not None]
    # The order is not documented: only in one that is newest first the last tells how far the list goes back. One job has none.
    ordered = len(dates) > 1 and dates[0] == max(dates)
    # By the service's clock, which may differ from ours; or without it: a job of ours whose answer we had before is older.
    before = any(job.id in answered and answered[job.id] < since for job in jobs if job.id is not None)
    if ordered and (before or dates[-1] < since - CLOCK_SKEW):
        return ""
    newest_ones = f"newest {limit} {tool} jobs" if limit > 1 else f"newest {tool} job"
    if limit < LONGEST:
        return f"with their files more than the {newest_ones} are too long to be read, and this may be an older one"
    return f"the service lists only the {newest_ones}, and this may be an older one"
