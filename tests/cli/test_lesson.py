"""Recordings by the command: a notebook is executed and recorded, and replays in a fresh kernel without a network."""

import re
import stat

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from teaching import outputs, variables

from novakit_widgets.cli import execution, main
from novakit_widgets.lessons import lesson as lessons

LESSON = (
    """picture = await nk.image("A lighthouse", size="512x512")
picture""",
    'nk.edit_image(prompt="In winter", image=picture.media[0].url).wait()',
    'nk.batch("tts", ["one", "two"]).wait()',
    """try:
    await nk.video("fail please")
except nk.JobFailedError as error:
    print(error.message.partition(": ")[2])""",
    'nk.music("Slow jazz", duration_seconds=2)',  # nobody waits for it
    "pass",
)
SANDBOX = "import novakit_widgets as nk\nlink = nk.use_sandbox(speed=60)"
# In a kernel that reaches this machine only.
GUARD = """import socket
connect = socket.socket.connect
def guarded(sock, address):
    assert sock.family == socket.AF_UNIX or address[0] == "127.0.0.1", address
    return connect(sock, address)
socket.socket.connect = guarded
import novakit_widgets as nk"""
MEDIA = re.compile(r'src="(data:[^"]+)"')
ADDRESSES = re.compile(r"http://127\.0\.0\.1:\d+/[\w./-]+")
TIMES = re.compile(r"(under )?(\d+ min ?)?\d+(\.\d+)? s\b|\d+ min\b|\d+ \w{3} \d{4} \d\d:\d\d|\d\d:\d\d(:\d\d)?")


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Write a notebook of cells, in a process without settings."""
    for name in ("NOVAKIT_HISTORY", "NOVAKIT_SANDBOX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NOVAKIT_HISTORY", str(tmp_path / "history.sqlite3"))

    def write(name, *cells):
        path = tmp_path / name
        nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells]), path)
        return path

    return write


def executed(path, folder):
    """Execute a notebook in a fresh kernel, and return it."""
    folder.mkdir()
    document = nbformat.read(path, as_version=4)
    assert execution.execute(document, folder, variables(folder)) == []
    return document


def shown(document):
    """Return what the cells of the lesson show, without times, and its media."""
    text = [
        ADDRESSES.sub(
            "…", TIMES.sub("…", output.get("text") or str(output.data.get("text/html", output.data.get("text/plain"))))
        )
        for cell, output in outputs(document)
        if cell.source in LESSON[:4]
    ]
    return MEDIA.findall("".join(text)), [MEDIA.sub("", each) for each in text]


@pytest.mark.kernel
def test_replay_in_a_fresh_kernel_without_network(notebook, tmp_path):
    """A student sees what the teacher has seen, ten times as fast, byte for byte, from a share that can't be written."""
    share = tmp_path / "share"
    share.mkdir()
    path = share / "lesson.novakit"
    begin, end = f"recording = nk.record({str(path)!r})", "file = recording.stop(wait=60)"
    taught = notebook("teacher.ipynb", SANDBOX, begin, *LESSON, end)
    teacher = shown(executed(taught, tmp_path / "teacher"))
    assert [found.name for found in share.iterdir()] == [path.name]
    path.chmod(stat.S_IRUSR)
    share.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        replayed = notebook("student.ipynb", GUARD, f"link = nk.replay({str(path)!r}, speed=10)", *LESSON)
        student = shown(executed(replayed, tmp_path / "student"))
    finally:
        share.chmod(stat.S_IRWXU)
    assert len(student[0]) == 4
    assert student == teacher


@pytest.mark.kernel
def test_record_command(notebook, tmp_path, capsys):
    """The command executes a notebook, waits for jobs that nobody awaits, and lists what it has recorded."""
    taught = notebook("lesson.ipynb", SANDBOX, *LESSON)
    path = taught.with_suffix(".novakit")
    assert main.main(["record", str(taught)]) == 0
    listed = capsys.readouterr().out
    assert [line.split()[1:3] for line in listed.splitlines()[:-1]] == [
        ["image", "completed"],
        ["image_edit", "completed"],
        ["tts", "completed"],
        ["tts", "completed"],
        ["video", "failed"],
        ["music", "completed"],
    ]
    assert "6 calls, 5 media of" in listed
    assert main.main(["lesson", "show", str(path)]) == 0
    assert capsys.readouterr().out == listed
    assert all(not cell.outputs for cell in nbformat.read(taught, as_version=4).cells)


@pytest.mark.kernel
def test_record_notebook_that_fails(notebook, tmp_path, capsys):
    """What ran before the error is recorded, and the command says which cell failed."""
    sandbox = "import novakit_widgets as nk\nlink = nk.use_sandbox(speed=60, media='canned')"
    path = notebook("broken.ipynb", sandbox, 'job = await nk.image("x")', "1 / 0", 'nk.image("y")')
    assert main.main(["record", str(path)]) == 1
    told = capsys.readouterr()
    assert "ZeroDivisionError" in told.err
    assert "1 call, 1 media" in told.out
    assert [job.params["prompt"] for job in lessons.read(path.with_suffix(".novakit")).jobs] == ["x"]


def test_record_no_notebook(tmp_path, capsys):
    """A notebook that is not there, or is none, is an error in one line."""
    assert main.main(["record", str(tmp_path / "none.ipynb")]) == 1
    (tmp_path / "other.ipynb").write_text("no JSON")
    assert main.main(["record", str(tmp_path / "other.ipynb")]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"novakit-widgets: there is no notebook {tmp_path / 'none.ipynb'}"
    assert "can't be read as a notebook" in second


def test_show_no_recording(tmp_path, capsys):
    """A file that is no recording is an error in one line that names it."""
    (tmp_path / "other.novakit").write_text("no zip")
    assert main.main(["lesson", "show", str(tmp_path / "other.novakit")]) == 1
    assert capsys.readouterr().err == (
        f"novakit-widgets: {tmp_path / 'other.novakit'} can't be used as a recording: it is no zip file, or its end is missing.\n"
    )
