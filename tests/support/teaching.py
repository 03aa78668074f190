"""The teaching notebooks: where they are, what is in them, and how to execute one in any kernel."""

from __future__ import annotations

import os
import re
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import nbformat
from nbclient import NotebookClient

from novakit_widgets.cli.execution import sockets

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NOTEBOOKS", "execute", "in_a_hurry", "load", "minutes", "outputs", "solutions", "variables"]

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9]*.ipynb"))
_FOLDED = re.compile(r"<details>.*?</details>", re.DOTALL)
_PYTHON = re.compile(r"^(?: *|\d+\. )```python\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_SPEED = re.compile(r"^speed = [\d.]+", re.MULTILINE)


def outputs(document: Any) -> list[tuple[Any, Any]]:
    """Return each output with its cell."""
    return [(cell, output) for cell in document.cells for output in cell.get("outputs", ())]


def solutions(document: Any) -> list[str]:
    """Return the code of the folded solutions."""
    text = "\n".join(cell.source for cell in document.cells if cell.cell_type == "markdown")
    return [dedent(code) for folded in _FOLDED.findall(text) for code in _PYTHON.findall(folded)]


def minutes(document: Any) -> float:
    """Estimate how long one reads what is not folded: 230 words a minute, and 40 lines of code."""
    text = [_FOLDED.sub("", cell.source) for cell in document.cells if cell.cell_type == "markdown"]
    code = [line for cell in document.cells if cell.cell_type == "code" for line in cell.source.splitlines()]
    return len(" ".join(text).split()) / 230 + len([line for line in code if line.strip()]) / 40


def in_a_hurry(document: Any, speed: float) -> bool:
    """Let a notebook's sandbox run faster; return whether it has a parameter for that."""
    cells = [cell for cell in document.cells if "parameters" in cell.metadata.get("tags", ())]
    for cell in cells:
        cell.source = _SPEED.sub(f"speed = {speed:g}", cell.source)
    return bool(cells)


def variables(folder: Path, **values: str) -> dict[str, str]:
    """Return this process's environment with these settings of the package and no others."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("NOVAKIT_")}
    return {**others, "NOVAKIT_HISTORY": str(folder / "history.sqlite3"), **values}


def execute(document: Any, folder: Path, kernel: str, settings: Mapping[str, str]) -> None:
    """Execute a notebook with nbclient in a kernel that Jupyter finds under a name.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell fails.
    """
    with sockets() as config:
        client = NotebookClient(
            document,
            kernel_name=kernel,
            timeout=120,
            resources={"metadata": {"path": str(folder)}},
            store_widget_state=False,
            config=config,
        )
        client.execute(env=variables(folder, **settings))


def load(path: Path) -> Any:
    """Return a notebook as it is saved."""
    return nbformat.read(path, as_version=4)
