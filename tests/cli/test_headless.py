"""``novakit-widgets demo --headless``: the main job from end to end, as a command."""

import base64
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import av
import nbformat
import psutil
import pytest

from novakit_widgets.cli import demo, headless, main

pytestmark = pytest.mark.kernel

LINE = re.compile(r"^(job_\w+) +(\w+) +(\w+) +([\d.]+) s +(.+)$", re.MULTILINE)
USERS_KEY = "sk_" + "c" * 64


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory):
    """The command's end and its folder, run once by somebody who has a key of their own."""
    folder = tmp_path_factory.mktemp("demo")
    ended = subprocess.run(
        [sys.executable, "-m", "novakit_widgets", "demo", "--headless", "--folder", str(folder)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env={**os.environ, "NOVAKIT_API_KEY": USERS_KEY},
    )
    return ended, folder


def test_succeeds_quietly(rehearsal):
    """It ends with status 0 and has nothing to say on stderr."""
    ended, _ = rehearsal
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout


def test_prints_a_line_for_each_job(rehearsal):
    """Each job has a line with its id, tool, status, seconds, media type and bytes."""
    ended, _ = rehearsal
    lines = LINE.findall(ended.stdout)
    assert sorted((tool, status) for _, tool, status, _, _ in lines) == [
        ("image", "completed"),
        ("image", "failed"),
        ("music", "completed"),
        ("stt", "completed"),
        ("tts", "completed"),
        ("video", "cancelled"),
        ("video", "completed"),
    ]
    results = {tool: result for _, tool, status, _, result in lines if status == "completed"}
    assert re.fullmatch(r"video/mp4 [\d,]{5,} bytes", results["video"])
    assert re.fullmatch(r"audio/mpeg [\d,]{5,} bytes", results["music"])
    assert re.fullmatch(r"image/png [\d,]{5,} bytes", results["image"])
    assert re.fullmatch(r"text/plain [\d,]{2,} bytes", results["stt"])
    assert all(result == "-" for _, _, status, _, result in lines if status != "completed")
    assert "7 jobs in " in ended.stdout
    assert "all as meant" in ended.stdout


@pytest.mark.parametrize("suffix", ["ipynb", "html"])
def test_media_are_in_the_files(rehearsal, suffix):
    """The executed notebook and its HTML hold the video, sounds and image themselves, for readers without a kernel."""
    ended, folder = rehearsal
    path = folder / f"01_quickstart.executed.{suffix}"
    assert str(path) in ended.stdout
    text = path.read_text(encoding="utf-8")
    sizes = {}
    for kind, encoded in re.findall(r"data:((?:video|audio|image)/\w+);base64,([A-Za-z0-9+/=]+)", text):
        sizes.setdefault(kind, set()).add(len(base64.b64decode(encoded)))
    told = re.findall(r"((?:video|audio|image)/\w+) ([\d,]+) bytes", ended.stdout)
    for kind, size in told:
        assert int(size.replace(",", "")) in sizes.get(kind, ()), f"{kind} of {size} bytes"


def test_video_plays_as_long_as_was_asked(rehearsal):
    """The video in the executed notebook decodes to the five seconds that its cell asks for."""
    _, folder = rehearsal
    text = (folder / "01_quickstart.executed.ipynb").read_text(encoding="utf-8")
    encoded = re.search(r"data:video/mp4;base64,([A-Za-z0-9+/=]+)", text)[1]
    with av.open(io.BytesIO(base64.b64decode(encoded))) as video:
        frames = sum(1 for _ in video.decode(video=0))
        seconds = float(frames / video.streams.video[0].average_rate)
    assert seconds == pytest.approx(5.0, abs=0.1)


def test_nothing_personal_is_kept(rehearsal):
    """No key and no widget state are in any file that the demo leaves."""
    _, folder = rehearsal
    for path in folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert re.search(rb"sk_[0-9a-f]{64}", content) is None, path
        assert b"application/vnd.jupyter.widget-state+json" not in content, path


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to end a command with")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["the kernel starts", "a cell runs"])
def test_ctrl_c_ends_everything(tmp_path, number, moment):
    """Ctrl-C, or SIGTERM, ends the kernel, the sandbox and the command at any time, without a traceback."""
    command = [sys.executable, "-u", "-m", "novakit_widgets", "demo", "--headless", "--folder", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        me = psutil.Process(process.pid)

        def is_so():
            if moment == "a cell runs":
                return (tmp_path / "history.sqlite3").exists()  # the first job is in it before it is sent
            return any("ipykernel" in " ".join(one.cmdline()) for one in me.children())

        until = time.monotonic() + 60
        while time.monotonic() < until and not is_so():
            time.sleep(0.02)
        family = me.children(recursive=True)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said.strip()) == (130, "Interrupted. The kernel and the sandbox have ended.")
    assert len(family) > 1
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


def of_cells(path, *sources, meant=None):
    """Write a notebook, as its author would."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    if meant is not None:
        notebook.metadata["novakit_widgets"] = {"jobs": meant}
    nbformat.write(notebook, path)
    return path


FAILING = """
import novakit_widgets as nk
try:
    await nk.image("fail please")
except nk.JobFailedError:
    pass
"""


@pytest.mark.parametrize(
    ("meant", "problem"),
    [
        (None, r"job_\w+ is failed"),
        (["image completed"], "image completed: 0 instead of 1"),
        (["image failed"], None),
    ],
)
def test_failures_are_problems_unless_they_are_meant(tmp_path, meant, problem):
    """A failed job is a problem unless the notebook's metadata say that it is meant to fail."""
    notebook = of_cells(tmp_path / "failing.ipynb", FAILING, meant=meant)
    with demo.sandbox(tmp_path, speed=200.0) as link:
        report = headless.run(notebook, tmp_path, link)
    if problem is None:
        assert report.problems == ()
    else:
        assert any(re.fullmatch(problem, one) for one in report.problems), report.problems
        assert "NOT as meant" in str(report)


@pytest.mark.parametrize(("meant", "status"), [(None, 1), (["image failed"], 0)])
def test_the_command_fails_when_a_job_does(tmp_path, monkeypatch, capsys, meant, status):
    """Its exit status says so, for whoever runs it in a script."""
    notebook = of_cells(tmp_path / "failing.ipynb", FAILING, meant=meant)
    monkeypatch.setattr(demo, "quickstart", lambda: notebook)
    assert main.main(["demo", "--headless", "--speed", "200", "--folder", str(tmp_path / "made")]) == status
    assert "failed" in capsys.readouterr().out


def test_cell_that_raises_is_a_problem(tmp_path):
    """A cell that raises ends the run; what was executed so far is kept, and the error is told."""
    notebook = of_cells(tmp_path / "raising.ipynb", "print('so far')", "1 / 0", "print('too far')")
    with demo.sandbox(tmp_path, speed=200.0) as link:
        report = headless.run(notebook, tmp_path, link)
    assert any("ZeroDivisionError" in one for one in report.problems)
    kept = json.loads(report.notebook.read_text(encoding="utf-8"))
    assert kept["cells"][0]["outputs"][0]["text"] == ["so far\n"]
    assert report.page.is_file()
