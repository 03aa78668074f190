"""The jobs on disk: a row before each POST, so that a crash, a lost answer or a restart loses none.

SQLite in the user's data directory, shared by all kernels. It never holds a key. Whatever is wrong with the disk or the file costs
the history, never the job: one warning, and every method still returns.
"""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..config import settings
from ..errors import ConfigurationError, JobNotStartedError
from ..model.job import Job, JobStatus
from ..model.tools import Tool
from ..runtime.clock import utc_now
from ..runtime.process import lives, this_process
from ..runtime.worker import DiskThread
from .batches import Batches, check_place
from .database import HistoryFile, HistoryWarning, warn
from .rows import (
    DISMISSED,
    INTENT,
    JOB,
    LASTING,
    OURS,
    UNCERTAIN,
    UNSENT,
    HistoryEntry,
    Stage,
    by_id,
    change,
    digest_of,
    entry_of,
    execute,
    facts_of,
    first,
    has_words,
    insert,
    job_of,
    select,
    words_of,
    written,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["HistoryEntry", "HistoryWarning", "JobHistory", "Stage", "default_history"]

_T = TypeVar("_T")

# A POST with its retries takes at most some minutes. Where we can't ask whether a process lives, one as old as that is dead.
_LONGEST_POST = timedelta(minutes=15)
_NEWEST = 1_000  # submissions whose answers are of interest: a service's list has a hundred jobs
_LITTLE_PATIENCE = 0.2  # seconds to wait for a file that kept us waiting in vain before


class JobHistory:
    """The jobs of one file. Every method may be called on any thread, and in several processes at once.

    Args:
        path: the file; ``None`` keeps nothing.
        now: the present moment with time zone.

    Attributes:
        path: as given.
        batches: what was submitted together, and what of it still waits.

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
        self._file = None if path is None else HistoryFile(path, now=now)
        self._thread = DiskThread("novakit-history")
        self._to_complain = [True]  # taken by the first of several threads
        self.batches = Batches(self._run, now=now)

    def __repr__(self) -> str:
        return f"JobHistory({str(self.path) if self.path else 'off'!r})"

    async def off_loop(self, work: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
        """Do some work on the history's own thread, after what it was asked to do before; a slow disk does not hold the loop up.

        Args:
            work: a method of this history, say.
            *args: for it.
            **kwargs: for it.

        Example:
            >>> import asyncio
            >>> history = JobHistory(None)
            >>> asyncio.run(history.off_loop(history.entries, limit=5))
            []
        """
        if self._file is None:
            return work(*args, **kwargs)
        return await self._thread.run(partial(work, *args, **kwargs))

    # Writing

    def begin(
        self,
        tool: Tool,
        params: Mapping[str, Any],
        *,
        base_url: str,
        notebook: str | None = None,
        batch: str | None = None,
        place: int | None = None,
        account: str | None = None,
    ) -> str:
        """Note that a job is about to be submitted.

        Args:
            tool: what makes it.
            params: what will be sent.
            base_url: where to.
            notebook: where from, where known.
            batch: which batch it is one of.
            place: its number there.
            account: `NovaKitClient.account`, of which the key can't be told; only that account is ever asked for it.

        Returns:
            The intent's id, for `started`, `unsent` or `uncertain`; ``""`` where there is no history.

        Raises:
            JobNotStartedError: its batch is another kernel's by now, or that place was submitted already.
        """
        intent = secrets.token_hex(12)

        def work(database: sqlite3.Connection) -> str:
            if batch is not None and place is not None:
                # In the transaction of the intent, so that of two kernels or boards only one can ever submit a place.
                check_place(database, batch, place)
            row = {
                "intent": intent,
                "base_url": base_url,
                **_asked(tool, str(tool), params),
                "stage": INTENT,
                "process": this_process(),
                "begun_at": self._now().timestamp(),
                "notebook": notebook,
                "batch": batch,
                "place": place,
                "account": account,
            }
            insert(database, row)
            return intent

        return self._run(work, "", write=True)

    def started(self, intent: str, job: Job, *, base_url: str, account: str | None = None) -> None:
        """Note that the service answered with a job. One that was answered at once has no id, and is noted as well."""
        self._run(lambda database: self._start(database, intent, job, base_url, account), None, write=True)

    def claim(self, intent: str, job: Job, *, base_url: str) -> bool:
        """Note that a job was found for a submission whose answer was lost; return whether it is no other submission's.

        In one transaction, so that of two processes that find the same job one alone gets it.
        """

        def work(database: sqlite3.Connection) -> bool:
            other = by_id(database, job.id, base_url)
            if other is not None and other["process"] and other["intent"] != intent:
                return False
            self._start(database, intent, job, base_url, None)
            return True

        return self._run(work, True, write=True)

    def _start(self, database: sqlite3.Connection, intent: str, job: Job, base_url: str, account: str | None) -> None:
        row = first(database, "intent = ?", [intent])
        if row is None:  # the disk was full, say, when it was begun
            self._note(database, job, base_url, account, process=this_process())
            return
        newest = job
        facts: dict[str, Any] = {"stage": JOB, "reason": None}
        if row["stage"] == INTENT and row["process"] == this_process():
            facts["answered_at"] = self._now().timestamp()
        other = by_id(database, job.id, base_url)
        if other is not None and other["intent"] != intent:
            known = job_of(other)
            newest = job if known is None else known.advanced(job)
            if other["process"]:  # a submission of its own, which was given our job by mistake
                nothing = dict.fromkeys(LASTING)
                change(database, other, {**nothing, "stage": UNCERTAIN, "reason": "its job was another's"})
            else:  # somebody attached to it while its submission was unsure of it
                execute(database, "DELETE FROM jobs WHERE number = ?", [other["number"]])
                facts.update({name: other[name] for name in ("files", "note", "star") if other[name] != row[name]})
        before = job_of(row)
        if before is not None and before.id == job.id:
            newest = before.advanced(newest)
        elif before is not None:  # looked up by another kernel, which took a twin for it
            facts = {**dict.fromkeys(LASTING), **facts}
        change(database, row, {**facts, **facts_of(newest)})
        if before is not None and before.id != job.id:
            self._note(database, before, base_url, account)

    def unsent(self, intent: str, reason: str) -> None:
        """Note that a submission certainly started nothing."""
        self._resolve(intent, UNSENT, reason)

    def forget(self, intent: str) -> None:
        """Take back a submission that was noted and is not made after all. One that has a job stays."""
        self._change("DELETE FROM jobs WHERE intent = ? AND stage = ?", [intent, INTENT])

    def uncertain(self, intent: str, reason: str) -> None:
        """Note that a submission may have started a job."""
        self._resolve(intent, UNCERTAIN, reason)

    def dismiss(self, intents: Iterable[str]) -> None:
        """Note that some submissions, of which it can't be told whether they started a job, are not to be looked up any more.

        Args:
            intents: what `begin` has returned for them.
        """
        for intent in intents:
            self._resolve(
                intent, DISMISSED, "it can't be told whether it was started, and it is not looked up any more"
            )

    def _resolve(self, intent: str, stage: Stage, reason: str) -> None:
        # A job that is known stays known: another kernel may have looked for it too early.
        statement = "UPDATE jobs SET stage = ?, reason = ? WHERE intent = ? AND stage != ?"
        self._change(statement, [stage, reason, intent, JOB])

    def update(self, job: Job, *, base_url: str, account: str | None = None) -> None:
        """Note what is known of a job now; one that was submitted elsewhere gets a row.

        Answers overtake each other, in one kernel and between several. So an older one changes nothing: see `Job.advanced`.
        """
        if job.id is not None:
            self._run(lambda database: self._note(database, job, base_url, account), None, write=True)

    def _note(
        self, database: sqlite3.Connection, job: Job, base_url: str, account: str | None, *, process: str = ""
    ) -> None:
        # Whoever was told of it can ask for it, though it may have been submitted with a key that was replaced since.
        whose = {} if account is None else {"account": account}
        row = by_id(database, job.id, base_url)
        known = None if row is None else job_of(row)
        if row is not None:
            change(database, row, {**facts_of(job if known is None else known.advanced(job)), **whose})
            return
        now = self._now().timestamp()
        asked = _asked(Tool.known(job.tool), job.tool, job.params or {})
        # The service's time, as far as it can be one: an odd one would make every list of jobs unreadable.
        begun = now if job.created_at is None else min(now, max(0.0, job.created_at.timestamp()))
        facts = {"stage": JOB, "begun_at": begun, "process": process, **facts_of(job), **whose}
        insert(database, {"intent": secrets.token_hex(12), "base_url": base_url, **asked, **facts})

    def saved(self, job_id: str, files: Sequence[Path], *, base_url: str) -> None:
        """Note where a job's results were saved."""
        names = json.dumps([str(file.absolute()) for file in files])
        statement = "UPDATE jobs SET files = ? WHERE base_url = ? AND job_id = ?"
        self._change(statement, [names, base_url, job_id])

    def annotate(self, intent: str, *, note: str | None = None, star: bool | None = None) -> None:
        """Keep the user's words, or a mark, with a row."""
        statement = "UPDATE jobs SET note = coalesce(?, note), star = coalesce(?, star) WHERE intent = ?"
        self._change(statement, [note, star, intent])

    def _change(self, statement: str, values: Sequence[Any]) -> None:
        def work(database: sqlite3.Connection) -> None:
            execute(database, statement, values)

        self._run(work, None, write=True)

    # Reading

    def entries(
        self,
        *,
        limit: int | None = 50,
        tool: Tool | str | None = None,
        status: str | None = None,
        search: str | None = None,
        base_url: str | None = None,
    ) -> list[HistoryEntry]:
        """Return rows, newest first.

        Args:
            limit: how many at most; ``None`` for all.
            tool: only this tool's.
            status: only jobs with this status; or ``"unsent"``, ``"uncertain"``, ``"dismissed"`` or ``"intent"``.
            search: only those with all of these words in the prompt or the note, or as the beginning of the job id.
            base_url: only this service's.

        Raises:
            ConfigurationError: the limit is no number of rows.
        """
        wanted: list[tuple[str, Any]] = []
        if tool is not None:
            wanted.append(("tool = ?", str(Tool.of(tool))))
        if status is not None:
            wanted.append(("coalesce(status, stage) = ?", str(status)))
        if search:
            # No LIKE: its pattern ends at a NUL, may have 50,000 bytes at most, and takes Ü for no ü.
            text = "CAST(words || ' ' || note AS BLOB), CAST(job_id AS BLOB)"
            wanted.append((f"has_words({text}, ?)", search.casefold()))
        if base_url is not None:
            wanted.append(("base_url = ?", base_url))
        where = " AND ".join(condition for condition, _ in wanted) or "1"
        values = [value for _, value in wanted]
        values.append(_rows(limit))

        def work(database: sqlite3.Connection) -> list[HistoryEntry]:
            database.create_function("has_words", 3, has_words, deterministic=True)
            found = select(database, f"{where} ORDER BY begun_at DESC, number DESC LIMIT ?", values)
            return [entry_of(row) for row in found]

        return self._run(work, [])

    def lost(
        self,
        *,
        base_url: str | None = None,
        account: str | None = None,
        asked: Iterable[tuple[Tool, Mapping[str, Any]]] | None = None,
    ) -> list[HistoryEntry]:
        """Return the submissions of which nobody knows whether they started a job, oldest first.

        Those that a living process is still waiting for are not among them.

        Args:
            base_url: only this service's.
            account: none that is known to be another account's: this one's list does not tell of it.
            asked: only those that asked for the same as one of these.
        """
        wanted = None if asked is None else {digest_of(tool, params) for tool, params in asked}
        where = f"stage IN (?, ?) AND (? IS NULL OR base_url = ?) AND {OURS} ORDER BY number"
        values = [INTENT, UNCERTAIN, base_url, base_url, account, account]

        def work(database: sqlite3.Connection) -> list[HistoryEntry]:
            found = [row for row in select(database, where, values) if wanted is None or row["digest"] in wanted]
            rows = [(entry_of(row), row["process"]) for row in found]
            return [entry for entry, process in rows if self._is_lost(entry, process)]

        return self._run(work, [])

    def ahead(self, intent: str) -> bool:
        """Return whether a submission that asks for the same was begun before this one and is still on its way, in any kernel.

        One that takes longer than any submission does, or whose process has died, is not waited for: see `lost`.

        Args:
            intent: what `begin` has returned for this one.
        """
        where = f"digest = ? AND base_url = ? AND stage = ? AND number < ? AND {OURS}"

        def work(database: sqlite3.Connection) -> bool:
            own = first(database, "intent = ?", [intent])
            if own is None:
                return False
            values = [own["digest"], own["base_url"], INTENT, own["number"], own["account"], own["account"]]
            rows = [(entry_of(row), row["process"]) for row in select(database, where, values)]
            youngest = self._now() - _LONGEST_POST
            return any(entry.begun_at > youngest and not self._is_lost(entry, process) for entry, process in rows)

        return self._run(work, False)

    def twin(
        self,
        tool: Tool,
        params: Mapping[str, Any],
        *,
        base_url: str,
        account: str | None = None,
        within: timedelta | None = None,
    ) -> HistoryEntry | None:
        """Find the newest job that asked for the same and did not fail; one that was answered at once has no id, but its result.

        Args:
            tool: what makes it.
            params: the parameters; see `novakit_widgets.model.parameters.canonical` for what counts as the same.
            base_url: the service.
            account: none that is known to be another account's, which this one can't ask for.
            within: only one that was begun as long ago as that at most.
        """
        return self.twins([(tool, params)], base_url=base_url, account=account, within=within)[0]

    def twins(
        self,
        asked: Sequence[tuple[Tool, Mapping[str, Any]]],
        *,
        base_url: str,
        account: str | None = None,
        within: timedelta | None = None,
    ) -> list[HistoryEntry | None]:
        """Find for each of many what `twin` finds for one.

        Args:
            asked: what makes each, and its parameters.
            base_url: as for `twin`.
            account: as for `twin`.
            within: as for `twin`.
        """
        since = 0.0 if within is None else (self._now() - within).timestamp()
        where = (
            "digest = ? AND base_url = ? AND coalesce(job_id, output) IS NOT NULL AND status NOT IN (?, ?) AND begun_at >= ? "
            f"AND {OURS} ORDER BY begun_at DESC, number DESC LIMIT 1"
        )
        given_up = [str(JobStatus.FAILED), str(JobStatus.CANCELLED)]
        digests = [digest_of(tool, params) for tool, params in asked]

        def work(database: sqlite3.Connection) -> list[HistoryEntry | None]:
            rows = [
                first(database, where, [digest, base_url, *given_up, since, account, account]) for digest in digests
            ]
            return [None if row is None else entry_of(row) for row in rows]

        return self._run(work, [None] * len(asked))

    def find(self, job_id: str, *, base_url: str) -> HistoryEntry | None:
        """Find a job by the service's id."""

        def work(database: sqlite3.Connection) -> HistoryEntry | None:
            row = by_id(database, job_id, base_url)
            return None if row is None else entry_of(row)

        return self._run(work, None)

    def jobs_of(self, intents: Sequence[str]) -> dict[str, Job]:
        """Return the jobs of those submissions that are known to have started one, by their own ids.

        Args:
            intents: what `begin` has returned.
        """

        def work(database: sqlite3.Connection) -> dict[str, Job]:
            rows = {intent: first(database, "intent = ? AND stage = ?", [intent, JOB]) for intent in intents}
            jobs = {intent: None if row is None else job_of(row) for intent, row in rows.items()}
            return {intent: job for intent, job in jobs.items() if job is not None}

        return self._run(work, {})

    def answered(self, *, base_url: str) -> dict[str, datetime]:
        """Return when the answers to the newest submissions came, by our clock and the ids of their jobs.

        Args:
            base_url: the service.
        """
        statement = (
            "SELECT job_id, answered_at FROM jobs WHERE base_url = ? AND job_id IS NOT NULL AND answered_at IS NOT NULL "
            "ORDER BY number DESC LIMIT ?"
        )

        def work(database: sqlite3.Connection) -> dict[str, datetime]:
            rows = execute(database, statement, [base_url, _NEWEST])
            return {job_id: datetime.fromtimestamp(at, tz=timezone.utc) for job_id, at in rows}

        return self._run(work, {})

    def job_ids(self, *, base_url: str, since: datetime | None = None) -> frozenset[str]:
        """Return the ids of the jobs that submissions are known to have started.

        One that is only known from the service's list, or was attached to, may be what a lost submission has started.

        Args:
            base_url: the service.
            since: only those begun from then on.
        """
        statement = (
            "SELECT job_id FROM jobs WHERE base_url = ? AND job_id IS NOT NULL AND process != '' AND begun_at >= ?"
        )
        values = [base_url, 0.0 if since is None else since.timestamp()]
        return self._run(
            lambda database: frozenset(row[0] for row in execute(database, statement, values)), frozenset()
        )

    def begun(
        self, *, base_url: str, since: datetime, before: datetime, late: timedelta, account: str | None = None
    ) -> list[tuple[Tool, datetime]]:
        """Return what was submitted in a stretch of time, or may have been: what counts against the service's limits.

        Args:
            base_url: the service.
            since: the first moment.
            before: the first moment that is too late.
            late: how long an answer may have taken of which nothing is known.
            account: none that is known to be another account's, which has limits of its own.

        Returns:
            What makes each, and when its answer came.
        """
        statement = (
            "SELECT tool, coalesce(answered_at, begun_at + ?) FROM jobs "  # noqa: S608 # ours
            f"WHERE base_url = ? AND stage != ? AND begun_at >= ? AND begun_at < ? AND {OURS}"
        )
        values = [late.total_seconds(), base_url, UNSENT, since.timestamp(), before.timestamp(), account, account]

        def work(database: sqlite3.Connection) -> list[tuple[Tool, datetime]]:
            rows = [(Tool.known(name), at) for name, at in execute(database, statement, values)]
            return [(tool, datetime.fromtimestamp(at, tz=timezone.utc)) for tool, at in rows if tool is not None]

        return self._run(work, [])

    def _is_lost(self, entry: HistoryEntry, process: str) -> bool:
        if entry.stage == UNCERTAIN:
            return True
        alive = lives(process)
        return self._now() - entry.begun_at > _LONGEST_POST if alive is None else not alive

    # The file

    def _run(self, work: Callable[[sqlite3.Connection], _T], default: _T, *, write: bool = False) -> _T:
        """Do some work on the file; return a default, and warn once, when the disk or the file is of no use."""
        if self._file is None:
            return default
        try:
            return self._file.run(work, write=write)
        except JobNotStartedError:
            raise
        except Exception as error:  # noqa: BLE001 # whatever it is, it must not cost a job that was just paid for
            self._complain(self._file, error)
            return default

    def _complain(self, file: HistoryFile, error: Exception) -> None:
        # A job has several things to note: it must not wait as long for each of them.
        file.patience = _LITTLE_PATIENCE
        try:
            self._to_complain.pop()
        except IndexError:
            return
        warn(
            f"The job history {self.path} can't be used ({error}). Jobs run as ever, but are not remembered. "
            "NOVAKIT_HISTORY names another file, or 'off'."
        )


def _rows(limit: int | None) -> int:
    """Return a number of rows as SQLite takes it, which has none above 64 bits; below 0 is all."""
    if limit is None:
        return -1
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
        raise ConfigurationError(f"limit is a number of rows from 0 on, or None for all, not {limit!r}.")
    return min(limit, 2**63 - 1)


_default: JobHistory | None = None


def default_history() -> JobHistory:
    """Return the history that the settings name: the same object as long as they stay the same."""
    global _default
    path = settings.history().value
    if _default is None or _default.path != path:
        _default = JobHistory(path)
    return _default


def _asked(tool: Tool | None, name: str | None, params: Mapping[str, Any]) -> dict[str, Any]:
    digest = None if tool is None else digest_of(tool, params)
    return {"tool": name, "params": written(params), "digest": digest, "words": words_of(params)}
