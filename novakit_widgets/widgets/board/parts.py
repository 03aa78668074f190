"""The widgets inside a board: as many for a thousand jobs as for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

from ..common.repaint import send_changes
from ..common.style import BOARD
from .order import FILTERS, SORTS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CELLS", "BoardParts"]

CELLS = 12  # results on a page of the grid: each in its own widget, so that an update interrupts no playback


class BoardParts:
    """A board's head, buttons, table, grid and details: at most 60 models, because layouts and styles are shared.

    Attributes:
        rows: the children of the board, from top to bottom.
    """

    def __init__(self) -> None:
        layout = ipywidgets.Layout
        self._hidden = layout(display="none")
        self._plain = layout(margin="0 6px 0 0", min_width="0")
        self._button = layout(width="auto", margin="2px 6px 2px 0", flex="0 0 auto")
        self._narrow = layout(width="auto", margin="2px 6px 2px 0")
        self._line = layout(align_items="center", flex_flow="row wrap", width="100%", overflow="hidden", margin="2px 0")
        self._wide = layout(margin="0 8px 0 0", flex="1 1 80px", width="auto", min_width="60px")
        self._scroll = layout(margin="4px 0", max_height="440px", overflow="auto", width="100%")
        self._open = layout(margin="4px 0", width="100%")
        self._grid = layout(
            display="grid",
            grid_template_columns="repeat(auto-fill, minmax(140px, 1fr))",
            grid_gap="10px",
            width="100%",
            overflow="hidden",
            margin="4px 0",
        )
        stylesheet = ipywidgets.HTML(str(BOARD), layout=self._hidden)
        self._html_style = stylesheet.style
        self.head, self.announcer, self.figures, self.notice = (self._html() for _ in range(4))
        self.bar = ipywidgets.FloatProgress(min=0.0, max=100.0, layout=self._wide)
        self.cancel = ipywidgets.Button(
            description="Cancel all",
            tooltip="Discard the queued jobs, and cancel those that run",
            layout=self._button,
        )
        style = self.cancel.style
        self.again, self.resume, self.before, self.after, self.act = (
            ipywidgets.Button(description=text, tooltip=tip, layout=self._button, style=style)
            for text, tip in (
                ("Retry failed", "Submit the failed jobs again; they are billed like new ones"),
                ("Continue", "Submit the queued jobs"),
                ("Previous", "Show the previous page"),
                ("Next", "Show the next page"),
                ("", ""),
            )
        )
        # With visible labels: a tooltip gives these controls no accessible name.
        self.filter = ipywidgets.Dropdown(
            options=FILTERS, description="Show", layout=self._narrow, style={"description_width": "auto"}
        )
        self.sort = ipywidgets.Dropdown(options=SORTS, description="Sort", layout=self._narrow, style=self.filter.style)
        self.as_grid = ipywidgets.ToggleButton(
            description="Results", tooltip="Show the finished media instead of the table", layout=self._button
        )
        self.as_table = ipywidgets.ToggleButton(
            description="Table", tooltip="Show rows instead of tiles", layout=self._button, style=self.as_grid.style
        )
        # What scrolls must be reachable by keyboard.
        self.table = ipywidgets.HTML(layout=self._scroll, style=self._html_style, tabbable=True)
        self.cells = tuple(self._html() for _ in range(CELLS))
        self.grid = ipywidgets.Box(self.cells, layout=self._hidden)
        self.shown = self._html()
        self.number = ipywidgets.Text(
            placeholder="number or job id",
            description="Details of",
            continuous_update=False,
            layout=ipywidgets.Layout(width="16em", margin="2px 6px 2px 0"),
            style={"description_width": "auto"},
        )
        self.details_head, self.details = self._html(), self._html()
        self.head.layout = layout(margin="0 6px 0 0", min_width="0", flex="1 1 240px")
        self.top = ipywidgets.HBox(
            [self.head, self.cancel, self.again, self.resume],
            layout=layout(align_items="flex-start", flex_flow="row wrap", width="100%", overflow="hidden"),
            _dom_classes=("nk-w-top",),
        )
        self.measure = ipywidgets.HBox([self.bar, self.figures], layout=self._line)
        self.controls = ipywidgets.HBox(
            [self.filter, self.sort, self.as_grid, self.as_table, self.before, self.after, self.shown],
            layout=self._line,
        )
        self.choice = ipywidgets.HBox([self.number, self.act, self.details_head], layout=self._line)
        self.rows = (
            stylesheet,
            self.announcer,
            self.top,
            self.measure,
            self.notice,
            self.controls,
            self.table,
            self.grid,
            self.choice,
            self.details,
        )

    def _html(self) -> ipywidgets.HTML:
        return ipywidgets.HTML(layout=self._plain, style=self._html_style)

    def show(self, *states: Mapping[ipywidgets.Widget, Mapping[str, Any]]) -> int:
        """Update widgets; return the number of messages.

        Args:
            *states: the traits that widgets should have; several for one widget are merged.
        """
        merged: dict[ipywidgets.Widget, dict[str, Any]] = {}
        for each in states:
            for widget, state in each.items():
                merged.setdefault(widget, {}).update(state)
        return send_changes(merged)

    def button(self, *, shown: bool) -> ipywidgets.Layout:
        """Return the layout of a visible or a hidden button."""
        return self._button if shown else self._hidden

    def meter(self, *, shown: bool) -> ipywidgets.Layout:
        """Return the layout of the bar, which is hidden once all jobs have ended."""
        return self._wide if shown else self._hidden

    def views(
        self, *, grid: bool, fixed: bool = False, tiles: bool = False
    ) -> Mapping[ipywidgets.Widget, Mapping[str, Any]]:
        """Return the traits that show the table or the grid of results.

        Args:
            grid: whether the results are shown.
            fixed: whether the order of the table is fixed, so that it has no filter.
            tiles: whether there are few enough jobs to show them as tiles.
        """
        gallery = tiles and not self.as_table.value
        table: ipywidgets.Layout = self._hidden if grid else self._open if gallery else self._scroll
        narrow: ipywidgets.Layout = self._hidden if grid or fixed else self._narrow
        return {
            self.table: {
                "layout": table,
                "_dom_classes": ("nk-gallery",) if gallery else (),
            },
            self.as_table: {"layout": self._button if tiles and not grid else self._hidden},
            self.grid: {"layout": self._grid if grid else self._hidden},
            self.filter: {"layout": narrow},
            self.sort: {"layout": narrow},
        }

    def cell(self, value: str) -> Mapping[str, Any]:
        """Return the traits of a cell of the grid; an empty cell is hidden."""
        return {"value": value, "layout": self._plain if value else self._hidden}

    def close(self) -> None:
        """Close the layouts that no widget uses at present; the others are closed with their widgets."""
        for layout in (
            self._hidden,
            self._plain,
            self._button,
            self._narrow,
            self._scroll,
            self._grid,
            self._wide,
            self._open,
        ):
            layout.close()
