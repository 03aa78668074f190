"""One item of a queue: where it is, and when its turn comes."""

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
    """The job that was to do for a new one is gone, and the new one has to wait for its turn like any other."""


class Batch(Protocol):
    """What of a queue is kept, and what submitting from it needs.

    Attributes:
        batch_id: our own id of it.
        items: the items, in order.
        client: speaks to the service.
        history: remembers the jobs.
        max_running: how many may run at once.
        timeout: seconds to watch each; ``None`` for the tools'.
        reuse: whether to take jobs of the history.
        about: what else is kept with it.
        made_at: when it was made.
        held: why nothing is submitted though something waits; ``None`` otherwise.
        made_before: how many of the items the history has completed jobs of.
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
    made_before: int

    def count(self, state: ItemState) -> int:
        """Return how many items are in a state."""
        ...

    def hold(self, error: NovaKitError) -> None:
        """Submit nothing more until it is resumed."""
        ...

    def tell(self, item: QueueItem | None) -> None:
        """Tell the listener of a change."""
        ...


class ItemState(str, Enum):
    """Where one item of a queue is."""

    WAITING = "waiting"  # for its turn; nothing was sent
    RUNNING = "running"  # on its way to the service, or there
    COMPLETED = "completed"  # there is a result
    FAILED = "failed"  # the service gave up on it
    CANCELLED = "cancelled"  # at the service, or before it was submitted
    REFUSED = "refused"  # there is no job, and none was billed
    UNCERTAIN = "uncertain"  # there may be a job
    LEFT = "left"  # we stopped asking, but the job goes on

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
        """Begin with the queue."""
        ...

    def take_back(self, item: QueueItem, error: NovaKitError) -> bool:
        """Whether a refused item waits for another turn."""
        ...

    def delete(self, item: QueueItem) -> None:
        """Cancel an item's job when there is room for the request."""
        ...

    def changed(self, item: QueueItem, run: JobRun) -> None:
        """Take in a change of an item's run."""
        ...

    def outlook(self, item: QueueItem) -> tuple[datetime | None, str]:
        """Say when a waiting item's turn comes, about, and what it waits for."""
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
            return ItemState.RUNNING  # at the service; here it is watched as soon as there is a loop
        return _OF_PHASE[run.phase]

    @property
    def starts_at(self) -> datetime | None:
        """When it will be submitted, about, with time zone; ``None`` when it does not wait, or nobody knows."""
        return self._keeper.outlook(self)[0] if self.state is ItemState.WAITING else None

    @property
    def reason(self) -> str:
        """What it waits for, in words, such as ``"5 videos an hour"``; ``""`` when it is just its turn."""
        return self._keeper.outlook(self)[1] if self.state is ItemState.WAITING else ""

    def give(self, run: JobRun) -> None:
        """Give it another run."""
        self.run = run
        run.on_change = partial(self._keeper.changed, self, run)
        run.on_change()

    # What its run asks of whoever manages it

    def begin(self) -> None:
        """Let its turn come."""
        self._keeper.start()

    def takes_back(self, error: NovaKitError) -> bool:
        """Whether it waits for another turn after a refusal."""
        return self._keeper.take_back(self, error)

    def delete(self) -> None:
        """Cancel its job when there is room for the request."""
        self._keeper.delete(self)


@dataclass(frozen=True, slots=True)
class RunMaker:
    """What the runs of all items of a queue have in common.

    Attributes:
        client: speaks to the service.
        timeout: seconds to watch each; ``None`` for the tools'.
        history: remembers them.
        clock: time and randomness.
        earlier: as for `JobRun`.
    """

    client: NovaKitClient
    timeout: float | None
    history: JobHistory
    clock: Clock
    earlier: Earlier | None = None

    def new(self, item: QueueItem) -> JobRun:
        """Make the run of a job that is to be submitted."""
        return JobRun(item.tool, item.params, manager=item, earlier=self.earlier, **self._common())

    def known(self, item: QueueItem, job: Job) -> JobRun:
        """Make the run of a job that there is."""
        return JobRun.known(item.tool, item.params, job, manager=item, **self._common())

    def reused(self, item: QueueItem, job: Job) -> JobRun:
        """Make the run of a job that is taken for a new one; should the service no longer know it, it is made in its turn."""
        run = JobRun.known(item.tool, item.params, job, manager=item, earlier=self._in_its_turn, **self._common())
        run.reused = True
        return run

    async def _in_its_turn(self, run: StartingRun, intent: str) -> Job | None:
        # What was only asked for has no slot of the allowance, and may be asked for while the queue is held.
        if run.submission is None or run.submission.slot is None:
            raise NotItsTurnError("The service no longer knows a job of your history, which is to be made anew.")
        return None if self.earlier is None else await self.earlier(run, intent)

    def _common(self) -> dict[str, Any]:
        return {"client": self.client, "timeout": self.timeout, "history": self.history, "clock": self.clock}
