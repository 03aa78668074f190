"""Starting a job exactly once, also when the answer to the POST is lost."""

from __future__ import annotations

import asyncio
import random as random_module
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from .allowance import allowance_of
from .answers import utc_now
from .claims import Owner, SharedLists, claims_of
from .errors import (
    APIError,
    AuthenticationError,
    NovaKitConnectionError,
    NovaKitError,
    RateLimitError,
    SubmissionUncertainError,
)
from .jobhistory_rows import digest_of
from .jobs import Tool
from .outcomes import looks_again
from .parameters import canonical
from .parsing import JobList
from .retries import at_rest, nothing_sent

if TYPE_CHECKING:
    from .allowance import Slot
    from .jobhistory import JobHistory
    from .jobs import Job

__all__ = ["Clockwork", "Lists", "Sighting", "Submits", "Ticket", "all_candidates", "look_up", "submit"]

# How far the service's clock may be behind ours. Too wide only means that an older twin, which the caller does not
# know of, makes the answer ambiguous; too narrow would overlook the job.
CLOCK_SKEW = timedelta(minutes=5)
_RECENT = timedelta(days=1)  # jobs that were begun before can't be the one we lost
# A request whose connection broke may still be on its way in: seconds before each look.
_LOOKS = (0.0, 2.0, 5.0)
_LOOKING_SECONDS = 120.0  # how long to try to get at the list at all
_LIST_LIMIT = 100
# Documented to answer without a job. Only a list that has some shows that a service makes jobs of them.
_AT_ONCE = frozenset({Tool.TTS, Tool.STT})


class Lists(Protocol):
    """What a look-up needs of a `NovaKitClient`."""

    async def list(self, *, tool: Tool | str | None = None, limit: int | None = None) -> tuple[Job, ...]:
        """Ask for the newest jobs."""
        ...


class Submits(Lists, Protocol):
    """What a submission needs of a `NovaKitClient`."""

    @property
    def base_url(self) -> str:
        """The service that jobs belong to."""
        ...

    @property
    def account(self) -> str:
        """The same text for the same key."""
        ...

    async def submit(
        self, endpoint: str, params: Mapping[str, Any], *, on_wait: Callable[[float, NovaKitError], None] | None = None
    ) -> Job:
        """Start a job."""
        ...


