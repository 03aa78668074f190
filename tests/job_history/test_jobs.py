"""JobHistory: what it keeps, what it never keeps, and what it does when the disk fails."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import warnings
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novakit_widgets import Job, JobStatus, Tool
from novakit_widgets.errors import ConfigurationError
from novakit_widgets.job_history.jobs import HistoryWarning, JobHistory
from novakit_widgets.job_history.schema import STEPS, VERSION

URL = "https://x.example/api/v1"
NOW = datetime(2026, 11, 12, 10, 0, tzinfo=timezone.utc)
WRITER = Path(__file__).parents[1] / "support" / "writer.py"
KEY = "sk_" + "c0ffee" * 10 + "beef"


class Clock:
    """A clock that tests set by hand."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        """Return the moment."""
        return self.now


@pytest.fixture
def clock():
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def history(tmp_path, clock):
    """An empty history."""
    return JobHistory(tmp_path / "data" / "history.sqlite3", now=clock)


def add(history, job_id, params=None, *, tool=Tool.VIDEO, status=JobStatus.COMPLETED, url=URL, **facts):
    """Write a job as a submission does."""
    intent = history.begin(tool, params or {"prompt": "A lighthouse"}, base_url=url)
    history.started(intent, Job(job_id, JobStatus.PENDING, tool=str(tool)), base_url=url)
    history.update(Job(job_id, status, tool=str(tool), **facts), base_url=url)
    return intent


def test_a_job_is_there_before_and_after_its_submission(history):
    """The intent is on disk before anything is sent; the same row becomes the job."""
    intent = history.begin(Tool.VIDEO, {"prompt": "A lighthouse", "seed": 7}, base_url=URL, notebook="a.ipynb")
    (entry,) = history.entries()
    assert (entry.stage, entry.job, entry.begun_at, entry.notebook) == ("intent", None, NOW, "a.ipynb")
    output = {"video": {"url": "https://cdn.example/a.mp4"}}
    history.started(intent, Job("job_1", JobStatus.PENDING), base_url=URL)
    done = Job("job_1", JobStatus.COMPLETED, output=output, model="m/1", actual_credits=4.0, created_at=NOW)
    history.update(done, base_url=URL)
    (entry,) = history.entries()
    assert entry.intent == intent
    assert dict(entry.params) == {"prompt": "A lighthouse", "seed": 7}
    assert entry.job.media[0].url == "https://cdn.example/a.mp4"
    assert (entry.job.model, entry.job.actual_credits, entry.job.created_at) == ("m/1", 4.0, NOW)


def test_a_later_answer_forgets_nothing(history):
    """What a snapshot leaves out stays as it was."""
    add(history, "job_1", output={"url": "https://cdn.example/a.mp4"}, model="m/1")
    history.update(Job("job_1", JobStatus.COMPLETED), base_url=URL)
    entry = history.find("job_1", base_url=URL)
    assert entry.job.model == "m/1"
    assert entry.job.output


def test_a_job_from_elsewhere_gets_a_row_once(history):
    """Attaching to a job that was never submitted here notes it; doing so again changes nothing."""
    job = Job("job_9", JobStatus.PROCESSING, tool="music", params={"prompt": "Jazz"}, created_at=NOW)
    history.update(job, base_url=URL)
    history.update(job, base_url=URL)
    (entry,) = history.entries()
    assert (entry.tool, entry.job.id, dict(entry.params)) == ("music", "job_9", {"prompt": "Jazz"})


def test_a_recovered_job_that_was_attached_meanwhile_stays_one_row(history):
    """An intent that turns out to be a known job joins its row."""
    intent = history.begin(Tool.VIDEO, {"prompt": "x"}, base_url=URL)
    history.update(Job("job_1", JobStatus.PROCESSING, tool="video"), base_url=URL)
    history.started(intent, Job("job_1", JobStatus.PROCESSING, tool="video"), base_url=URL)
    assert [entry.job.id for entry in history.entries()] == ["job_1"]


def test_a_result_that_came_at_once_is_kept_without_an_id(history):
    """A synchronous answer has no job id, and is remembered all the same."""
    intent = history.begin(Tool.TTS, {"input": "Hello"}, base_url=URL)
    history.started(
        intent, Job(None, JobStatus.COMPLETED, output={"audio_url": "https://x.example/a.mp3"}), base_url=URL
    )
    (entry,) = history.entries()
    assert entry.job.id is None
    assert entry.job.media


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_any_parameters_come_back_as_they_were(tmp_path_factory, params):
    """Whatever JSON can say is kept."""
    history = JobHistory(tmp_path_factory.mktemp("h") / "history.sqlite3")
    history.begin(Tool.VIDEO, params, base_url=URL)
    (entry,) = history.entries()
    assert dict(entry.params) == params


def test_the_key_is_never_on_disk(history):
    """In a prompt, an error or an address: the file's bytes do not have it, the write-ahead log included."""
    reader = sqlite3.connect(history.path) if history.path.exists() else None
    intent = history.begin(Tool.VIDEO, {"prompt": f"use {KEY}", "extra": {"deep": [KEY]}}, base_url=URL)
    history.started(intent, Job("job_1", JobStatus.FAILED, error=f"bad {KEY}", output={"u": KEY}), base_url=URL)
    history.uncertain(history.begin(Tool.VIDEO, {"prompt": "x"}, base_url=URL), f"reason {KEY}")
    written = b"".join(file.read_bytes() for file in history.path.parent.iterdir())
    assert b"beef" not in written
    assert "sk_…" in history.entries()[-1].params["prompt"]
    assert reader is None


