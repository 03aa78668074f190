"""JobHistory against what answers, neighbours and other programs can do to it."""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
import subprocess
import sys
import time
import warnings
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from novakit_widgets import Job, JobStatus, Tool
from novakit_widgets.job_history.jobs import HistoryWarning, JobHistory

URL = "https://x.example/api/v1"
NOW = datetime(2026, 11, 12, 10, 0, tzinfo=timezone.utc)
KEY = "sk_" + "c0ffee" * 10 + "beef"
MEETING = Path(__file__).parents[1] / "support" / "meeting.py"


@pytest.fixture
def history(tmp_path):
    """An empty history."""
    return JobHistory(tmp_path / "data" / "history.sqlite3", now=lambda: NOW)


def begin(history, **options):
    """Write an intent."""
    return history.begin(Tool.VIDEO, {"prompt": "A lighthouse"}, base_url=URL, **options)


def change(history, statement, *values):
    """Change the file as no method does."""
    database = sqlite3.connect(history.path)
    with database:
        database.execute(statement, values)
    database.close()


def test_an_answer_that_was_overtaken_changes_nothing(history):
    """A job that has ended stays ended, whichever thread or kernel writes last."""
    history.update(Job("job_1", JobStatus.COMPLETED, output={"url": "https://cdn.example/a"}), base_url=URL)
    history.update(Job("job_1", JobStatus.PROCESSING, model="m/1"), base_url=URL)
    history.update(Job("job_1", JobStatus.FAILED, error="no"), base_url=URL)
    job = history.find("job_1", base_url=URL).job
    assert (job.status, job.error, job.output) == (JobStatus.COMPLETED, None, {"url": "https://cdn.example/a"})


def test_no_place_of_a_row_takes_a_key(history):
    """Model, path, note, reason, id: a key is in none of them, and not cut in two where the searched words end."""
    prompt = "a" * (10_000 - 40) + KEY
    intent = history.begin(Tool.VIDEO, {"prompt": prompt, KEY: KEY}, base_url=f"{URL}/{KEY}", notebook=f"/{KEY}.ipynb")
    history.uncertain(intent, KEY)
    history.started(intent, Job(f"job_{KEY}", JobStatus.FAILED, model=KEY, error=KEY), base_url=URL)
    history.annotate(intent, note=KEY)
    history.saved(f"job_{KEY}", [Path(f"/{KEY}.mp4")], base_url=f"{URL}/{KEY}")
    reader = sqlite3.connect(history.path)
    reader.execute("BEGIN").execute("SELECT * FROM jobs").fetchall()  # keeps the log from being folded in
    history.annotate(intent, note=f"again {KEY}")
    files = list(history.path.parent.iterdir())
    assert any(file.name.endswith("-wal") and file.stat().st_size for file in files)
    for file in files:
        assert KEY[:20].encode() not in file.read_bytes()
    reader.close()


@pytest.mark.parametrize("odd", ["\ud800", "\0", "'; DROP TABLE jobs; --", "\U0010ffff" * 100])
def test_no_text_of_the_service_stops_a_job_from_being_noted(history, odd):
    """What comes after a POST is written, whatever its words are made of."""
    intent = begin(history, notebook=odd)
    history.uncertain(intent, odd)
    history.started(intent, Job("job_1", JobStatus.FAILED, model=odd, error=odd, output=odd), base_url=URL)
    assert history.find("job_1", base_url=URL).job.output == odd
    assert len(history.entries(search=odd * 20_000)) == 0


