"""Where a board is shown: live while something goes on, and plain once all have ended and their media are kept."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any

from ...batches.queue import PlaceState
from ...runtime import loop as job_loop
from ..common.display import Places, in_kernel, is_nested
from .plain import plain_board, summary

if TYPE_CHECKING:
    from collections.abc import Callable

    import ipywidgets

    from ...batches.grid import Grid
    from ...batches.queue import JobQueue, Place
    from .media import Keeper

__all__ = ["BoardDisplay"]


class BoardDisplay:
    """The displays of one board; see `JobWidget`, whose ways these are.

    Args:
        board: the widget.
        queue: its jobs.
        keeper: keeps their media.
        words: says how far they are.
        grid: the labelled table that they make, if they do.

    Attributes:
        waiting: how many wait for the board; they do the replacing, on behalf of the cells that they are in.
    """

    def __init__(
        self,
        board: ipywidgets.VBox,
        queue: JobQueue,
        keeper: Keeper,
        *,
        words: Callable[[], str],
        grid: Grid | None = None,
    ) -> None:
        self._board = board
        self._queue = queue
        self._keeper = keeper
        self._words = words
        self._grid = grid
        self._places = Places()
        self._context = contextvars.copy_context()
        self._finishing: asyncio.Task[None] | None = None
        self._replaced = False
        self.waiting = 0

    def show(self) -> None:
        """Show the board in the cell that runs, as it is now."""
        bundle = self.plain()
        if bundle is None:
            self._places.show(self._live())
        else:
            from IPython.display import display

            display(bundle, raw=True)

    def show_if_hidden(self) -> None:
        """Show a board that somebody waits for, if nobody has shown it yet."""
        if not self._places.any and not self._queue.settled and in_kernel() and not is_nested(self._board):
            self.show()

    def plain(self) -> dict[str, Any] | None:
        """Return the board as plain HTML; ``None`` while something goes on, or the media are on their way."""
        if not self._queue.settled or self._finishing is None or not self._finishing.done():
            return None
        return {
            "text/html": str(plain_board(self._queue.places, self._keeper.kept, self._grid)),
            "text/plain": summary(self._words()),
        }

    async def wait(self) -> None:
        """Wait for the jobs, and where the board is on a page, until the plain result is there too."""
        self.waiting += 1
        try:
            await self._queue.wait()
        finally:
            finishing = self._finishing
            try:
                if finishing is not None and self._places.any and self._queue.settled:
                    await job_loop.run_on(finishing.get_loop(), lambda: self._finished(finishing))
            finally:
                self.waiting -= 1

    def changed(self, place: Place | None) -> None:
        """Take in a change of the queue, on its loop."""
        if in_kernel():  # elsewhere there is no notebook for the media to go into
            for each in self._queue.places if place is None else (place,):
                if each.state is PlaceState.COMPLETED and each.run.job is not None:
                    self._keeper.take(each.number, each.run.job)
        if not self._queue.settled:
            if self._replaced:
                self._places.replace(self._live())  # tried again: it moves once more
            self._finishing, self._replaced = None, False
        elif self._finishing is None:
            # In the context of the cell that made the board, so that whatever is shown goes there.
            self._finishing = self._context.run(job_loop.spawn, self._finish())

    def _live(self) -> dict[str, Any]:
        bundle: dict[str, Any] = self._board._repr_mimebundle_()
        return bundle

    async def _finish(self) -> None:
        """Wait for the media, and put the plain result where the board was shown."""
        await self._keeper.finish()
        saving = [place.run.saving for place in self._queue.places if place.run.saving is not None]
        if saving:
            await asyncio.wait(saving)
        if not self.waiting:
            asyncio.get_running_loop().call_soon(self._replace)  # when this is done, as `plain` asks

    async def _finished(self, finishing: asyncio.Task[None]) -> None:
        try:
            await asyncio.wait((finishing,))
        finally:
            if finishing.done():
                self._replace()

    def _replace(self) -> None:
        bundle = None if self._replaced else self.plain()
        if bundle is not None:
            self._replaced = True
            self._places.replace(bundle)
