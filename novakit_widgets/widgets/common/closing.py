"""Closing a widget together with everything inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ClosingBox", "close_all"]

_HANDLERS = ("_click_handlers", "_msg_callbacks")  # of ipywidgets 8; its `close` leaves them in place


def close_all(widgets: Sequence[ipywidgets.Widget]) -> None:
    """Close widgets with their children, layouts and styles; `ipywidgets.Box.close` leaves those open.

    A button and its handlers refer to each other, and through ours to a whole card with its media. Without the handlers, the
    card is freed as soon as nobody refers to it, not when the garbage collector next runs.
    """
    for widget in widgets:
        close_all(getattr(widget, "children", ()))
        for part in ("layout", "style"):
            inner = getattr(widget, part, None)
            if isinstance(inner, ipywidgets.Widget):
                inner.close()
        for name in _HANDLERS:
            handlers = getattr(widget, name, None)
            if isinstance(handlers, ipywidgets.CallbackDispatcher):
                handlers.callbacks = []
        widget.close()


class ClosingBox(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """A box that closes its children and its layout with itself."""

    def close(self) -> None:
        """Close the box and everything inside it."""
        close_all(self.children)
        if self.layout is not None:
            self.layout.close()
        super().close()
