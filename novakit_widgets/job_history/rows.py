"""Rows of the history: reading one, and writing a job as one. Keys are removed from every text that is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.redaction import redact, redact_all
from ..model.canonical import LONG, bounded, canonical
from ..model.frozen import FrozenDict
from ..model.job import Job

if TYPE_CHECKING:
    import sqlite3

    from ..model.tools import Tool

__all__ = [
    "DISMISSED",
    "INTENT",
    "JOB",
    "LASTING",
    "OURS",
    "UNCERTAIN",
    "UNSENT",
    "HistoryEntry",
    "Stage",
    "by_id",
    "change",
    "digest_of",
    "entry_of",
    "execute",
    "facts_of",
    "first",
    "has_words",
    "insert",
    "job_of",
    "read",
    "select",
    "words_of",
    "written",
]

Stage = str
INTENT, JOB, UNSENT, UNCERTAIN, DISMISSED = "intent", "job", "unsent", "uncertain", "dismissed"
# A condition with two values, both the account or None. Rows without an account, as older versions wrote them, count as ours.
OURS = "(account IS NULL OR ? IS NULL OR account = ?)"
LASTING = (
    "job_id",
    "status",
    "error",
    "output",
    "model",
    "created_at",
    "completed_at",
    "estimated_credits",
    "actual_credits",
)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One row: a job, or the intent to start one.

    Attributes:
        intent: The id of the row.
        base_url: The service that it belongs to.
        tool: The tool, such as ``"video"``.
        params: The parameters. Texts of more than 10,000 characters are replaced by a fingerprint.
        stage: ``"intent"`` (the request was on its way), ``"job"``, ``"unsent"``, ``"uncertain"``, or ``"dismissed"`` (uncertain,
            and no longer looked up).
        reason: Why it is unsent or uncertain.
        begun_at: When the submission began, with time zone.
        job: The job as last seen; ``None`` without a job.
        files: The saved files.
        notebook: The notebook that submitted it, where known.
        note: The user's note.
        star: Whether the user starred it.
        batch: The id of its batch; ``None`` for a single job.
        place: Its number in the batch, from 0.
    """

    intent: str
    base_url: str
    tool: str | None
    params: Mapping[str, Any]
    stage: Stage
    reason: str | None
    begun_at: datetime
    job: Job | None
    files: tuple[Path, ...] = ()
    notebook: str | None = None
    note: str = ""
    star: bool = False
    batch: str | None = None
    place: int | None = None

    def __hash__(self) -> int:
        return hash((self.intent, self.base_url))  # the parameters can't be hashed


def execute(
    database: sqlite3.Connection, statement: str, values: Mapping[str, Any] | Sequence[Any] = ()
) -> sqlite3.Cursor:
    """Run one statement. All writes go through here, so that keys are removed from every text."""
    safe = redact_all(values.values() if isinstance(values, Mapping) else values)
    # A lone surrogate, which JSON can contain, can't be stored.
    safe = [value.encode("utf-8", "replace").decode() if isinstance(value, str) else value for value in safe]
    return database.execute(statement, dict(zip(values, safe, strict=True)) if isinstance(values, Mapping) else safe)


def written(value: Any, *, whole: bool = False) -> str:
    """Return a value as JSON. Values that JSON has no form for, which are never sent, are replaced by their type.

    Args:
        value: Parameters, or a result.
        whole: Whether long texts are kept, rather than their fingerprints.
    """
    try:
        return json.dumps(value if whole else bounded(value), ensure_ascii=True, default=_strange)
    except (ValueError, RecursionError):  # circular, too deep, or a number of thousands of digits
        return json.dumps({"unreadable": _strange(value)})


def _strange(value: object) -> str:
    return f"({type(value).__name__})"


def read(text: str | None) -> Any:
    """Parse what `written` returned; ``None`` if it is damaged, so that one bad row hides no other."""
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None


def digest_of(tool: Tool, params: Mapping[str, Any]) -> str | None:
    """Return a fingerprint that equal parameters share; ``None`` if JSON has no form for them."""
    try:
        text = f"{tool} {canonical(tool, params)}"
    except (ValueError, TypeError, RecursionError):
        return None
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def words_of(params: Mapping[str, Any]) -> str:
    """Return the text that a search looks through, case-folded."""
    texts = [params.get(name) for name in ("prompt", "input")]
    # Redacted before it is cut: half a key would not be recognised.
    return redact(" ".join(text for text in texts if isinstance(text, str)))[:LONG].casefold()


