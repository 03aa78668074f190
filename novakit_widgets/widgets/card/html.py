"""The HTML of a card. External strings are escaped: they enter HTML only through `Markup.format`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from ..common.icons import icon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..common.shape import Shape
    from .view import View

__all__ = ["body", "figures", "foot", "head", "message", "pill", "stage"]

_BLANK = Markup("")


def head(view: View) -> Markup:
    """Return the card's tool and prompt. They are sent once: the status beside them changes more often."""
    return Markup(
        '<div class="nk-head">{icon}<span class="nk-title" title="{full}" dir="auto"><span class="nk-hidden">{label}: </span>'
        "{prompt}</span></div>"
    ).format(icon=icon(view.tool), label=view.label, full=view.full_prompt, prompt=view.prompt or view.label)


def pill(view: View) -> Markup:
    """Return the status."""
    return Markup(
        '<div class="nk-{color}"><span class="nk-pill" role="status" aria-live="polite">{status}</span></div>'
    ).format(color=view.color, status=view.status)


def body(view: View) -> Markup:
    """Return the place of the result while it is made, and the message."""
    return (_BLANK if view.shape is None else stage(view.shape)) + message(view.message)


def stage(shape: Shape, results: Sequence[Markup] = ()) -> Markup:
    """Return the place of a result: empty while it is made, or with the tags that show it.

    Args:
        shape: the requested shape, which the place keeps.
        results: the tags.
    """
    if shape.kind != "picture":
        return Markup('<div class="nk-empty nk-{}"></div>').format("sound" if shape.kind == "sound" else "lines")
    one = Markup('<div class="nk-stage{}" style="aspect-ratio: {} / {}">{}</div>')
    tags = results or [_BLANK] * shape.count
    places = _BLANK.join(
        one.format(_BLANK if tag else Markup(" nk-empty"), shape.wide, shape.high, tag) for tag in tags
    )
    return places if len(tags) == 1 else Markup('<div class="nk-tiles">{}</div>').format(places)


def figures(view: View) -> Markup:
    """Return percent and times, which also describe the bar to a screen reader."""
    shown = "" if view.percent is None else f"{view.percent:.0f} %"
    elapsed, _, rest = view.times.partition(" · ")
    text = " · ".join(part for part in (shown, elapsed) if part)
    spoken = " · ".join(part for part in (text, rest) if part)
    # Without a value the progress is unknown. The default range is 0 to 100.
    value = _BLANK if view.percent is None else Markup(' aria-valuenow="{:.0f}"').format(view.percent)
    return Markup(
        '<span class="nk-figures" role="progressbar" aria-label="{label}: progress"{value} aria-valuetext="{spoken}">{text}</span>'
        ' <span class="nk-left">{rest}</span>'
    ).format(label=view.label, value=value, spoken=spoken or view.status, text=text, rest=rest)


def foot(facts: Sequence[str], *links: Markup, finished: str = "") -> Markup:
    """Return the last line of a finished job: what it took, and what can be done with it.

    Args:
        facts: duration, model, cost.
        links: links, and parts that unfold.
        finished: when it ended, for the tooltip.
    """
    title = Markup(' title="{}"').format(finished) if finished else _BLANK
    return Markup('<div class="nk-foot"><span class="nk-facts"{}>{}</span>{}</div>').format(
        title, " · ".join(facts), Markup(" ").join(links)
    )


def message(text: str) -> Markup:
    """Return the card's message."""
    return Markup('<p class="nk-message" dir="auto">{}</p>').format(text) if text else _BLANK