@dataclass(frozen=True, slots=True)
class Clockwork:
    """What time and chance are made of, so that tests need not wait for them."""

    now: Callable[[], datetime] = utc_now
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random_module.random


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the service's list shows of a lost submission.

    Attributes:
        jobs: those that it could have started, newest first.
        doubt: why there may be others that the list does not show; ``""`` where there are none.
    """

    jobs: list[Job]
    doubt: str = ""


@dataclass(slots=True)
class Ticket:
    """What a submission is given, and what it leaves for those who come back to it.

    Attributes:
        batch: whose place it is, where it is one of many.
        place: its number there.
        slot: what it has taken of the allowance.
        works: time and chance, where they are not the usual ones.
        intent: the id of its row in the history, once there is one.
        begun_at: when the submission began.
        job: its job, as soon as that is known, whatever becomes of the row.
    """

    batch: str | None = None
    place: int | None = None
    slot: Slot | None = None
    works: Clockwork | None = None
    intent: str = ""
    begun_at: datetime | None = None
    job: Job | None = None


async def submit(
    client: Submits,
    tool: Tool,
    params: Mapping[str, Any],
    *,
    history: JobHistory,
    notebook: str | None = None,
    on_wait: Callable[[float, NovaKitError], None] | None = None,
    clockwork: Clockwork | None = None,
    ticket: Ticket | None = None,
    instead: Callable[[str], Awaitable[Job | None]] | None = None,
) -> Job:
    """Start a job, with a row on disk before the request; when the answer is lost, find the job that it started.

    Args:
        client: sends the requests.
        tool: what makes it.
        params: the service's own parameters.
        history: where the row goes.
        notebook: where from, where known.
        on_wait: called with seconds and the reason before a wait.
        clockwork: time and chance.
        ticket: tells where it belongs, and is told its row.
        instead: asked with the row's id before anything is sent: finds a job that will do, or raises why none may be submitted.
            Then there is no row.

    Raises:
        SubmissionUncertainError: whether there is such a job can't be told; ``candidates`` are those it could be.
        NovaKitError: it was certainly not started, or what ``instead`` raises.
    """
    ticket = ticket or Ticket()
    works = clockwork or ticket.works or Clockwork()
    began = works.now()
    slot = ticket.slot or allowance_of(client.account).take(tool)
    try:
        intent = await history.off_loop(
            history.begin,
            tool,
            params,
            base_url=client.base_url,
            notebook=notebook,
            batch=ticket.batch,
            place=ticket.place,
            account=client.account,
        )
    except BaseException:
        slot.released()
        raise
    other = None if instead is None else await _other(instead, intent, history, slot)
    if other is not None:
        return other
    ticket.intent, ticket.begun_at = intent, began
    claims = claims_of(client.account)
    try:
        with claims.submitting(tool, params) as claim:
            try:
                job = await _counted(client, tool, params, slot, on_wait, patient=ticket.slot is None)
                claims.take(job)
                ticket.job = job
            except SubmissionUncertainError as error:
                claim.lost = True
                if on_wait is not None:
                    on_wait(0.0, error)
                owner = Owner(claims, history, client.base_url, began - _RECENT, works)
                lists = SharedLists(client)
                job = await look_up(
                    lists, tool, params, since=began, lost=error, owner=owner, intent=intent, clockwork=works
                )
                ticket.job = job
    except SubmissionUncertainError as error:
        await history.off_loop(history.uncertain, intent, error.message)
        raise
    except NovaKitError as error:
        await history.off_loop(history.unsent, intent, error.message)
        raise
    except BaseException as error:
        # Not in a thread, because the loop may be closing.
        if nothing_sent(error):
            history.unsent(intent, "it was cancelled before NovaKit had taken it")
        else:
            # Broken off in mid-request: whoever comes next has to look it up.
            history.uncertain(intent, "it was broken off before the answer was there")
        raise
    await history.off_loop(history.started, intent, job, base_url=client.base_url, account=client.account)
    return job


async def _other(
    instead: Callable[[str], Awaitable[Job | None]], intent: str, history: JobHistory, slot: Slot
) -> Job | None:
    """Ask for a job that will do. If there is one, or nothing may be submitted, the row and the place are given back."""
    try:
        with at_rest():
            job = await instead(intent)
    except NovaKitError:
        slot.released()
        await history.off_loop(history.forget, intent)
        raise
    except BaseException:
        slot.released()
        history.forget(intent)  # not in a thread, because the loop may be closing
        raise
    if job is not None:
        slot.released()
        await history.off_loop(history.forget, intent)
    return job


async def _counted(
    client: Submits,
    tool: Tool,
    params: Mapping[str, Any],
    slot: Slot,
    on_wait: Callable[[float, NovaKitError], None] | None,
    *,
    patient: bool,
) -> Job:
    """Send the POST, and count it where the service does. Whoever is not patient knows better when to come back after a 429."""

    def waiting(seconds: float, error: NovaKitError) -> None:
        if not patient and isinstance(error, RateLimitError):
            raise error
        slot.again(seconds, error)
        if on_wait is not None:
            on_wait(seconds, error)

    try:
        job = await client.submit(tool.endpoint, params, on_wait=waiting)
    except SubmissionUncertainError:
        slot.counted()
        raise
    except NovaKitError as error:
        slot.released(error)
        raise
    except BaseException as error:
        if nothing_sent(error):
            slot.released()
        else:
            slot.counted()  # it may have arrived
        raise
    slot.counted()
    return job


async def look_up(
    client: Lists,
    tool: Tool,
    params: Mapping[str, Any],
    *,
    since: datetime,
    lost: SubmissionUncertainError,
    known: Collection[str] = (),
    owner: Owner | None = None,
    intent: str = "",
    clockwork: Clockwork | None = None,
) -> Job:
    """Find the job that a lost submission started, in the service's own list, and take it.

    Where several equal submissions were lost, as many jobs are theirs, and it is of no account which is whose.

    Args:
        client: asks for the list.
        tool: what makes it.
        params: what was sent.
        since: when it was sent, by our clock.
        lost: the error that tells of the loss.
        known: ids of jobs that are somebody else's.
        owner: tells which others are, and takes the job.
        intent: the submission's row in the history.
        clockwork: time and chance.

    Raises:
        SubmissionUncertainError: there is none, there are several, or the list can't be had.
    """
    while True:
        try:
            (sighting,) = await all_candidates(
                client, tool, [(params, since)], known=known, owner=owner, clockwork=clockwork
            )
        except NovaKitError as error:
            raise _uncertain(
                lost,
                owner,
                f"The answer to the {tool} job was lost, and so far it can't be looked up ({error.message}): it may run.",
            ) from None
        found = sighting.jobs
        ours = 1 if owner is None else sum(claim.lost for claim in owner.claims.alike(digest_of(tool, params)))
        if not 0 < len(found) <= ours:
            break
        if owner is None or await owner.take(found[-1], intent):
            return found[-1]
    if found:
        ids = ", ".join(str(job.id) for job in found)
        raise _uncertain(
            lost,
            owner,
            f"The answer to the {tool} job was lost, and {len(found)} jobs could be it: {ids}. Look at each with nk.attach(id).",
            found,
        )
    if sighting.doubt:
        raise _uncertain(
            lost,
            owner,
            f"The answer to the {tool} job was lost, and whether it was started is not known ({sighting.doubt}): it may run.",
        )
    raise _uncertain(
        lost,
        owner,
        f"The answer to the {tool} job was lost, and the service's list shows no such job: most probably it was not started and "
        "not billed.",
    )


def _uncertain(
    lost: SubmissionUncertainError, owner: Owner | None, what: str, found: Sequence[Job] = ()
) -> SubmissionUncertainError:
    advice = f"Nothing was submitted twice. {looks_again(kept=owner is None or owner.history.path is not None)}"
    return SubmissionUncertainError(f"{what} {advice}", lost.status_code, lost.response, candidates=found)


async def all_candidates(
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
    for pause in _LOOKS:
        if pause:
            await works.sleep(pause)
        jobs = await _listed(client, tool, works)
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
        Sighting(mine, _doubt(jobs, params, since, known, tool, answered))
        for mine, (params, since) in zip(found, asked, strict=True)
    ]


async def _listed(client: Lists, tool: Tool, works: Clockwork) -> tuple[Job, ...]:
    """Get the list, as often as it takes while the network is down."""
    until = works.clock() + _LOOKING_SECONDS
    failures = 0
    while True:
        try:
            return await client.list(tool=tool, limit=_LIST_LIMIT)
        except (NovaKitConnectionError, APIError) as error:
            denied = isinstance(error, AuthenticationError) or (error.status_code or 500) in (400, 403, 404)
            if denied or works.clock() >= until:
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
    return job.created_at is not None and since - _RECENT <= job.created_at < since - CLOCK_SKEW


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
    answered: Mapping[str, datetime],
) -> str:
    """Say why there may be a job of ours that the list does not show; ``""`` where it shows all of that time."""
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
    dates = [job.created_at for job in jobs if job.created_at is not None]
    # The order is not documented: only in one that is newest first the last tells how far the list goes back.
    ordered = bool(dates) and dates[0] == max(dates)
    # By the service's clock, which may differ from ours; or without it: a job of ours whose answer we had before is older.
    before = any(job.id in answered and answered[job.id] < since for job in jobs if job.id is not None)
    reaches_back = ordered and (before or dates[-1] < since - CLOCK_SKEW)
    if len(jobs) >= _LIST_LIMIT and not reaches_back:
        return f"the service lists only the newest {_LIST_LIMIT} {tool} jobs, and this may be an older one"
    return ""
