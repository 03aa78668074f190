"""The items of a queue, their states, and the runs of their jobs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ..engine.run import JobRun
from ..engine.state import Phase
from ..errors import JobCancelledError, NovaKitError
from ..model.job import JobStatus

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ..api.client import NovaKitClient
    from ..engine.start import Earlier, StartingRun
    from ..job_history.jobs import JobHistory
    from ..model.job import Job
    from ..model.tools import Tool
    from ..runtime.clock import Clock

__all__ = ["AT_SERVICE", "Batch", "ItemState", "Keeper", "NotItsTurnError", "QueueItem", "RunMaker"]


class NotItsTurnError(NovaKitError):
    """A job that was to be reused no longer exists, so a new one has to wait for its turn."""


class Batch(Protocol):
    """What submitting and recording need of a `JobQueue`, which describes the attributes.

    Attributes:
        made_at: when the queue was created.
    """

    batch_id: str
    items: tuple[QueueItem, ...]
    client: NovaKitClient
    history: JobHistory
    max_running: int
    timeout: float | None
    reuse: bool
    about: dict[str, Any]
    made_at: datetime
    held: NovaKitError | None

    def count(self, state: ItemState) -> int:
        """Return the number of items in a state."""
        ...

    def hold(self, error: NovaKitError) -> None:
        """Submit nothing until `resume`."""
        ...

    def tell(self, item: QueueItem | None) -> None:
        """Tell the listener of a change."""
        ...


class ItemState(str, Enum):
    """The state of an item."""

    WAITING = "waiting"  # not submitted yet
    RUNNING = "running"  # being submitted, or running at the service
    COMPLETED = "completed"  # has a result
    FAILED = "failed"  # failed at the service
    CANCELLED = "cancelled"  # at the service, or before it was submitted
    REFUSED = "refused"  # no job was started or billed
    UNCERTAIN = "uncertain"  # the answer was lost, so there may be a job
    LEFT = "left"  # the job runs, and is no longer watched

    __str__ = str.__str__


AT_SERVICE = frozenset({ItemState.RUNNING, ItemState.LEFT})
_OF_PHASE = {
    Phase.NEW: ItemState.WAITING,
    Phase.SUBMITTING: ItemState.RUNNING,
    Phase.WATCHING: ItemState.RUNNING,
    Phase.LEFT: ItemState.LEFT,
    Phase.UNCERTAIN: ItemState.UNCERTAIN,
    Phase.REFUSED: ItemState.REFUSED,
}
_OF_STATUS: Mapping[str, ItemState] = {JobStatus.FAILED: ItemState.FAILED, JobStatus.CANCELLED: ItemState.CANCELLED}


class Keeper(Protocol):
    """What an item needs of its queue."""

    def start(self) -> None:
        """Start the queue."""
        ...

    def take_back(self, item: QueueItem, error: NovaKitError) -> bool:
        """Return whether a refused item waits to be submitted again."""
        ...

    def delete(self, item: QueueItem) -> None:
        """Cancel an item's job as soon as the rate limit allows the request."""
        ...

    def changed(self, item: QueueItem, run: JobRun) -> None:
        """Handle a change of an item's run."""
        ...

    def outlook(self, item: QueueItem) -> tuple[datetime | None, str]:
        """Estimate when a waiting item is submitted, and name what it waits for."""
        ...


class QueueItem:
    """One item of a queue, in order.

    Args:
        number: from 0.
        tool: what makes it.
        params: the service's own parameters.
        keeper: its queue.
        maker: makes its run.

    Attributes:
        number: as given.
        tool: as given.
        params: as given.
        run: its job; replaced by another when it is tried again.
        seen: the state that its queue has taken in.
    """

    __slots__ = ("_keeper", "number", "params", "run", "seen", "tool")

    def __init__(self, number: int, tool: Tool, params: Mapping[str, Any], *, keeper: Keeper, maker: RunMaker) -> None:
        self.number = number
        self.tool = tool
        self.params = params
        self._keeper = keeper
        self.seen = ItemState.WAITING
        self.run = maker.new(self)
        self.params = self.run.params  # its copy: what the user does with his is of no account
        self.run.on_change = partial(keeper.changed, self, self.run)

    def __repr__(self) -> str:
        return f"<QueueItem {self.number} {self.tool} {self.state}>"

    @property
    def state(self) -> ItemState:
        """Where it is."""
        run = self.run
        if run.phase is Phase.ENDED and run.job is not None:
            return _OF_STATUS.get(run.job.status, ItemState.COMPLETED)
        if run.phase is Phase.REFUSED and isinstance(run.error, JobCancelledError):
            return ItemState.CANCELLED
        if run.phase is Phase.NEW and run.job is not None:
            return ItemState.RUNNING  # at the service; it is watched as soon as the queue starts
        return _OF_PHASE[run.phase]

    @property
    def starts_at(self) -> datetime | None:
        """The estimated time of its submission, with time zone; ``None`` if it does not wait, or if the time is unknown."""
        return self._keeper.outlook(self)[0] if self.state is ItemState.WAITING else None

    @property
    def reason(self) -> str:
        """What it waits for, such as ``"5 videos an hour"``; ``""`` for nothing."""
        return self._keeper.outlook(self)[1] if self.state is ItemState.WAITING else ""

    def give(self, run: JobRun) -> None:
        """Set another run."""
        self.run = run
        run.on_change = partial(self._keeper.changed, self, run)
        run.on_change()

    # The manager of its run

    def begin(self) -> None:
        """Start the queue."""
        self._keeper.start()

    def takes_back(self, error: NovaKitError) -> bool:
        """Return whether it waits to be submitted again after a refusal."""
        return self._keeper.take_back(self, error)

    def delete(self) -> None:
        """Cancel its job as soon as the rate limit allows the request."""
        self._keeper.delete(self)


@dataclass(frozen=True, slots=True)
class RunMaker:
    """Creates the runs of a queue's items, which share these arguments of `JobRun`."""

    client: NovaKitClient
    timeout: float | None
    history: JobHistory
    clock: Clock
    earlier: Earlier | None = None

    def new(self, item: QueueItem) -> JobRun:
        """Return a run that submits a new job."""
        return JobRun(item.tool, item.params, manager=item, earlier=self.earlier, **self._common())

    def known(self, item: QueueItem, job: Job) -> JobRun:
        """Return a run for an existing job."""
        return JobRun.known(item.tool, item.params, job, manager=item, **self._common())

    def reused(self, item: QueueItem, job: Job) -> JobRun:
        """Return a run that reuses a job. If the service no longer has it, a new one is submitted in its turn."""
        run = JobRun.known(item.tool, item.params, job, manager=item, earlier=self._in_its_turn, **self._common())
        run.reused = True
        return run

    async def _in_its_turn(self, run: StartingRun, intent: str) -> Job | None:
        # Fetching a job takes no slot of the allowance, and happens while the queue is on hold, too.
        if run.submission is None or run.submission.slot is None:
            raise NotItsTurnError("The service no longer knows a job of your history, which is to be made anew.")
        return None if self.earlier is None else await self.earlier(run, intent)

    def _common(self) -> dict[str, Any]:
        return {"client": self.client, "timeout": self.timeout, "history": self.history, "clock": self.clock}
