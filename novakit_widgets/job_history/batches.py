"""Batches on disk: all items are written before the first is submitted, so that another kernel can continue the queue."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..config.redaction import redact
from ..errors import JobNotStartedError
from ..model.frozen import FrozenDict
from ..model.tools import Tool
from ..runtime.process import lives, this_process
from .rows import UNSENT, HistoryEntry, entry_of, execute, first, read, select, written

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Mapping

__all__ = ["BatchItem", "BatchRecord", "Batches", "check_owner", "check_place"]

_T = TypeVar("_T")

LARGEST_ITEM = 1_000_000  # characters of JSON; more, such as images as data URIs, would bloat the history
# A process of another machine or container that gave no sign of life for this long is presumed dead.
_SILENCE = timedelta(minutes=5)


class _Runs(Protocol):
    def __call__(self, work: Callable[[sqlite3.Connection], _T], default: _T, *, write: bool = False) -> _T: ...


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One item of a batch in the history.

    Attributes:
        tool: The tool.
        params: The whole parameters; ``None`` if they could not be kept and have to be given again.
        entry: Its newest submission, if any.
        dropped: Whether it was cancelled before it was submitted.
        job_id: The job of the history that was reused for it.
    """

    tool: Tool
    params: Mapping[str, Any] | None
    entry: HistoryEntry | None = None
    dropped: bool = False
    job_id: str | None = None

    @property
    def waits(self) -> bool:
        """Whether it is still to be submitted."""
        return not self.dropped and (self.entry is None or self.entry.stage == UNSENT)


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """A batch in the history.

    Attributes:
        id: The id of the batch.
        base_url: The service that it belongs to.
        made_at: When it was created, with time zone.
        items: Its items, in order.
        max_running: The most of its jobs that run at once.
        timeout: Seconds to watch each job; ``None`` for the tools' defaults.
        notebook: The notebook that created it, where known.
        about: What its board needs besides.
    """

    id: str
    base_url: str
    made_at: datetime
    items: tuple[BatchItem, ...]
    max_running: int
    timeout: float | None = None
    notebook: str | None = None
    about: Mapping[str, Any] = field(default_factory=FrozenDict)

    def __repr__(self) -> str:
        return f"<BatchRecord of {len(self.items)} made {self.made_at.astimezone():%d %b %H:%M}>"


