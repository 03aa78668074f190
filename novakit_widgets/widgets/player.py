"""The finished media inside a widget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets
from markupsafe import Markup

from .plain import media_tag, shown_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..embedding import Kept

__all__ = ["close_all", "player", "text_block"]

_HANDLERS = ("_click_handlers", "_msg_callbacks")  # of ipywidgets 8, where they are left behind by `close`


def player(kept: Kept, *, title: str) -> ipywidgets.DOMWidget:
    """Make a widget that plays or shows one result. It does not start by itself, and does not loop.

    Args:
        kept: the media, and their bytes where there are any; otherwise it plays from where the service keeps them.
        title: what it is, for those who can't see it.
    """
    if kept.media.kind == "image":
        return ipywidgets.HTML(media_tag(kept, title, alone=True))
    # Bytes travel faster to these two than a data URI to an HTML widget does. They take no tooltip: with one, the view of a
    # widget that has no description can't be created (ipywidgets 8.1, DOMWidgetView.updateTooltip).
    source = kept.media.url.encode() if kept.content is None else kept.content
    form = "url" if kept.content is None else kept.mime.partition("/")[2]
    quiet = {"value": source, "format": form, "autoplay": False, "loop": False, "controls": True}
    if kept.media.kind == "audio":
        return ipywidgets.Audio(**quiet)
    width, height = shown_size(kept.media)
    return ipywidgets.Video(width=str(width), height=str(height or ""), **quiet)


def text_block(text: str) -> ipywidgets.HTML:
    """Make a widget that shows a text as it is."""
    return ipywidgets.HTML(Markup('<p class="nk-text" dir="auto">{}</p>').format(text))


def close_all(widgets: Sequence[ipywidgets.Widget]) -> None:
    """Close widgets with all that they contain, their layouts and styles too; a box alone would leave them behind.

    A button and its handlers hold each other, and through ours a whole card with its media: parted, they are gone as soon as
    nobody holds the card, rather than when the garbage collector next looks at everything.
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
