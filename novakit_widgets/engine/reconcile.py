"""Reconciles submissions whose answers were lost with the service's list of jobs.

`reconcile` answers questions: which job did this submission start? The questions come from a submission that has just lost its
answer (`submit`), from runs on the page (`start`, and the queues of batches), or from the history (`look_up_entries`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Protocol

from ..api.listing import Lists
from ..config.logs import log
from ..errors import NovaKitError, SubmissionUncertainError
from ..job_history.rows import digest_of
from ..model.tools import Tool
from ..runtime.clock import Clock
from .matching import Match, find_matches
from .ownership import OwnershipRecords, SharedLists, ownership_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from ..job_history.jobs import HistoryEntry, JobHistory
    from ..model.job import Job

__all__ = [
    "Answer",
    "Findings",
    "ListsAccount",
    "Question",
    "look_up_all",
    "look_up_entries",
    "reconcile",
    "without_output",
]


class ListsAccount(Lists, Protocol):
    """What reconciling needs of a `NovaKitClient`."""

    @property
    def base_url(self) -> str:
        """The service that jobs belong to."""
        ...

    @property
    def account(self) -> str:
        """Opaque account fingerprint: the same text for the same key and base URL."""
        ...


@dataclass(frozen=True, eq=False, slots=True)
class Question:
    """One submission whose answer was lost.

    Attributes:
        tool: of the job.
        params: as they were sent.
        since: when the submission began, by our clock.
        intent: the submission's row in the history; ``""`` without one.
        on_job: called as soon as its job is taken, even if the reconciliation is cancelled afterwards.
    """

    tool: Tool
    params: Mapping[str, Any]
    since: datetime
    intent: str = ""
    on_job: Callable[[Job], None] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a submission has come to. With neither a job nor a doubt, it was never started.

    Attributes:
        job: the job that it started.
        doubt: why that can't be determined; ``""`` where it can.
        candidates: the jobs that it may have started, where there are several.
        failure: the error that kept the list from us.
    """

    job: Job | None = None
    doubt: str = ""
    candidates: tuple[Job, ...] = ()
    failure: NovaKitError | None = None

    @property
    def result(self) -> str:
        """The answer in a few words, for the log."""
        return f"job {self.job.id}" if self.job is not None else self.doubt or "it never started"

    @property
    def uncertainty(self) -> SubmissionUncertainError | None:
        """The doubt as an error; ``None`` where there is none."""
        if not self.doubt:
            return None
        if self.failure is not None:
            status, response = self.failure.status_code, self.failure.response
            return SubmissionUncertainError(f"It can't be looked up. {self.doubt}", status, response)
        advice = " Look at each with nk.attach(id)." if self.candidates else ""
        doubt = f"{self.doubt[0].upper()}{self.doubt[1:]}.{advice}"
        return SubmissionUncertainError(doubt, candidates=self.candidates)


async def reconcile(
    client: ListsAccount,
    history: JobHistory,
    questions: Sequence[Question],
    *,
    known: Collection[str] = (),
    settle: bool = True,
    clock: Clock | None = None,
) -> list[Answer]:
    """Find the jobs that lost submissions started, and take each for its submission. Nothing is ever submitted.

    Equal submissions are interchangeable: where as many jobs exist as equal submissions were lost, each gets one, oldest first.
    One list serves all questions of a tool.

    Args:
        client: lists the service's jobs.
        history: knows other submissions and their jobs, and records what was found.
        questions: the submissions; equal ones oldest first.
        known: ids of jobs that belong to others.
        settle: whether a missing job means that the submission never started, which the history then records; otherwise the
            submission is still under way.
        clock: see `Clock`.

    Returns:
        An answer for each question, in order.
    """
    records = OwnershipRecords(ownership_of(client.account), history, client.base_url, clock or Clock())
    # Another reconciliation, such as recover(), may have found some meanwhile.
    answers = await _found_before(questions, history)
    for tool in dict.fromkeys(question.tool for question in questions):
        while left := [question for question in questions if question.tool is tool and question not in answers]:
            # A job that another submission takes after the list came leaves its question for the next round.
            answers.update(await _one_round(client, records, tool, left, known=known, settle=settle))
    for question in questions:
        log.info("Looked up a lost submission: %s: %s", question.tool, answers[question].result)
    return [answers[question] for question in questions]


async def _one_round(
    client: ListsAccount,
    records: OwnershipRecords,
    tool: Tool,
    questions: Sequence[Question],
    *,
    known: Collection[str],
    settle: bool,
) -> dict[Question, Answer]:
    """Answer the questions of one tool from one list; those whose job somebody else took first stay open."""
    groups: dict[str, list[Question]] = {}
    unreadable: dict[Question, Answer] = {}
    for question in questions:
        digest = digest_of(tool, question.params)
        if digest is None:
            unreadable[question] = Answer(doubt="its parameters can't be read")
        else:
            groups.setdefault(digest, []).append(question)
    if not groups:
        return unreadable
    asked = [(group[0].params, min(question.since for question in group)) for group in groups.values()]
    try:
        matches = await find_matches(
            SharedLists(client), tool, asked, known=known, records=records, clock=records.clock
        )
    except NovaKitError as error:
        failed = Answer(doubt=error.message, failure=error)
        return unreadable | {question: failed for group in groups.values() for question in group}
    answers = unreadable
    others = await _others_lost(client, records.history, tool, questions) if settle else Counter[str | None]()
    for (digest, group), match in zip(groups.items(), matches, strict=True):
        lost = max(len(group) + others[digest], sum(one.lost for one in records.ownership.equal(digest)))
        if len(match.jobs) > lost:
            ids = ", ".join(str(job.id) for job in match.jobs)
            several = Answer(doubt=f"{len(match.jobs)} jobs could be it: {ids}", candidates=tuple(match.jobs))
            answers.update(dict.fromkeys(group, several))
        else:
            answers.update(await _shared_out(group, match, records, settle=settle))
    return answers


