"""Starting a job exactly once, also when the answer to the POST is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ..api.listing import Lists
from ..api.retry import at_rest, nothing_sent
from ..errors import NovaKitError, RateLimitError, SubmissionUncertainError
from ..job_history.rows import digest_of
from ..limits.tool_limits import allowance_of
from ..runtime.clock import Clockwork
from .matching import RECENT, sightings_of
from .messages import looks_again
from .ownership import Owner, SharedLists, claims_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from ..job_history.jobs import JobHistory
    from ..limits.tool_limits import Slot
    from ..model.job import Job
    from ..model.tools import Tool

__all__ = ["Submits", "Ticket", "look_up", "submit"]


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
                owner = Owner(claims, history, client.base_url, began - RECENT, works)
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
            (sighting,) = await sightings_of(
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
