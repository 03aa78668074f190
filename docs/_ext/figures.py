"""A benchmark's JSON, and the table of the fault matrix, as Markdown."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from benchmarks.report import goals_in

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["figures_of", "goals_table", "matrix_of"]

Table = Callable[[Sequence[str], Sequence[Sequence[str]]], str]
Cell = str | float | int | None
# Benchmarks are written while the pages already name them.
NOTHING_YET = "*Not measured yet.*"


def figures_of(path: Path, table: Table) -> str:
    """Return the table of a benchmark, its notes, and the versions that it was measured with.

    Args:
        path: what `python -m benchmarks` wrote.
        table: makes Markdown of a header and rows.
    """
    if not path.exists():
        return NOTHING_YET
    told = json.loads(path.read_text(encoding="utf-8"))
    rows = [[shown(cell) for cell in row] for row in told["rows"]]
    notes = "\n".join(f"- {_note(note)}" for note in told["notes"])
    versions = ", ".join(f"{name} {number}" for name, number in told["versions"].items())
    measured = f"*{told['name']}; Python {told['python']}, {versions}, 2 cores.*"
    return "\n\n".join(part for part in (table(told["columns"], rows), notes, measured) if part)


def goals_table(folder: Path, table: Table) -> str:
    """Return how many goals are met, and a table of all, the missed ones first.

    Args:
        folder: where the benchmarks wrote their JSON.
        table: makes Markdown of a header and rows.
    """
    found = [(path.stem, goal) for path in sorted(folder.glob("*.json")) for goal in goals_in(path)]
    found.sort(key=lambda one: not one[1].missed)
    missed = sum(goal.missed for _name, goal in found)
    rows = [
        (f"`{name}`", goal.what, goal.limit, goal.value, "**missed**" if goal.missed else "met") for name, goal in found
    ]
    count = f"**{len(found) - missed} of {len(found)} goals are met, {missed} are missed.**"
    return f"{count}\n\n{table(('benchmark', 'what', 'goal', 'measured', ''), rows)}"


def shown(cell: Cell) -> str:
    """Return a number as a person reads it: three digits that count."""
    if cell is None:
        return "-"
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return str(cell).replace("<", "&lt;")
    if isinstance(cell, int) or abs(cell) >= 1000:
        return f"{cell:,.0f}"
    return f"{cell:.3g}"


def _note(note: str) -> str:
    kept = note.replace("<", "&lt;")
    if kept.startswith("goal: "):
        kept = kept.removeprefix("goal: ")
        kept = kept.replace(", MISSED", ", **missed**") if kept.endswith("MISSED") else kept
        return f"Goal: {kept}"
    return kept


# What the errors are called in the table; those that it does not list are refusals, whose status is the fault's.
WORDS = {
    "NovaKitConnectionError": "no connection",
    "UnreadableAnswerError": "unreadable",
    "SubmissionUncertainError": "uncertain",
    "JobTimeoutError": "time-out",
    "MediaError": "no media",
    "MediaExpiredError": "expired",
    "NotCancelledError": "goes on",
}
# The fields of a row of the matrix, and what each is called on the page.
PLACES = {
    "post": "submitting",
    "watch": "asking about the job",
    "progress": "asking for all",
    "look_up": "finding a lost job",
    "cancel": "cancelling",
    "quota": "quota",
    "media": "the result",
}


def matrix_of(path: Path, table: Table) -> str:
    """Return what the test of the faults expects.

    Args:
        path: the module that has the `TABLE`.
        table: makes Markdown of a header and rows.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None  # for the type checker
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look there for their annotations
    spec.loader.exec_module(module)
    rows = [[name, *(_pair(*getattr(row, place)) for place in PLACES)] for name, row in module.TABLE.items()]
    return table(("fault", *PLACES.values()), rows)


def _pair(once: type[Exception] | None, always: type[Exception] | None) -> str:
    names = [_short(error) for error in (once, always)]
    return names[0] if names[0] == names[1] else " / ".join(names)


def _short(error: type[Exception] | None) -> str:
    return "-" if error is None else WORDS.get(error.__name__, "refused")