async def _shared_out(
    group: Sequence[Question], match: Match, records: OwnershipRecords, *, settle: bool
) -> dict[Question, Answer]:
    """Give each of some equal questions one of the matching jobs, oldest first, while there are any."""
    answers: dict[Question, Answer] = {}
    oldest = [*reversed(match.jobs)][: len(group)]
    for question, job in zip_longest(group, oldest):
        if job is not None:
            if await records.take(job, question.intent):
                answers[question] = Answer(job)
                if question.on_job is not None:
                    question.on_job(job)
        elif match.doubt:
            answers[question] = Answer(doubt=match.doubt)
        else:
            answers[question] = await _never_started(question, records.history) if settle else Answer()
    return answers


async def _found_before(questions: Sequence[Question], history: JobHistory) -> dict[Question, Answer]:
    """Return the answers that the history already has."""
    intents = [question.intent for question in questions if question.intent]
    jobs = await history.off_loop(history.jobs_of, intents)
    return {
        question: Answer(without_output(job))
        for question in questions
        if (job := jobs.get(question.intent)) is not None
    }


def without_output(job: Job) -> Job:
    """Return a job without its result, unless the service keeps none to ask for: the result's address may have expired."""
    return job if job.id is None else replace(job, output=None)


async def _others_lost(
    client: ListsAccount, history: JobHistory, tool: Tool, questions: Sequence[Question]
) -> Counter[str | None]:
    """Count the other lost submissions in the history by digest: each may have started one more of the listed jobs."""
    asked = [(tool, question.params) for question in questions]
    lost = await history.off_loop(history.lost, base_url=client.base_url, account=client.account, asked=asked)
    own = {question.intent for question in questions}
    return Counter(digest_of(tool, entry.params) for entry in lost if entry.intent not in own)


async def _never_started(question: Question, history: JobHistory) -> Answer:
    """Record that a submission never started, unless another kernel has just found its job."""
    await history.off_loop(history.unsent, question.intent, "the service's list has no such job")
    return (await _found_before([question], history)).get(question, Answer())


@dataclass(frozen=True, slots=True)
class Findings:
    """What the lost submissions of the history have come to.

    Attributes:
        found: the jobs that they had started.
        unsent: submissions that never started a job and were not billed.
        unclear: submissions that may have started one of several jobs, that could not be looked up, or that the list does not
            account for. They stay for the next look.
        reasons: why each of them is unclear.
    """

    found: tuple[Job, ...] = ()
    unsent: tuple[HistoryEntry, ...] = ()
    unclear: tuple[HistoryEntry, ...] = ()
    reasons: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Findings {self.counts}>"

    @property
    def counts(self) -> str:
        """How many of each there are, in words."""
        return f"{len(self.found)} found, {len(self.unsent)} never started, {len(self.unclear)} unclear"


async def look_up_all(client: ListsAccount, history: JobHistory, *, clock: Clock | None = None) -> Findings:
    """Reconcile all lost submissions of the history that were sent to this service. Nothing is ever submitted.

    Args:
        client: lists the service's jobs.
        history: has the submissions.
        clock: see `Clock`.
    """
    lost = await history.off_loop(history.lost, base_url=client.base_url, account=client.account)
    return await look_up_entries(client, history, lost, clock=clock)


async def look_up_entries(
    client: ListsAccount, history: JobHistory, lost: Iterable[HistoryEntry], *, clock: Clock | None = None
) -> Findings:
    """Reconcile some lost submissions of the history, and record there what they have come to.

    Args:
        client: lists the service's jobs.
        history: has the submissions.
        lost: their entries, oldest first.
        clock: see `Clock`.
    """
    entries = list(lost)
    tools = [Tool.known(entry.tool) for entry in entries]
    questions = {
        entry.intent: Question(tool, entry.params, entry.begun_at, entry.intent)
        for entry, tool in zip(entries, tools, strict=True)
        if tool is not None
    }
    told = await reconcile(client, history, list(questions.values()), clock=clock)
    answers = dict(zip(questions, told, strict=True))
    found: list[Job] = []
    unsent: list[HistoryEntry] = []
    unclear: list[HistoryEntry] = []
    reasons: list[str] = []
    for entry in entries:
        answer = answers.get(entry.intent, Answer(doubt="its tool is newer than this package"))
        if answer.job is not None:
            found.append(answer.job)
        elif answer.doubt:
            unclear.append(entry)
            reasons.append(answer.doubt)
        else:
            unsent.append(entry)
    return Findings(tuple(found), tuple(unsent), tuple(unclear), tuple(reasons))
