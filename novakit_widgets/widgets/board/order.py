"""Which of a board's jobs are shown, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ...batches.queue import PlaceState
from .view import FAILED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...batches.queue import Place

__all__ = ["FILTERS", "SORTS", "picked"]

Filter = Literal["all", "open", "waiting", "running", "done", "failed", "cancelled"]
Sort = Literal["number", "status", "longest", "newest"]

_WANTED: Mapping[str, frozenset[PlaceState]] = {
    "all": frozenset(PlaceState),
    "open": frozenset({PlaceState.WAITING, PlaceState.RUNNING}),
    "waiting": frozenset({PlaceState.WAITING}),
    "running": frozenset({PlaceState.RUNNING}),
    "done": frozenset({PlaceState.COMPLETED}),
    "failed": FAILED,
    "cancelled": frozenset({PlaceState.CANCELLED}),
}
FILTERS: Sequence[tuple[str, Filter]] = (
    ("all jobs", "all"),
    ("not ended", "open"),
    ("waiting", "waiting"),
    ("running", "running"),
    ("done", "done"),
    ("failed", "failed"),
    ("cancelled", "cancelled"),
)
SORTS: Sequence[tuple[str, Sort]] = (
    ("by number", "number"),
    ("by status", "status"),
    ("longest first", "longest"),
    ("newest first", "newest"),
)
# What a user looks for first when the jobs stand by their status.
_ORDER: Mapping[PlaceState, int] = {
    state: index
    for index, state in enumerate(
        (
            PlaceState.FAILED,
            PlaceState.REFUSED,
            PlaceState.UNCERTAIN,
            PlaceState.LEFT,
            PlaceState.RUNNING,
            PlaceState.WAITING,
            PlaceState.COMPLETED,
            PlaceState.CANCELLED,
        )
    )
}


def picked(places: Sequence[Place], *, wanted: Filter, sort: Sort) -> list[Place]:
    """Return the places that a filter lets through, in the order that was asked for.

    Args:
        places: by number.
        wanted: which.
        sort: the order.
    """
    states = _WANTED[wanted]
    found = list(places) if wanted == "all" else [place for place in places if place.state in states]
    keys: Mapping[Sort, Callable[[Place], float]] = {
        "status": lambda place: _ORDER[place.state],
        "longest": lambda place: -(place.run.elapsed or 0.0),
        "newest": _age,
    }
    if sort in keys:
        found.sort(key=keys[sort])  # those that are equal stay by number
    return found


def _age(place: Place) -> float:
    """Return a number that is the smaller, the later something has become of a place."""
    job = place.run.job
    moment = None if job is None else job.completed_at or job.created_at
    return float("inf") if moment is None else -moment.timestamp()
