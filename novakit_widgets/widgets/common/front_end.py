"""Front-end modules of ours, for what no ipywidget can do. Without them everything still works.

They are anywidgets. That package is imported when the first of them is made, since importing it takes as long as a card.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import ipywidgets

__all__ = ["front_end", "hidden"]


@functools.cache
def _module_class() -> Any:
    import anywidget
    import traitlets

    class FrontEndModule(anywidget.AnyWidget):
        """A module at work in the page. It shows nothing itself.

        Attributes:
            root: the CSS class of the element that it works on; the module is somewhere inside.
            running: whether it has begun.
        """

        _esm = traitlets.Unicode().tag(sync=True)
        root = traitlets.Unicode().tag(sync=True)
        running = traitlets.Bool(default_value=False).tag(sync=True)

    return FrontEndModule


def front_end(script: Path, root: str) -> ipywidgets.DOMWidget:
    """Return a module.

    Args:
        script: the file of JavaScript.
        root: the CSS class of the element that it works on.
    """
    module: ipywidgets.DOMWidget = _module_class()(_esm=script.read_text("utf-8"), root=root)
    return module


def hidden(module: ipywidgets.DOMWidget) -> ipywidgets.Box:
    """Return a box that takes no room, for a module and for what the front end shows where it can't load it."""
    return ipywidgets.Box([module], layout=ipywidgets.Layout(display="none"))
