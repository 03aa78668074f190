"""Draw the figures of docs/performance.md from the benchmarks' results, for light and for dark pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

__all__ = ["draw"]

_OURS = ("JobTracker", "JobQueue", "JobWidget", "JobBoard")
_WIDTH = 7.2  # inches; the pages are some 700 pixels wide
_ROW = 0.34  # inches for a bar
_FRAME = 1.1  # inches for a title and an axis
_GOAL = 0.05  # by how much the soak's memory may grow between its second minute and its last


@dataclass(frozen=True, slots=True)
class _Theme:
    """Colours with a contrast of at least 4.5 to the page.

    Attributes:
        text: words, axes.
        ours: what is this package's.
        others: what it is measured beside.
        bad: what should not be.
    """

    text: str
    ours: str
    others: str
    bad: str


_THEMES: Mapping[str, _Theme] = {
    "light": _Theme(text="#333333", ours="#1565c0", others="#757575", bad="#b3261e"),
    "dark": _Theme(text="#d0d0d0", ours="#64b5f6", others="#9e9e9e", bad="#f2867e"),
}
_STYLE = {
    "font.family": "sans-serif",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",  # words stay words: small, sharp, and found by a search
    "svg.hashsalt": "novakit_widgets",  # the same numbers make the same file
}
_WORDS = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
Told = Mapping[str, Any]


def draw(results: Path, images: Path) -> list[Path]:
    """Draw all figures whose numbers are there.

    Args:
        results: where the benchmarks wrote their JSON.
        images: where the figures go, as ``performance-<name>-<theme>.svg``.

    Returns:
        The files.

    Raises:
        ImportError: matplotlib is missing; ``pip install matplotlib``.
    """
    import matplotlib as mpl

    images.mkdir(parents=True, exist_ok=True)
    files = []
    for name, (source, paint) in _FIGURES.items():
        path = results / f"{source}.json"
        if not path.exists():
            continue
        told = json.loads(path.read_text(encoding="utf-8"))
        if source == "soak" and not told.get("curves"):
            continue  # measured before there were any
        for theme, colours in _THEMES.items():
            style: Any = {**_STYLE, **dict.fromkeys(_WORDS, colours.text)}
            with mpl.rc_context(style):
                file = images / f"performance-{name}-{theme}.svg"
                paint(told, colours, file)
                files.append(file)
    return files


@contextmanager
def _figure(file: Path, rows: float, title: str) -> Iterator[Axes]:
    """Make a figure with room for some bars, and save it with a transparent background."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _FRAME + _ROW * rows), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    figure.suptitle(title, x=0.01, ha="left", fontsize=10.5)  # over all of it: the names of the bars leave little room
    yield axes
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")


def _bars(axes: Axes, theme: _Theme, rows: Sequence[tuple[str, float, str]], *, log: bool) -> None:
    """Draw horizontal bars, the first on top, each with its number."""
    names = [name for name, _, _ in rows]
    colours = [theme.ours if name.startswith(_OURS) else theme.others for name in names]
    bars = axes.barh(range(len(rows)), [value for _, value, _ in rows], color=colours, height=0.62)
    axes.bar_label(bars, [label for _, _, label in rows], padding=4, color=theme.text)
    axes.set_yticks(range(len(rows)), names)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    if log:
        axes.set_xscale("log")
        axes.set_xlim(1, 8 * max(value for _, value, _ in rows))
        axes.xaxis.set_major_formatter("{x:,.0f}")


def _contenders(told: Told) -> list[list[Any]]:
    """Return the rows that have a ratio; rows without a comparison have none."""
    return [row for row in told["rows"] if row[3] is not None]


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"


def _requests(told: Told, theme: _Theme, file: Path) -> None:
    rows = [(f"{row[0]}, {_jobs(row[1])}", row[2], f"{row[2]:,}") for row in _contenders(told)]
    with _figure(file, len(rows), "Requests for jobs of a minute, submitting included") as axes:
        _bars(axes, theme, rows, log=True)
        axes.set_xlabel("requests (logarithmic)")


def _notice(told: Told, theme: _Theme, file: Path) -> None:
    rows = [(f"{row[0]}, {_jobs(row[1])}", row[4], row[5]) for row in told["rows"]]
    with _figure(
        file, len(rows), "From a job's end until it is noticed: the median (dot), and what 99 % stay below"
    ) as axes:
        for place, (name, middle, most) in enumerate(rows):
            colour = theme.ours if name.startswith(_OURS) else theme.others
            axes.plot([middle, most], [place, place], color=colour, linewidth=2)
            axes.plot([middle], [place], "o", color=colour, markersize=6)
            axes.plot([most], [place], "|", color=colour, markersize=11, markeredgewidth=2)
        axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.set_xticks([1, 10, 100, 1_000, 10_000], ["1 ms", "10 ms", "0.1 s", "1 s", "10 s"])
        axes.minorticks_off()