def has_words(text: bytes, job_id: bytes | None, search: str) -> bool:
    """Return whether a row has all words of a search, in any order and ignoring case.

    SQLite calls it, since its own functions fold English letters only. It takes bytes, because a text may contain NUL.

    Args:
        text: Contains words anywhere.
        job_id: Begins with a word, with or without ``job_``. Short words occur inside most ids.
        search: The words, case-folded.
    """
    folded = text.decode("utf-8", "replace").casefold()
    name = (job_id or b"").decode("utf-8", "replace").casefold()
    beginnings = (name, name.removeprefix("job_"))
    return all(word in folded or any(one.startswith(word) for one in beginnings) for word in search.split())


def facts_of(job: Job) -> dict[str, Any]:
    """Return the columns of a snapshot. Unknown values are omitted."""
    facts: dict[str, Any] = {
        "job_id": job.id,
        "status": str(job.status),
        "error": job.error,
        # The service does not keep a result that it answered at once, such as a transcript.
        "output": None if job.output is None else written(job.output, whole=job.id is None),
        "model": job.model,
        "created_at": None if job.created_at is None else job.created_at.isoformat(),
        "completed_at": None if job.completed_at is None else job.completed_at.isoformat(),
        "estimated_credits": job.estimated_credits,
        "actual_credits": job.actual_credits,
    }
    return {name: value for name, value in facts.items() if value is not None}


def job_of(row: sqlite3.Row) -> Job | None:
    """Return a row's job; ``None`` without one."""
    if row["stage"] != JOB:
        return None
    body = {
        "id": row["job_id"] or row["intent"],
        "status": row["status"] or "unknown",
        "tool": row["tool"],
        "inputParams": read(row["params"]),
        "outputData": read(row["output"]),
        "errorMessage": row["error"],
        "model": row["model"],
        "createdAt": row["created_at"],
        "completedAt": row["completed_at"],
        "estimatedCredits": row["estimated_credits"],
        "actualCredits": row["actual_credits"],
    }
    return replace(Job.from_json(body), id=row["job_id"])


def entry_of(row: sqlite3.Row) -> HistoryEntry:
    """Return a row as a `HistoryEntry`."""
    params, files = read(row["params"]), read(row["files"])
    return HistoryEntry(
        intent=row["intent"],
        base_url=row["base_url"],
        tool=row["tool"],
        params=FrozenDict(params if isinstance(params, dict) else {}),
        stage=row["stage"],
        reason=row["reason"],
        begun_at=_moment(row["begun_at"]),
        job=job_of(row),
        files=tuple(Path(file) for file in files if isinstance(file, str)) if isinstance(files, list) else (),
        notebook=row["notebook"],
        note=row["note"],
        star=bool(row["star"]),
        batch=row["batch"],
        place=row["place"],
    )


def _moment(seconds: Any) -> datetime:
    """Return a time. Invalid timestamps become the epoch, so that one bad row hides no other."""
    try:
        return datetime.fromtimestamp(seconds, tz=timezone.utc)
    except (TypeError, ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, tz=timezone.utc)


def select(database: sqlite3.Connection, where: str, values: Sequence[Any]) -> list[sqlite3.Row]:
    """Return the rows that match a condition."""
    return execute(database, f"SELECT * FROM jobs WHERE {where}", values).fetchall()  # noqa: S608 # ours


def first(database: sqlite3.Connection, where: str, values: Sequence[Any]) -> sqlite3.Row | None:
    """Return the first row that matches a condition, if any."""
    return next(iter(select(database, where, values)), None)


def by_id(database: sqlite3.Connection, job_id: str | None, base_url: str) -> sqlite3.Row | None:
    """Return the row of a service's job, if any."""
    return None if job_id is None else first(database, "base_url = ? AND job_id = ?", [base_url, job_id])


def insert(database: sqlite3.Connection, row: Mapping[str, Any]) -> None:
    """Add a row."""
    names = ", ".join(row)
    places = ", ".join(f":{name}" for name in row)
    execute(database, f"INSERT INTO jobs ({names}) VALUES ({places})", row)  # noqa: S608 # the names are ours


def change(database: sqlite3.Connection, row: sqlite3.Row, facts: Mapping[str, Any]) -> None:
    """Update the columns that differ; without a difference nothing is written."""
    news = {name: value for name, value in facts.items() if row[name] != value}
    if news:
        changes = ", ".join(f"{name} = :{name}" for name in news)
        statement = f"UPDATE jobs SET {changes} WHERE number = :number"  # noqa: S608 # the names are ours
        execute(database, statement, {**news, "number": row["number"]})
