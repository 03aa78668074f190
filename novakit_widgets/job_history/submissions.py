"""Writing a submission: its row before the POST, the job that it started, and what a job's later answers say."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..model.tools import Tool
from ..runtime.process import this_process
from .batches import check_place
from .queries import equal
from .rows import (
    INTENT,
    JOB,
    LASTING,
    UNCERTAIN,
    by_id,
    change,
    digest_of,
    execute,
    facts_of,
    first,
    insert,
    job_of,
    words_of,
    written,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime, timedelta

    from ..model.job import Job
    from .rows import HistoryEntry

__all__ = ["Answer", "EqualSearch", "ask", "asked", "begin", "change_rows", "claim", "new_intent", "note", "start"]


def new_intent() -> str:
    """Return a fresh id for a row."""
    return secrets.token_hex(12)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service said about a job.

    Attributes:
        job: The job.
        base_url: The service.
        account: The account that was asked, or ``None`` where it is unknown.
        at: The time of the answer.
    """

    job: Job
    base_url: str
    account: str | None
    at: datetime


def asked(tool: Tool | None, name: str | None, params: Mapping[str, Any], digest: str | None = None) -> dict[str, Any]:
    """Return the columns that say what was asked for."""
    if digest is None and tool is not None:
        digest = digest_of(tool, params)
    return {"tool": name, "params": written(params), "digest": digest, "words": words_of(params)}


@dataclass(frozen=True, slots=True)
class EqualSearch:
    """A search for the newest equal job that did not fail.

    Attributes:
        within: Only a job that was begun at most this long ago.
        on_equal: Called with the job, if there is one.
    """

    within: timedelta
    on_equal: Callable[[HistoryEntry], None]


def begin(database: sqlite3.Connection, row: Mapping[str, Any], search: EqualSearch | None = None) -> str:
    """Add the row of a submission, and return its id.

    Args:
        database: In a transaction.
        row: The columns.
        search: Finds an equal job with the same access to the file.

    Raises:
        JobNotStartedError: Another kernel owns its batch, or its place was submitted before.
    """
    if row["batch"] is not None and row["place"] is not None:
        # In the transaction of the row, so that of two kernels or boards only one can submit a place.
        check_place(database, row["batch"], row["place"])
    if search is not None:
        since = row["begun_at"] - search.within.total_seconds()
        (found,) = equal(database, [row["digest"]], row["base_url"], row["account"], since)
        if found is not None:
            search.on_equal(found)
    insert(database, row)
    return str(row["intent"])


def ask(database: sqlite3.Connection, intent: str, tool: Tool, params: Mapping[str, Any]) -> None:
    """Replace the parameters of a submission that is not sent yet."""
    row = first(database, "intent = ? AND stage = ?", [intent, INTENT])
    if row is not None:
        change(database, row, asked(tool, str(tool), params))


def claim(database: sqlite3.Connection, intent: str, answer: Answer) -> bool:
    """Give a job to a submission, unless it belongs to another one; return whether it did."""
    other = by_id(database, answer.job.id, answer.base_url)
    if other is not None and other["process"] and other["intent"] != intent:
        return False
    start(database, intent, answer)
    return True


def start(database: sqlite3.Connection, intent: str, answer: Answer) -> None:
    """Complete the row of a submission with the job that it started."""
    job, row = answer.job, first(database, "intent = ?", [intent])
    if row is None:  # it could not be written, such as on a full disk
        note(database, answer, process=this_process())
        return
    newest = job
    facts: dict[str, Any] = {"stage": JOB, "reason": None}
    if row["stage"] == INTENT and row["process"] == this_process():
        facts["answered_at"] = answer.at.timestamp()
    other = by_id(database, job.id, answer.base_url)
    if other is not None and other["intent"] != intent:
        known = job_of(other)
        newest = job if known is None else known.advanced(job)
        if other["process"]:  # another submission, which was given our job by mistake
            nothing = dict.fromkeys(LASTING)
            change(database, other, {**nothing, "stage": UNCERTAIN, "reason": "its job was another's"})
        else:  # the row of somebody who attached to the job while its submission was uncertain
            execute(database, "DELETE FROM jobs WHERE number = ?", [other["number"]])
            facts.update({name: other[name] for name in ("files", "note", "star") if other[name] != row[name]})
    before = job_of(row)
    if before is not None and before.id == job.id:
        newest = before.advanced(newest)
    elif before is not None:  # another kernel found an equal job, and took it for ours
        facts = {**dict.fromkeys(LASTING), **facts}
    change(database, row, {**facts, **facts_of(newest)})
    if before is not None and before.id != job.id:
        note(database, Answer(before, answer.base_url, answer.account, answer.at))


def change_rows(database: sqlite3.Connection, statement: str, values: Sequence[Any]) -> None:
    """Run a statement that changes rows."""
    execute(database, statement, values)


def note(database: sqlite3.Connection, answer: Answer, *, process: str = "") -> None:
    """Bring a job's row up to date, or add one for a job that was submitted elsewhere."""
    job, row = answer.job, by_id(database, answer.job.id, answer.base_url)
    # An account that got an answer can ask for the job, though another key may have submitted it.
    account = {} if answer.account is None else {"account": answer.account}
    if row is not None:
        known = job_of(row)
        change(database, row, {**facts_of(job if known is None else known.advanced(job)), **account})
        return
    now = answer.at.timestamp()
    # The service's time, within limits: an impossible one would make every list of jobs unreadable.
    begun = now if job.created_at is None else min(now, max(0.0, job.created_at.timestamp()))
    columns = asked(Tool.known(job.tool), job.tool, job.params or {})
    facts = {"stage": JOB, "begun_at": begun, "process": process, **facts_of(job), **account}
    insert(database, {"intent": new_intent(), "base_url": answer.base_url, **columns, **facts})
