"""The widgets inside a card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from ..common import style
from ..common.repaint import send_changes
from . import html as card_html

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from markupsafe import Markup

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
    """A card's head, status, button, message, result, bar and figures: 15 models, because layouts and styles are shared.

    The stylesheet arranges them.

    Attributes:
        rows: the children of the card.
        button: the present action.
        result: the box for the finished media.
    """

    def __init__(self) -> None:
        self._equal: ipywidgets.Button | None = None
        self._plain = ipywidgets.Layout()
        self._hidden = ipywidgets.Layout(display="none")
        # In a widget of its own: a changed value is always sent whole.
        stylesheet = ipywidgets.HTML(str(style.CARD), layout=self._hidden)
        common = {"layout": self._plain, "style": stylesheet.style}
        self.head = ipywidgets.HTML(_dom_classes=("nk-w-head",), **common)
        self.pill = ipywidgets.HTML(_dom_classes=("nk-w-pill",), **common)
        self.body = ipywidgets.HTML(_dom_classes=("nk-w-body",), **common)
        self.figures = ipywidgets.HTML(_dom_classes=("nk-w-figures",), **common)
        self.bar = ipywidgets.FloatProgress(min=0.0, max=100.0, layout=self._plain, _dom_classes=("nk-w-bar",))
        self.button = ipywidgets.Button(layout=self._plain)
        self.result = ipywidgets.VBox(layout=self._plain, _dom_classes=("nk-w-result",))
        self.rows: tuple[ipywidgets.Widget, ...] = (
            stylesheet,
            self.head,
            self.pill,
            self.button,
            self.body,
            self.result,
            self.bar,
            self.figures,
        )

    def offer_equal(self, on_click: Callable[[object], None]) -> None:
        """Add the button that shows an equal job, unless it is there.

        Args:
            on_click: called by the button.
        """
        if self._equal is None:
            self._equal = ipywidgets.Button(
                description="Show that one",
                tooltip="Show the equal job below this card; it costs nothing",
                layout=self._plain,
                _dom_classes=("nk-w-equal",),
            )
            self._equal.on_click(on_click)
            self.rows = (*self.rows, self._equal)

    def show(self, view: View, foot: Markup | None = None) -> int:
        """Update the widgets; return the number of messages.

        Args:
            view: what to show.
            foot: the last line of a job that has ended, in place of its progress.
        """
        description, tooltip = _BUTTONS[view.action]
        at_foot = ("nk-at-foot",) if foot is not None and view.done else ()
        alive = ("nk-alive",) if _unknown(view) else ()
        pill = str(card_html.pill(view))
        # In a repaint that changes the status the bar stays; it follows with the next second, so that each is small.
        waits = view.moving and bool(self.pill.value) and pill != self.pill.value
        return send_changes(
            {
                self.head: {"value": str(card_html.head(view))},
                self.pill: {"value": pill},
                self.body: {"value": str(card_html.body(view))},
                self.bar: {
                    **({} if waits else {"value": 100.0 if _unknown(view) else (view.percent or 0.0)}),
                    "layout": self._plain if view.shape is not None else self._hidden,
                    "_dom_classes": ("nk-w-bar", *alive),
                },
                self.figures: {"value": str(card_html.figures(view) if foot is None else foot)},
                # A button without a description would be shown too, with its old one. It is never disabled: it would
                # lose the focus.
                self.button: {
                    **({"description": description, "tooltip": tooltip} if description else {}),
                    "layout": self._plain if description else self._hidden,
                    "_dom_classes": at_foot,
                },
                **(
                    {self._equal: {"layout": self._plain if view.equal else self._hidden}}
                    if self._equal is not None
                    else {}
                ),
            }
        )

    def close(self) -> None:
        """Close the layouts that no widget uses at present; the others are closed with their widgets."""
        self._plain.close()
        self._hidden.close()


def _unknown(view: View) -> bool:
    """Return whether a running job has no progress: the bar is then full and pulsates, without an invented number."""
    return view.moving and view.percent is None
