"""JobSweep: a board with a labelled table, which asks for confirmation first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ...api.client import default_client
from ...api.embedding import Embed, check_embed
from ...batches.queue import JobQueue
from ...config import settings
from ...engine.quota_watch import watch_of
from ...errors import JobNotStartedError
from ...job_history.estimates import Estimate, estimates
from ...model.quota import units_of
from ...runtime import loop as job_loop
from ..common.spending import spending
from .painter import Proposal
from .widget import JobBoard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...api.client import NovaKitClient
    from ...batches.grid import Grid
    from ...model.tools import Tool

__all__ = ["JobSweep"]

_SIMILAR = 200  # history entries that are searched


class JobSweep(JobBoard):
    """All combinations of some parameters' values, as a labelled table; `sweep` makes them from lists.

    It is a `JobBoard` that starts on confirmation: by its button, beside which the number of jobs and their cost are shown, or
    by `start`. Until then only the quota is requested, nothing is billed, and waiting raises an error.

    Args:
        tool: the jobs' tool.
        items: the parameters of each job, in the order of the grid.
        grid: the labels of the table.
        confirm: whether to ask for confirmation.
        client: see `JobBoard`.
        max_running: see `JobBoard`.
        timeout: see `JobBoard`.
        embed: see `JobBoard`.
        reuse: see `JobBoard`.

    Raises:
        ConfigurationError: The key, base URL, timeout, embed or ``max_running`` is missing or invalid.

    Example:
        >>> from novakit_widgets import sweep
        >>> table = sweep("image", prompt="A lighthouse", style=["vivid", "natural"], seed=range(3))
        >>> table.grid.rows, len(table), table[0]
        ([('vivid',), ('natural',)], 6, None)
        >>> table.start()
        >>> len(table.wait())
        6
    """

    def __init__(
        self,
        tool: Tool,
        items: Sequence[Mapping[str, Any]],
        grid: Grid,
        *,
        confirm: bool = True,
        client: NovaKitClient | None = None,
        max_running: int | None = None,
        timeout: float | None = None,
        embed: Embed | None = None,
        reuse: bool | None = None,
    ) -> None:
        self._stop_listening: Callable[[], None] = lambda: None  # first: ipywidgets closes what was never made
        embed, asks = check_embed(embed), settings.flag("confirm", confirm)
        self.grid = grid
        self._tool = tool
        self._items = items
        self._similar: Sequence[Estimate | None] = [None] * len(items)
        hold = JobNotStartedError(
            f"{len(items):,} jobs need confirmation: press {_button(len(items))!r} or call start(). Nothing was sent or billed."
        )
        queue = JobQueue(
            [(tool, params) for params in items],
            client=default_client(client),
            max_running=max_running,
            timeout=timeout,
            reuse=settings.reuse(reuse).value,
            about={"embed": embed, "axes": grid.to_json()},
            held=hold if asks else None,
        )
        self._quota = watch_of(queue.client)
        self._make(queue, embed, grid)
        if not asks:
            self.start()
            return
        self._painter.proposal = Proposal(
            hold,
            self._proposal_text,
            _button(len(items)),
            "Submit all jobs, as fast as the limits allow; they are billed",
        )
        self._stop_listening = self._quota.listen(self._request_repaint)
        self._request_repaint()
        job_loop.call(self._estimate)

    def __repr__(self) -> str:
        return f"<JobSweep {_shape(self.grid)}: {self._painter.summary()}: await it, or make a task with asyncio.ensure_future>"

    def start(self) -> None:
        """Submit all jobs, as fast as the limits allow, like the button. Thread-safe."""
        if self._queue.held is None:
            super().start()
        else:
            self.resume()

    def close(self) -> None:
        """Remove the board from the page and free its resources. The jobs go on; an unconfirmed sweep does not start."""
        self._stop_listening()
        super().close()

    def _estimate(self) -> None:
        """Request the quota, and look up similar jobs."""
        self._quota.ask_soon()
        job_loop.spawn(self._look_back())

    async def _look_back(self) -> None:
        history = self._queue.history
        entries = await history.off_loop(
            history.entries,
            limit=_SIMILAR,
            tool=self._tool,
            status="completed",
            base_url=self._queue.client.base_url,
        )
        self._similar = estimates(entries, self._tool, self._items)
        self._request_repaint()

    def _proposal_text(self) -> Markup:
        units = [units_of(self._tool, params) for params in self._items]
        known = [unit for unit in units if unit is not None]
        total = sum(known) if len(known) == len(units) else None
        return Markup('<p class="nk-message"><strong>{}</strong> {} Nothing is submitted yet.</p>').format(
            f"{len(self._items):,} jobs: {_shape(self.grid)}.",
            spending(self._tool, total, self._quota, self._similar),
        )


def _button(count: int) -> str:
    return f"Generate all {count:,}"


def _shape(grid: Grid) -> str:
    """Return the names and sizes of the axes."""
    return " × ".join(f"{axis.name} ({len(axis.values)})" for axis in grid.axes)  # noqa: RUF001 # a multiplication
