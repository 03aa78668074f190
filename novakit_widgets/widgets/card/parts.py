"""The widgets inside a card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from ..common.repaint import send_changes
from ..common.status import BAR_STYLES
from . import html as card_html

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .view import View

__all__ = ["Parts"]

_BUTTONS: Mapping[str, tuple[str, str]] = {
    "start": ("Generate", "Submit this job; it is billed"),
    "cancel": ("Cancel", "Cancel this job"),
    "watch": ("Keep watching", "Watch this job again; it costs nothing"),
    "again": ("Try again", "Submit this job again; it is billed like a new one"),
    "anew": ("Again", "Submit this job again instead of the one from your history; it is billed"),
    "look": ("Look it up", "Look for this job in NovaKit's list; nothing is submitted"),
    "save": ("Save", "Save the result as a file beside the notebook"),
    "": ("", ""),
}


class Parts:
    """A card's head, bar, figures, button, message and result: 21 models, because layouts and styles are shared.

    Attributes:
        rows: the children of the card, from top to bottom.
        button: the present action.
        result: the box for the finished media.
    """

    def __init__(self) -> None:
        # In a widget of its own: a changed value is always sent whole.
        stylesheet = ipywidgets.HTML(str(card_html.STYLE), layout=ipywidgets.Layout(display="none"))
        plain = ipywidgets.Layout(margin="0", min_width="0")
        wide = ipywidgets.Layout(margin="0", flex="1 1 80px", width="auto", min_width="60px")
        style = stylesheet.style
        self.head = ipywidgets.HTML(layout=plain, style=style)
        self.bar = ipywidgets.FloatProgress(min=0.0, max=100.0, layout=wide)
        self.figures = ipywidgets.HTML(layout=plain, style=style)
        self.button = ipywidgets.Button(layout=ipywidgets.Layout(width="auto", margin="0", flex="0 0 auto"))
        self.message = ipywidgets.HTML(
            layout=ipywidgets.Layout(margin="0", flex="1 1 200px", min_width="0"), style=style
        )
        # ipywidgets has `gap` only by its older name.
        line = ipywidgets.Layout(
            align_items="center", flex_flow="row wrap", width="100%", overflow="hidden", grid_gap="2px 8px"
        )
        self.measure = ipywidgets.HBox([self.bar, self.figures], layout=line)
        self.foot = ipywidgets.HBox([self.button, self.message], layout=line)
        self.result = ipywidgets.VBox(layout=ipywidgets.Layout(margin="0", min_width="0", overflow="hidden"))
        self.rows = (stylesheet, self.head, self.measure, self.foot, self.result)
        self._shown: View | None = None

    def show(self, view: View) -> int:
        """Update the widgets; return the number of messages."""
        before, self._shown = self._shown, view
        messages = send_changes(self._states(view))
        if before is None or _unknown(before) != _unknown(view):
            (self.bar.add_class if _unknown(view) else self.bar.remove_class)("nk-alive")
        return messages

    def _states(self, view: View) -> Mapping[ipywidgets.Widget, Mapping[str, object]]:
        description, tooltip = _BUTTONS[view.action]
        return {
            self.head: {"value": str(card_html.head(view))},
            self.bar: {
                "value": 100.0 if _unknown(view) else (view.percent or 0.0),
                "bar_style": BAR_STYLES[view.color],
            },
            self.figures: {"value": str(card_html.figures(view))},
            self.button: {
                "description": description,
                "tooltip": tooltip,
                "disabled": view.busy,
            },
            # A button without a description would be shown too, with its old one.
            self.button.layout: {"display": None if description else "none"},
            self.message: {"value": str(card_html.message(view.message))},
        }


def _unknown(view: View) -> bool:
    """Return whether a running job has no progress: the bar is then full and pulsates, without an invented number."""
    return view.moving and view.percent is None
