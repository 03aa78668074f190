"""The teaching notebooks run for everybody, teach, and are saved so that they can be read without running."""

import ast
import itertools
import subprocess
import sys
import warnings

import nbformat
import papermill
import pytest
from environments import environment
from nbconvert import HTMLExporter
from teaching import NOTEBOOKS, execute, in_a_hurry, load, minutes, outputs, solutions, variables

from novakit_widgets import Sandbox
from novakit_widgets.cli.execution import sockets

SPEED = 160.0
OLDEST = "6.31.0"
MOST_BYTES = 3_000_000
SHOWN = {"text/html", "image/png", "text/markdown", "text/plain"}


def ids(path):
    return path.stem


def first(stem):
    """Run a test with one notebook; the others, which show the same again, are left out unless `-m thorough` asks for them."""
    others = [pytest.param(path, marks=pytest.mark.thorough) for path in NOTEBOOKS if path.stem != stem]
    chosen = [path for path in NOTEBOOKS if path.stem == stem]
    assert chosen, stem
    return pytest.mark.parametrize("path", [*chosen, *others], ids=ids)


@pytest.fixture(params=NOTEBOOKS, ids=ids)
def path(request):
    """Each notebook."""
    return request.param


@pytest.fixture
def kernel(request, tmp_path, monkeypatch):
    """A kernel by its version, under the name that Jupyter finds it by."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    return environment(request.param).write_kernelspec(tmp_path)


@pytest.fixture(scope="module")
def served():
    """A fast sandbox, for a notebook that has no parameter for the speed of its own."""
    with Sandbox(speed=SPEED, plan="business", limits="requests") as sandbox:
        yield {"NOVAKIT_SANDBOX_URL": sandbox.origin}


def test_there_are_notebooks():
    """They are found at all."""
    assert len(NOTEBOOKS) >= 2


def test_is_saved_with_its_results(path):
    """The file has the outputs of one run from top to bottom, as plain data: no widget, no widget state, no error."""
    document = load(path)
    nbformat.validate(document)
    assert path.stat().st_size < MOST_BYTES
    assert "widgets" not in document.metadata
    assert "version" not in document.metadata.language_info
    counts = [cell.execution_count for cell in document.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert outputs(document)
    for cell, output in outputs(document):
        assert output.output_type != "error", cell.id
        assert output.get("name") != "stderr", cell.id
        assert set(output.get("data", SHOWN)) <= SHOWN, cell.id
        shown = str(output)
        assert "/tmp/" not in shown, cell.id
        assert "sk_" not in shown.replace("sk_…", ""), cell.id


def test_teaches(path):
    """Something is explained before each piece of code, there are exercises, and what solves them is folded away."""
    document = load(path)
    kinds = [cell.cell_type for cell in document.cells]
    assert kinds[0] == "markdown"
    alone = [
        later.id
        for before, later in itertools.pairwise(document.cells)
        if later.cell_type == before.cell_type == "code" and "parameters" not in before.metadata.get("tags", ())
    ]
    assert alone == []
    folded = solutions(document)
    assert folded
    for code in folded:
        compile(code, path.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert minutes(document) < 15


def test_reads_without_a_kernel(path):
    """As HTML it has its results: each medium and each picture that the file has, and no script of ours."""
    html, _ = HTMLExporter().from_notebook_node(load(path))
    shown = [output.get("data", {}) for _, output in outputs(load(path))]
    for tag in ("<video", "<audio"):
        assert html.count(tag) == sum(data.get("text/html", "").count(tag) for data in shown)
    pictures = sum(data.get("text/html", "").count("<img") + ("image/png" in data) for data in shown)
    assert html.count("<img") == pictures
    assert "application/vnd.jupyter.widget" not in html


@pytest.mark.kernel
@first("03_how_async_jobs_work")  # it waits in every way there is
@pytest.mark.parametrize("kernel", [OLDEST], indirect=True)
def test_runs_in_an_old_kernel(path, kernel, tmp_path, served):
    """It runs from top to bottom in the last kernel without subshells."""
    document = load(path)
    execute(document, tmp_path, kernel, {} if in_a_hurry(document, SPEED) else served)


@pytest.mark.kernel
@pytest.mark.parametrize("kernel", ["newest"], indirect=True)
def test_runs_and_its_solutions_too(path, kernel, tmp_path, served):
    """It runs in the newest kernel, and so do its solutions after it."""
    document = load(path)
    document.cells += [nbformat.v4.new_code_cell(code) for code in solutions(document)]
    execute(document, tmp_path, kernel, {} if in_a_hurry(document, SPEED) else served)


@pytest.mark.kernel
@first("04_many_jobs")
@pytest.mark.parametrize("kernel", ["newest"], indirect=True)
def test_runs_under_papermill(path, kernel, tmp_path, monkeypatch, served):
    """It runs under papermill, with the parameters that it has."""
    has = in_a_hurry(load(path), SPEED)
    for name, value in variables(tmp_path, **({} if has else served)).items():
        monkeypatch.setenv(name, value)
    with warnings.catch_warnings(), sockets() as config:
        warnings.simplefilter("ignore")  # papermill's own
        executed = papermill.execute_notebook(
            path,
            tmp_path / path.name,
            parameters={"speed": SPEED} if has else {},
            kernel_name=kernel,
            cwd=tmp_path,
            progress_bar=False,
            config=config,
        )
    assert has == any("injected-parameters" in cell.metadata.get("tags", ()) for cell in executed.cells)


@pytest.mark.kernel
def test_jupyter_execute(tmp_path, served):
    """A notebook runs with the command `jupyter execute`, and has its results in place."""
    copy = tmp_path / "lesson.ipynb"
    lesson = load(NOTEBOOKS[0])
    for cell in lesson.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    nbformat.write(lesson, copy)
    command = [sys.executable, "-m", "jupyter", "execute", "--inplace", str(copy)]
    environ = variables(tmp_path, **served)
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    shown = [output.get("data", {}).get("text/html", "") for _, output in outputs(load(copy))]
    assert sum("<audio" in html for html in shown) >= 2
