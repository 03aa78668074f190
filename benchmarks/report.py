"""Reports: tables as text, and the same numbers as JSON."""

from __future__ import annotations

import json
import platform
import re
import statistics
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Goal", "Report", "goals_in", "goals_of", "percentile"]

Cell = str | float | int | None


_GOAL = re.compile(r"goal: (?P<what>.+) (?P<limit>at (?:most|least) .+?): (?P<value>.+), (?P<verdict>met|MISSED)")


@dataclass(frozen=True)
class Goal:
    """A limit that a measurement has to keep.

    Attributes:
        what: is measured.
        limit: ``"at most"`` or ``"at least"``, a number and its unit.
        value: it was, with its unit.
        missed: whether the limit was not kept.
    """

    what: str
    limit: str
    value: str
    missed: bool


@dataclass
class Report:
    """The outcome of one benchmark.

    Attributes:
        name: what was measured.
        columns: the table's header.
        rows: a row for each contender; ours come first.
        notes: further lines, such as a goal and whether it is met.
        curves: points to draw, by name; only in the JSON.
    """

    name: str
    columns: Sequence[str]
    rows: list[Sequence[Cell]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    curves: dict[str, Sequence[tuple[float, float]]] = field(default_factory=dict)

    def add(self, *cells: Cell) -> None:
        """Add a row."""
        self.rows.append(cells)

    def goal(self, what: str, value: float, most: float, unit: str = "") -> None:
        """Note a goal, and whether it is met."""
        verdict = "met" if value <= most else "MISSED"
        self.notes.append(f"goal: {what} at most {most:g}{unit}: {value:.3g}{unit}, {verdict}")

    def text(self) -> str:
        """Return the table as aligned text."""
        lines = [[str(column) for column in self.columns], *([_shown(cell) for cell in row] for row in self.rows)]
        widths = [max(len(line[index]) for line in lines) for index in range(len(self.columns))]
        body = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        ]
        body.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([f"\n{self.name}", *body, *self.notes])

    def save(self, folder: Path) -> Path:
        """Write the numbers as JSON, with the versions that they were measured with."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name.split(':')[0].replace(' ', '_')}.json"
        versions: Mapping[str, str] = {name: version(name) for name in ("novakit_widgets", "ipywidgets", "httpx")}
        content = {
            "name": self.name,
            "python": platform.python_version(),
            "versions": versions,
            "columns": list(self.columns),
            "rows": [list(row) for row in self.rows],
            "notes": self.notes,
        }
        if self.curves:
            content["curves"] = {name: [list(point) for point in points] for name, points in self.curves.items()}
        # One point a line keeps hundreds of them readable.
        text = re.sub(
            r"\[\s+([-\d.e]+),\s+([-\d.e]+)\s+\]", r"[\1, \2]", json.dumps(content, indent=1, ensure_ascii=False)
        )
        path.write_text(text + "\n", encoding="utf-8")
        return path


def goals_of(notes: Iterable[str]) -> list[Goal]:
    """Return the goals among a report's notes.

    Args:
        notes: of a report, or of its JSON.

    Example:
        >>> goals_of(["goal: making a card at most 15 ms: 9.16 ms, met", "a note"])
        [Goal(what='making a card', limit='at most 15 ms', value='9.16 ms', missed=False)]
    """
    found = [match for note in notes if (match := _GOAL.fullmatch(note))]
    return [Goal(one["what"], one["limit"], one["value"], one["verdict"] == "MISSED") for one in found]


def goals_in(path: Path) -> list[Goal]:
    """Return the goals of an earlier run.

    Args:
        path: the JSON that it wrote.
    """
    return goals_of(json.loads(path.read_text(encoding="utf-8"))["notes"])


def percentile(values: Sequence[float], share: float) -> float:
    """Return a percentile; ``nan`` of nothing."""
    if len(values) < 2:
        return values[0] if values else float("nan")
    return statistics.quantiles(values, n=1000, method="inclusive")[max(0, min(998, round(share * 1000) - 1))]


def _shown(cell: Cell) -> str:
    if cell is None:
        return "-"
    return f"{cell:.3g}" if isinstance(cell, float) else str(cell)
