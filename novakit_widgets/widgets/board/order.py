"""Filtering and sorting the jobs of a board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ...batches.queue import ItemState
from .view import FAILED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...batches.queue import QueueItem

__all__ = ["FILTERS", "SORTS", "picked"]

Filter = Literal["all", "open", "waiting", "running", "done", "failed", "cancelled"]
Sort = Literal["number", "status", "longest", "newest"]

_STATES_OF: Mapping[str, frozenset[ItemState]] = {
    "all": frozenset(ItemState),
    "open": frozenset({ItemState.WAITING, ItemState.RUNNING}),
    "waiting": frozenset({ItemState.WAITING}),
    "running": frozenset({ItemState.RUNNING}),
    "done": frozenset({ItemState.COMPLETED}),
    "failed": FAILED,
    "cancelled": frozenset({ItemState.CANCELLED}),
}
FILTERS: Sequence[tuple[str, Filter]] = (
    ("All jobs", "all"),
    ("Unfinished", "open"),
    ("Queued", "waiting"),
    ("Generating", "running"),
    ("Done", "done"),
    ("Failed", "failed"),
    ("Cancelled", "cancelled"),
)
SORTS: Sequence[tuple[str, Sort]] = (
    ("By number", "number"),
    ("By status", "status"),
    ("Longest first", "longest"),
    ("Newest first", "newest"),
)
# By status: what needs attention comes first.
_ORDER: Mapping[ItemState, int] = {
    state: index
    for index, state in enumerate(
        (
            ItemState.FAILED,
            ItemState.REFUSED,
            ItemState.UNCERTAIN,
            ItemState.LEFT,
            ItemState.RUNNING,
            ItemState.WAITING,
            ItemState.COMPLETED,
            ItemState.CANCELLED,
        )
    )
}


def picked(places: Sequence[QueueItem], *, filter_by: Filter, sort: Sort) -> list[QueueItem]:
    """Return the places that match a filter, sorted.

    Args:
        places: all places, by number.
        filter_by: the filter.
        sort: the order.
    """
    states = _STATES_OF[filter_by]
    found = list(places) if filter_by == "all" else [place for place in places if place.state in states]
    keys: Mapping[Sort, Callable[[QueueItem], float]] = {
        "status": lambda place: _ORDER[place.state],
        "longest": lambda place: -(place.run.elapsed or 0.0),
        "newest": _newest_first,
    }
    if sort in keys:
        found.sort(key=keys[sort])  # stable: equal ones stay by number
    return found


def _newest_first(place: QueueItem) -> float:
    """Return a sort key: the smaller, the newer the place's job."""
    job = place.run.job
    moment = None if job is None else job.completed_at or job.created_at
    return float("inf") if moment is None else -moment.timestamp()
