"""Painting a board: the filtered, sorted page of jobs, of which only changes are sent."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from ...api.embedding import Kept
from ...batches.queue import ItemState
from ...config import settings
from ...errors import MediaError, NotFoundError
from ...runtime import loop as job_loop
from ..common.kernel import notebook_folder
from ..common.labels import prompt_of
from ..common.observe import when_changed
from . import grid, table
from .grid import MOST_CELLS
from .media import save_places
from .order import picked
from .parts import CELLS, BoardParts
from .view import FAILED, Row, Totals, prompt_and_title, remarks, thumbnail_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import ipywidgets
    from markupsafe import Markup

    from ...batches.grid import Grid
    from ...batches.queue import JobQueue, QueueItem
    from ...errors import NovaKitError

__all__ = ["MOST_TILES", "PAGE", "BoardPainter", "Proposal"]

PAGE = 100  # rows of the table
MOST_TILES = 50  # jobs that are shown as tiles unless a table is asked for
_ANNOUNCED = 10.0  # seconds between two announcements by a screen reader
_BUTTONS: Mapping[ItemState, tuple[str, str]] = {
    ItemState.WAITING: ("Cancel", "Never submit this job"),
    ItemState.RUNNING: ("Cancel", "Cancel this job"),
    ItemState.COMPLETED: ("Save", "Save this result as a file beside the notebook"),
    ItemState.FAILED: ("Try again", "Submit this job again; it is billed like a new one"),
    ItemState.CANCELLED: ("Try again", "Submit this job again; it is billed like a new one"),
    ItemState.REFUSED: ("Try again", "Submit this job again; it is billed like a new one"),
    ItemState.UNCERTAIN: ("Try again", "Look for this job, and submit it only if the service has no such job"),
    ItemState.LEFT: ("Keep watching", "Watch this job again; it costs nothing"),
}
_OPEN = frozenset({ItemState.WAITING, ItemState.RUNNING})


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a user must confirm before anything is submitted.

    Attributes:
        hold: the error that holds the queue until then.
        text: returns the description with its cost.
        button: the description of the button that confirms.
        tooltip: the tooltip of that button.
    """

    hold: NovaKitError
    text: Callable[[], Markup]
    button: str
    tooltip: str


