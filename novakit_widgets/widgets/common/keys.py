"""Keep the notebook's shortcuts out of a form, and let Ctrl+Enter press its button.

While JupyterLab is in command mode a letter typed at a focused menu or button is a shortcut: ``m`` turns the cell into Markdown
and its results are gone, ``x`` cuts it. No ipywidget can prevent that, so this is a front-end module.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .front_end import front_end, hidden

if TYPE_CHECKING:
    import ipywidgets

__all__ = ["GENERATE", "key_guard"]

GENERATE = "novakit-generate"
"""The class of the button that Ctrl+Enter presses."""


def key_guard(form: str) -> ipywidgets.Box:
    """Return a widget that keeps the keys pressed in a form from the notebook. It takes no room.

    It has to be somewhere inside the form. Where the server does not have the module, the form works without it.

    Args:
        form: the CSS class of the form's root.

    Example:
        >>> guard = key_guard("novakit-explorer")
        >>> guard.layout.display
        'none'
        >>> guard.close()
    """
    return hidden(front_end(Path(__file__).with_name("keys.js"), form))