def _watching(told: Told, theme: _Theme, file: Path) -> None:
    rows = told["rows"]
    names = list(dict.fromkeys(row[0] for row in rows))
    strokes = ["-", "--", "-.", ":", (0, (1, 3))]
    with _figure(file, 6.5, "Polling requests a minute, by the number of jobs that run at once") as axes:
        for stroke, name in zip(strokes, names, strict=False):
            points = [(row[1], row[2]) for row in rows if row[0] == name]
            ours = name.startswith(_OURS)
            colour = theme.ours if ours else theme.others
            axes.plot(
                *zip(*points, strict=True), linestyle=stroke, color=colour, linewidth=2.4 if ours else 1.4, label=name
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks([1, 10, 100, 1_000], ["1", "10", "100", "1,000"])
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.minorticks_off()
        axes.set_xlabel("jobs")
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _batch(told: Told, theme: _Theme, file: Path) -> None:
    rows = told["rows"]
    with _figure(
        file, len(rows) + 0.8, "Submitting forty videos where five an hour are allowed: what became of each POST"
    ) as axes:
        places = range(len(rows))
        started, refused = [row[1] for row in rows], [row[6] for row in rows]
        colours = [theme.ours if row[0].startswith(_OURS) else theme.others for row in rows]
        axes.barh(places, started, color=colours, height=0.62)
        bars = axes.barh(places, refused, left=started, color=theme.bad, height=0.62)
        labels = [f"{row[1]} made" + (f", {row[6]} refused (429)" if row[6] else "") for row in rows]
        axes.bar_label(bars, labels, padding=4, color=theme.text)
        axes.set_yticks(places, [row[0] for row in rows])
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.75 * max(row[5] for row in rows))
        axes.set_xlabel("requests to submit")


def _messages(told: Told, theme: _Theme, file: Path) -> None:
    rows = [(row[0], row[5], f"{row[5]:,.0f} bytes in {row[2] / row[1]:.1f} messages") for row in told["rows"]]
    with _figure(file, len(rows), "What one step of a live bar sends to the page") as axes:
        _bars(axes, theme, rows, log=False)
        axes.set_xlim(0, 2 * max(value for _, value, _ in rows))
        axes.set_xlabel("bytes")


def _memory(told: Told, theme: _Theme, file: Path) -> None:
    rows = [(row[0], row[2], f"{row[2]:.3g} kB") for row in told["rows"]]
    with _figure(file, len(rows), told["name"].removeprefix("memory: ") + ": what each takes in memory") as axes:
        _bars(axes, theme, rows, log=False)
        axes.set_xlim(0, 1.3 * max(value for _, value, _ in rows))
        axes.set_xlabel("kB")


def _soak(told: Told, theme: _Theme, file: Path) -> None:
    points = told["curves"]["memory, MB"]
    minutes = [at / 60.0 for at, _ in points]
    memory = [value for _, value in points]
    base = median(value for at, value in points if 60.0 <= at < 120.0)
    with _figure(file, 5, told["name"].removeprefix("soak: ").capitalize() + ": resident memory") as axes:
        axes.axhspan(base * (1 - _GOAL), base * (1 + _GOAL), color=theme.ours, alpha=0.15, linewidth=0)
        axes.plot(minutes, memory, color=theme.ours, linewidth=1.6)
        axes.annotate("within 5 % of the second minute", (minutes[-1], base * (1 + _GOAL)), ha="right", va="bottom")
        axes.set_ylim(0.0, max(memory) * 1.12)
        axes.set_xlim(0.0, minutes[-1])
        axes.set_xlabel("minutes")
        axes.set_ylabel("MB")


# What each is called, whose numbers it has, and what draws it.
_FIGURES: Mapping[str, tuple[str, Callable[[Told, _Theme, Path], None]]] = {
    "requests": ("polling", _requests),
    "notice": ("polling", _notice),
    "watching": ("watching", _watching),
    "batch": ("batch", _batch),
    "messages": ("messages", _messages),
    "memory": ("memory", _memory),
    "soak": ("soak", _soak),
}
