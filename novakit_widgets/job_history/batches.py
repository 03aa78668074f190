"""Batches on disk: all items before the first is submitted, so that a killed kernel's queue can go on in another."""

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

LARGEST_ITEM = 1_000_000  # characters of JSON; a batch of pictures as data URIs would make the history a heap of them
# Where we can't ask whether a process lives, as in another container, one that has been silent for so long is dead.
_SILENCE = timedelta(minutes=5)


class _Runs(Protocol):
    def __call__(self, work: Callable[[sqlite3.Connection], _T], default: _T, *, write: bool = False) -> _T: ...


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One place of a batch, as the history has it.

    Attributes:
        tool: what makes it.
        params: the parameters, whole; ``None`` where they could not be kept and have to be given again.
        entry: its newest submission; ``None`` before there was one.
        dropped: whether it was cancelled before it was submitted.
        job_id: the job of the history that was taken instead of a new one.
    """

    tool: Tool
    params: Mapping[str, Any] | None
    entry: HistoryEntry | None = None
    dropped: bool = False
    job_id: str | None = None

    @property
    def waits(self) -> bool:
        """Whether it was neither submitted nor dropped."""
        return not self.dropped and (self.entry is None or self.entry.stage == UNSENT)


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """A batch, as the history has it.

    Attributes:
        id: our own id of it.
        base_url: the service that it belongs to.
        made_at: when, with time zone.
        items: its places, in order.
        max_running: how many of its jobs may run at once.
        timeout: seconds to watch each; ``None`` for the tools'.
        notebook: where it was started, where known.
        about: what else whoever shows it wants to know again.
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
    """The batches of one history. Every method may be called on any thread, and in several processes at once.

    Args:
        run: does work on the file; `JobHistory`'s.
        now: the present moment with time zone.
    """

    def __init__(self, run: _Runs, *, now: Callable[[], datetime]) -> None:
        self._run = run
        self._now = now

    def open(self, record: BatchRecord, *, again: Collection[int] = ()) -> None:
        """Keep a batch with all its items, at once or not at all; this process owns it.

        Args:
            record: the batch. One that was closed is opened again.
            again: places whose earlier submissions are over and done with: they wait once more.
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
                    # But not what is over and done with at a place: it waits for another try, as it did.
                    "ON CONFLICT (batch, place) DO UPDATE SET tool = excluded.tool, params = excluded.params, "
                    "job_id = excluded.job_id, dropped = excluded.dropped",
                    [record.id, place, str(item.tool), _kept(item.params), item.job_id, item.dropped],
                )
            self._wait_again(database, record.id, again)

        self._run(work, None, write=True)

    def again(self, batch: str, places: Iterable[int]) -> None:
        """Note that some places wait once more, whatever became of their earlier submissions."""
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
        """Note that some places that wait are never to be submitted. Those of a batch that was taken over stay as they are."""
        own = "batch = (SELECT id FROM batches WHERE id = ? AND process = ?)"
        statement = f"UPDATE batch_items SET dropped = 1 WHERE {own} AND place = ?"  # noqa: S608 # ours

        def work(database: sqlite3.Connection) -> None:
            for place in places:
                execute(database, statement, [batch, this_process(), place])

        self._run(work, None, write=True)

    def close(self, batch: str) -> None:
        """Note that nothing of a batch waits any more: it is not brought back, and its items are no longer kept."""

        def work(database: sqlite3.Connection) -> None:
            own = "id = ? AND process = ?"
            closed = execute(database, f"UPDATE batches SET closed = 1 WHERE {own}", [batch, this_process()])  # noqa: S608 # ours
            if closed.rowcount:
                execute(database, "DELETE FROM batch_items WHERE batch = ?", [batch])

        self._run(work, None, write=True)

    def beat(self, batch: str) -> None:
        """Note that its process still lives, for those who can't ask."""
        values = [self._now().timestamp(), batch, this_process()]
        statement = "UPDATE batches SET seen_at = ? WHERE id = ? AND process = ?"
        self._run(lambda database: _done(execute(database, statement, values)), None, write=True)

    def claim(self, *, base_url: str, account: str | None = None, active: Collection[str] = ()) -> list[str]:
        """Make the batches of dead processes this one's; of two that try, one gets each.

        Args:
            base_url: the service.
            account: none of which something was submitted with another account's key: this one's list does not tell of it.
            active: the batches that this process is at work on.

        Returns:
            Their ids, oldest first: those too that are this process's already, and not active.
        """
        tools = [str(tool) for tool in Tool]
        # An item of a tool that is newer than this package is for a newer one.
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
        """Read a batch that is open; ``None`` where there is none."""

        def work(database: sqlite3.Connection) -> BatchRecord | None:
            row = next(iter(execute(database, "SELECT * FROM batches WHERE id = ? AND closed = 0", [batch])), None)
            return None if row is None else _record_of(database, row)

        return self._run(work, None)


def check_owner(database: sqlite3.Connection, batch: str) -> None:
    """Refuse to go on with a batch that another process has taken over.

    Raises:
        JobNotStartedError: it has.
    """
    owner = execute(database, "SELECT process FROM batches WHERE id = ?", [batch]).fetchone()
    if owner is not None and owner["process"] != this_process():
        raise JobNotStartedError(
            "Another kernel has taken this batch over with nk.recover(), so nothing was submitted or billed here. Go on there."
        )


def check_place(database: sqlite3.Connection, batch: str, place: int) -> None:
    """Refuse to submit a place that this process does not own, or that was submitted already.

    Raises:
        JobNotStartedError: so it is.
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
    """Write parameters as they will be sent; ``None`` when they can't be kept like that."""
    try:
        text = json.dumps(dict(params or {}), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None  # nor can they be sent
    # A key that stands in them never gets into the history, and cleaned of it they would ask for something else.
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
    """Give nothing back: a cursor is of no use once its connection is closed."""
