"""The results of an explorer: newest first, and side by side for comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from ...runtime import loop as job_loop
from ..common.closing import ClosingBox, close_all
from .comparison import FEWEST, MOST, Comparison

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...model.tools import Tool
    from .result import Result

__all__ = ["Gallery"]

MOST_RESULTS = 24  # shown at once, each about forty models; the history has the older ones


class Gallery(ClosingBox):
    """The results of an explorer, newest first, with a comparison of selected ones.

    Args:
        tool: the results' tool.
    """

    def __init__(self, tool: Tool) -> None:
        self._tool = tool
        self._comparison: Comparison | None = None
        self._compare = ipywidgets.Button(
            description="Compare",
            layout=ipywidgets.Layout(width="auto", display="none", margin="8px 0 2px 0", align_self="flex-start"),
        )
        self._side_by_side = ipywidgets.VBox(layout=ipywidgets.Layout(overflow="hidden"))
        self._box = ipywidgets.HBox(layout=ipywidgets.Layout(flex_flow="row wrap", overflow="hidden"))
        self._older = ipywidgets.HTML()
        super().__init__(
            children=[self._compare, self._side_by_side, self._box, self._older],
            layout=ipywidgets.Layout(overflow="hidden"),
        )
        self._compare.on_click(lambda _button: job_loop.call(self._compare_selected))

    @property
    def results(self) -> tuple[Result, ...]:
        """The results, newest first."""
        return tuple(self._box.children)

    def add(self, result: Result) -> None:
        """Add the newest result. If there are too many, the oldest is removed."""
        results = (result, *self.results)
        removed = results[MOST_RESULTS:]
        self._box.children = results[:MOST_RESULTS]
        for old in removed:
            old.card.close()
            close_all((old,))
        if removed:
            self._older.value = (
                f"<p>Older results are in your history: <code>nk.history(tool={self._tool.value!r})</code></p>"
            )

    def selection_changed(self) -> None:
        """Update the *Compare* button."""
        selected = [result for result in self.results if result.chosen]
        ready = all(result.comparable for result in selected)
        self._compare.layout.display = None if selected else "none"
        self._compare.disabled = not (FEWEST <= len(selected) <= MOST and ready)
        if not ready:
            self._compare.description = "Compare: some are unfinished"
        elif self._compare.disabled:
            self._compare.description = f"Compare: select {FEWEST} to {MOST}"
        else:
            self._compare.description = f"Compare {len(selected)} results"
        self._compare.button_style = "" if self._compare.disabled else "primary"

    def compare(self, results: Sequence[Result]) -> None:
        """Show results side by side, from left to right; all must be `comparable`."""
        self._close_comparison()
        self._comparison = Comparison(self._tool, [result.compared() for result in results], self._close_comparison)
        self._side_by_side.children = (self._comparison,)

    def close(self) -> None:
        """Close the gallery with its cards. Their jobs go on."""
        for result in self.results:
            result.card.close()
        super().close()

    def _compare_selected(self) -> None:
        selected = [result for result in self.results if result.chosen and result.comparable]
        if FEWEST <= len(selected) <= MOST:
            self.compare(selected[::-1])  # from left to right in the order of generation

    def _close_comparison(self) -> None:
        if self._comparison is not None:
            self._side_by_side.children = ()
            self._comparison.close()
            self._comparison = None
