"""The widgets that a card is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from . import html as card_html

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..common.view import View

__all__ = ["Parts"]

_BUTTONS: Mapping[str, tuple[str, str]] = {
    "start": ("Start", "Submit this job; it is billed"),
    "cancel": ("Cancel", "Cancel this job at the service"),
    "watch": ("Keep watching", "Go on watching this job"),
    "again": ("Try again", "Submit the same job once more; it is billed like a new one"),
    "anew": ("Generate anew", "Submit this job instead of the one from your history; it is billed"),
    "look": ("Look again", "Look for this job in NovaKit's list once more; nothing is submitted"),
    "save": ("Save", "Save the result as a file beside the notebook"),
    "": ("", ""),
}
_BAR_STYLES: Mapping[str, str] = {"good": "success", "bad": "danger", "running": "info", "waiting": "", "quiet": ""}


class Parts:
    """A card's head, bar, figures, button, message and result, in 21 models: layouts and styles are shared.

    Attributes:
        rows: what the card's box contains, from top to bottom.
        button: the one action that there is at a time.
        result: the box that the finished media go into.
    """

    def __init__(self) -> None:
        # On its own, because the whole of a value is sent when any of it changes.
        look = ipywidgets.HTML(str(card_html.STYLE), layout=ipywidgets.Layout(display="none"))
        plain = ipywidgets.Layout(margin="0", min_width="0")
        wide = ipywidgets.Layout(margin="0", flex="1 1 80px", width="auto", min_width="60px")
        style = look.style
        self.head = ipywidgets.HTML(layout=plain, style=style)
        self.bar = ipywidgets.FloatProgress(min=0.0, max=100.0, layout=wide)
        self.figures = ipywidgets.HTML(layout=plain, style=style)
        self.button = ipywidgets.Button(layout=ipywidgets.Layout(width="auto", margin="0", flex="0 0 auto"))
        self.message = ipywidgets.HTML(
            layout=ipywidgets.Layout(margin="0", flex="1 1 200px", min_width="0"), style=style
        )
        # `gap` of a line that wraps, by its older name, which is the one that ipywidgets has.
        line = ipywidgets.Layout(
            align_items="center", flex_flow="row wrap", width="100%", overflow="hidden", grid_gap="2px 8px"
        )
        self.measure = ipywidgets.HBox([self.bar, self.figures], layout=line)
        self.foot = ipywidgets.HBox([self.button, self.message], layout=line)
        self.result = ipywidgets.VBox(layout=ipywidgets.Layout(margin="0", min_width="0", overflow="hidden"))
        self.rows = (look, self.head, self.measure, self.foot, self.result)
        self._shown: View | None = None

    def show(self, view: View) -> int:
        """Bring the widgets up to date, and return how many messages that took: one for each that changed."""
        before, self._shown = self._shown, view
        messages = 0
        for widget, state in self._states(view).items():
            changed = {name: value for name, value in state.items() if getattr(widget, name) != value}
            if changed:
                with widget.hold_sync():
                    for name, value in changed.items():
                        setattr(widget, name, value)
                messages += 1
        if before is None or _unknown(before) != _unknown(view):
            (self.bar.add_class if _unknown(view) else self.bar.remove_class)("nk-alive")
        return messages

    def _states(self, view: View) -> Mapping[ipywidgets.Widget, Mapping[str, object]]:
        description, tooltip = _BUTTONS[view.action]
        return {
            self.head: {"value": str(card_html.head(view))},
            self.bar: {
                "value": 100.0 if _unknown(view) else (view.percent or 0.0),
                "bar_style": _BAR_STYLES[view.tone],
            },
            self.figures: {"value": str(card_html.figures(view))},
            self.button: {
                "description": description,
                "tooltip": tooltip,
                "disabled": view.busy,
            },
            # A button without a word would be shown all the same, and its old word stays on the page.
            self.button.layout: {"display": None if description else "none"},
            self.message: {"value": str(card_html.message(view.message))},
        }


def _unknown(view: View) -> bool:
    """Whether it goes on and nobody knows how far it is: the bar is then full and pulsates, and no number is invented."""
    return view.moving and view.percent is None
