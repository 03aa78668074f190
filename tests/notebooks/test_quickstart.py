"""The quick start: a notebook that teaches and runs for everybody, with a key and without."""

import itertools
import os
from pathlib import Path

import nbformat
import pytest

from novakit_widgets import Sandbox
from novakit_widgets.cli import execution

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "01_quickstart.ipynb"
MEANT = {"completed": 5, "cancelled": 1, "failed": 1}


@pytest.fixture
def notebook():
    """The quick start as it is saved."""
    return nbformat.read(QUICKSTART, as_version=4)


def environment(folder, **values):
    """Return this process's environment with these settings of the package and no others."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("NOVAKIT_")}
    return {**others, "NOVAKIT_HISTORY": str(folder / "history.sqlite3"), **values}


def printed(document):
    """Return what the cells printed, by cell id and stream."""
    return {
        (cell.id, output.name): output.text
        for cell in document.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "stream"
    }


def test_explains_more_than_it_runs(notebook):
    """There are under ten code cells, and each has an explanation before it."""
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds.count("code") < 10
    assert all(before == "markdown" for before, kind in itertools.pairwise(kinds) if kind == "code")


def test_meant_ends_are_those_of_its_cells(notebook):
    """The metadata mean one end for each job, and one each to be cancelled and to fail."""
    ends = [meant.split()[1] for meant in notebook.metadata.novakit_widgets.jobs]
    assert {end: ends.count(end) for end in ends} == MEANT


@pytest.mark.kernel
def test_without_a_key(notebook, tmp_path):
    """Without a key it starts a sandbox in its kernel and runs from top to bottom."""
    problems = execution.execute(notebook, tmp_path, environment(tmp_path))
    assert problems == []
    said = printed(notebook)
    assert "nothing is billed" in said["key", "stdout"]
    assert "was cancelled" in said["cancel", "stdout"]
    assert "could not finish" in said["fail", "stdout"]
    assert not [where for where in said if where[1] == "stderr"]
    assert (tmp_path / "lighthouse.mp4").stat().st_size > 10_000


@pytest.mark.kernel
def test_with_a_key(notebook, tmp_path):
    """With a key in the environment it uses that service, unchanged, and starts no sandbox of its own."""
    with Sandbox(speed=60.0, limits="requests") as service:
        values = {"NOVAKIT_API_KEY": service.api_key, "NOVAKIT_BASE_URL": service.base_url}
        problems = execution.execute(notebook, tmp_path, environment(tmp_path, **values))
        ends = [job.status.value for job in service.jobs.values()]
    assert problems == []
    assert {end: ends.count(end) for end in ends} == MEANT
    assert ("key", "stdout") not in printed(notebook)
