"""Where a card is shown, and what stands there afterwards.

A display that was made with an id can be replaced from a background task, in the right cell, after the cell has ended. The
update is lost where the page was reloaded since, and in Voila; so the card itself shows the result as well.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets

if TYPE_CHECKING:
    from IPython.display import DisplayHandle

__all__ = ["Places", "in_kernel", "is_nested"]


class Places:
    """The displays of one card."""

    def __init__(self) -> None:
        self._handles: list[DisplayHandle] = []

    @property
    def any(self) -> bool:
        """Whether the card was ever shown."""
        return bool(self._handles)

    def show(self, bundle: Mapping[str, Any]) -> None:
        """Show something in the cell that runs.

        Args:
            bundle: MIME types and their data.
        """
        from IPython.display import DisplayHandle

        handle = DisplayHandle()
        handle.display(dict(bundle), raw=True)
        self._handles.append(handle)

    def replace(self, bundle: Mapping[str, Any]) -> None:
        """Put something else wherever the card was shown.

        Args:
            bundle: MIME types and their data.
        """
        for handle in self._handles:
            handle.update(dict(bundle), raw=True)


def in_kernel() -> bool:
    """Whether there is a page that a display can appear on."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


def is_nested(widget: ipywidgets.Widget) -> bool:
    """Whether a widget is a child of somebody's layout, and so is shown there."""
    from ipywidgets.widgets.widget import _instances  # there is no public list any more

    return any(widget in box.children for box in list(_instances.values()) if isinstance(box, ipywidgets.Box))
