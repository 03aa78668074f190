"""A sweep's jobs as a labelled table, live and plain. External strings are escaped by `Markup.format`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ...batches.queue import ItemState
from ...model.parsing import readable
from ..card.plain import media_tag
from ..common.labels import label_of_value, prompt_of, shortened
from ..common.status import status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ...api.embedding import Kept
    from ...batches.grid import Axis, Grid
    from ...batches.queue import QueueItem
    from .view import Row

__all__ = ["MOST_CELLS", "live_grid", "plain_grid"]

MOST_CELLS = 200  # of a table that is sent whole, twice a second; more jobs are listed in rows
_LABEL_LENGTH = 120  # characters of a row or column header
_TEXT_LENGTH = 600  # characters of a text result
_BLANK = Markup("")


def live_grid(grid: Grid, rows: Sequence[Row]) -> Markup:
    """Return the live table: each job's number, status, bar and thumbnail.

    Args:
        grid: the labels.
        rows: what to show of each job, in the order of the grid.
    """
    return _table(grid, [_live_cell(row) for row in rows])


def plain_grid(grid: Grid, places: Sequence[QueueItem], kept: Mapping[int, Sequence[Kept]]) -> Markup:
    """Return the final table with the media.

    Args:
        grid: the labels.
        places: the jobs, in the order of the grid.
        kept: their media, by number.
    """
    table = _table(grid, [_plain_cell(place, kept.get(place.number, ())) for place in places])
    # What scrolls must be reachable by keyboard. The live table is in a widget that is.
    return Markup('<div class="nk-sweep-scroll" tabindex="0">{}</div>').format(table)


def _table(grid: Grid, cells: Sequence[Markup]) -> Markup:
    across, columns = grid.across, grid.columns
    heads = Markup("").join(
        Markup('<th scope="col" dir="auto">{}</th>').format(label)
        for label in (_labels((across,), values) for values in columns if across is not None)
    )
    corner = Markup("<td></td>") if across is not None else _BLANK
    rows = [
        Markup('<tr><th scope="row" dir="auto">{}</th>{}</tr>').format(
            _labels(grid.down, values), _BLANK.join(cells[place * len(columns) : (place + 1) * len(columns)])
        )
        for place, values in enumerate(grid.rows)
    ]
    down = ", ".join(axis.name for axis in grid.down)
    caption = f"Rows: {down}" + ("" if across is None else f"; columns: {across.name}")
    head = Markup("<thead><tr>{}{}</tr></thead>").format(corner, heads) if heads else _BLANK
    return Markup('<table class="nk-sweep"><caption>{}</caption>{}<tbody>{}</tbody></table>').format(
        caption, head, _BLANK.join(rows)
    )


def _labels(axes: Iterable[Axis], values: Sequence[Any]) -> Markup:
    """Return the header of a row or column: a text alone, other values with the parameter's name."""
    lines = [
        readable(shortened(value, _LABEL_LENGTH))
        if isinstance(value, str) and " " in value
        else f"{axis.name} {readable(shortened(label_of_value(value), _LABEL_LENGTH))}"
        for axis, value in zip(axes, values, strict=True)
    ]
    return Markup("<br>").join(lines)


_LIVE = Markup('<td class="nk-%s">%s<span class="nk-s"%s>%s%s</span> <span class="nk-n">%s</span></td>')
_BAR = Markup(' %d %%<span class="nk-b" aria-hidden="true"><i style="width:%d%%"></i></span>')


def _live_cell(row: Row) -> Markup:
    percent = None if row.percent is None else round(row.percent)
    picture: Callable[[str], Markup] = Markup('<img src="{}" alt="" loading="lazy" decoding="sync" width="160">').format
    return _LIVE % (
        row.color,
        picture(row.thumbnail) if row.thumbnail else _BLANK,
        Markup(' title="%s"') % row.why if row.why else _BLANK,
        row.status,
        _BAR % (percent, percent) if percent is not None else _BLANK,
        f"No. {row.number}",
    )


def _plain_cell(place: QueueItem, kept: Sequence[Kept]) -> Markup:
    title = f"{place.number}: {prompt_of(place.params)}"
    job, error = place.run.job, place.run.error
    parts = [media_tag(one, title, alone=False, lazy=True) for one in kept]
    if place.state is ItemState.COMPLETED and job is not None and not parts:
        text = job.text if job.text is not None else str(job.output)
        parts.append(Markup('<span dir="auto">{}</span>').format(readable(shortened(text, _TEXT_LENGTH))))
    elif place.state is not ItemState.COMPLETED:
        status = "Cancelled" if place.state is ItemState.CANCELLED else status_of(place.run)[0]
        why = "" if error is None or place.state is ItemState.CANCELLED else f". {readable(error.message)}"
        parts.append(Markup('<span dir="auto"><strong>{}</strong>{}</span>').format(status, why))
    return Markup("<td>{}</td>").format(Markup(" ").join(parts))
