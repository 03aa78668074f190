"""The base of the card and the board: a box that repaints itself while jobs run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...runtime import loop as job_loop
from .closing import ClosingBox
from .kernel import in_kernel
from .repaint import LEAST_SECONDS, painter

if TYPE_CHECKING:
    from .display import ResultDisplay

__all__ = ["LiveWidget"]


class LiveWidget(ClosingBox):
    """A box that repaints itself while jobs run, and is displayed as plain HTML once they have ended."""

    least_seconds = LEAST_SECONDS
    """The shortest time between two repaints, in seconds."""

    _made = False  # neither refused by the constructor nor closed
    _display: ResultDisplay

    @property
    def ticking(self) -> bool:
        """Whether the widget changes with time alone, such as its elapsed time."""
        raise NotImplementedError

    @property
    def in_this_cell(self) -> bool:
        """Whether the widget was displayed by the cell that runs."""
        return self._display.in_this_cell

    def paint(self) -> int:
        """Send what has changed since the last repaint; return the number of messages."""
        raise NotImplementedError

    def show(self) -> None:
        """Display the widget in the current cell; once all jobs have ended, as plain HTML, which a saved notebook keeps."""
        self._display.show()

    def _show_if_hidden(self) -> None:
        if self._made:
            self._display.show_if_hidden()

    def close(self) -> None:
        """Remove the widget from the page and free its resources. Its jobs go on."""
        self._made = False
        job_loop.hand_over(lambda: painter().forget(self), closed_ok=True)
        super().close()

    def _ipython_display_(self) -> None:
        if in_kernel():
            self.show()
        else:
            print(repr(self))  # noqa: T201 # a terminal shows no widgets

    def _request_repaint(self) -> None:
        job_loop.hand_over(lambda: painter().request(self))
