"""Matches submissions whose answers were lost with the jobs in the service's list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..api.bodies import JobList
from ..api.listing import LIST_LIMIT, newest
from ..errors import APIError, AuthenticationError, NovaKitConnectionError, UnreadableAnswerError
from ..job_history.rows import digest_of
from ..model.canonical import canonical
from ..runtime.backoff import backoff
from ..runtime.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ..model.job import Job
    from ..model.tools import Tool
    from .ownership import OwnershipRecords, SharedLists

__all__ = ["CLOCK_SKEW", "Match", "find_matches"]

# How far the service's clock may be behind ours, besides what its answers tell. Wider only means that an older equal job makes the
# answer ambiguous; narrower would overlook the job.
CLOCK_SKEW = timedelta(minutes=5)
_RECENT = timedelta(
    days=1
)  # the job of a submission can't have been created earlier than that before it, whatever the clocks
# Seconds before each list: a request whose connection broke may still be on its way in.
_LOOKS = (0.0, 2.0, 5.0)
_LISTING_SECONDS = 120.0  # how long to try to get the list at all
_FIRST_BACKOFF, _LONGEST_BACKOFF = 2.0, 30.0  # seconds after a list that failed


@dataclass(frozen=True, slots=True)
class Match:
    """The jobs in the service's list that match a lost submission.

    Attributes:
        jobs: those that it may have started, newest first.
        doubt: why the list may leave out others; ``""`` where it does not.
    """

    jobs: list[Job]
    doubt: str = ""


async def find_matches(
    client: SharedLists,
    tool: Tool,
    asked: Sequence[tuple[Mapping[str, Any], datetime]],
    *,
    records: OwnershipRecords,
    known: Collection[str] = (),
    clock: Clock | None = None,
) -> list[Match]:
    """Find the jobs that lost submissions may have started, with one list for all of them.

    Args:
        client: lists the jobs; asked several times, as a request whose connection broke may still be on its way in.
        tool: of all submissions.
        asked: the parameters of each, and when it was sent, by our clock.
        records: tells which jobs belong to other submissions.
        known: ids of more jobs that belong to others.
        clock: see `Clock`.

    Raises:
        NovaKitError: the list can't be had, or an equal submission is still on its way.
    """
    clock = clock or Clock()
    found: list[list[Job]] = [[] for _ in asked]
    limit = LIST_LIMIT
    for pause in _LOOKS:
        if pause:
            await clock.sleep(pause)
        jobs, limit = await _listed(client, tool, clock, limit)
        ahead = client.ahead
        for index, (params, since) in enumerate(asked):
            found[index] = [job for job in jobs if _could_be(job, params, since - ahead, known, tool)] or found[index]
        if any(found):
            known = {*known, *await records.others({digest_of(tool, params) for params, _ in asked})}
            found = [[job for job in each if job.id not in known] for each in found]
        if all(found):
            break
    if not any(found):
        known = {*known, *await records.known()}
    answered = {} if all(found) else await records.answered()
    return [
        Match(
            mine,
            _doubt(jobs, params, since - ahead, known, tool) or _older(jobs, since, tool, answered, limit, ahead=ahead),
        )
        for mine, (params, since) in zip(found, asked, strict=True)
    ]


async def _listed(client: SharedLists, tool: Tool, clock: Clock, limit: int) -> tuple[tuple[Job, ...], int]:
    """Return the list, and how many jobs it could have shown; retry while the service can't be reached."""
    until = clock.monotonic() + _LISTING_SECONDS
    failures = 0
    while True:
        try:
            return await newest(client, tool=tool, limit=limit)
        except (NovaKitConnectionError, APIError) as error:
            denied = isinstance(error, AuthenticationError) or (error.status_code or 500) in (400, 403, 404)
            # One job alone is too long, and will be the next time.
            too_long = isinstance(error, UnreadableAnswerError) and error.too_long
            if denied or too_long or clock.monotonic() >= until:
                raise
            failures += 1
        pause = backoff(failures, first=_FIRST_BACKOFF, longest=_LONGEST_BACKOFF, random=clock.random)
        await clock.sleep(pause)


def _could_be(job: Job, params: Mapping[str, Any], since: datetime, known: Collection[str], tool: Tool) -> bool:
    return _is_open(job, since, known) and _asks_for(job, params, tool) is True


def _is_open(job: Job, since: datetime, known: Collection[str]) -> bool:
    """Whether a job may have been created since, by no other submission that we know of."""
    return job.id not in known and (job.created_at is None or job.created_at >= since - CLOCK_SKEW)


def _is_early(job: Job, since: datetime) -> bool:
    """Whether a job is too old, unless our clock is ahead of the service's by more than `CLOCK_SKEW`."""
    return job.created_at is not None and since - _RECENT <= job.created_at < since - CLOCK_SKEW


def _asks_for(job: Job, params: Mapping[str, Any], tool: Tool) -> bool | None:
    """Whether a job has equal parameters; ``None`` where the list leaves them out."""
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
    """Return why a listed job may be ours although it does not match; ``""`` where none may be."""
    # Only a list that has jobs of the tool shows that the service makes jobs for it.
    if tool.facts.at_once and not jobs:
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
        return f"{early.id} has the same parameters and belongs to no known submission; by this machine's clock it is older"
    return ""


def _older(
    jobs: Sequence[Job],
    since: datetime,
    tool: Tool,
    answered: Mapping[str, datetime],
    limit: int,
    *,
    ahead: timedelta,
) -> str:
    """Return why the list may leave out a job of ours; ``""`` where it reaches back far enough.

    Args:
        jobs: the list.
        since: when the submission was sent, by our clock.
        tool: of the job.
        answered: when the answers to our submissions came, by job id.
        limit: how many jobs the list could have shown.
        ahead: how far our clock is ahead of the service's, where its answers tell.
    """
    if len(jobs) < limit:
        return ""
    dates = [job.created_at for job in jobs if job.created_at is not None]
    # The order is not documented. Only in a list that is newest first the last job tells how far it reaches back.
    ordered = len(dates) > 1 and dates[0] == max(dates)
    # By the service's clock, which may differ from ours; or without it: a job of ours is older if its answer came before.
    before = any(job.id in answered and answered[job.id] < since for job in jobs if job.id is not None)
    if ordered and (before or dates[-1] < since - ahead - CLOCK_SKEW):
        return ""
    newest_ones = f"newest {limit} {tool} jobs" if limit > 1 else f"newest {tool} job"
    if limit < LIST_LIMIT:
        return f"with their files more than the {newest_ones} are too long to be read, and this may be an older one"
    return f"the service lists only the {newest_ones}, and this may be an older one"