def test_only_the_owner_may_read_it(history):
    """The file is 0600 in a folder that is 0700, from its first moment."""
    history.begin(Tool.VIDEO, {"prompt": "x"}, base_url=URL)
    assert history.path.stat().st_mode & 0o777 == 0o600
    assert history.path.parent.stat().st_mode & 0o777 == 0o700


def test_uploads_are_kept_as_digests(history):
    """A data URI of megabytes does not fill the disk, and still tells twins apart."""
    big, other = "data:image/png;base64," + "A" * 1_000_000, "data:image/png;base64," + "B" * 1_000_000
    params = {"prompt": "x", "mode": "image_to_video", "source_image": big}
    add(history, "job_1", params)
    assert len(str(dict(history.entries()[0].params))) < 500
    assert history.twin(Tool.VIDEO, params, base_url=URL).job.id == "job_1"
    assert history.twin(Tool.VIDEO, {**params, "source_image": other}, base_url=URL) is None


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"prompt": "x", "seed": 5}, True),
        ({"seed": 5.0, "prompt": "x"}, True),
        ({"prompt": "x", "seed": 5, "fps": 30}, True),  # a documented default is the same as nothing
        ({"prompt": "x", "seed": 6}, False),
        ({"prompt": "X", "seed": 5}, False),
        ({"prompt": "x"}, False),
    ],
)
def test_a_twin_asks_for_the_same(history, asked, found):
    """The order of keys, 5 or 5.0, and documented defaults do not matter; anything else does."""
    add(history, "job_1", {"prompt": "x", "seed": 5})
    assert (history.twin(Tool.VIDEO, asked, base_url=URL) is not None) is found


def test_a_twin_is_the_newest_that_did_not_fail_at_the_same_service(history, clock):
    """Failed and cancelled jobs, other services and other tools are no twins; a time limit holds."""
    params = {"prompt": "x"}
    add(history, "job_1", params)
    add(history, "job_2", params)
    add(history, "job_3", params, status=JobStatus.FAILED)
    add(history, "job_4", params, status=JobStatus.CANCELLED)
    add(history, "job_5", params, url="http://127.0.0.1:1/api/v1")
    add(history, "job_6", params, tool=Tool.MUSIC)
    assert history.twin(Tool.VIDEO, params, base_url=URL).job.id == "job_2"
    clock.now += timedelta(days=2)
    assert history.twin(Tool.VIDEO, params, base_url=URL, within=timedelta(days=1)) is None


