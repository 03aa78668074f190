"""Widgets that play or show finished media."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import ipywidgets
from markupsafe import Markup

from ...api.embedding import EMBED_BYTES
from ...model.parsing import readable
from . import html as card_html
from .plain import media_tag, shown_size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ...api.embedding import Kept
    from ..common.shape import Shape

__all__ = ["players", "text_block"]


def players(kept: Sequence[Kept], *, title: str, shape: Shape) -> list[ipywidgets.DOMWidget]:
    """Return the widgets that play or show a result: one for each video or sound, and one for all images, side by side.

    Args:
        kept: the media; those that could not be fetched are skipped.
        title: the alternative text.
        shape: the place that was kept free for them.
    """
    fetched = [one for one in kept if one.error is None]
    images = [one for one in fetched if one.media.kind == "image"]
    tags = [media_tag(_for_a_widget(one), title, alone=len(fetched) == 1) for one in images]
    made = [_player(one, alone=len(fetched) == 1) for one in fetched if one.media.kind != "image"]
    return ([ipywidgets.HTML(str(card_html.stage(shape, tags)))] if tags else []) + made


def _player(kept: Kept, *, alone: bool) -> ipywidgets.DOMWidget:
    """Return a widget that plays one result, without autoplay and loop."""
    kept = _for_a_widget(kept)
    # Bytes in these two widgets travel faster than a data URI in an HTML widget. They must have no tooltip: with one, the view
    # of a widget without a description can't be created (ipywidgets 8.1, DOMWidgetView.updateTooltip).
    source = kept.media.url.encode() if kept.content is None else kept.content
    form = "url" if kept.content is None else kept.mime.partition("/")[2]
    # A margin would make them wider than the card, which would then scroll.
    options = {
        "value": source,
        "format": form,
        "autoplay": False,
        "loop": False,
        "controls": True,
        "layout": ipywidgets.Layout(margin="0", max_width="100%"),
    }
    if kept.media.kind == "audio":
        options["layout"].margin = "7px 12px"  # as in the plain result
        return ipywidgets.Audio(**options)
    width, height = shown_size(kept.media, alone=alone)
    return ipywidgets.Video(width=str(width), height=str(height or ""), **options)


def _for_a_widget(kept: Kept) -> Kept:
    """Return media with the bytes of their file: relative URLs resolve differently in a live page and in a saved notebook."""
    return kept if kept.path is None else replace(kept, path=None, content=_small(kept.path))


def _small(file: Path) -> bytes | None:
    """Return a file's bytes; ``None`` if it is too large for a kernel message, or missing."""
    try:
        return file.read_bytes() if file.stat().st_size <= EMBED_BYTES else None
    except OSError:
        return None


def text_block(text: str) -> ipywidgets.HTML:
    """Return a widget that shows a text."""
    return ipywidgets.HTML(Markup('<p class="nk-text" dir="auto">{}</p>').format(readable(text)))
