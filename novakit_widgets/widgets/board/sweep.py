"""JobSweep: a board that is a labelled table, and asks before it begins."""

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
from ..quota.spending import spending
from .painter import Proposal
from .widget import JobBoard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...api.client import NovaKitClient
    from ...batches.grid import Grid
    from ...model.tools import Tool

__all__ = ["JobSweep"]

_SIMILAR = 200  # rows of the history that are looked through


class JobSweep(JobBoard):
    """All combinations of some parameters' values, as a labelled table; `sweep` makes them from lists.

    It is a `JobBoard` that begins when it is told to: by the button that says how many jobs these are and what they take of the
    quota, or by `start`. Until then nothing is sent but the question for the quota, nothing is billed, and waiting for it
    raises.

    Args:
        tool: what makes them.
        items: the parameters of each job, row by row.
        grid: their labels.
        confirm: whether to ask first.
        client: as for `JobBoard`.
        max_running: as for `JobBoard`.
        timeout: as for `JobBoard`.
        embed: as for `JobBoard`.
        reuse: as for `JobBoard`.

    Raises:
        ConfigurationError: there is no usable key, base URL, time-out, embed or ``max_running``.

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
        embed = check_embed(embed)
        self.grid = grid
        self._tool = tool
        self._items = items
        self._similar: Sequence[Estimate | None] = [None] * len(items)
        hold = JobNotStartedError(
            f"{len(items):,} jobs wait for your word: press {_button(len(items))!r}, or call start(). Nothing was sent or billed."
        )
        queue = JobQueue(
            [(tool, params) for params in items],
            client=client or default_client(),
            max_running=max_running,
            timeout=timeout,
            reuse=settings.reuse(reuse).value,
            about={"embed": embed, "axes": grid.to_json()},
            held=hold if confirm else None,
        )
        self._quota = watch_of(queue.client)
        self._stop_listening: Callable[[], None] = lambda: None
        self._make(queue, embed, grid)
        if not confirm:
            self.start()
            return
        self._painter.proposal = Proposal(
            hold,
            self._proposed,
            _button(len(items)),
            "Submit all of them, as fast as the limits allow; they are billed",
        )
        self._stop_listening = self._quota.listen(self._ask_to_be_painted)
        self._ask_to_be_painted()
        if job_loop.home() is not None:
            job_loop.at_home(self._learn)

    def __repr__(self) -> str:
        return f"<JobSweep {_shape(self.grid)}: {self._painter.words()}>"

    def start(self) -> None:
        """Begin: submit all of them, as fast as the limits allow. It is what the button does. From any thread."""
        if self._queue.held is None:
            super().start()
        else:
            self.resume()

    def close(self) -> None:
        """Take the table off the page and release all that it is made of. The jobs go on; what was not begun is not."""
        self._stop_listening()
        super().close()

    def _learn(self) -> None:
        """Ask what is left, and look up what similar jobs took."""
        if job_loop.current() is not None:
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
        self._ask_to_be_painted()

    def _proposed(self) -> Markup:
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
    """Say of what these are the combinations."""
    return " × ".join(f"{axis.name} ({len(axis.values)})" for axis in grid.axes)  # noqa: RUF001 # a multiplication
