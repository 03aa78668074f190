"""The documentation is true: its code runs, its commands exist, its reference is whole."""

import ast
import os
import re
from pathlib import Path

import nbformat
import pytest
from blocks import blocks_of

import novakit_widgets
from novakit_widgets import Sandbox, errors, settings
from novakit_widgets.cli import execution

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(
    path for path in DOCS.rglob("*.md") if not {"_build", "notebooks"} & {*path.relative_to(DOCS).parts[:-1]}
)
BLOCKS = [block for page in PAGES for block in blocks_of(page)]
# What the how-to pages say that they assume; each page begins with it in a namespace of its own.
BEGIN = """
get_ipython().run_line_magic("reset", "-f")
import novakit_widgets as nk

nk.configure(reuse=None, save_to=None)
nk.use_sandbox()
"""
# Our CI runs both.
SETUP = {
    'python -m pip install ".[demo]" && novakit-widgets demo',
    'python -m pip install -e ".[test]" && python -m pytest',
}


def test_there_are_blocks():
    """The pages and their blocks are found at all."""
    assert len(PAGES) > 20
    assert sum(block.language == "python" for block in BLOCKS) > 30


def test_every_block_is_run_or_says_why_not():
    """A block is Python, which is run; a command that CI runs; text; or it has a reason."""
    for block in BLOCKS:
        if block.why is None and not block.language.startswith("{"):
            known = block.language in ("python", "text") or set(block.code.splitlines()) <= SETUP
            assert known, (block.page, block.language, block.code)
        assert block.why != "", (block.page, block.code)


@pytest.mark.kernel
def test_python_blocks_run(tmp_path):
    """Every Python block runs: those of a page one after the other, each page with a clean namespace."""
    cells = []
    for page in PAGES:
        code = [block.code for block in blocks_of(page) if block.language == "python" and block.why is None]
        cells += [BEGIN, *code] if code else []
    for cell in cells:
        if not cell.startswith("%"):  # a slip in a page is found before a kernel is started
            compile(cell, "page", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in cells])
    with Sandbox(speed=200.0, limits="off", media="canned") as sandbox:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("NOVAKIT_")},
            "NOVAKIT_SANDBOX_URL": sandbox.origin,
            "NOVAKIT_HISTORY": str(tmp_path / "history.sqlite3"),
        }
        assert execution.execute(document, tmp_path, environment) == []


def test_every_public_name_is_in_the_reference():
    """Each public name has its place among the pages; the errors get theirs from their module."""
    described = re.findall(
        r"^\.\. auto\w+:: novakit_widgets\.(\w+)$",
        "".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md")),
        re.MULTILINE,
    )
    assert len(described) == len(set(described))
    assert {*described, *errors.__all__} - {"sandbox"} == set(novakit_widgets.__all__)


def test_every_setting_is_told():
    """The table of the settings has all that `configure` takes, but for the one that goes with a sandbox."""
    text = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
    assert {*re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE), "speed"} == set(settings.NAMES)


def test_names_exist():
    """Every ``nk.name`` in the pages is one of the package."""
    named = {
        (page.name, name) for page in PAGES for name in re.findall(r"\bnk\.(\w+)", page.read_text(encoding="utf-8"))
    }
    assert {(page, name) for page, name in named if name not in novakit_widgets.__all__} == set()


def test_files_exist():
    """Every module that a page names is a file of the package or the checkout; a bare name is that of a test."""
    root = DOCS.parent
    tests = {path.name for path in (root / "tests").rglob("*.py")} | {"ipython_config.py"}  # the reader's own
    named = {
        (page.name, path)
        for page in PAGES
        for path in re.findall(r"`([\w/]+\.(?:py|ipynb))`", page.read_text(encoding="utf-8"))
    }
    assert named
    missing = [
        (page, path)
        for page, path in named
        if path not in tests and not any((folder / path).exists() for folder in (root, root / "novakit_widgets"))
    ]
    assert missing == []


def test_classes_and_functions_exist():
    """Every attribute of an inner class that a page names, such as `JobRun.aside`, is in the code."""
    sources = [ast.parse(path.read_text(encoding="utf-8")) for path in (DOCS.parent / "novakit_widgets").rglob("*.py")]
    classes = {node.name: node for tree in sources for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    written = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name, attribute in re.findall(r"`(Job\w+|NovaKit\w+)\.(\w+)[`(]", written):
        assert name in classes, name
        assert re.search(rf"\b{attribute}\b", ast.unparse(classes[name])), f"{name}.{attribute}"