@pytest.mark.parametrize("created", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_an_odd_time_leaves_the_list_readable(history, created):
    """One job's impossible date costs no other job."""
    begin(history)
    history.update(Job.from_json({"id": "job_1", "status": "completed", "createdAt": created}), base_url=URL)
    assert len(history.entries()) == 2


def test_parameters_that_no_json_can_say_are_the_clients_to_refuse(history):
    """Too deep, in a circle, too long a number: the history notes the attempt and raises nothing."""
    deep: dict = {}
    inner = deep
    for _ in range(5000):
        inner["a"] = {}
        inner = inner["a"]
    circle: dict = {}
    circle["a"] = circle
    for params in ({"model_inputs": deep}, {"model_inputs": circle}, {"seed": 10**5000}, {"seed": object()}):
        assert history.begin(Tool.MUSIC, params, base_url=URL)
    assert len(history.entries()) == 4
    assert history.twin(Tool.MUSIC, circle, base_url=URL) is None


def test_a_history_that_fails_raises_nothing_where_warnings_are_errors(tmp_path, caplog):
    """The job may just have been paid for: then the warning goes to the log."""
    (tmp_path / "file").write_text("no folder")
    history = JobHistory(tmp_path / "file" / "history.sqlite3")
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        history.started(begin(history), Job("job_1", JobStatus.PENDING), base_url=URL)
    assert len(caplog.records) == 1
    assert "can't be used" in caplog.text


def test_a_job_is_noted_although_its_intent_could_not_be(history):
    """The disk was full before the POST and is not any more: the job has its row."""
    history.started("", Job("job_1", JobStatus.PENDING, tool="video"), base_url=URL)
    assert history.find("job_1", base_url=URL).job.status == JobStatus.PENDING


def test_another_programs_database_is_left_alone(tmp_path):
    """A NOVAKIT_HISTORY that names a wrong file costs that file nothing."""
    path = tmp_path / "theirs.sqlite3"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE theirs (a)")
    database.close()
    before = path.read_bytes()
    with pytest.warns(HistoryWarning, match="another program's"):
        assert begin(JobHistory(path)) == ""
    assert path.read_bytes() == before


def test_two_damages_in_one_second_are_both_kept(history):
    """What was set aside first is not overwritten."""
    for letter in (b"A", b"B"):
        history.path.parent.mkdir(exist_ok=True)
        history.path.write_bytes(letter * 5000)
        with pytest.warns(HistoryWarning, match="was damaged"):
            assert history.entries() == []
    kept = [file.read_bytes()[:1] for file in history.path.parent.glob("*.corrupt-*.sqlite3")]
    assert sorted(kept) == [b"A", b"B"]


def test_a_log_that_is_left_of_another_file_does_no_harm(tmp_path, history):
    """A process that dies while it sets a file aside may leave its log: it is no part of the new file."""
    old = JobHistory(tmp_path / "old.sqlite3")
    begin(old)
    reader = sqlite3.connect(old.path)
    reader.execute("BEGIN").execute("SELECT * FROM jobs").fetchall()
    begin(old)
    history.path.parent.mkdir()
    Path(f"{history.path}-wal").write_bytes(Path(f"{old.path}-wal").read_bytes())
    reader.close()
    begin(history)
    assert len(history.entries()) == 1


@pytest.mark.parametrize("found", ["nothing", "damage"])
def test_eight_processes_that_meet_at_the_first_use_lose_nothing(tmp_path, found):
    """Each makes the file, or finds it damaged, at the same moment: one file, one warning, every row."""
    for number in range(4):
        path = tmp_path / str(number) / "history.sqlite3"
        path.parent.mkdir()
        if found == "damage":
            path.write_bytes(b"no database " * 1000)
        command = [sys.executable, "-W", "always", str(MEETING), str(path)]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        processes = [subprocess.Popen([*command, str(name)], text=True, **pipes) for name in range(8)]
        for process in processes:
            process.stdout.readline()
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        told = "".join(process.communicate(timeout=60)[1] for process in processes)
        assert "can't be used" not in told
        assert "Traceback" not in told
        assert told.count("was damaged") == (found == "damage")
        assert len(list(path.parent.glob("*.corrupt-*.sqlite3"))) == (found == "damage")
        assert len(JobHistory(path).job_ids(base_url=URL)) == 40


def test_a_file_that_stays_locked_is_waited_for_once(history):
    """Somebody's database tool holds the file: one wait, one warning, and no wait for each later step of the job."""
    begin(history)
    holder = sqlite3.connect(history.path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    history._access.file.patience = 0.5
    with pytest.warns(HistoryWarning, match="locked") as caught:
        began = time.monotonic()
        begin(history)
        first = time.monotonic() - began
        began = time.monotonic()
        begin(history)
        second = time.monotonic() - began
    holder.close()
    assert len(caught) == 1
    assert second < first
    assert begin(history)


def test_an_intent_is_lost_when_its_process_is(history):
    """Another kernel's POST is left alone while that kernel lives, and offered as soon as it is killed."""
    code = (
        "import sys; from pathlib import Path; from novakit_widgets import Tool;"
        "from novakit_widgets.job_history.jobs import JobHistory;"
        "print(JobHistory(Path(sys.argv[1])).begin(Tool.VIDEO, {'prompt': 'x'}, base_url=sys.argv[2]), flush=True);"
        "sys.stdin.readline()"
    )
    kernel = subprocess.Popen(
        [sys.executable, "-c", code, history.path, URL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    intent = kernel.stdout.readline().strip()
    change(history, "UPDATE jobs SET begun_at = begun_at - 86400")  # a laptop slept for a day in mid-POST
    assert history.lost() == []
    kernel.kill()
    kernel.wait()
    kernel.stdin.close()
    kernel.stdout.close()
    assert [entry.intent for entry in history.lost()] == [intent]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="a process's beginning is read from Linux's /proc")
def test_a_number_that_another_process_has_now_is_no_sign_of_life(history):
    """After a restart of the container a small process number soon belongs to something else."""
    intent = begin(history)
    (name,) = history._run(lambda database: database.execute("SELECT process FROM jobs").fetchone(), None)
    host, number, birth = name.split()
    assert (host, number) == (socket.gethostname(), str(os.getpid()))
    assert history.lost() == []
    change(history, "UPDATE jobs SET process = ?", f"{host} {number} {birth.rpartition('/')[0]}/1")
    assert [entry.intent for entry in history.lost()] == [intent]


def test_what_can_not_be_asked_is_lost_when_no_post_lasts_that_long(tmp_path):
    """A process of another boot or container, or one that merely has the number, is given its time."""
    now = [NOW]
    history = JobHistory(tmp_path / "history.sqlite3", now=lambda: now[0])
    begin(history)
    for name in (
        f"{socket.gethostname()} 1 other-boot/pid:[1]/1",
        f"{socket.gethostname()} {os.getppid()} 0",
        "odd",
        "",
    ):
        change(history, "UPDATE jobs SET process = ?", name)
        now[0] = NOW + timedelta(minutes=14)
        assert history.lost() == []
        now[0] = NOW + timedelta(minutes=16)
        assert len(history.lost()) == 1


def test_a_job_that_is_known_is_not_declared_unsent(history):
    """Another kernel looked too early and found nothing: the answer that came after all stands."""
    intent = begin(history)
    history.started(intent, Job("job_1", JobStatus.PENDING), base_url=URL)
    history.unsent(intent, "the service's list has no such job")
    history.uncertain(intent, "it was broken off")
    entry = history.find("job_1", base_url=URL)
    assert (entry.stage, entry.job.status) == ("job", JobStatus.PENDING)


def test_the_answer_outranks_what_was_looked_up(history):
    """Equal submissions, and one was taken for the other: each job has one row, and the loser is looked up again."""
    early, late = begin(history, notebook="early.ipynb"), begin(history, notebook="late.ipynb")
    history.started(early, Job("job_late", JobStatus.PENDING), base_url=URL)
    history.started(late, Job("job_late", JobStatus.PENDING), base_url=URL)
    assert history.find("job_late", base_url=URL).notebook == "late.ipynb"
    assert [entry.intent for entry in history.lost()] == [early]
    history.started(early, Job("job_early", JobStatus.PENDING), base_url=URL)
    assert {entry.notebook: entry.job.id for entry in history.entries()} == {
        "early.ipynb": "job_early",
        "late.ipynb": "job_late",
    }


def test_the_real_answer_replaces_a_job_that_was_taken_for_it(history):
    """The other job stays in the history, under a row of its own, with nothing of it left in the first."""
    intent = begin(history)
    history.started(intent, Job("job_other", JobStatus.COMPLETED, model="m/other"), base_url=URL)
    history.started(intent, Job("job_1", JobStatus.PENDING), base_url=URL)
    entry, other = history.find("job_1", base_url=URL), history.find("job_other", base_url=URL)
    assert (entry.intent, entry.job.status, entry.job.model) == (intent, JobStatus.PENDING, None)
    assert (other.job.status, other.job.model) == (JobStatus.COMPLETED, "m/other")


def test_what_was_attached_meanwhile_keeps_its_star_and_the_intent_its_notebook(history):
    """Two rows of one job become one that has what both knew."""
    intent = begin(history, notebook="a.ipynb")
    history.update(Job("job_1", JobStatus.COMPLETED, model="m/1"), base_url=URL)
    history.annotate(history.find("job_1", base_url=URL).intent, note="mine", star=True)
    history.saved("job_1", [Path("/a.mp4")], base_url=URL)
    history.started(intent, Job("job_1", JobStatus.PENDING), base_url=URL)
    (entry,) = history.entries()
    assert (entry.intent, entry.notebook, dict(entry.params)) == (intent, "a.ipynb", {"prompt": "A lighthouse"})
    assert (entry.note, entry.star, entry.job.status, entry.job.model) == ("mine", True, JobStatus.COMPLETED, "m/1")
    assert entry.files == (Path("/a.mp4").absolute(),)


@pytest.mark.parametrize("search", ["über", "ÜBER DEN", "straße", "STRASSE", "100%_", "JOB_1"])
def test_search_knows_great_and_small_letters_of_all_scripts(history, search):
    """And signs that mean something to SQL are signs."""
    intent = history.begin(Tool.VIDEO, {"prompt": "Über den Straße 100%_ \0"}, base_url=URL)
    history.started(intent, Job("job_1", JobStatus.PENDING), base_url=URL)
    history.begin(Tool.VIDEO, {"prompt": "something else, 100 xx"}, base_url=URL)
    assert [entry.intent for entry in history.entries(search=search)] == [intent]


@pytest.mark.parametrize("at", range(100, 4096, 149))
def test_one_odd_byte_where_the_tables_are_described_costs_no_job(tmp_path, at):
    """The damage may show as any error at all: the file is set aside or still serves, and no job is held up."""
    history = JobHistory(tmp_path / "history.sqlite3", now=lambda: NOW)
    begin(history)
    content = bytearray(history.path.read_bytes())
    content[at] = 0xAC
    history.path.write_bytes(content)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert begin(history)
        history.entries()
        assert history.twin(Tool.VIDEO, {"prompt": "A lighthouse"}, base_url=URL) is None
    assert len(caught) <= 1
    assert all("was damaged" in str(warning.message) for warning in caught)


def test_a_column_that_lost_its_name_is_damage(history):
    """A schema that is well-formed and not ours can't be used, and would be in the way for ever."""
    begin(history)
    change(history, "ALTER TABLE jobs RENAME COLUMN notebook TO motebook")
    with pytest.warns(HistoryWarning, match="was damaged"):
        assert begin(history)
    assert len(history.entries()) == 1


@pytest.mark.parametrize(
    "error", [TypeError("odd"), RecursionError(), UnicodeDecodeError("utf-8", b"\xac", 0, 1, "odd")]
)
def test_whatever_goes_wrong_with_the_history_costs_the_history_alone(history, error):
    """Not only what a disk can do: one warning, and the job goes on. The file is sound, so it stays."""
    begin(history)

    def fails(_database):
        raise error

    with pytest.warns(HistoryWarning, match="can't be used"):
        assert history._run(fails, "nothing") == "nothing"
    assert len(history.entries()) == 1
    assert [file.name for file in history.path.parent.glob("*corrupt*")] == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("begun_at", "soon"),
        ("begun_at", 1e300),
        ("files", "[3, null]"),
        ("files", "7"),
        ("params", b"\xac"),
        ("note", b"\xac"),
    ],
)
def test_an_odd_cell_costs_no_other_row(history, column, value):
    """What one row has become leaves the others readable, and itself as far as it can be."""
    begin(history)
    begin(history)
    change(history, f"UPDATE jobs SET {column} = ? WHERE number = 1", value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(history.entries()) == 2


def test_a_text_that_is_no_text_any_more_costs_no_other_row(history):
    """Bytes in a text that no alphabet has are shown as what can't be read."""
    begin(history)
    change(history, "UPDATE jobs SET reason = CAST(x'ac6162' AS TEXT)")
    assert history.entries()[0].reason == "\ufffdab"
