"""Run benchmarks from the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from . import polling, startup

if TYPE_CHECKING:
    from .report import Report

_BENCHMARKS: Mapping[str, Callable[[], Report]] = {
    "polling": polling.run,
    "import": startup.imports,
    "card": startup.card,
}


def main() -> None:
    """Run the benchmarks that were asked for, print their tables and write their numbers."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("which", choices=(*_BENCHMARKS, "all"))
    parser.add_argument("--folder", type=Path, default=Path("benchmarks/results"), help="where the JSON goes")
    chosen = parser.parse_args()
    for name, benchmark in _BENCHMARKS.items():
        if chosen.which in (name, "all"):
            report = benchmark()
            print(report.text())
            print(f"numbers in {report.save(chosen.folder)}")


if __name__ == "__main__":
    main()
