"""A run whose job is known: watch it to its end, cancel it, and save its result."""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..config import settings
from ..config.logs import warn_in_script
from ..errors import NovaKitError
from ..job_history.jobs import default_history
from ..model.canonical import owned
from ..model.frozen import FrozenDict
from ..model.spelling import passed_on
from ..model.tools import Tool
from ..runtime import loop as job_loop
from ..runtime.clock import Clock
from . import signals
from .keeping import annotate, save_result
from .messages import cancellation_note, error_of_job
from .ownership import ownership_of
from .start import StartStrategy
from .state import Phase, RunState
from .tracker import tracker_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..api.client import NovaKitClient
    from ..job_history.jobs import JobHistory
    from ..model.job import Job
    from .equal import EqualJob
    from .start import Earlier
    from .state import Manager
    from .submit import Submission
    from .tracker import Watch

__all__ = ["WatchedRun"]


class WatchedRun(RunState):
    """What a `JobRun` does once its job is known. `JobRun` describes the arguments.

    Attributes:
        submission: the present or last submission.
        twin: an equal job of the history.
        saving: the task that saves the result into the folder of `configure(save_to=…)`.
        mentions_equal: whether a note mentions an equal job of the last day when the job is submitted.
    """

    def __init__(
        self,
        tool: Tool | None,
        params: Mapping[str, Any],
        *,
        client: NovaKitClient,
        timeout: float | None = None,
        history: JobHistory | None = None,
        on_change: Callable[[], None] = lambda: None,
        clock: Clock | None = None,
        manager: Manager | None = None,
        earlier: Earlier | None = None,
    ) -> None:
        super().__init__(tool, clock or Clock(), on_change)
        self.params: Mapping[str, Any] = FrozenDict(owned(dict(params)))
        self.client = client
        self.history = history or default_history()
        self.timeout = settings.timeout(timeout).value
        self.submission: Submission | None = None
        self.twin: EqualJob | None = None
        self._knows_params = tool is not None and bool(params)
        self.saving: asyncio.Task[None] | None = None
        self.mentions_equal = False
        self._manager = manager
        self._strategy = StartStrategy(earlier)
        self._watch: Watch | None = None

    @property
    def job_id(self) -> str | None:
        """The service's job id; ``None`` before it is known."""
        return self.job.id if self.job is not None else self._strategy.attached_to

    @cached_property
    def passed_on(self) -> str:
        """A sentence that names the parameters that are not documented; ``""`` if all are, and for those that the service told."""
        return passed_on(self.tool, self.params) if self._knows_params and self.tool is not None else ""

    @property
    def equal(self) -> EqualJob | None:
        """An equal job of this kernel or of the history that runs or has a result; ``None`` without one."""
        found = (self.submission.earlier if self.submission is not None else None, self.twin)
        return None if self.reused else next((one for one in found if one is not None and one.counts), None)

    @property
    def remarks(self) -> str:
        """What else there is to say of its parameters: which are not documented, and that an equal job exists."""
        equal = self.equal
        return " ".join(filter(None, (self.passed_on, "" if equal is None else equal.note)))

    @property
    def watch_seconds(self) -> float:
        """How long the job is watched, in seconds."""
        if self.timeout is not None:
            return self.timeout
        tool = self.tool or (None if self.job is None else Tool.known(self.job.tool))
        return tool.timeout if tool is not None else max(member.timeout for member in Tool)

    @property
    def typical_seconds(self) -> tuple[float, float] | None:
        """The usual duration of such a job in seconds: from, to. ``None`` if its tool is unknown."""
        if self.tool is None:
            return None
        least, most = self.tool.typical_seconds
        speed = settings.speed().value
        return least / speed, most / speed

    def _has(self, job: Job) -> None:
        """Handle the first answer about the job."""
        self.trouble = None
        self._learn(job)
        if self._manager is None and self.passed_on:
            warn_in_script(self.passed_on)
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
        """Update the snapshot, and what is still unknown of an attached job."""
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
        ownership_of(self.client.account).ended(self.job)
        signals.tell(self.client, self.job)

    def _note(self, job: Job) -> None:
        """Write the job to the history, without waiting for the disk."""
        work = self.history.off_loop(
            self.history.update, job, base_url=self.client.base_url, account=self.client.account
        )
        job_loop.spawn(work)

    async def annotate(self, *, note: str | None = None, star: bool | None = None) -> bool:
        """Write the user's note or star to the history; see `novakit_widgets.engine.keeping.annotate`."""
        return await annotate(self, note=note, star=star)

    def _send_cancellation(self) -> None:
        if self._manager is None:
            job_loop.spawn(self.delete())
        else:
            self._manager.delete()

    async def delete(self, *, ask: bool = True) -> None:
        """Cancel the job at the service, and request its status.

        Args:
            ask: whether to request the status of a watched job. Without it, the tracker's next list tells.
        """
        job_id = self.job_id
        assert job_id is not None  # for the type checker
        try:
            cancelled = await self.client.cancel(job_id)
            if cancelled and not ask and self.phase is Phase.WATCHING:
                return  # `cancelling` stays set until the tracker reports the end
            job = await self.client.get(job_id)
        except NovaKitError as error:
            self._mention_cancelling(f"Not cancelled. {error.message}")
        except BaseException:
            self.cancelling = False  # interrupted by a closing loop: the user can cancel again
            raise
        else:
            if self.phase is Phase.WATCHING:
                tracker_of(self.client).heard(job)
            elif self.phase in (Phase.NEW, Phase.LEFT) and job.ended:
                self._learn(job)
                self._end()
            if self.phase is Phase.WATCHING and cancelled:
                return  # its status lags behind: `cancelling` stays set until the tracker reports the end
            # The tracker may have reported the end meanwhile.
            self._mention_cancelling("" if self.phase is Phase.ENDED else cancellation_note(cancelled=cancelled))
        self.cancelling = False
        self._tell()
