"""The jobs on disk: a row before each POST, so that a crash, a lost answer or a restart loses none.

SQLite in the user's data directory, shared by all kernels. It never holds a key. Whatever is wrong with the disk or the file costs
the history, never the job: one warning, and every method still returns.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import secrets
import socket
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from . import settings
from .answers import utc_now
from .jobhistory_schema import STEPS, VERSION
from .jobs import Job, JobStatus, Tool
from .parameters import LONG, bounded, canonical
from .redaction import redact

if TYPE_CHECKING:
    import sqlite3

__all__ = ["HistoryEntry", "HistoryWarning", "JobHistory", "Stage", "default_history"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

Stage = str
INTENT, JOB, UNSENT, UNCERTAIN = "intent", "job", "unsent", "uncertain"
_BUSY_SECONDS = 30.0  # many times longer than any of our transactions
# A POST with its retries takes at most some minutes. Where we can't ask whether a process lives, one as old as that is dead.
_LONGEST_POST = timedelta(minutes=15)
_TOKEN = secrets.token_hex(4)  # tells this process from an earlier one with the same number


class HistoryWarning(UserWarning):
    """The history can't be read or written. The jobs themselves are not affected."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One row: a job, or the intent to start one.

    Attributes:
        intent: our own id of the row.
        base_url: the service that it belongs to.
        tool: such as ``"video"``.
        params: the parameters; a text of more than 10,000 characters stands as its digest.
        stage: ``"intent"`` (the POST was on its way), ``"job"``, ``"unsent"`` or ``"uncertain"``.
        reason: why it is unsent or uncertain.
        begun_at: when it was begun, with time zone.
        job: what is known of the job; ``None`` before there is one.
        files: what was saved of it.
        notebook: where it was started, where known.
        note: the user's words.
        star: whether the user marked it.
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


