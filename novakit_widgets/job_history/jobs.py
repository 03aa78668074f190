"""`JobHistory`: the jobs on disk, with a row before each POST, so that a crash, a lost answer or a restart loses none.

The file is SQLite in the user's data directory, shared by all kernels. It never holds a key. When the disk or the file can't be
used, every method still returns, and one warning tells why: the history is lost, the job is not.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..config import settings
from ..errors import ConfigurationError
from ..runtime.clock import utc_now
from ..runtime.process import this_process
from . import queries, submissions
from .access import Access
from .batches import Batches
from .database import HistoryWarning
from .rows import DISMISSED, INTENT, JOB, UNCERTAIN, UNSENT, HistoryEntry, Stage, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ..model.job import Job
    from ..model.tools import Tool

__all__ = ["HistoryEntry", "HistoryWarning", "JobHistory", "Stage", "default_history"]

_T = TypeVar("_T")


class JobHistory:
    """The jobs of one file. Methods may be called on any thread, and by several processes at once.

    Each method waits for the file for a limited time, and returns an empty result when it can't be used. On an event loop, call
    methods through `off_loop` or `later`.

    Parameters that several methods share:

    - ``intent``: The id of a row, which `begin` returns.
    - ``base_url``: The service that a job belongs to.
    - ``account``: `NovaKitClient.account`, the fingerprint of a key at a service. Rows of other accounts are left out: the service
      does not tell this one about them. ``None`` means all accounts.

    Args:
        path: The file, or ``None`` for no history.
        now: Returns the current time, with time zone.

    Attributes:
        path: The file, or ``None``.
        batches: The batches, and what of them still waits.

    Example:
        >>> import tempfile
        >>> from novakit_widgets import Job, JobStatus, Tool
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
        self._access = Access(path, now=now)
        self._run = self._access.run
        self.batches = Batches(self._run, now=now)

    def __repr__(self) -> str:
        return f"JobHistory({str(self.path) if self.path else 'off'!r})"

    async def off_loop(self, work: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
        """Call a method of this history, or of its batches, without blocking the event loop.

        Calls are made in the order in which they were asked for. When the file does not answer in time, the method's empty result
        is returned, and what it writes is written later.

        Example:
            >>> import asyncio
            >>> history = JobHistory(None)
            >>> asyncio.run(history.off_loop(history.entries, limit=5))
            []
        """
        return await self._access.off_loop(partial(work, *args, **kwargs))

    def later(self, work: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        """Call a method that writes in its turn, like `off_loop`, but without waiting for it."""
        self._access.later(partial(work, *args, **kwargs))

    def require(self, purpose: str) -> None:
        """Refuse to go on when the history is switched off, was damaged, or could not be used just now.

        Args:
            purpose: What it is needed for, such as ``"reuse=True"``.

        Raises:
            ConfigurationError: It can't be used; the message says why.
        """
        if trouble := self._access.gap:
            raise ConfigurationError(
                f"{purpose} needs the job history, which can't be used: {trouble}. Nothing was submitted or billed. "
                f"Set NOVAKIT_HISTORY to a file that can be written, or go on without {purpose}."
            )

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
        intent: str = "",
        digest: str | None = None,
        equal_within: timedelta | None = None,
        on_equal: Callable[[HistoryEntry], None] = lambda _: None,
    ) -> str:
        """Add the row of a job that is about to be submitted.

        Args:
            tool: The job's tool.
            params: The parameters that will be sent.
            base_url: See the class.
            notebook: The notebook that submits it, where known.
            batch: The batch that it belongs to, with ``place``, its number there.
            place: See ``batch``.
            account: The account that submits it.
            intent: The id of the row, from `new_intent`; by default a new one.
            digest: The fingerprint of tool and parameters, if the caller knows it.
            equal_within: Looks for an equal job that was begun at most this long ago; ``None`` for no search.
            on_equal: Called with that job, on the history's thread.

        Returns:
            The row's id. ``""`` when the row could not be written, unless the caller gave an id.

        Raises:
            JobNotStartedError: Another kernel owns the batch, or the place was submitted before.
        """
        row = {
            "intent": intent or submissions.new_intent(),
            "base_url": base_url,
            **submissions.asked(tool, str(tool), params, digest),
            "stage": INTENT,
            "process": this_process(),
            "begun_at": self._now().timestamp(),
            "notebook": notebook,
            "batch": batch,
            "place": place,
            "account": account,
        }
        search = None if equal_within is None else submissions.EqualSearch(equal_within, on_equal)
        return self._run(lambda database: submissions.begin(database, row, search), intent, write=True)

    def asks(self, intent: str, tool: Tool, params: Mapping[str, Any]) -> None:
        """Write other parameters for a submission that is not sent yet."""
        self._run(lambda database: submissions.ask(database, intent, tool, params), None, write=True)

    def started(self, intent: str, job: Job, *, base_url: str, account: str | None = None) -> None:
        """Write the service's answer to a submission. A job that was answered at once has no id."""
        answer = submissions.Answer(job, base_url, account, self._now())
        self._run(lambda database: submissions.start(database, intent, answer), None, write=True)

    def claim(self, intent: str, job: Job, *, base_url: str) -> bool:
        """Give a job to a submission whose answer was lost. Of two processes that find the same job, only one gets it.

        Returns:
            Whether the job is this submission's.
        """
        answer = submissions.Answer(job, base_url, None, self._now())
        return self._run(lambda database: submissions.claim(database, intent, answer), True, write=True)

    def unsent(self, intent: str, reason: str) -> None:
        """Mark a submission that certainly started no job."""
        self._resolve(intent, UNSENT, reason)

    def uncertain(self, intent: str, reason: str) -> None:
        """Mark a submission that may have started a job."""
        self._resolve(intent, UNCERTAIN, reason)

    def dismiss(self, intents: Iterable[str]) -> None:
        """Mark uncertain submissions that are not to be looked up again."""
        for intent in intents:
            self._resolve(intent, DISMISSED, "it is unknown whether it was started, and it is no longer looked up")

    def forget(self, intent: str) -> None:
        """Delete the row of a submission that is not made after all. A row with a job stays."""
        self._change("DELETE FROM jobs WHERE intent = ? AND stage = ?", [intent, INTENT])

    def _resolve(self, intent: str, stage: Stage, reason: str) -> None:
        # A row with a job keeps it: another kernel may have looked for the job too early.
        statement = "UPDATE jobs SET stage = ?, reason = ? WHERE intent = ? AND stage != ?"
        self._change(statement, [stage, reason, intent, JOB])

    def update(self, job: Job, *, base_url: str, account: str | None = None) -> None:
        """Write a newer answer about a job. A job that was submitted elsewhere gets a row.

        An answer that another one has overtaken changes nothing; see `Job.advanced`.
        """
        if job.id is not None:
            answer = submissions.Answer(job, base_url, account, self._now())
            self._run(lambda database: submissions.note(database, answer), None, write=True)

    def saved(self, job_id: str, files: Sequence[Path], *, base_url: str) -> None:
        """Write where a job's results were saved."""
        values = [json.dumps([str(file.absolute()) for file in files]), base_url, job_id]
        self._change("UPDATE jobs SET files = ? WHERE base_url = ? AND job_id = ?", values)

    def annotate(self, intent: str, *, note: str | None = None, star: bool | None = None) -> None:
        """Set the user's note or star of a row; ``None`` leaves it unchanged."""
        statement = "UPDATE jobs SET note = coalesce(?, note), star = coalesce(?, star) WHERE intent = ?"
        self._change(statement, [note, star, intent])

    def _change(self, statement: str, values: Sequence[Any]) -> None:
        self._run(lambda database: submissions.change_rows(database, statement, values), None, write=True)

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
            limit: The most rows to return; ``None`` for all.
            tool: Only this tool's jobs.
            status: Only jobs with this status, or ``"unsent"``, ``"uncertain"``, ``"dismissed"`` or ``"intent"``.
            search: Only rows with all of these words in the prompt or the note, or as the beginning of the job id.
            base_url: Only this service's jobs.

        Raises:
            ConfigurationError: A filter is not valid.
        """
        where, values = queries.conditions(tool, status, search, base_url, limit)
        return self._run(lambda database: queries.filtered(database, where, values), [])

    def lost(
        self,
        *,
        base_url: str | None = None,
        account: str | None = None,
        asked: Iterable[tuple[Tool, Mapping[str, Any]]] | None = None,
    ) -> list[HistoryEntry]:
        """Return the submissions that may have started an unknown job, oldest first.

        Those that a living process still waits for are left out. With ``asked``, only those equal to one of these are returned.
        """
        digests = None if asked is None else {digest_of(tool, params) for tool, params in asked}
        return self._run(lambda database: queries.lost(database, self._now(), base_url, account, digests), [])

    def ahead(self, intent: str) -> bool:
        """Return whether an equal submission was begun before this one and is still on its way, in any kernel.

        One that takes longer than 15 minutes, or whose process has died, does not count; see `lost`.
        """
        return self._run(lambda database: queries.is_ahead(database, self._now(), intent), False)

    def twin(
        self,
        tool: Tool,
        params: Mapping[str, Any],
        *,
        base_url: str,
        account: str | None = None,
        within: timedelta | None = None,
    ) -> HistoryEntry | None:
        """Return the newest equal job that did not fail, begun ``within`` a time. One that was answered at once has no id."""
        return self.twins([(tool, params)], base_url=base_url, account=account, within=within)[0]

    def twins(
        self,
        asked: Sequence[tuple[Tool, Mapping[str, Any]]],
        *,
        base_url: str,
        account: str | None = None,
        within: timedelta | None = None,
    ) -> list[HistoryEntry | None]:
        """Return the `twin` of each of many submissions, which are given as tool and parameters."""
        since = 0.0 if within is None else (self._now() - within).timestamp()
        digests = [digest_of(tool, params) for tool, params in asked]
        nothing: list[HistoryEntry | None] = [None] * len(asked)
        return self._run(lambda database: queries.equal(database, digests, base_url, account, since), nothing)

    def find(self, job_id: str, *, base_url: str) -> HistoryEntry | None:
        """Return the row of a job, by the service's id."""
        return self._run(lambda database: queries.find(database, job_id, base_url), None)

    def with_address(self, url: str, *, base_url: str) -> HistoryEntry | None:
        """Return the row of the job whose result has media at this address."""
        return self._run(lambda database: queries.with_address(database, url, base_url), None)

    def jobs_of(self, intents: Sequence[str]) -> dict[str, Job]:
        """Return the jobs of those submissions that are known to have started one, by the ids of their rows."""
        return self._run(lambda database: queries.jobs_of(database, intents), {})

    def answered(self, *, base_url: str) -> dict[str, datetime]:
        """Return when the newest 1,000 submissions were answered, by our clock and the ids of their jobs."""
        return self._run(lambda database: queries.answered(database, base_url), {})

    def job_ids(self, *, base_url: str, since: datetime | None = None) -> frozenset[str]:
        """Return the ids of the jobs that known submissions started, from a time on.

        Those known only from the service's list, or by `attach`, are left out: a lost submission may have started them.
        """
        begun = 0.0 if since is None else since.timestamp()
        return self._run(lambda database: queries.started_ids(database, base_url, begun), frozenset())

    def begun(
        self, *, base_url: str, since: datetime, before: datetime, late: timedelta, account: str | None = None
    ) -> list[tuple[Tool, datetime]]:
        """Return what was, or may have been, submitted from ``since`` until before ``before``, and so counts against limits.

        An answer whose time is unknown may have taken as long as ``late``.

        Returns:
            The tool of each submission, and when its answer came.
        """
        period = (since, before)
        return self._run(lambda database: queries.begun(database, base_url, period, late, account), [])


_default: JobHistory | None = None


def default_history() -> JobHistory:
    """Return the history that the settings name. It is the same object as long as they stay the same."""
    global _default
    path = settings.history().value
    if _default is None or _default.path != path:
        _default = JobHistory(path)
    return _default