class Batches:
    """The batches of one history. Methods may be called on any thread, and by several processes at once.

    Args:
        run: Runs work on the file; see `Access.run`.
        now: Returns the current time, with time zone.
    """

    def __init__(self, run: _Runs, *, now: Callable[[], datetime]) -> None:
        self._run = run
        self._now = now

    def open(self, record: BatchRecord, *, again: Collection[int] = ()) -> None:
        """Write a batch with all its items in one transaction. This process then owns it.

        Args:
            record: The batch. A closed one is opened again.
            again: Places that are to be submitted again, whatever their earlier submissions became.
        """

        def work(database: sqlite3.Connection) -> None:
            check_owner(database, record.id)
            facts = {
                "id": record.id,
                "base_url": record.base_url,
                "process": this_process(),
                "made_at": record.made_at.timestamp(),
                "seen_at": self._now().timestamp(),
                "max_running": record.max_running,
                "timeout": record.timeout,
                "notebook": record.notebook,
                "about": written(dict(record.about)),
            }
            names, places = ", ".join(facts), ", ".join(f":{name}" for name in facts)
            execute(database, f"REPLACE INTO batches ({names}) VALUES ({places})", facts)  # noqa: S608 # ours
            for place, item in enumerate(record.items):
                execute(
                    database,
                    "INSERT INTO batch_items (batch, place, tool, params, job_id, dropped) VALUES (?, ?, ?, ?, ?, ?) "
                    # But not `after`: a place that is to be submitted again still is.
                    "ON CONFLICT (batch, place) DO UPDATE SET tool = excluded.tool, params = excluded.params, "
                    "job_id = excluded.job_id, dropped = excluded.dropped",
                    [record.id, place, str(item.tool), _kept(item.params), item.job_id, item.dropped],
                )
            self._wait_again(database, record.id, again)

        self._run(work, None, write=True)

    def again(self, batch: str, places: Iterable[int]) -> None:
        """Mark places that are to be submitted again, whatever their earlier submissions became."""
        self._run(lambda database: self._wait_again(database, batch, places), None, write=True)

    @staticmethod
    def _wait_again(database: sqlite3.Connection, batch: str, places: Iterable[int]) -> None:
        for place in places:
            execute(
                database,
                "UPDATE batch_items SET dropped = 0, job_id = NULL, after = "
                "(SELECT coalesce(max(number), 0) FROM jobs WHERE batch = ? AND place = ?) WHERE batch = ? AND place = ?",
                [batch, place, batch, place],
            )

    def drop(self, batch: str, places: Iterable[int]) -> None:
        """Mark waiting places as cancelled, unless another process has taken the batch over."""
        own = "batch = (SELECT id FROM batches WHERE id = ? AND process = ?)"
        statement = f"UPDATE batch_items SET dropped = 1 WHERE {own} AND place = ?"  # noqa: S608 # ours

        def work(database: sqlite3.Connection) -> None:
            for place in places:
                execute(database, statement, [batch, this_process(), place])

        self._run(work, None, write=True)

    def close(self, batch: str) -> None:
        """Close a batch of which nothing waits: it is not restored, and its items are deleted."""

        def work(database: sqlite3.Connection) -> None:
            own = "id = ? AND process = ?"
            closed = execute(database, f"UPDATE batches SET closed = 1 WHERE {own}", [batch, this_process()])  # noqa: S608 # ours
            if closed.rowcount:
                execute(database, "DELETE FROM batch_items WHERE batch = ?", [batch])

        self._run(work, None, write=True)

    def beat(self, batch: str) -> None:
        """Write a sign of life, for machines that can't see this process."""
        values = [self._now().timestamp(), batch, this_process()]
        statement = "UPDATE batches SET seen_at = ? WHERE id = ? AND process = ?"
        self._run(lambda database: _done(execute(database, statement, values)), None, write=True)

    def claim(self, *, base_url: str, account: str | None = None, active: Collection[str] = ()) -> list[str]:
        """Take over the batches of dead processes. Of two processes that try, only one gets each batch.

        Args:
            base_url: The service.
            account: Only batches of which nothing was submitted with another account.
            active: The batches that this process works on.

        Returns:
            Their ids, oldest first, including batches of this process that are not active.
        """
        tools = [str(tool) for tool in Tool]
        # Leave batches with tools of a newer version of this package to that version.
        newer = f"SELECT batch FROM batch_items WHERE tool NOT IN ({', '.join('?' for _ in tools)})"  # noqa: S608 # ours

        def work(database: sqlite3.Connection) -> list[str]:
            not_ours = {row["batch"] for row in execute(database, newer, tools)}
            if account is not None:
                others = "SELECT DISTINCT batch FROM jobs WHERE batch IS NOT NULL AND account != ?"
                not_ours.update(row["batch"] for row in execute(database, others, [account]))
            query = "SELECT * FROM batches WHERE closed = 0 AND base_url = ? ORDER BY made_at, id"
            rows = execute(database, query, [base_url]).fetchall()
            found = [row["id"] for row in rows if row["id"] not in not_ours and self._is_free(row, active)]
            for batch in found:
                statement = "UPDATE batches SET process = ?, seen_at = ? WHERE id = ?"
                execute(database, statement, [this_process(), self._now().timestamp(), batch])
            return found

        return self._run(work, [], write=True)

    def _is_free(self, row: sqlite3.Row, active: Collection[str]) -> bool:
        if row["process"] == this_process():
            return row["id"] not in active
        alive = lives(row["process"])
        seen = datetime.fromtimestamp(row["seen_at"], tz=timezone.utc)
        return self._now() - seen > _SILENCE if alive is None else not alive

    def find(self, batch: str) -> BatchRecord | None:
        """Return an open batch, if any."""

        def work(database: sqlite3.Connection) -> BatchRecord | None:
            row = next(iter(execute(database, "SELECT * FROM batches WHERE id = ? AND closed = 0", [batch])), None)
            return None if row is None else _record_of(database, row)

        return self._run(work, None)