class BoardPainter:
    """Paints a queue into a board's widgets.

    Args:
        queue: the queue.
        request_repaint: called after a user action.
        grid: the labels of a sweep's table.
        clock: returns monotonic seconds.

    Attributes:
        parts: the widgets.
        note: a remark, such as where something was saved.
        proposal: what the user must confirm; ``None`` for nothing.
    """

    def __init__(
        self,
        queue: JobQueue,
        *,
        request_repaint: Callable[[], None],
        grid: Grid | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._request_repaint = request_repaint
        self._labels = grid if grid is not None and len(queue.items) <= MOST_CELLS else None
        self.proposal: Proposal | None = None
        self._clock = clock
        self.parts = BoardParts()
        self.note = ""
        self._page = 0
        self._chosen: QueueItem | None = None
        self._error = ""
        self._rows: dict[int, tuple[Row, Markup]] = {}
        self._results: list[tuple[QueueItem, Kept | None]] = []
        self._linked: dict[int, tuple[Kept, ...]] = {}
        self._prompts: dict[int, tuple[str, str]] = {}
        self._details: tuple[object, Markup] = (None, table.NOTHING)
        self._announced: tuple[float, object, str] = (float("-inf"), None, "")
        self._listen()

    def _listen(self) -> None:
        parts = self.parts
        for button, work in (
            (parts.cancel, self._queue.cancel),
            (parts.again, self._retry_failed),
            (parts.resume, self._queue.resume),
            (parts.before, partial(self._turn, -1)),
            (parts.after, partial(self._turn, 1)),
            (parts.act, self._act_on_chosen),
        ):
            button.on_click(lambda _button, work=work: job_loop.call(work))
        for control in (parts.filter, parts.sort, parts.as_grid, parts.as_table):
            when_changed(control, self._show_first_page)
        when_changed(parts.number, self._choose)

    def summary(self) -> str:
        """Return the queue's progress in one line."""
        return Totals.of(self._queue, now=_now()).summary()

    def paint(self) -> int:
        """Send what has changed since the last repaint; return the number of messages."""
        now = _now()
        totals = Totals.of(self._queue, now=now)
        self._take_results()
        parts, grid = self.parts, bool(self.parts.as_grid.value)
        proposal = self.proposal if self.proposal is not None and self._queue.held is self.proposal.hold else None
        return parts.show(
            {
                parts.head: {"value": str(table.head(totals, {place.tool for place in self._queue.items}))},
                parts.announcer: {"value": self._announcement(totals)},
                parts.bar: {"value": totals.percent, "layout": parts.meter(shown=not totals.settled)},
                parts.figures: {"value": str(table.figures(totals))},
                parts.notice: {"value": str(self._notice() if proposal is None else proposal.text())},
                parts.cancel: {
                    "layout": parts.button(shown=not totals.settled),
                    "description": "Cancel all" if proposal is None else "Discard",
                },
                parts.again: {"layout": parts.button(shown=totals.failed > 0)},
                parts.resume: {
                    "layout": parts.button(shown=self._queue.held is not None),
                    "description": "Continue" if proposal is None else proposal.button,
                    "tooltip": "Submit the queued jobs" if proposal is None else proposal.tooltip,
                    "button_style": "" if proposal is None else "primary",
                },
            },
            parts.views(
                grid=grid,
                fixed=self._labels is not None,
                tiles=self._labels is None and totals.count <= MOST_TILES,
            ),
            self._grid() if grid else self._table(now) if self._labels is None else self._labelled(now),
            self._chosen_states(now),
        )

    def _notice(self) -> Markup:
        return table.hold(self._queue.held, *remarks(self._queue), self.note)

    def _announcement(self, totals: Totals) -> str:
        at, before, text = self._announced
        turn = (totals.settled, totals.held)
        if turn != before or self._clock() - at >= _ANNOUNCED:
            text = str(table.announcement(f"On hold. {totals.summary()}" if totals.held else totals.summary()))
            self._announced = (self._clock(), turn, text)
        return text

    # The table and the grid

    def _table(self, now: datetime) -> Mapping[ipywidgets.Widget, Mapping[str, Any]]:
        places = picked(self._queue.items, filter_by=self.parts.filter.value, sort=self.parts.sort.value)
        first = self._first_of(len(places), PAGE)
        rows = [self._row(place, now) for place in places[first : first + PAGE]]
        shown = _span(self._page, PAGE, len(places), "job")
        return {
            self.parts.table: {"value": str(table.table(rows, shown))},
            **self._pager(len(places), PAGE, shown),
        }

    def _labelled(self, now: datetime) -> Mapping[ipywidgets.Widget, Mapping[str, Any]]:
        assert self._labels is not None  # for the type checker
        cells = [self._view_of(place, now) for place in self._queue.items]
        return {
            self.parts.table: {"value": str(grid.live_grid(self._labels, cells))},
            **self._pager(len(cells), len(cells), _span(0, len(cells), len(cells), "job")),
        }

    def _row(self, place: QueueItem, now: datetime) -> Markup:
        view = self._view_of(place, now)
        before = self._rows.get(place.number)
        if before is None or before[0] != view:
            before = self._rows[place.number] = (view, table.row(view))
        return before[1]

    def _view_of(self, place: QueueItem, now: datetime) -> Row:
        number = place.number
        if number not in self._prompts:
            self._prompts[number] = prompt_and_title(prompt_of(place.params))
        thumbnail = thumbnail_of(self._linked.get(number, ()))
        return Row.of(place, now=now, prompt=self._prompts[number], thumbnail=thumbnail)

    def _take_results(self) -> None:
        """Append results that have been completed since: results that play must keep their place."""
        for place in self._queue.items:
            if place.number not in self._linked and place.state is ItemState.COMPLETED:
                self._linked[place.number] = kept = _linked(place)
                self._results += [(place, one) for one in kept] or [(place, None)]

    def _grid(self) -> Mapping[ipywidgets.Widget, Mapping[str, Any]]:
        first = self._first_of(len(self._results), CELLS)
        shown = self._results[first : first + CELLS]
        values = [str(table.cell(place, kept)) for place, kept in shown] + [""] * (CELLS - len(shown))
        span = _span(self._page, CELLS, len(self._results), "result")
        cells = zip(self.parts.cells, values, strict=True)
        return {
            **{widget: self.parts.cell(value) for widget, value in cells},
            **self._pager(len(self._results), CELLS, span),
        }

    def _first_of(self, count: int, size: int) -> int:
        self._page = max(0, min(self._page, (count - 1) // size))
        return self._page * size

    def _pager(self, count: int, size: int, shown: str) -> Mapping[ipywidgets.Widget, Mapping[str, Any]]:
        layout = self.parts.button(shown=count > size)
        last = (count - 1) // size
        return {
            self.parts.before: {"layout": layout, "disabled": self._page == 0},
            self.parts.after: {"layout": layout, "disabled": self._page >= last},
            self.parts.shown: {"value": str(table.span(shown))},
        }

    def _turn(self, pages: int) -> None:
        self._page += pages
        self._request_repaint()

    def _show_first_page(self) -> None:
        self._page = 0
        self._request_repaint()

    # One job

    def _choose(self) -> None:
        """Choose the job whose number or id was typed."""
        text = str(self.parts.number.value).strip().removeprefix("#")
        places = self._queue.items
        number = int(text) if text.isdecimal() and len(text) < 10 else len(places)
        found = places[number : number + 1] or tuple(place for place in places if text and place.run.job_id == text)
        self._chosen = found[0] if found else None
        missing = f"There is no job {text[:80]!r}; jobs are numbered from 0 to {len(places) - 1}."
        self._error = missing if text and not found else ""
        self._request_repaint()

    def _chosen_states(self, now: datetime) -> Mapping[ipywidgets.Widget, Mapping[str, Any]]:
        parts, place = self.parts, self._chosen
        if place is None:
            return {
                parts.details_head: {"value": str(table.span(self._error))},
                parts.details: {"value": ""},
                parts.act: {"layout": parts.button(shown=False)},
            }
        run, state = place.run, place.state
        key = (place, run, run.phase, run.job_id, run.error, run.trouble, run.note, run.equal)
        if self._details[0] != key:
            self._details = (key, table.details(place, self._linked.get(place.number, ())))
        description, tooltip = _BUTTONS[state]
        has_text = run.job is not None and run.job.text is not None
        can_act = state is not ItemState.COMPLETED or has_text or bool(self._linked.get(place.number))
        can_act = can_act and not (run.job is None and isinstance(run.error, NotFoundError))
        return {
            parts.details_head: {"value": str(table.details_head(place, now=now))},
            parts.details: {"value": str(self._details[1])},
            parts.act: {
                "layout": parts.button(shown=can_act),
                "description": description,
                "tooltip": tooltip,
                "disabled": run.cancelling,
            },
        }

    def _act_on_chosen(self) -> None:
        place = self._chosen
        if place is None:
            return
        state = place.state
        if state in _OPEN:
            self._queue.cancel_item(place)
        elif state is not ItemState.COMPLETED:
            self._queue.retry([place])
        else:
            job_loop.background(lambda: self._save(place))

    def _retry_failed(self) -> None:
        self._queue.retry([place for place in self._queue.items if place.state in FAILED])

    async def _save(self, place: QueueItem) -> None:
        folder = settings.save_to().value or notebook_folder()
        try:
            files = await save_places(self._queue.client, [place], folder, count=len(self._queue.items))
        except (MediaError, OSError) as error:
            self.note = str(error)
        else:
            names = ", ".join(file.name for file in files.get(place.number, ()))
            self.note = f"Job {place.number} saved as {names} in {folder}"
        self._request_repaint()


def _linked(place: QueueItem) -> tuple[Kept, ...]:
    """Return a place's media with the service's URLs: the page loads them when they become visible."""
    job = place.run.job
    return () if job is None else tuple(Kept(media, media.mime) for media in job.media)


def _span(page: int, size: int, count: int, what: str) -> str:
    """Return which page is shown.

    Example:
        >>> _span(1, 100, 1000, "job"), _span(0, 100, 7, "job"), _span(0, 12, 0, "result")
        ('Page 2 of 10, 1,000 jobs', '7 jobs', 'No results yet')
    """
    if not count:
        return "No results yet" if what == "result" else "No such jobs"
    pages = (count - 1) // size + 1
    total = f"{count:,} {what}{'' if count == 1 else 's'}"
    return f"Page {page + 1} of {pages}, {total}" if pages > 1 else total


def _now() -> datetime:
    return datetime.now(timezone.utc)
