"""Execute the notebooks and save them with their results: ``python notebooks/save.py [name …]``.

Their cells are the source; what is written are the outputs. Each runs in a folder of its own, without a key, on the sandbox
that it starts itself. A card is saved as the plain HTML that it has become; the widget and its state are left out.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat

from novakit_widgets.cli import execution

HERE = Path(__file__).parent
MOST_BYTES = 3_000_000  # of a file: a notebook that takes long to open is not read
PAUSE = 0.8  # seconds between two cells, as if somebody read: the jobs of a moment ago have begun
LIVE = "stays-live"  # the tag of a cell whose card has no job that ended, so it can't become plain; the cell prints what it says
WIDGET = "application/vnd.jupyter.widget-view+json"


def main() -> int:
    """Save those that are named, or all; return 1 if one of them can't be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", nargs="*", help="such as 03; all where none is named")
    names = parser.parse_args().name
    paths = [path for path in sorted(HERE.glob("[0-9]*.ipynb")) if not names or path.name.startswith(tuple(names))]
    return max([save(path) for path in paths], default=1)


def save(path: Path) -> int:
    """Execute one and write it back; return 1, and write nothing, if it does not run or reads badly."""
    document = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    others = {name: value for name, value in os.environ.items() if not name.startswith("NOVAKIT_")}
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        history = str(Path(folder) / "history.sqlite3")
        problems = execution.execute(document, Path(folder), {**others, "NOVAKIT_HISTORY": history}, pause=PAUSE)
    problems += clean(document)
    text = nbformat.writes(document)  # type: ignore[no-untyped-call]
    if len(text.encode()) > MOST_BYTES:
        problems.append(f"it has {len(text.encode()) / 1e6:.1f} MB")
    for problem in problems:
        print(f"{path.name}: {problem}", file=sys.stderr)
    if problems:
        return 1
    path.write_text(text, encoding="utf-8")
    print(f"{path.name}: {time.monotonic() - began:.0f} s, {len(text.encode()) / 1e6:.1f} MB")
    return 0


def clean(document: Any) -> list[str]:
    """Take out what belongs to one author's machine, and say what would read badly."""
    document.metadata.pop("widgets", None)
    document.metadata["language_info"] = {"name": "python"}
    problems = []
    for cell in document.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code" and LIVE in cell.metadata.get("tags", ()):
            live = [output for output in cell.outputs if WIDGET in output.get("data", {})]
            for output in live:
                del output.data[WIDGET]
            # What a widget says to those who have no kernel stays; a trusted page would show the widget's absence instead.
            cell.outputs = [output for output in cell.outputs if output not in live or "text/html" in output.data]
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if WIDGET in data:
                problems.append(f"a widget is left in cell {cell.id!r}: nothing waits for it")
            if output.output_type == "stream" and output.name == "stderr":
                problems.append(f"cell {cell.id!r} writes to stderr: {output.text}")
    return problems


if __name__ == "__main__":
    sys.exit(main())
