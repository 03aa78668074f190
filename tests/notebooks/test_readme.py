"""The README is true: its commands are the two there are, its code runs, its links lead somewhere."""

import os
import re
from pathlib import Path

import nbformat
import pytest
from blocks import blocks_of

import novakit_widgets
from novakit_widgets import Sandbox, errors, settings
from novakit_widgets.cli import execution

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = blocks_of(ROOT / "README.md")
SETUP = [
    'python -m pip install ".[demo]" && novakit-widgets demo',
    'python -m pip install -e ".[test]" && python -m pytest',
]


def test_two_setup_commands():
    """There are exactly two commands that install something."""
    assert [line for line in README.splitlines() if "pip install" in line] == SETUP


def test_every_block_is_checked():
    """A block is Python, which is run, or one of the two commands."""
    commands = [block.code.strip() for block in BLOCKS if block.language != "python"]
    assert commands == SETUP
    assert [block.why for block in BLOCKS if block.why is not None] == []


@pytest.mark.kernel
def test_python_blocks_run(tmp_path):
    """Every Python block runs, one after the other in one kernel, against a sandbox."""
    blocks = [block.code for block in BLOCKS if block.language == "python"]
    assert len(blocks) > 3
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in blocks])
    with Sandbox(speed=60.0, limits="requests") as sandbox:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("NOVAKIT_")},
            "NOVAKIT_SANDBOX_URL": sandbox.origin,
            "NOVAKIT_HISTORY": "off",
        }
        assert execution.execute(document, tmp_path, environment) == []
        assert all(job.status.is_final for job in sandbox.jobs.values())


def test_links_lead_somewhere():
    """Every link and picture that is a path is a file of the repository."""
    paths = [path for path in re.findall(r"\]\(([^)#]+)[^)]*\)", README) if "://" not in path]
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_anchors_lead_somewhere():
    """Every link to a section names one."""
    titles = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= anchors


def test_names_exist():
    """Every ``nk.name`` in the text and every error in the table is one of the package."""
    named = set(re.findall(r"\bnk\.(\w+)", README))
    assert named
    assert named <= set(novakit_widgets.__all__)
    assert set(re.findall(r"`(\w+Error)`", README)) <= set(errors.__all__)


def test_settings_exist():
    """Every setting in the table is one that `configure` takes, and every variable one that the code reads."""
    table = re.findall(r"^\| `(\w+)` \|", README.split("## Settings")[1].split("\n## ")[0], re.MULTILINE)
    assert table
    assert set(table) <= set(settings.NAMES)
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "novakit_widgets").rglob("*.py"))
    variables = set(re.findall(r"NOVAKIT_\w+", README))
    assert variables
    assert {name for name in variables if f'"{name}"' not in sources} == set()