def _survives(
    default: Callable[[], _T],
) -> Callable[[Callable[Concatenate[JobHistory, _P], _T]], Callable[Concatenate[JobHistory, _P], _T]]:
    """Make a method return a default, and warn once, when the disk or the file is of no use."""

    def decorate(method: Callable[Concatenate[JobHistory, _P], _T]) -> Callable[Concatenate[JobHistory, _P], _T]:
        def guarded(self: JobHistory, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
            if self.path is None:
                return default()
            import sqlite3

            inode = self._inode()
            try:
                try:
                    return method(self, *args, **kwargs)
                except sqlite3.DatabaseError as error:
                    # Its subclasses mean a file that is locked, full or read-only; itself, one that is no database.
                    if type(error) is not sqlite3.DatabaseError:
                        raise
                    self._set_aside(inode)
                    return method(self, *args, **kwargs)
            except (sqlite3.Error, OSError, _NewerSchemaError) as error:
                self._complain(error)
                return default()

        functools.update_wrapper(guarded, method)
        return guarded

    return decorate


class _NewerSchemaError(Exception):
    """The file was written by a newer version of this package."""


class JobHistory:
    """The jobs of one file. Every method may be called on any thread, and in several processes at once.

    Args:
        path: the file; ``None`` keeps nothing.
        now: the present moment with time zone.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> history = JobHistory(Path(folder.name) / "history.sqlite3")
        >>> intent = history.begin(Tool.VIDEO, {"prompt": "A sunset"}, base_url="https://x.example")
        >>> history.started(intent, Job("job_1", JobStatus.PENDING), base_url="https://x.example")
        >>> [entry.job for entry in history.entries()]
        [<Job job_1 video pending>]
        >>> folder.cleanup()
    """

    def __init__(self, path: Path | None, *, now: Callable[[], datetime] = utc_now) -> None:
        self.path = path
        self._now = now
        self._complained = False

    def __repr__(self) -> str:
        return f"JobHistory({str(self.path) if self.path else 'off'!r})"

    # Writing

    @_survives(lambda: "")
    def begin(self, tool: Tool, params: Mapping[str, Any], *, base_url: str, notebook: str | None = None) -> str:
        """Note that a job is about to be submitted.

        Args:
            tool: what makes it.
            params: what will be sent.
            base_url: where to.
            notebook: where from, where known.

        Returns:
            The intent's id, for `started`, `unsent` or `uncertain`; ``""`` where there is no history.
        """
        intent = secrets.token_hex(12)
        row = {
            "intent": intent,
            "base_url": base_url,
            "tool": str(tool),
            "params": _written(params),
            "digest": _digest(tool, params),
            "words": _words(params),
            "stage": INTENT,
            "process": _process(),
            "begun_at": self._now().timestamp(),
            "notebook": notebook,
        }
        with self._transaction() as database:
            _insert(database, row)
        return intent

    @_survives(lambda: None)
    def started(self, intent: str, job: Job, *, base_url: str) -> None:
        """Note that the service answered with a job. One that was answered at once has no id, and is noted as well."""
        with self._transaction() as database:
            facts = {**_facts_of(job), "stage": JOB, "reason": None}
            taken = (
                job.id
                and database.execute(
                    "SELECT intent FROM jobs WHERE base_url = ? AND job_id = ? AND intent != ?",
                    (base_url, job.id, intent),
                ).fetchone()
            )
            if taken:  # somebody attached to it while its own submission was unsure of it
                database.execute("DELETE FROM jobs WHERE intent = ?", (intent,))
                intent = taken[0]
            _update(database, facts, "intent = :key", intent)

    @_survives(lambda: None)
    def unsent(self, intent: str, reason: str) -> None:
        """Note that a submission certainly started nothing."""
        with self._transaction() as database:
            _update(database, {"stage": UNSENT, "reason": redact(reason)}, "intent = :key", intent)

    @_survives(lambda: None)
    def uncertain(self, intent: str, reason: str) -> None:
        """Note that a submission may have started a job."""
        with self._transaction() as database:
            _update(database, {"stage": UNCERTAIN, "reason": redact(reason)}, "intent = :key", intent)

    @_survives(lambda: None)
    def update(self, job: Job, *, base_url: str) -> None:
        """Note what is known of a job now; one that was submitted elsewhere gets a row."""
        if job.id is None:
            return
        with self._transaction() as database:
            known = database.execute(
                "SELECT intent FROM jobs WHERE base_url = ? AND job_id = ?", (base_url, job.id)
            ).fetchone()
            if known:
                _update(database, _facts_of(job), "intent = :key", known[0])
                return
            tool = Tool.known(job.tool)
            params = job.params or {}
            begun = job.created_at or self._now()
            row = {
                "intent": secrets.token_hex(12),
                "base_url": base_url,
                "tool": job.tool,
                "params": _written(params),
                "digest": None if tool is None else _digest(tool, params),
                "words": _words(params),
                "stage": JOB,
                "begun_at": begun.timestamp(),
                **_facts_of(job),
            }
            _insert(database, row)

    @_survives(lambda: None)
    def saved(self, job_id: str, files: Sequence[Path], *, base_url: str) -> None:
        """Note where a job's results were saved."""
        written = json.dumps([str(file.absolute()) for file in files])
        with self._transaction() as database:
            database.execute("UPDATE jobs SET files = ? WHERE base_url = ? AND job_id = ?", (written, base_url, job_id))

    @_survives(lambda: None)
    def annotate(self, intent: str, *, note: str | None = None, star: bool | None = None) -> None:
        """Keep the user's words, or a mark, with a row."""
        facts = {name: value for name, value in (("note", note), ("star", star)) if value is not None}
        if facts:
            with self._transaction() as database:
                _update(database, facts, "intent = :key", intent)

    # Reading

    @_survives(list[HistoryEntry])
    def entries(
        self,
        *,
        limit: int = 50,
        tool: Tool | str | None = None,
        status: str | None = None,
        search: str | None = None,
        base_url: str | None = None,
    ) -> list[HistoryEntry]:
        """Return rows, newest first.

        Args:
            limit: how many at most.
            tool: only this tool's.
            status: only jobs with this status; or ``"unsent"`` or ``"uncertain"``.
            search: only those with these words in the prompt, or in the job id.
            base_url: only this service's.
        """
        wanted: list[tuple[str, Any]] = []
        if tool is not None:
            wanted.append(("tool = ?", str(Tool.of(tool))))
        if status is not None:
            wanted.append(("coalesce(status, stage) = ?", str(status)))
        if search:
            pattern = "%" + search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            wanted.append(("(words || ' ' || coalesce(job_id, '')) LIKE ? ESCAPE '\\'", pattern))
        if base_url is not None:
            wanted.append(("base_url = ?", base_url))
        where = " AND ".join(condition for condition, _ in wanted) or "1"
        values = [value for _, value in wanted]
        return self._select(f"{where} ORDER BY number DESC LIMIT ?", [*values, limit])

    def lost(self, *, base_url: str | None = None) -> list[HistoryEntry]:
        """Return the submissions of which nobody knows whether they started a job, oldest first.

        Those that a living process is still waiting for are not among them.
        """
        return [entry for entry, process in self._open(base_url) if self._is_lost(entry, process)]

    def twin(
        self, tool: Tool, params: Mapping[str, Any], *, base_url: str, within: timedelta | None = None
    ) -> HistoryEntry | None:
        """Find the newest job that asked for the same and did not fail.

        Args:
            tool: what makes it.
            params: the parameters; see `novakit_widgets.parameters.canonical` for what counts as the same.
            base_url: the service.
            within: only one that was begun as long ago as that at most.
        """
        since = 0.0 if within is None else (self._now() - within).timestamp()
        found = self._select(
            "digest = ? AND base_url = ? AND job_id IS NOT NULL AND status NOT IN (?, ?) AND begun_at >= ? "
            "ORDER BY number DESC LIMIT 1",
            [_digest(tool, params), base_url, str(JobStatus.FAILED), str(JobStatus.CANCELLED), since],
        )
        return found[0] if found else None

    def find(self, job_id: str, *, base_url: str) -> HistoryEntry | None:
        """Find a job by the service's id."""
        found = self._select("base_url = ? AND job_id = ?", [base_url, job_id])
        return found[0] if found else None

    @_survives(frozenset[str])
    def job_ids(self, *, base_url: str, since: datetime | None = None) -> frozenset[str]:
        """Return the ids of all jobs that we know."""
        begun = 0.0 if since is None else since.timestamp()
        with self._connection() as database:
            rows = database.execute(
                "SELECT job_id FROM jobs WHERE base_url = ? AND job_id IS NOT NULL AND begun_at >= ?", (base_url, begun)
            ).fetchall()
        return frozenset(row[0] for row in rows)

    @_survives(list[HistoryEntry])
    def _select(self, where: str, values: Sequence[Any]) -> list[HistoryEntry]:
        with self._connection() as database:
            rows = database.execute(f"SELECT * FROM jobs WHERE {where}", values).fetchall()  # noqa: S608 # ours
        return [_entry(row) for row in rows]

    @_survives(list[tuple[HistoryEntry, str]])
    def _open(self, base_url: str | None) -> list[tuple[HistoryEntry, str]]:
        with self._connection() as database:
            rows = database.execute(
                "SELECT * FROM jobs WHERE stage IN (?, ?) AND (? IS NULL OR base_url = ?) ORDER BY number",
                (INTENT, UNCERTAIN, base_url, base_url),
            ).fetchall()
        return [(_entry(row), row["process"]) for row in rows]

    def _is_lost(self, entry: HistoryEntry, process: str) -> bool:
        if entry.stage == UNCERTAIN:
            return True
        alive = _lives(process)
        return self._now() - entry.begun_at > _LONGEST_POST if alive is None else not alive

    # The file

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as database:
            # IMMEDIATE: a transaction that began by reading can't wait for its turn to write.
            database.execute("BEGIN IMMEDIATE")
            with database:
                yield database

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one use: connections are shared with no thread and no forked process."""
        import sqlite3

        database = self._open_file()
        try:
            database.row_factory = sqlite3.Row
            yield database
        finally:
            database.close()

    def _open_file(self) -> sqlite3.Connection:
        assert self.path is not None
        if not self.path.exists():
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Made before SQLite makes it, so that nobody else can ever read it.
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        return _connected(self.path)

    def _inode(self) -> int | None:
        try:
            return None if self.path is None else self.path.stat().st_ino
        except OSError:
            return None  # not made yet, or out of reach

    def _set_aside(self, inode: int | None) -> None:
        """Put a file that is no database out of the way, unless another process just did and began a new one."""
        assert self.path is not None
        if inode is None or self._inode() != inode:
            return
        kept = self.path.with_name(f"{self.path.stem}.corrupt-{self._now():%Y%m%d-%H%M%S}{self.path.suffix}")
        for ending in ("-wal", "-shm", ""):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self.path}{ending}").replace(f"{kept}{ending}")
        warnings.warn(
            f"The job history {self.path} was damaged. It was kept as {kept.name}, and a new one was begun. "
            "No job is affected: the service has them all.",
            HistoryWarning,
            stacklevel=3,
        )

    def _complain(self, error: Exception) -> None:
        if self._complained:
            return
        self._complained = True
        warnings.warn(
            f"The job history {self.path} can't be used ({error}). Jobs run as ever, but are not remembered. "
            "NOVAKIT_HISTORY names another file, or 'off'.",
            HistoryWarning,
            stacklevel=4,
        )


_default: JobHistory | None = None


def default_history() -> JobHistory:
    """Return the history that the settings name: the same object as long as they stay the same."""
    global _default
    path = settings.history().value
    if _default is None or _default.path != path:
        _default = JobHistory(path)
    return _default


def _connected(path: Path) -> sqlite3.Connection:
    """Open a file and bring its schema up to date."""
    import sqlite3

    database = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise _NewerSchemaError(f"it is of a newer version of this package, {version}; ours is {VERSION}")
        if version < VERSION:
            _migrate(database)
        # Committed rows survive the death of the process; a power cut may cost the last ones.
        database.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        database.close()
        raise
    return database


def _migrate(database: sqlite3.Connection) -> None:
    # Where the file system can't do WAL, SQLite stays with what it can, and says so by its answer.
    database.execute("PRAGMA journal_mode = WAL").fetchone()
    database.execute("BEGIN IMMEDIATE")
    with database:
        # Asked again: another process may have been faster.
        version = database.execute("PRAGMA user_version").fetchone()[0]
        for step in STEPS[version:]:
            for statement in step:
                database.execute(statement)
        database.execute(f"PRAGMA user_version = {VERSION}")


def _insert(database: sqlite3.Connection, row: Mapping[str, Any]) -> None:
    names = ", ".join(row)
    places = ", ".join(f":{name}" for name in row)
    database.execute(f"INSERT INTO jobs ({names}) VALUES ({places})", dict(row))  # noqa: S608 # the names are ours


def _update(database: sqlite3.Connection, facts: Mapping[str, Any], where: str, key: str) -> None:
    changes = ", ".join(f"{name} = :{name}" for name in facts)
    database.execute(f"UPDATE jobs SET {changes} WHERE {where}", {**facts, "key": key})  # noqa: S608 # the names are ours


def _facts_of(job: Job) -> dict[str, Any]:
    """Return what lasts of a snapshot. What it does not know is left as it is."""
    facts: dict[str, Any] = {
        "job_id": job.id,
        "status": str(job.status),
        "error": None if job.error is None else redact(job.error),
        "output": None if job.output is None else _written(job.output),
        "model": job.model,
        "created_at": None if job.created_at is None else job.created_at.isoformat(),
        "completed_at": None if job.completed_at is None else job.completed_at.isoformat(),
        "estimated_credits": job.estimated_credits,
        "actual_credits": job.actual_credits,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _entry(row: sqlite3.Row) -> HistoryEntry:
    params = MappingProxyType(_read(row["params"]) or {})
    job = None
    if row["stage"] == JOB:
        body = {
            "id": row["job_id"] or row["intent"],
            "status": row["status"],
            "tool": row["tool"],
            "inputParams": dict(params),
            "outputData": _read(row["output"]),
            "errorMessage": row["error"],
            "model": row["model"],
            "createdAt": row["created_at"],
            "completedAt": row["completed_at"],
            "estimatedCredits": row["estimated_credits"],
            "actualCredits": row["actual_credits"],
        }
        job = replace(Job.from_json(body), id=row["job_id"])
    return HistoryEntry(
        intent=row["intent"],
        base_url=row["base_url"],
        tool=row["tool"],
        params=params,
        stage=row["stage"],
        reason=row["reason"],
        begun_at=datetime.fromtimestamp(row["begun_at"], tz=timezone.utc),
        job=job,
        files=tuple(Path(file) for file in _read(row["files"]) or ()),
        notebook=row["notebook"],
        note=row["note"],
        star=bool(row["star"]),
    )


def _written(value: Any) -> str:
    return redact(json.dumps(bounded(value), ensure_ascii=True, default=str))


def _read(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _digest(tool: Tool, params: Mapping[str, Any]) -> str:
    return hashlib.sha256(f"{tool} {canonical(tool, params)}".encode("utf-8", "replace")).hexdigest()


def _words(params: Mapping[str, Any]) -> str:
    """Return what a search looks through."""
    texts = [params.get(name) for name in ("prompt", "input")]
    return redact(" ".join(text for text in texts if isinstance(text, str))[:LONG]).encode("utf-8", "replace").decode()


def _process() -> str:
    """Name this process, so that others can tell whether it lives."""
    return f"{socket.gethostname()} {os.getpid()} {_TOKEN}"


def _lives(process: str) -> bool | None:
    """Whether a process lives; ``None`` where that can't be told."""
    host, _, rest = process.rpartition(" ")[0].rpartition(" ")
    token = process.rpartition(" ")[2]
    if not rest.isdecimal() or host != socket.gethostname():
        return None
    if int(rest) == os.getpid():
        return token == _TOKEN
    if sys.platform == "win32":
        return None  # there, asking a process is ending it
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
