"""The HTML of a board: its head, table, results and a job's details. External strings are escaped by `Markup.format`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ...batches.queue import ItemState
from ...model.job import JobStatus
from ...model.parsing import readable
from ..card.plain import code_block, details_table, media_tag
from ..common.icons import ICONS, icon
from ..common.labels import label_of, prompt_of, shortened
from ..common.status import percent_of
from .view import status_with_reason, times_of, title_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from ...api.embedding import Kept
    from ...batches.queue import QueueItem
    from ...errors import NovaKitError
    from ...model.tools import Tool
    from .view import Row, Totals

__all__ = [
    "NOTHING",
    "announcement",
    "cell",
    "details",
    "details_head",
    "figures",
    "head",
    "hold",
    "row",
    "span",
    "table",
]

NOTHING = _BLANK = Markup("")
_TEXT_LENGTH = 400  # characters of a text in the grid
_RAW_LENGTH = 10_000  # characters of a result in the details


# With %, which escapes like `format` in a third of the time: a hundred rows are made at once.
_ROW = Markup(
    '<tr class="nk-%s"><th scope="row" class="nk-n">%s</th><td dir="auto"%s>%s<span class="nk-p">%s</span></td>'
    '<td class="nk-s"%s>%s%s</td><td class="nk-t">%s</td></tr>'
)
_BAR = Markup(' %d %%<span class="nk-b" aria-hidden="true"><i style="width:%d%%"></i></span>')
_THUMBNAIL = Markup('<img src="%s" alt="" loading="lazy" decoding="sync" width="40" height="40">')
_ICON = Markup('<span class="nk-i nk-i-%s" aria-hidden="true"></span>')
_TABLE = Markup(
    '<table class="nk-table"><caption class="nk-hidden">{caption}</caption><thead><tr><th scope="col" class="nk-n">No.</th>'
    '<th scope="col">Prompt</th><th scope="col" class="nk-s">Status</th><th scope="col" class="nk-t">Time</th></tr></thead>'
    "<tbody>{rows}</tbody></table>"
)
_TITLE = Markup(' title="%s"')


def head(totals: Totals, tools: Iterable[Tool]) -> Markup:
    """Return the board's first lines: its tools and its progress."""
    named = sorted(set(tools), key=str)
    return Markup(
        '<div class="nk-head nk-{color}">{icon}<span class="nk-title"><span class="nk-hidden">{label}: </span>{title}</span>'
        '<span class="nk-pill">{done:,} of {count:,}</span></div><p class="nk-note nk-totals">{summary}</p>'
    ).format(
        color=totals.color,
        icon=icon(named[0] if len(named) == 1 else ""),
        label=" and ".join(label_of(each) for each in named),
        title=title_of(named, totals.count),
        done=totals.done,
        count=totals.count,
        summary=totals.summary(),
    )


def announcement(text: str) -> Markup:
    """Return a text that screen readers announce."""
    return Markup('<span class="nk-hidden" role="status" aria-live="polite">{}</span>').format(text)


def figures(totals: Totals) -> Markup:
    """Return the percentage of all jobs, which also describes the bar to a screen reader."""
    return Markup(
        '<span class="nk-figures" role="progressbar" aria-label="All jobs: progress" aria-valuenow="{0:.0f}" '
        'aria-valuetext="{0:.0f} %, {1} of {2} done">{0:.0f} %</span>'
    ).format(totals.percent, totals.done, totals.count)


def span(text: str) -> Markup:
    """Return a short text."""
    return Markup('<span class="nk-span">{}</span>').format(text) if text else _BLANK


def hold(error: NovaKitError | None, *notes: str) -> Markup:
    """Return remarks, and why the queue is on hold, such as an exceeded quota."""
    parts = [Markup('<p class="nk-message" dir="auto">{}</p>').format(readable(note)) for note in notes if note]
    if error is not None:
        parts.append(Markup('<p class="nk-message" dir="auto"><strong>On hold.</strong> {}</p>').format(error.message))
    return _BLANK.join(parts)