def check_owner(database: sqlite3.Connection, batch: str) -> None:
    """Check that this process still owns a batch.

    Raises:
        JobNotStartedError: Another process has taken it over.
    """
    owner = execute(database, "SELECT process FROM batches WHERE id = ?", [batch]).fetchone()
    if owner is not None and owner["process"] != this_process():
        raise JobNotStartedError(
            "Another kernel has taken this batch over with nk.recover(), so nothing was submitted or billed here. Go on there."
        )


def check_place(database: sqlite3.Connection, batch: str, place: int) -> None:
    """Check that a place may be submitted.

    Raises:
        JobNotStartedError: Another process owns the batch, or the place was submitted before.
    """
    check_owner(database, batch)
    item = execute(database, "SELECT after FROM batch_items WHERE batch = ? AND place = ?", [batch, place]).fetchone()
    closed = execute(database, "SELECT closed FROM batches WHERE id = ?", [batch]).fetchone()
    since = 0 if item is None else item["after"]
    newest = first(
        database, "batch = ? AND place = ? AND number > ? ORDER BY number DESC LIMIT 1", [batch, place, since]
    )
    if (closed is not None and closed["closed"]) or (newest is not None and newest["stage"] != UNSENT):
        raise JobNotStartedError(
            "This was submitted already by another board of the same batch, so nothing was submitted or billed again. "
            "nk.history() shows what became of it."
        )


def _kept(params: Mapping[str, Any] | None) -> str | None:
    """Return parameters as JSON; ``None`` if they can't be kept unchanged."""
    try:
        text = json.dumps(dict(params or {}), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None  # nor can they be sent
    # A key must never get into the history, and without it the parameters would be different ones.
    return None if params is None or len(text) > LARGEST_ITEM or redact(text) != text else text


def _record_of(database: sqlite3.Connection, row: sqlite3.Row) -> BatchRecord:
    newest: dict[int, HistoryEntry] = {}
    numbers: dict[int, int] = {}
    for job in select(database, "batch = ? ORDER BY number", [row["id"]]):
        newest[job["place"]], numbers[job["place"]] = entry_of(job), job["number"]
    items = []
    for item in execute(database, "SELECT * FROM batch_items WHERE batch = ? ORDER BY place", [row["id"]]):
        entry = newest.get(item["place"]) if numbers.get(item["place"], 0) > item["after"] else None
        if item["job_id"] is not None and entry is None:
            taken = first(database, "base_url = ? AND job_id = ?", [row["base_url"], item["job_id"]])
            entry = None if taken is None else entry_of(taken)
        params = read(item["params"])
        items.append(
            BatchItem(
                tool=Tool.of(item["tool"]),
                params=FrozenDict(params) if isinstance(params, dict) else None,
                entry=entry,
                dropped=bool(item["dropped"]),
                job_id=item["job_id"],
            )
        )
    about = read(row["about"])
    return BatchRecord(
        id=row["id"],
        base_url=row["base_url"],
        made_at=datetime.fromtimestamp(row["made_at"], tz=timezone.utc),
        items=tuple(items),
        max_running=row["max_running"],
        timeout=row["timeout"],
        notebook=row["notebook"],
        about=FrozenDict(about if isinstance(about, dict) else {}),
    )


def _done(_cursor: object) -> None:
    """Return nothing: a cursor is useless after its connection is closed."""
