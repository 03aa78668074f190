"""Submits a job exactly once, even if the answer to the POST is lost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ..api.retry import at_rest, nothing_sent
from ..config.logs import log
from ..errors import NovaKitError, RateLimitError, SubmissionUncertainError
from ..job_history.rows import digest_of
from ..job_history.submissions import new_intent
from ..limits.tool_limits import allowance_of
from ..model.parameters import SOURCES
from ..runtime.clock import Clock
from .messages import look_again_advice
from .ownership import ownership_of
from .reconcile import ListsAccount, Question, reconcile
from .renew import Renews, renewed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping
    from datetime import datetime, timedelta

    from ..job_history.jobs import HistoryEntry, JobHistory
    from ..limits.tool_limits import Slot
    from ..model.job import Job
    from ..model.tools import Tool
    from .equal import EqualJob

__all__ = ["Submission", "Submits", "look_up", "submit"]


class Submits(ListsAccount, Renews, Protocol):
    """What a submission needs of a `NovaKitClient`."""

    async def submit(
        self, endpoint: str, params: Mapping[str, Any], *, on_wait: Callable[[float, NovaKitError], None] | None = None
    ) -> Job:
        """Start a job."""
        ...


@dataclass(slots=True)
class Submission:
    """One submission: the batch that it belongs to, and what is recorded for a later look-up.

    Attributes:
        batch: the id of its batch; ``None`` for a single job.
        place: its number in the batch.
        slot: its slot in the allowance, if it has one already.
        clock: see `Clock`.
        intent: the id of its row in the history, once there is one.
        begun_at: when the submission began.
        job: its job as soon as that is known, even if the row can't be written.
        params: the parameters as they were sent, where addresses in them may have been renewed.
        equal: an equal job of the history, if one was looked for and found.
        earlier: an equal job that this kernel submitted earlier.
    """

    batch: str | None = None
    place: int | None = None
    slot: Slot | None = None
    clock: Clock | None = None
    intent: str = ""
    begun_at: datetime | None = None
    job: Job | None = None
    params: Mapping[str, Any] | None = None
    equal: HistoryEntry | None = None
    earlier: EqualJob | None = None


async def submit(
    client: Submits,
    tool: Tool,
    params: Mapping[str, Any],
    *,
    history: JobHistory,
    notebook: str | None = None,
    on_wait: Callable[[float, NovaKitError], None] | None = None,
    clock: Clock | None = None,
    submission: Submission | None = None,
    instead: Callable[[str], Awaitable[Job | None]] | None = None,
    equal_within: timedelta | None = None,
) -> Job:
    """Submit a job, with a row in the history before the POST; if the answer is lost, find the job that it started.

    Args:
        client: sends the requests.
        tool: of the job.
        params: the service's own parameters.
        history: gets the row.
        notebook: path of the notebook, where known.
        on_wait: called with the seconds and the reason before a wait.
        clock: see `Clock`.
        submission: has the batch and the slot, and records the row and the job.
        instead: called with the row's id before the POST: returns a job to use instead, or raises why none may be submitted.
            The row is then removed.
        equal_within: looks in the history for an equal job of at most this age, for the submission; ``None`` for no look.

    Raises:
        SubmissionUncertainError: it can't be determined whether a job was started; ``candidates`` are the possible ones.
        NovaKitError: no job was started; or what ``instead`` raises.
    """
    submission = submission or Submission()
    clock = clock or submission.clock or Clock()
    began = clock.now()
    slot = submission.slot or allowance_of(client.account).take(tool)
    digest = digest_of(tool, params)
    try:
        intent = await history.off_loop(
            history.begin,
            tool,
            params,
            base_url=client.base_url,
            notebook=notebook,
            batch=submission.batch,
            place=submission.place,
            account=client.account,
            intent=new_intent() if history.path is not None else "",
            digest=digest,
            equal_within=equal_within,
            on_equal=partial(setattr, submission, "equal"),
        )
    except BaseException:
        slot.released()
        raise
    other = None if instead is None else await _other(instead, intent, history, slot)
    if other is not None:
        return other
    if any(name in SOURCES for name in params):
        params = submission.params = await _current(client, tool, params, intent, history, slot)
        digest = digest_of(tool, params)
    submission.intent, submission.begun_at = intent, began
    ownership = ownership_of(client.account)
    log.info("Submitting: %s", tool)
    try:
        with ownership.submitting(digest, begun_at=began, batch=submission.batch) as registered:
            try:
                job = await _counted(client, tool, params, slot, on_wait, patient=submission.slot is None)
                ownership.take(job)
            except SubmissionUncertainError as error:
                registered.lost = True
                log.warning("A submission's answer was lost: %s: %s", tool, error.message)
                if on_wait is not None:
                    on_wait(0.0, error)
                question = Question(tool, params, began, intent)
                job = await look_up(client, question, error, history=history, clock=clock)
            submission.job = job
            registered.answered(job)
            submission.earlier = ownership.earlier(registered)
    except SubmissionUncertainError as error:
        await history.off_loop(history.uncertain, intent, error.message)
        raise
    except NovaKitError as error:
        await history.off_loop(history.unsent, intent, error.message)
        raise
    except BaseException as error:
        # Not awaited, because the loop may be closing.
        if nothing_sent(error):
            history.later(history.unsent, intent, "it was cancelled before NovaKit accepted it")
        else:
            # Cancelled during the request: a later look-up has to find out.
            history.later(history.uncertain, intent, "it was interrupted before the answer was there")
        raise
    log.info("The %s job %s was submitted", tool, job.id)
    await history.off_loop(history.started, intent, job, base_url=client.base_url, account=client.account)
    return job


async def _other(
    instead: Callable[[str], Awaitable[Job | None]], intent: str, history: JobHistory, slot: Slot
) -> Job | None:
    """Ask for a job to use instead. If there is one, or nothing may be submitted, the row and the slot are given back."""
    try:
        with at_rest():
            job = await instead(intent)
    except NovaKitError:
        slot.released()
        await history.off_loop(history.forget, intent)
        raise
    except BaseException:
        slot.released()
        history.later(history.forget, intent)  # not awaited, because the loop may be closing
        raise
    if job is not None:
        slot.released()
        await history.off_loop(history.forget, intent)
    return job


async def _current(
    client: Submits, tool: Tool, params: Mapping[str, Any], intent: str, history: JobHistory, slot: Slot
) -> Mapping[str, Any]:
    """Renew the addresses of earlier results, in the row as well. If there is none, the row and the slot are given back."""
    try:
        with at_rest():
            current = await renewed(client, tool, params, history=history)
    except NovaKitError:
        slot.released()
        await history.off_loop(history.forget, intent)
        raise
    except BaseException:
        slot.released()
        history.later(history.forget, intent)  # not awaited, because the loop may be closing
        raise
    if current is not params:
        await history.off_loop(history.asks, intent, tool, current)
    return current


async def _counted(
    client: Submits,
    tool: Tool,
    params: Mapping[str, Any],
    slot: Slot,
    on_wait: Callable[[float, NovaKitError], None] | None,
    *,
    patient: bool,
) -> Job:
    """Send the POST, and count it where the service does. A caller that is not patient handles a 429 itself."""

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
    client: ListsAccount,
    question: Question,
    lost: SubmissionUncertainError,
    *,
    history: JobHistory,
    known: Collection[str] = (),
    clock: Clock | None = None,
) -> Job:
    """Find the job of a submission that has just lost its answer.

    Args:
        client: lists the service's jobs.
        question: the submission.
        lost: the error that lost the answer.
        history: knows other submissions and their jobs.
        known: ids of jobs that belong to others.
        clock: see `Clock`.

    Raises:
        SubmissionUncertainError: the list has no such job, has several, or can't be had.
    """
    tool = question.tool
    (answer,) = await reconcile(client, history, [question], known=known, settle=False, clock=clock)
    if answer.job is not None:
        return answer.job
    if answer.failure is not None:
        what = f"so far it can't be looked up ({answer.doubt}): it may run."
    elif answer.candidates:
        what = f"{answer.doubt}. Look at each with nk.attach(id)."
    elif answer.doubt:
        what = f"whether it was started is not known ({answer.doubt}): it may run."
    else:
        what = "the service's list shows no such job: most probably it was not started and not billed."
    advice = f"Nothing was submitted twice. {look_again_advice(kept=history.path is not None)}"
    raise SubmissionUncertainError(
        f"The answer to the {tool} job was lost, and {what} {advice}",
        lost.status_code,
        lost.response,
        candidates=answer.candidates,
    )
