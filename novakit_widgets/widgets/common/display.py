"""Where a card is shown, and what stands there afterwards.

A display that was made with an id can be replaced from a background task, in the right cell, after the cell has ended. The
update is lost where the page was reloaded since, and in Voila; so the card itself shows the result as well.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from IPython.display import DisplayHandle

__all__ = ["Places", "in_kernel", "is_nested", "notebook_folder"]


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


def notebook_folder() -> Path:
    """Return the folder that relative addresses of a saved notebook begin at.

    That is where its kernel was started: Jupyter's servers and nbclient start it beside the notebook, and what the code has done
    to the working directory since is of no account.

    Raises:
        FileNotFoundError: in a plain script, whose working directory was deleted.
    """
    if in_kernel():
        from IPython import get_ipython

        visited = get_ipython().user_ns.get("_dh")  # IPython's own list of folders; `%cd` adds to it
        if isinstance(visited, list) and visited and Path(visited[0]).is_dir():
            return Path(visited[0])
    return Path.cwd()


def is_nested(widget: ipywidgets.Widget) -> bool:
    """Whether a widget is a child of somebody's layout, and so is shown there."""
    from ipywidgets.widgets.widget import _instances  # there is no public list any more

    return any(widget in box.children for box in list(_instances.values()) if isinstance(box, ipywidgets.Box))
