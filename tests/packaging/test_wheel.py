"""The wheel: what is in it, and what it says of itself."""

import subprocess
import sys
from email.parser import HeaderParser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, open for reading."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (path,) = folder.glob("*.whl")
    with ZipFile(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def metadata(wheel):
    """The wheel's core metadata."""
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return HeaderParser().parsestr(wheel.read(name).decode())


def test_holds_what_is_needed(wheel):
    """Types for type checkers, the notebook for the demo, the licence, and every module."""
    names = set(wheel.namelist())
    assert "novakit_widgets/py.typed" in names
    assert "novakit_widgets/cli/01_quickstart.ipynb" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "novakit_widgets").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules


def test_holds_nothing_else(wheel):
    """No tests, benchmarks, caches or outputs."""
    others = {name for name in wheel.namelist() if not name.endswith((".py", ".py.typed"))}
    others = {name for name in others if ".dist-info/" not in name}
    assert others == {
        "novakit_widgets/py.typed",
        "novakit_widgets/cli/01_quickstart.ipynb",
        "novakit_widgets/widgets/common/keys.js",
        "novakit_widgets/widgets/explorer/in_step.js",
    }


def test_notebook_is_the_checkouts(wheel):
    """The packaged notebook is the one that the tests execute."""
    packaged = wheel.read("novakit_widgets/cli/01_quickstart.ipynb")
    assert packaged == (ROOT / "notebooks" / "01_quickstart.ipynb").read_bytes()


def test_metadata(metadata):
    """A reader of the package index learns the licence, the Pythons and what Jupyter it is for."""
    assert metadata["Name"] == "novakit_widgets"
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["Description-Content-Type"] == "text/markdown"
    classifiers = set(metadata.get_all("Classifier"))
    assert {f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 14)} <= classifiers
    assert "Framework :: Jupyter :: JupyterLab :: 4" in classifiers
    assert "Typing :: Typed" in classifiers
    assert {"sandbox", "demo", "keyring", "test"} <= set(metadata.get_all("Provides-Extra"))


def test_version_is_told_once(metadata, package):
    """The version in the metadata is the package's own."""
    assert metadata["Version"] == package.__version__


def test_core_needs_neither_server_nor_media_libraries(metadata):
    """What only the sandbox and the demo need comes with their extras."""
    core = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert not [
        line for line in core if line.startswith(("av", "numpy", "pillow", "starlette", "uvicorn", "jupyterlab"))
    ]


def test_command(wheel):
    """The console script leads to a function that exists."""
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt"))
    assert "novakit-widgets = novakit_widgets.cli.main:main" in wheel.read(name).decode()
    from novakit_widgets.cli.main import main

    assert callable(main)
