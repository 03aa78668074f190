"""Run benchmarks from the command line."""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from . import figures
from .batches import batch
from .engine import faults, kill, notice, polling, sharing, soak, watching
from .notebook import startup
from .report import goals_in, goals_of
from .widgets import board, memory, messages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .report import Report


@dataclass(frozen=True)
class _Benchmark:
    """A benchmark and its command-line options.

    Attributes:
        run: runs it and returns its report.
        what: what it measures, for ``--help``.
        options: its command-line options, with their defaults and meanings.
        quick: whether ``all`` runs it without ``--long``.
    """

    run: Callable[..., Report]
    what: str
    options: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    quick: bool = True


_BENCHMARKS: Mapping[str, _Benchmark] = {
    "import": _Benchmark(startup.imports, "imports, next to those of ipywidgets", {"rounds": (10, "of each")}),
    "card": _Benchmark(startup.card, "making a card, next to a bare box", {"rounds": (50, "of each")}),
    "cell": _Benchmark(
        startup.first_cell, "the first cell that starts a job, next to a bare box", {"rounds": (9, "kernels of each")}
    ),
    "memory": _Benchmark(
        memory.run, "what a running job takes, next to the guide's loop", {"count": (1000, "jobs of each")}
    ),
    "messages": _Benchmark(
        messages.run,
        "what a card sends, next to tqdm.notebook; the kernel's lag",
        {"seconds": (60.0, "that a job takes")},
    ),
    "faults": _Benchmark(faults.run, "every fault on every endpoint"),
    "polling": _Benchmark(
        polling.run,
        "requests and delays, next to the guide's loop",
        {"seconds": (60.0, "that a job takes"), "count": (100, "of many jobs"), "rounds": (8, "of short jobs")},
        quick=False,
    ),
    "notice": _Benchmark(
        notice.run,
        "how late ends are noticed, by jobs, plan and progress, next to six other ways: in virtual time",
        {"seed": (1, "how long the jobs take")},
        quick=False,
    ),
    "sharing": _Benchmark(
        sharing.run,
        "many kernels on one key, next to the guide's loop",
        {"kernels": (20, "on one key"), "speed": (6.0, "of the sandbox's clock"), "rounds": (3, "of each")},
        quick=False,
    ),
    "watching": _Benchmark(
        watching.run,
        "1 to 1,000 jobs: requests, delays, processor time, next to four other ways",
        {"seconds": (60.0, "that a job takes"), "speed": (6.0, "of the sandbox's clock")},
        quick=False,
    ),
    "batch": _Benchmark(
        batch.run,
        "videos against the documented limits, next to the guide's client",
        {"count": (40, "videos"), "speed": (360.0, "of the sandbox's clock")},
        quick=False,
    ),
    "board": _Benchmark(
        board.run,
        "a board of many jobs: models, bytes, and frames a second in Chromium",
        {"jobs": (1000, "on it"), "seconds": (20.0, "to scroll")},
        quick=False,
    ),
    "kill": _Benchmark(
        kill.run,
        "SIGKILL at random moments",
        {"times": (200, "to kill"), "batches": (20, "to kill three times each")},
        quick=False,
    ),
    "soak": _Benchmark(
        soak.run,
        "many jobs with faults: what is left",
        {"minutes": (10.0, "to soak"), "at-a-time": (20, "jobs"), "faults": (0.05, "share of the requests")},
        quick=False,
    ),
}


# Exit statuses.
_BROKE_OFF = 1  # as for any exception
_MISSED = 3  # argparse uses 2


def main() -> None:
    """Run the chosen benchmarks, print their tables and write their numbers. A missed goal is a failure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Run benchmarks; without a name, all quick ones. The exit status is 3 where a goal is missed.",
    )
    parser.add_argument("--folder", type=Path, default=Path("benchmarks/results"), help="where the JSON goes")
    which = parser.add_subparsers(dest="which")
    for name, benchmark in _BENCHMARKS.items():
        own = which.add_parser(name, help=benchmark.what)
        for option, (default, meaning) in benchmark.options.items():
            own.add_argument(f"--{option}", type=type(default), default=default, help=f"{meaning} (%(default)s)")
    quick = [name for name, benchmark in _BENCHMARKS.items() if benchmark.quick]
    every = which.add_parser("all", help=f"each in a process of its own: {', '.join(quick)}")
    every.add_argument("--long", action="store_true", help="the long ones as well: half an hour")
    which.add_parser("goals", help="list the goals of the results in the folder, and fail where one is missed")
    drawing = which.add_parser("figures", help="draw what is in the folder, for the documentation")
    drawing.add_argument("--images", type=Path, default=Path("docs/images"), help="where they go (%(default)s)")
    chosen = vars(parser.parse_args())
    folder, name = chosen.pop("folder"), chosen.pop("which")
    if name in (None, "all"):
        sys.exit(_each(tuple(_BENCHMARKS) if chosen.get("long") else quick, folder))
    if name == "goals":
        sys.exit(_goals(folder))
    if name == "figures":
        for file in figures.draw(folder, chosen["images"]):
            print(file)
        return
    report = _BENCHMARKS[name].run(**chosen)
    print(report.text())
    print(f"numbers in {report.save(folder)}", flush=True)
    if any(goal.missed for goal in goals_of(report.notes)):
        sys.exit(_MISSED)


def _each(names: Sequence[str], folder: Path) -> int:
    """Run benchmarks one after the other, each in a process of its own.

    Returns:
        1 when one of them broke off, 3 when one missed a goal, otherwise 0.
    """
    codes = {}
    for name in names:
        command = [sys.executable, "-m", __package__ or "benchmarks", "--folder", str(folder), name]
        codes[name] = subprocess.run(command, check=False).returncode  # noqa: S603 # ours
    broken = [name for name, code in codes.items() if code not in (0, _MISSED)]
    missed = [name for name, code in codes.items() if code == _MISSED]
    if broken:
        print(f"broke off: {', '.join(broken)}")
    if missed:
        print(f"missed a goal: {', '.join(missed)}")
    return _BROKE_OFF if broken else _MISSED if missed else 0


def _goals(folder: Path) -> int:
    """List all goals of earlier runs.

    Returns:
        3 when one is missed, otherwise 0.
    """
    found = [(path.stem, goal) for path in sorted(folder.glob("*.json")) for goal in goals_in(path)]
    for name, goal in found:
        print(f"{'MISSED' if goal.missed else 'met':6}  {name:9}  {goal.what}: {goal.value}, {goal.limit}")
    return _MISSED if any(goal.missed for _name, goal in found) else 0


if __name__ == "__main__":
    main()
