"""Reading the history: rows for a table, equal jobs, lost submissions, and what counts against limits."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from ..model.job import JobStatus
from ..model.tools import Tool
from ..runtime.process import lives
from .rows import (
    INTENT,
    JOB,
    OURS,
    UNCERTAIN,
    UNSENT,
    HistoryEntry,
    by_id,
    entry_of,
    execute,
    first,
    has_words,
    job_of,
    select,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

    from ..model.job import Job

__all__ = [
    "answered",
    "begun",
    "conditions",
    "equal",
    "filtered",
    "find",
    "is_ahead",
    "jobs_of",
    "lost",
    "started_ids",
    "with_address",
]

# A POST with its retries takes some minutes at most. A process of another machine is presumed dead after this time.
_LONGEST_POST = timedelta(minutes=15)
_NEWEST = 1_000  # submissions whose answer times are of use: a service's list has a hundred jobs


def conditions(
    tool: Tool | str | None, status: str | None, search: str | None, base_url: str | None, limit: int | None
) -> tuple[str, list[Any]]:
    """Return the SQL condition of a table's filters, and its values; see `JobHistory.entries`.

    Raises:
        ConfigurationError: A filter is not valid.
    """
    wanted: list[tuple[str, Any]] = []
    if tool is not None:
        wanted.append(("tool = ?", str(Tool.of(tool))))
    if status is not None:
        wanted.append(("coalesce(status, stage) = ?", str(status)))
    if search is not None and not isinstance(search, str):
        raise ConfigurationError(f"search must be text, got {search!r}.")
    if search:
        # Not LIKE: its pattern ends at a NUL, is limited to 50,000 bytes, and folds English letters only.
        text = "CAST(words || ' ' || note AS BLOB), CAST(job_id AS BLOB)"
        wanted.append((f"has_words({text}, ?)", search.casefold()))
    if base_url is not None:
        wanted.append(("base_url = ?", base_url))
    where = " AND ".join(condition for condition, _ in wanted) or "1"
    return where, [*(value for _, value in wanted), _row_count(limit)]


def filtered(database: sqlite3.Connection, where: str, values: Sequence[Any]) -> list[HistoryEntry]:
    """Return the rows of a table, newest first."""
    database.create_function("has_words", 3, has_words, deterministic=True)
    rows = select(database, f"{where} ORDER BY begun_at DESC, number DESC LIMIT ?", values)
    return [entry_of(row) for row in rows]


def lost(
    database: sqlite3.Connection,
    now: datetime,
    base_url: str | None,
    account: str | None,
    digests: Collection[str | None] | None,
) -> list[HistoryEntry]:
    """Return the submissions that may have started a job; see `JobHistory.lost`."""
    where = f"stage IN (?, ?) AND (? IS NULL OR base_url = ?) AND {OURS} ORDER BY number"
    rows = select(database, where, [INTENT, UNCERTAIN, base_url, base_url, account, account])
    return [
        entry
        for entry, row in ((entry_of(row), row) for row in rows if digests is None or row["digest"] in digests)
        if _is_lost(entry, row["process"], now)
    ]


def is_ahead(database: sqlite3.Connection, now: datetime, intent: str) -> bool:
    """Return whether an equal submission is still on its way; see `JobHistory.ahead`."""
    own = first(database, "intent = ?", [intent])
    if own is None:
        return False
    where = f"digest = ? AND base_url = ? AND stage = ? AND number < ? AND {OURS}"
    rows = select(
        database, where, [own["digest"], own["base_url"], INTENT, own["number"], own["account"], own["account"]]
    )
    return any(
        entry.begun_at > now - _LONGEST_POST and not _is_lost(entry, row["process"], now)
        for entry, row in ((entry_of(row), row) for row in rows)
    )


def _is_lost(entry: HistoryEntry, process: str, now: datetime) -> bool:
    if entry.stage == UNCERTAIN:
        return True
    alive = lives(process)
    return now - entry.begun_at > _LONGEST_POST if alive is None else not alive


def equal(
    database: sqlite3.Connection,
    digests: Sequence[str | None],
    base_url: str,
    account: str | None,
    since: float,
) -> list[HistoryEntry | None]:
    """Return for each fingerprint the newest job that did not fail; see `JobHistory.twin`."""
    where = (
        "digest = ? AND base_url = ? AND coalesce(job_id, output) IS NOT NULL AND status NOT IN (?, ?) AND begun_at >= ? "
        f"AND {OURS} ORDER BY begun_at DESC, number DESC LIMIT 1"
    )
    values = [base_url, str(JobStatus.FAILED), str(JobStatus.CANCELLED), since, account, account]
    rows = [first(database, where, [digest, *values]) for digest in digests]
    return [None if row is None else entry_of(row) for row in rows]


def find(database: sqlite3.Connection, job_id: str, base_url: str) -> HistoryEntry | None:
    """Return the row of a job, by the service's id."""
    row = by_id(database, job_id, base_url)
    return None if row is None else entry_of(row)


