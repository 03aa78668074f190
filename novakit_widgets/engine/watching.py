"""A run whose job there is: it is watched to its end, cancelled, and its result is saved."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..config import settings
from ..errors import NovaKitError
from ..job_history.jobs import default_history
from ..model.canonical import owned
from ..model.frozen import FrozenDict
from ..model.tools import Tool
from ..runtime import loop as job_loop
from ..runtime.clock import Clock
from . import signals
from .keeping import annotate, save_result
from .messages import cancellation_note, error_of_job
from .start import StartStrategy
from .state import Phase, RunState
from .tracker import tracker_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..api.client import NovaKitClient
    from ..job_history.jobs import JobHistory
    from ..model.job import Job
    from .start import Earlier
    from .state import Manager
    from .submit import Submission
    from .tracker import Watch

__all__ = ["WatchedRun"]


class WatchedRun(RunState):
    """What a `JobRun` does with its job, as soon as there is one.

    Args:
        tool: as for `JobRun`, and so are the others.
        params: likewise.
        client: likewise.
        timeout: likewise.
        history: likewise.
        on_change: likewise.
        clock: likewise.
        manager: likewise.
        earlier: likewise.

    Attributes:
        submission: the present or last submission; a queue gives its own.
        saving: the task that saves its result as `configure(save_to=…)` asks for.
        mentions_equal: whether a note tells of an equal job of the last day when it is submitted.
    """

    def __init__(
        self,
        tool: Tool | None,
        params: Mapping[str, Any],
        *,
        client: NovaKitClient,
        timeout: float | None,
        history: JobHistory | None,
        on_change: Callable[[], None],
        clock: Clock | None,
        manager: Manager | None,
        earlier: Earlier | None,
    ) -> None:
        super().__init__(tool, clock or Clock(), on_change)
        self.params: Mapping[str, Any] = FrozenDict(owned(dict(params)))
        self.client = client
        self.history = history or default_history()
        self.timeout = settings.timeout(timeout).value
        self.submission: Submission | None = None
        self.saving: asyncio.Task[None] | None = None
        self.mentions_equal = False
        self._manager = manager
        self._strategy = StartStrategy(earlier)
        self._watch: Watch | None = None

    @property
    def job_id(self) -> str | None:
        """The service's id, as soon as there is one."""
        return self.job.id if self.job is not None else self._strategy.attached_to

    @property
    def watch_seconds(self) -> float:
        """How long one watch lasts, in seconds."""
        if self.timeout is not None:
            return self.timeout
        tool = self.tool or (None if self.job is None else Tool.known(self.job.tool))
        return tool.timeout if tool is not None else max(member.timeout for member in Tool)

    @property
    def typical_seconds(self) -> tuple[float, float] | None:
        """How long such a job usually takes, at least and at most, in seconds."""
        if self.tool is None:
            return None
        least, most = self.tool.typical_seconds
        speed = settings.speed().value
        return least / speed, most / speed

    def _has(self, job: Job) -> None:
        """Take the first answer about the job."""
        self.trouble = None
        self._learn(job)
        if self._strategy.attached_to is not None and not job.ended:
            self._note(job)
            self._time.began_with(job, self.client.rate_limit)
        if job.ended:
            self._end()
            return
        self._observe()
        if self.cancelling:
            self._send_cancellation()

    def _learn(self, job: Job) -> None:
        """Take in a job, and what it tells of one that we attached to."""
        self.job = job if self.job is None else self.job.advanced(job)
        self.tool = self.tool or Tool.known(job.tool)
        if not self.params and job.params:
            self.params = job.params

    def _observe(self) -> None:
        assert self.job is not None  # for the type checker
        self._watch = tracker_of(self.client).watch(self.job, timeout=self.watch_seconds, on_change=self._heard)
        self._move(Phase.WATCHING)

    def _heard(self) -> None:
        watch = self._watch
        if watch is None or self.phase is not Phase.WATCHING:
            return
        self.job, self.trouble = watch.job, watch.trouble
        if self.job.ended:
            self._end()
        elif watch.over:
            self.error = watch.error
            self._move(Phase.LEFT)
        else:
            self._tell()

    def _end(self) -> None:
        assert self.job is not None  # for the type checker
        self.error = error_of_job(self.job)
        self.trouble = None
        self._mention_cancelling("")
        self._note(self.job)
        folder = settings.save_to().value
        if folder is not None and self.error is None and (self.job.media or self.job.text is not None):
            self.saving = job_loop.spawn(save_result(self, folder))
        self._move(Phase.ENDED)
        signals.tell(self.client, self.job)

    def _note(self, job: Job) -> None:
        """Keep in the history what is known now; a slow disk must not hold the loop up."""
        work = self.history.off_loop(
            self.history.update, job, base_url=self.client.base_url, account=self.client.account
        )
        job_loop.spawn(work)

    async def annotate(self, *, note: str | None = None, star: bool | None = None) -> bool:
        """Keep the user's words or mark with the job's row in the history; see `novakit_widgets.engine.keeping.annotate`."""
        return await annotate(self, note=note, star=star)

    def _send_cancellation(self) -> None:
        if self._manager is None:
            job_loop.spawn(self.delete())
        else:
            self._manager.delete()

    async def delete(self, *, ask: bool = True) -> None:
        """Cancel the job at the service, and take its own word for what became of it.

        Args:
            ask: whether to ask for the job afterwards. The tracker tells of one that is watched, too, when it asks for all.
        """
        job_id = self.job_id
        assert job_id is not None  # for the type checker
        try:
            cancelled = await self.client.cancel(job_id)
            if cancelled and not ask and self.phase is Phase.WATCHING:
                return  # still cancelling, until the tracker tells of the end
            job = await self.client.get(job_id)
        except NovaKitError as error:
            self._mention_cancelling(f"Not cancelled. {error.message}")
        except BaseException:
            self.cancelling = False  # a loop that is being closed breaks it off: it can be asked for again
            raise
        else:
            if self.phase is Phase.WATCHING:
                tracker_of(self.client).heard(job)
            elif self.phase in (Phase.NEW, Phase.LEFT) and job.ended:
                self._learn(job)
                self._end()
            if self.phase is Phase.WATCHING and cancelled:
                return  # asked before its own word had got round: still cancelling, until the tracker tells of the end
            # What the tracker told meanwhile is newer.
            self._mention_cancelling("" if self.phase is Phase.ENDED else cancellation_note(cancelled=cancelled))
        self.cancelling = False
        self._tell()