def row(view: Row) -> Markup:
    """Return one row of the table."""
    percent = None if view.percent is None else round(view.percent)
    return _ROW % (
        view.color,
        view.number,
        _TITLE % view.title if view.title else _BLANK,
        _THUMBNAIL % view.thumbnail if view.thumbnail else _ICON % (view.tool if view.tool in ICONS else "none"),
        view.prompt,
        _TITLE % view.why if view.why else _BLANK,
        view.status,
        _BLANK if percent is None else _BAR % (percent, percent),
        view.times,
    )


def table(rows: Sequence[Markup], caption: str) -> Markup:
    """Return the table.

    Args:
        rows: the results of `row`.
        caption: the table's description for screen readers.
    """
    if not rows:
        return Markup("<p>No jobs match this filter.</p>")
    return _TABLE.format(caption=caption, rows=_BLANK.join(rows))


def cell(place: QueueItem, kept: Kept | None) -> Markup:
    """Return one result for the grid; it is loaded when it becomes visible or is played.

    Args:
        place: the job's place.
        kept: one of its media; ``None`` for a text result.
    """
    prompt = prompt_of(place.params)
    title = f"{place.number}: {shortened(prompt, 200)}"
    job = place.run.job
    if kept is not None:
        shown = media_tag(kept, title, alone=False, lazy=True)
    else:
        text = "" if job is None else job.text if job.text is not None else str(job.output)
        shown = Markup('<p class="nk-text" dir="auto">{}</p>').format(readable(shortened(text, _TEXT_LENGTH)))
    return Markup(
        '<figure class="nk-cell">{}<figcaption dir="auto"><strong>{}</strong> {}</figcaption></figure>'
    ).format(shown, place.number, shortened(prompt, 70))


def details_head(place: QueueItem, *, now: datetime) -> Markup:
    """Return a job's status: the part of its details that changes continually."""
    status, color, why = status_with_reason(place, now=now)
    percent = percent_of(place.run) if place.state is ItemState.RUNNING else None
    facts = [status, f"{percent:.0f} %" if percent is not None else "", times_of(place), why]
    return Markup(
        '<div class="nk-head nk-{color}">{icon}<span class="nk-title">{label} {number}</span>'
        '<span class="nk-pill">{facts}</span></div>'
    ).format(
        color=color,
        icon=icon(str(place.tool)),
        label=label_of(place.tool),
        number=place.number,
        facts=" · ".join(part for part in facts if part),
    )


def details(place: QueueItem, kept: Sequence[Kept]) -> Markup:
    """Return a job's prompt, its error, its result, its parameters and the call that makes it again.

    Args:
        place: the job's place.
        kept: its media.
    """
    run = place.run
    prompt = prompt_of(place.params)
    parts = [Markup('<p dir="auto">{}</p>').format(shortened(prompt, 1_000))]
    messages = [each.message for each in (run.error or run.trouble,) if each is not None] + [run.note, run.remarks]
    parts += [Markup('<p class="nk-message" dir="auto">{}</p>').format(readable(text)) for text in messages if text]
    if kept:
        tags = [media_tag(one, shortened(prompt, 200), alone=len(kept) == 1, lazy=True) for one in kept]
        parts.append(Markup("<p>{}</p>").format(Markup(" ").join(tags)))
    elif run.job is not None and run.job.text is not None:
        parts.append(Markup('<p class="nk-text" dir="auto">{}</p>').format(readable(run.job.text)))
    elif run.job is not None and run.job.status == JobStatus.COMPLETED:
        parts.append(Markup("<pre>{}</pre>").format(readable(shortened(str(run.job.output), _RAW_LENGTH))))
    facts: dict[str, Any] = {"job id": run.job_id} if run.job_id else {}
    if run.job is not None and run.job.actual_credits is not None:
        facts["credits"] = f"{run.job.actual_credits:g}"
    parts.append(details_table({**facts, **place.params}))
    parts.append(code_block(place.tool, place.params))
    return Markup('<div class="nk-details">{}</div>').format(_BLANK.join(parts))