def test_lost_submissions_are_those_of_dead_processes(history, clock):
    """A living process's POST is its own affair; a dead one's, and an uncertain one's, are lost."""
    history.begin(Tool.VIDEO, {"prompt": "mine, on its way"}, base_url=URL)
    history.uncertain(history.begin(Tool.VIDEO, {"prompt": "uncertain"}, base_url=URL), "lost")
    history.unsent(history.begin(Tool.VIDEO, {"prompt": "unsent"}, base_url=URL), "refused")
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    intent = history.begin(Tool.VIDEO, {"prompt": "dead"}, base_url=URL)
    with sqlite3.connect(history.path) as database:
        host = database.execute("SELECT process FROM jobs LIMIT 1").fetchone()[0].split()[0]
        database.execute("UPDATE jobs SET process = ? WHERE intent = ?", (f"{host} {int(dead.stdout)} 0", intent))
    database.close()
    assert [entry.params["prompt"] for entry in history.lost(base_url=URL)] == ["uncertain", "dead"]
    with sqlite3.connect(history.path) as database:
        database.execute("UPDATE jobs SET process = 'elsewhere 1 0' WHERE intent = ?", (intent,))
    database.close()
    assert [entry.params["prompt"] for entry in history.lost()] == ["uncertain"]
    clock.now += timedelta(minutes=16)
    assert [entry.params["prompt"] for entry in history.lost()] == ["uncertain", "dead"]


def test_search_takes_words_as_they_are(history):
    """Percent signs and underscores are no wildcards; ids are found too."""
    add(history, "job_1", {"prompt": "100% wool"})
    add(history, "job_2", {"prompt": "1000 sheep"})
    add(history, "job_3", {"prompt": "snake_case"}, tool=Tool.MUSIC, status=JobStatus.FAILED)
    found = lambda **filters: [entry.job.id for entry in history.entries(**filters)]  # noqa: E731 # short for many
    assert found(search="100%") == ["job_1"]
    assert found(search="e_c") == ["job_3"]
    assert found(search="job_2") == ["job_2"]
    assert found(tool="music") == ["job_3"]
    assert found(status="failed") == ["job_3"]
    assert found(limit=2) == ["job_3", "job_2"]


def test_search_takes_a_job_id_from_its_beginning(history):
    """With or without ``job_``; short words would else be found in most ids' hexadecimal digits."""
    add(history, "job_1ad0", {"prompt": "A boat"})
    add(history, "job_c01a", {"prompt": "A mad hatter"})
    found = lambda search: [entry.job.id for entry in history.entries(search=search)]  # noqa: E731 # short for many
    assert found("1") == found("1AD") == found("job_1ad0") == found("boat job_1") == ["job_1ad0"]
    assert found("ad") == found("C01 hatter") == ["job_c01a"]
    assert found("0") == found("_c01a") == []


@pytest.mark.parametrize(
    "search", ["boat paper", "PAPER  Boat", "über", "ÜBER straße", "STRASSE paper", "job_1 boat", "paper " * 3_000]
)
def test_search_takes_words_in_any_order_and_case(history, search):
    """In the prompt, the note and the id together, in letters of any alphabet; all words have to be there."""
    intent = add(history, "job_1", {"prompt": "A paper boat"})
    history.annotate(intent, note="Über der Straße")
    add(history, "job_2", {"prompt": "A boat"})
    assert [entry.job.id for entry in history.entries(search=search)] == ["job_1"]