def with_address(database: sqlite3.Connection, url: str, base_url: str) -> HistoryEntry | None:
    """Return the newest row whose job has media at an address."""
    where = "base_url = ? AND instr(output, ?) > 0 ORDER BY number DESC"
    entries = (entry_of(row) for row in select(database, where, [base_url, json.dumps(url)]))
    return next(
        (entry for entry in entries if entry.job is not None and any(media.url == url for media in entry.job.media)),
        None,
    )


def jobs_of(database: sqlite3.Connection, intents: Sequence[str]) -> dict[str, Job]:
    """Return the jobs of those submissions that started one."""
    rows = {intent: first(database, "intent = ? AND stage = ?", [intent, JOB]) for intent in intents}
    jobs = {intent: None if row is None else job_of(row) for intent, row in rows.items()}
    return {intent: job for intent, job in jobs.items() if job is not None}


def answered(database: sqlite3.Connection, base_url: str) -> dict[str, datetime]:
    """Return when the newest submissions were answered, by the ids of their jobs."""
    statement = (
        "SELECT job_id, answered_at FROM jobs WHERE base_url = ? AND job_id IS NOT NULL AND answered_at IS NOT NULL "
        "ORDER BY number DESC LIMIT ?"
    )
    return {job_id: _utc(at) for job_id, at in execute(database, statement, [base_url, _NEWEST])}


def started_ids(database: sqlite3.Connection, base_url: str, since: float) -> frozenset[str]:
    """Return the ids of the jobs that known submissions started."""
    statement = "SELECT job_id FROM jobs WHERE base_url = ? AND job_id IS NOT NULL AND process != '' AND begun_at >= ?"
    return frozenset(row[0] for row in execute(database, statement, [base_url, since]))


def begun(
    database: sqlite3.Connection, base_url: str, period: tuple[datetime, datetime], late: timedelta, account: str | None
) -> list[tuple[Tool, datetime]]:
    """Return what may have been submitted in a period; see `JobHistory.begun`."""
    statement = (
        "SELECT tool, coalesce(answered_at, begun_at + ?) FROM jobs "  # noqa: S608 # ours
        f"WHERE base_url = ? AND stage != ? AND begun_at >= ? AND begun_at < ? AND {OURS}"
    )
    since, before = period
    values = [late.total_seconds(), base_url, UNSENT, since.timestamp(), before.timestamp(), account, account]
    rows = [(Tool.known(name), at) for name, at in execute(database, statement, values)]
    return [(tool, _utc(at)) for tool, at in rows if tool is not None]


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=timezone.utc)


def _row_count(limit: int | None) -> int:
    """Return a number of rows as SQLite takes it: up to 64 bits, and -1 for all."""
    if limit is None:
        return -1
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
        raise ConfigurationError(f"limit must be a number of rows, 0 or more, or None for all; got {limit!r}.")
    return min(limit, 2**63 - 1)
