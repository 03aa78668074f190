"""The finished media inside a widget."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import ipywidgets
from markupsafe import Markup

from ...api.embedding import EMBED_BYTES
from ...model.parsing import readable
from .plain import media_tag, shown_size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ...api.embedding import Kept

__all__ = ["close_all", "players", "text_block"]

_HANDLERS = ("_click_handlers", "_msg_callbacks")  # of ipywidgets 8, where they are left behind by `close`


def players(kept: Sequence[Kept], *, title: str) -> list[ipywidgets.DOMWidget]:
    """Make the widgets that play or show a result: one for each video or sound, and one for all pictures, side by side.

    Args:
        kept: the media; those that could not be fetched have none.
        title: what they are, for those who can't see them.
    """
    there = [one for one in kept if one.error is None]
    pictures = [one for one in there if one.media.kind == "image"]
    tags = [media_tag(_for_a_widget(one), title, alone=len(there) == 1) for one in pictures]
    made = [_player(one, alone=len(there) == 1) for one in there if one.media.kind != "image"]
    return ([ipywidgets.HTML(Markup(" ").join(tags))] if tags else []) + made


def _player(kept: Kept, *, alone: bool) -> ipywidgets.DOMWidget:
    """Make a widget that plays one result. It does not start by itself, and does not loop."""
    kept = _for_a_widget(kept)
    # Bytes travel faster to these two than a data URI to an HTML widget does. They take no tooltip: with one, the view of a
    # widget that has no description can't be created (ipywidgets 8.1, DOMWidgetView.updateTooltip).
    source = kept.media.url.encode() if kept.content is None else kept.content
    form = "url" if kept.content is None else kept.mime.partition("/")[2]
    # A margin would make them wider than the card, which a screen reader's user would have to scroll.
    quiet = {
        "value": source,
        "format": form,
        "autoplay": False,
        "loop": False,
        "controls": True,
        "layout": ipywidgets.Layout(margin="0", max_width="100%"),
    }
    if kept.media.kind == "audio":
        return ipywidgets.Audio(**quiet)
    width, height = shown_size(kept.media, alone=alone)
    return ipywidgets.Video(width=str(width), height=str(height or ""), **quiet)


def _for_a_widget(kept: Kept) -> Kept:
    """Take the bytes of a file: a widget's page begins its relative addresses elsewhere than a saved notebook does."""
    return kept if kept.path is None else replace(kept, path=None, content=_small(kept.path))


def _small(file: Path) -> bytes | None:
    """Return the bytes of a file that the kernel's messages can carry; ``None`` for a larger one, or one that is gone."""
    try:
        return file.read_bytes() if file.stat().st_size <= EMBED_BYTES else None
    except OSError:
        return None


def text_block(text: str) -> ipywidgets.HTML:
    """Make a widget that shows a text as it is."""
    return ipywidgets.HTML(Markup('<p class="nk-text" dir="auto">{}</p>').format(readable(text)))


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