def test_a_limit_may_be_any_number_of_rows(history):
    """None is all; what is no number of rows is refused."""
    for number in range(60):
        add(history, f"job_{number}")
    assert [len(history.entries(limit=limit)) for limit in (None, 10**30, 0, 7)] == [60, 60, 0, 7]
    for limit in (-1, 2.5, True, "all"):
        with pytest.raises(ConfigurationError, match="number of rows"):
            history.entries(limit=limit)


def test_rows_are_newest_first_by_their_time(history, clock):
    """A colleague's older jobs that the service's list brings later do not push this notebook's off the page."""
    add(history, "mine", {"prompt": "mine"})
    for number in range(60):
        made = NOW - timedelta(minutes=number + 1)
        job = Job(f"job_{number}", JobStatus.COMPLETED, tool="video", params={"prompt": "same"}, created_at=made)
        history.update(job, base_url=URL)
    clock.now += timedelta(hours=1)
    begun = [entry.begun_at for entry in history.entries()]
    assert begun == sorted(begun, reverse=True)
    assert history.entries()[0].job.id == "mine"
    assert history.twin(Tool.VIDEO, {"prompt": "same"}, base_url=URL).job.id == "job_0"


def test_ten_thousand_rows_are_found_through_indexes(history):
    """The newest rows, a twin and a job by its id need no walk through the table."""
    history.begin(Tool.VIDEO, {"prompt": "x"}, base_url=URL)
    with sqlite3.connect(history.path) as database:
        database.executemany(
            "INSERT INTO jobs (intent, base_url, tool, params, digest, words, stage, begun_at, job_id, status) "
            "VALUES (?, ?, 'video', '{}', ?, ?, 'job', 0, ?, 'completed')",
            [(f"i{n}", URL, f"d{n}", f"prompt {n}", f"job_{n}") for n in range(10_000)],
        )
        plans = [
            database.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
            for query in (
                "SELECT * FROM jobs WHERE 1 ORDER BY begun_at DESC, number DESC LIMIT 50",
                "SELECT * FROM jobs WHERE digest = 'd5' AND base_url = 'x' ORDER BY begun_at DESC, number DESC LIMIT 1",
                "SELECT * FROM jobs WHERE base_url = 'x' AND job_id = 'job_7'",
                "SELECT * FROM jobs WHERE stage IN ('intent', 'uncertain')",
            )
        ]
    database.close()
    assert not any("TEMP B-TREE" in step[3] for plan in plans for step in plan)
    assert all("USING" in plan[0][3] for plan in plans[1:])
    assert len(history.entries(limit=50, search="prompt 77")) == 50


def test_an_old_schema_is_brought_up_to_date(tmp_path):
    """A file of the first version keeps its rows and gets the newer columns."""
    path = tmp_path / "history.sqlite3"
    with sqlite3.connect(path) as database:
        for statement in STEPS[0]:
            database.execute(statement)
        database.execute(
            "INSERT INTO jobs (intent, base_url, tool, params, stage, begun_at, job_id, status) "
            "VALUES ('i', ?, 'video', '{\"prompt\": \"old\"}', 'job', 0, 'job_old', 'completed')",
            (URL,),
        )
        database.execute("PRAGMA user_version = 1")
    database.close()
    history = JobHistory(path)
    history.annotate("i", note="my first", star=True)
    (entry,) = history.entries()
    assert (entry.job.id, entry.note, entry.star) == ("job_old", "my first", True)


