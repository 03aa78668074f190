"""The command's own arguments and messages."""

import os
import signal
import subprocess
import sys

import nbformat
import pytest

from novakit_widgets import __version__
from novakit_widgets.cli import demo, main

WITHOUT = """
import sys
sys.modules[{missing!r}] = None  # as if it were not installed
from novakit_widgets.cli.main import main
sys.exit(main({arguments!r}))
"""


def without(missing, *arguments):
    """Run the command in a Python that lacks a module."""
    code = WITHOUT.format(missing=missing, arguments=list(arguments))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("missing", "arguments", "extra"),
    [
        ("jupyterlab", ("demo",), "demo"),
        ("nbclient", ("demo", "--headless"), "demo"),
        ("av", ("demo", "--headless"), "demo"),
        ("uvicorn", ("sandbox",), "sandbox"),
        ("nbclient", ("record", "lesson.ipynb"), "demo"),
    ],
)
def test_missing_extra_is_named(missing, arguments, extra):
    """Without an extra's package the command says which one is missing and how to get it, without a traceback."""
    ended = without(missing, *arguments)
    assert ended.returncode == 1
    assert ended.stderr == (
        f'novakit-widgets: this needs {missing}, which is not installed: pip install "novakit_widgets[{extra}]"\n'
    )


@pytest.mark.parametrize(
    "arguments", [[], ["tour"], ["demo", "--port", "0"], ["demo", "--port", "x"], ["demo", "--speed", "0"]]
)
def test_senseless_arguments(arguments, capsys):
    """Arguments that make no sense end the command with status 2 and its usage, before anything is started."""
    with pytest.raises(SystemExit) as ended:
        main.main(arguments)
    assert ended.value.code == 2
    assert "usage: novakit-widgets" in capsys.readouterr().err


def test_it_tells_its_version(capsys):
    """As pip does."""
    with pytest.raises(SystemExit) as ended:
        main.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"novakit-widgets {__version__}\n"


def test_help_names_all_commands(capsys):
    """The help lists what there is."""
    with pytest.raises(SystemExit) as ended:
        main.main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "demo" in said
    assert "sandbox" in said
    assert "record" in said
    assert "lesson" in said


def test_demo_folder_that_cannot_be_created_is_refused(tmp_path, capsys):
    """A folder that can't be created is an error in one line that names the option."""
    (tmp_path / "file").write_text("in the way")
    assert main.main(["demo", "--headless", "--folder", str(tmp_path / "file" / "demo")]) == 1
    said = capsys.readouterr().err
    assert "can't be created" in said
    assert "--folder" in said


def test_copy_takes_nobodys_work_away(tmp_path):
    """A copy that was changed stays as it is, and the fresh one gets a name of its own."""
    first = demo.fresh_copy(demo.quickstart(), tmp_path)
    assert demo.fresh_copy(demo.quickstart(), tmp_path) == first
    first.write_text("my own work")
    second = demo.fresh_copy(demo.quickstart(), tmp_path)
    assert first.read_text() == "my own work"
    assert second.name == "01_quickstart-2.ipynb"
    fresh, saved = (nbformat.read(path, as_version=4) for path in (second, demo.quickstart()))
    assert [cell.source for cell in fresh.cells] == [cell.source for cell in saved.cells]
    assert [cell.outputs for cell in fresh.cells if cell.cell_type == "code" and cell.outputs] == []


def test_demo_knows_nothing_of_the_users_key(tmp_path, monkeypatch):
    """The demo's kernels get the sandbox's key and a history of their own, in place of what the user has set."""
    monkeypatch.setenv("NOVAKIT_API_KEY", "sk_" + "c" * 64)
    monkeypatch.setenv("NOVAKIT_REUSE", "1")
    with demo.sandbox(tmp_path, speed=100.0) as link:
        given = dict(link.environment)
    assert "c" * 64 not in given["NOVAKIT_API_KEY"]
    assert given["NOVAKIT_BASE_URL"] == f"{link.origin}/api/v1"
    assert given["NOVAKIT_SANDBOX_URL"] == link.origin
    assert given["NOVAKIT_HISTORY"] == str(tmp_path / "history.sqlite3")
    assert "NOVAKIT_REUSE" not in given


def test_sandbox_that_does_not_start(tmp_path, monkeypatch):
    """A sandbox that ends at once is an error, not a wait for ever."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(demo.DemoError, match="did not start"), demo.sandbox(tmp_path, speed=1.0):
        pass


def test_sandbox_command():
    """``novakit-widgets sandbox`` is the sandbox's own command, and SIGTERM ends it cleanly."""
    command = [sys.executable, "-m", "novakit_widgets", "sandbox", "--speed", "50"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert "50x speed" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == 0
