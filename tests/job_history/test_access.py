"""Access to the file: nobody waits long for a lock or a disk, nothing is written on the loop's thread, and rows are only late."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import threading
import time
import warnings

import pytest

from novakit_widgets import ConfigurationError, Job, JobStatus, Tool
from novakit_widgets.job_history.filesystem import is_network
from novakit_widgets.job_history.jobs import HistoryWarning, JobHistory
from novakit_widgets.job_history.submissions import new_intent

URL = "https://x.example/api/v1"
PARAMS = {"prompt": "A lighthouse"}


@pytest.fixture
def history(tmp_path):
    """A history with one row."""
    made = JobHistory(tmp_path / "history.sqlite3")
    made.begin(Tool.VIDEO, PARAMS, base_url=URL)
    return made


@contextlib.contextmanager
def locked(path, kind):
    """Hold a lock on the file: by this process, by another one, or as a program that owns the whole file."""
    if kind == "other process":
        code = (
            "import sqlite3, sys; d = sqlite3.connect(sys.argv[1], isolation_level=None); d.execute('BEGIN EXCLUSIVE');"
            "print('locked', flush=True); sys.stdin.readline()"
        )
        command = [sys.executable, "-c", code, str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
            holder.stdout.readline()
            yield
            holder.communicate("\n", timeout=20)
        return
    database = sqlite3.connect(path, isolation_level=None)
    if kind == "locking_mode":
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
    database.execute("BEGIN EXCLUSIVE")
    if kind == "locking_mode":
        database.execute("UPDATE jobs SET note = 'mine'")
    try:
        yield
    finally:
        database.close()


async def steps_of_a_job(history):
    """Take the steps of a job; return its row's id, the seconds that they took, and the longest standstill of the loop."""
    gaps = [0.0]

    async def beat():
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.005)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    beating = asyncio.ensure_future(beat())
    began = time.perf_counter()
    intent = await history.off_loop(history.begin, Tool.VIDEO, PARAMS, base_url=URL, intent=new_intent())
    job = Job("job_1", JobStatus.PENDING, tool="video")
    await history.off_loop(history.started, intent, job, base_url=URL)
    await history.off_loop(history.update, Job("job_1", JobStatus.COMPLETED, tool="video"), base_url=URL)
    took = time.perf_counter() - began
    beating.cancel()
    return intent, took, max(gaps)


@pytest.mark.parametrize("kind", ["same process", "other process", "locking_mode"])
async def test_off_loop_locked_file_costs_two_seconds_and_no_row(history, kind):
    """The loop turns, there is one warning, and the job's row is written once the lock is gone."""
    with pytest.warns(HistoryWarning, match="locked") as caught, locked(history.path, kind):
        intent, took, gap = await steps_of_a_job(history)
    assert took < 2.5
    assert gap < 0.5
    assert len(caught) == 1
    for _ in range(500):
        entries = await history.off_loop(history.entries, limit=None)
        if len(entries) == 2:
            break
        await asyncio.sleep(0.02)
    assert {entry.intent for entry in entries} > {intent}
    (entry,) = (entry for entry in entries if entry.intent == intent)
    assert (entry.job.id, entry.job.status) == ("job_1", JobStatus.COMPLETED)


async def test_off_loop_hanging_disk_costs_two_seconds(history, monkeypatch):
    """A system call that does not return holds up the history's own thread only."""
    hangs, real = threading.Event(), sqlite3.connect

    def connect(*args, **kwargs):
        hangs.wait(20)
        return real(*args, **kwargs)

    monkeypatch.setattr(sqlite3, "connect", connect)
    with pytest.warns(HistoryWarning, match="does not answer"):
        _, took, gap = await steps_of_a_job(history)
        hangs.set()
        while len(await history.off_loop(history.entries)) < 2:
            await asyncio.sleep(0.02)
    assert took < 2.5
    assert gap < 0.5


async def test_methods_reach_the_file_on_one_thread(history, monkeypatch):
    """Called directly, off the loop or later: never on the thread of the loop, and in the order of the calls."""
    threads, real = [], sqlite3.connect

    def connect(*args, **kwargs):
        threads.append(threading.current_thread())
        return real(*args, **kwargs)

    monkeypatch.setattr(sqlite3, "connect", connect)
    intent = history.begin(Tool.VIDEO, PARAMS, base_url=URL)
    history.later(history.uncertain, intent, "lost")
    assert history.entries(status="uncertain")[0].intent == intent
    await history.off_loop(history.unsent, intent, "refused")
    assert (await history.off_loop(history.entries))[0].stage == "unsent"
    assert len(set(threads)) == 1
    assert threading.current_thread() not in threads


async def test_locked_file_recovers(history):
    """After the lock is gone the history is used again as before."""
    with warnings.catch_warnings(), locked(history.path, "same process"):
        warnings.simplefilter("ignore")
        assert await history.off_loop(history.begin, Tool.VIDEO, PARAMS, base_url=URL) == ""
        with pytest.raises(ConfigurationError, match=r"reuse=True.*locked.*Nothing was submitted or billed"):
            history.require("reuse=True")
    while not (await history.off_loop(history.entries)):
        await asyncio.sleep(0.02)
    history.require("reuse=True")
    assert await history.off_loop(history.begin, Tool.VIDEO, PARAMS, base_url=URL)


@pytest.mark.parametrize("kind", ["off", "folder", "newer"])
def test_require_says_why_the_history_is_of_no_use(tmp_path, kind):
    """Switched off, not a file, of a newer version: the message names the reason."""
    path = {"off": None, "folder": tmp_path, "newer": tmp_path / "newer.sqlite3"}[kind]
    if kind == "newer":
        database = sqlite3.connect(path)
        database.execute("PRAGMA user_version = 999")
        database.close()
    history = JobHistory(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert history.entries() == []
    reason = {"off": "switched off", "folder": "unable to open", "newer": "newer version"}[kind]
    with pytest.raises(ConfigurationError, match=reason):
        history.require("reuse=True")


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw,vers=4.2 0 0
tmpfs /home/local tmpfs rw 0 0
//nas/media /mnt/My\\040Media cifs rw 0 0
me@host: /mnt/far fuse.sshfs rw 0 0
proc /proc proc rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "network"),
    [
        ("/home/ada/history.sqlite3", True),
        ("/home/local/history.sqlite3", False),
        ("/homework/history.sqlite3", False),
        ("/mnt/My Media/a/history.sqlite3", True),
        ("/mnt/far/history.sqlite3", True),
        ("/var/history.sqlite3", False),
    ],
)
def test_is_network_reads_the_mounts(tmp_path, path, network):
    """The longest mount point decides; spaces in it are escaped."""
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert is_network(type(mounts)(path), mounts=mounts) is network
    assert not is_network(mounts, mounts=tmp_path / "missing")


@pytest.mark.parametrize("existing", [False, True])
def test_network_file_system_gets_a_rollback_journal(tmp_path, monkeypatch, existing):
    """A new file, and one that was created on a local disk and moved."""
    path = tmp_path / "history.sqlite3"
    if existing:
        JobHistory(path).begin(Tool.VIDEO, PARAMS, base_url=URL)
    monkeypatch.setattr("novakit_widgets.job_history.database.is_network", lambda _path: True)
    history = JobHistory(path)
    history.begin(Tool.VIDEO, PARAMS, base_url=URL)
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    database.close()
    assert len(history.entries()) == 1 + existing
    assert [file.name for file in tmp_path.iterdir()] == ["history.sqlite3"]