def test_a_newer_schema_is_left_alone(tmp_path):
    """A file of a version to come is not touched: one warning, and no history."""
    path = tmp_path / "history.sqlite3"
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
        database.execute("CREATE TABLE other (x)")
    database.close()
    before = path.read_bytes()
    history = JobHistory(path)
    with pytest.warns(HistoryWarning, match="newer version"):
        assert history.begin(Tool.VIDEO, {"prompt": "x"}, base_url=URL) == ""
    assert history.entries() == []
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["header", "middle"])
def test_a_damaged_file_is_set_aside(tmp_path, damage):
    """It is kept under another name with one warning, and a new one is begun."""
    path = tmp_path / "history.sqlite3"
    history = JobHistory(path)
    for number in range(300):
        add(history, f"job_{number}", {"prompt": "x" * 500})
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    content = bytearray(path.read_bytes())
    if damage == "header":
        content[:100] = os.urandom(100)
    else:
        content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    fresh = JobHistory(path)
    with pytest.warns(HistoryWarning, match="was damaged"):
        add(fresh, "job_new")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fresh.find("job_new", base_url=URL) is not None
    kept = [file for file in tmp_path.iterdir() if ".corrupt-" in file.name and file.suffix == ".sqlite3"]
    assert [file.read_bytes() for file in kept] == [bytes(content)]


def test_a_full_disk_costs_the_history_and_not_the_job(tmp_path, monkeypatch):
    """When nothing more can be written there is one warning, and every method still returns."""
    history = JobHistory(tmp_path / "history.sqlite3")
    add(history, "job_1")
    real = sqlite3.connect

    def full(*args, **kwargs):
        database = real(*args, **kwargs)
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        database.execute(f"PRAGMA max_page_count = {pages}")
        return database

    monkeypatch.setattr(sqlite3, "connect", full)
    with pytest.warns(HistoryWarning, match="full") as caught:
        for number in range(50):
            history.begin(Tool.VIDEO, {"prompt": "x" * 9_000, "n": number}, base_url=URL)
    assert len(caught) == 1
    assert history.find("job_1", base_url=URL) is not None


def test_a_folder_that_can_not_be_made_costs_the_history_and_not_the_job(tmp_path):
    """A path below a file can't be written by anybody, root included."""
    (tmp_path / "file").write_text("I am no folder")
    history = JobHistory(tmp_path / "file" / "history.sqlite3")
    with pytest.warns(HistoryWarning):
        assert history.begin(Tool.VIDEO, {"prompt": "x"}, base_url=URL) == ""
    history.started("", Job("job_1", JobStatus.PENDING), base_url=URL)
    history.update(Job("job_1", JobStatus.COMPLETED), base_url=URL)
    assert history.entries() == []
    assert history.lost() == []
    assert history.twin(Tool.VIDEO, {"prompt": "x"}, base_url=URL) is None


def test_off_keeps_nothing_and_says_nothing():
    """Without a path every method returns at once."""
    history = JobHistory(None)
    add(history, "job_1")
    assert history.entries() == []
    assert history.job_ids(base_url=URL) == frozenset()
    assert repr(history) == "JobHistory('off')"


def test_eight_processes_write_one_history_at_once(tmp_path):
    """Nothing is lost, and none of them ever hears that the database is locked."""
    path = tmp_path / "history.sqlite3"
    writers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", WRITER, path, str(number), "60"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for number in range(8)
    ]
    outcomes = [writer.communicate(timeout=120) for writer in writers]
    assert [error.decode() for _, error in outcomes] == [""] * 8
    history = JobHistory(path)
    entries = history.entries(limit=10_000)
    assert len(entries) == 8 * 60
    assert {entry.job.status for entry in entries} == {JobStatus.COMPLETED}


def test_a_process_killed_while_writing_leaves_a_whole_history(tmp_path):
    """SIGKILL at any moment: every job that was said to be on disk is there, and the file can be written on."""
    path = tmp_path / "history.sqlite3"
    luck = random.Random(7)
    said = set()
    for round_number in range(8):
        writer = subprocess.Popen([sys.executable, WRITER, path, str(round_number), "100000"], stdout=subprocess.PIPE)
        for _ in range(luck.randrange(1, 60)):
            said.add(writer.stdout.readline().decode().strip())
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
    history = JobHistory(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        known = history.job_ids(base_url=URL)
    assert said <= known
    add(history, "job_after")
    assert history.find("job_after", base_url=URL) is not None
