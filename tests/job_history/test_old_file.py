"""A file that version 0.1.0 wrote, with its first schema, opens and shows the same jobs.

`data/history-0.1.0.sqlite3` has jobs in each status, unsent, uncertain, dismissed and interrupted submissions, results without a
job id, notes, stars, saved files, batches, and rows of other services and accounts. `data/history-0.1.0.json` is what that version
showed of it. Both are fixed: a later schema gets a file of its own beside them.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import shutil
import sqlite3
import warnings
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

import httpx
import pytest

import novakit_widgets as nk
from novakit_widgets.job_history.jobs import JobHistory
from novakit_widgets.job_history.schema import VERSION
from novakit_widgets.notebook.recover import recover_all
from novakit_widgets.runtime.clock import Clock

DATA = Path(__file__).parent / "data"
SHOWN = json.loads((DATA / "history-0.1.0.json").read_text("utf-8"))
URL = "https://www.novakit.ai/api/v1"
KEY = "sk_" + "0" * 64  # the account of the rows is the fingerprint of this key at that URL
LATER = datetime(2025, 11, 28, 12, tzinfo=timezone.utc)
OPEN = ["batch-open-01", "batch-again-1"]


@pytest.fixture
def old(tmp_path):
    """A copy of the file at the place that the settings name."""
    return Path(shutil.copy(DATA / "history-0.1.0.sqlite3", tmp_path / "history.sqlite3"))


@pytest.fixture
def history(old):
    """The file, opened half a day after its last row."""
    return JobHistory(old, now=lambda: LATER)


def client(*listed):
    """A client of the account that wrote the file, whose service lists some jobs."""
    answer = {"jobs": list(listed)}
    return nk.NovaKitClient(KEY, URL, transport=httpx.MockTransport(lambda _request: httpx.Response(200, json=answer)))


async def nap(_seconds):
    """Return at once."""
    await asyncio.sleep(0)


def plain(value):
    """Return a value as the JSON file has it. `Job.raw` is no part of what is kept."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return value.as_posix()
    if dataclasses.is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value) if one.name != "raw"}
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, str) else value


def subset(value, wanted):
    """Keep of a plain value what version 0.1.0 knew: later versions may add fields."""
    if isinstance(wanted, dict) and isinstance(value, dict):
        return {name: subset(value.get(name, "missing"), one) for name, one in wanted.items()}
    if isinstance(wanted, list) and isinstance(value, list) and len(value) == len(wanted):
        return [subset(one, other) for one, other in zip(value, wanted, strict=True)]
    return value


def test_old_file_entries_are_unchanged(history):
    """Every row has the values that version 0.1.0 showed, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        entries = plain(history.entries(limit=None))
    assert len(entries) == 26
    assert subset(entries, SHOWN["entries"]) == SHOWN["entries"]


def test_old_file_after_writing_keeps_its_rows(history):
    """Migration and a new row leave the old rows as they are."""
    new = history.begin(nk.Tool.VIDEO, {"prompt": "new"}, base_url=URL)
    entries = plain([entry for entry in history.entries(limit=None) if entry.intent != new])
    assert subset(entries, SHOWN["entries"]) == SHOWN["entries"]
    database = sqlite3.connect(history.path)
    assert database.execute("PRAGMA user_version").fetchone() == (VERSION,)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def test_old_file_queries_are_unchanged(history):
    """Lost submissions, batches, answer times and job ids are those that version 0.1.0 found."""
    account = client().account
    assert [entry.intent for entry in history.lost(base_url=URL, account=account)] == SHOWN["lost"]
    found = [plain(history.batches.find(batch)) for batch in OPEN]
    assert subset(found, SHOWN["batches"]) == SHOWN["batches"]
    assert history.batches.find("batch-done-01") is None
    assert plain(history.answered(base_url=URL)) == SHOWN["answered"]
    assert sorted(history.job_ids(base_url=URL)) == SHOWN["job_ids"]
    assert history.twin(nk.Tool.IMAGE, {"n": 2, "prompt": "A lighthouse"}, base_url=URL).job.id == "job_image01"
    assert [entry.job.id for entry in history.entries(search="abendlicht")] == ["job_video01"]


def test_old_file_history_view_shows_its_jobs(old):
    """`nk.history()` lists the rows of the service, newest first, with notes, stars and saved files."""
    shown = nk.history(None, client=client())
    wanted = [entry for entry in SHOWN["entries"] if entry["base_url"] == URL]
    assert [entry.intent for entry in shown] == [entry["intent"] for entry in wanted]
    assert {entry.job.id for entry in shown if entry.note and entry.job.id} == {"job_video01"}
    assert [entry.job.id for entry in shown if entry.star] == ["job_video01"]
    assert [entry.job.media[0].url for entry in shown if entry.job and entry.job.id == "job_video01"] == [
        "https://cdn.novakit.ai/results/job_video01/video.mp4"
    ]
    shown.close()


async def test_old_file_recover_finds_lost_job_and_batches(history):
    """A job that the service lists for a lost submission is found, both open batches are taken over, and an unlisted item waits."""
    (lost,) = (entry for entry in SHOWN["entries"] if entry["params"].get("prompt") == "Lost on the way back")
    job = {
        "id": "job_lost01",
        "status": "completed",
        "tool": "video",
        "inputParams": lost["params"],
        "createdAt": lost["begun_at"],
        "outputData": {"url": "https://cdn.novakit.ai/results/job_lost01/video.mp4"},
    }
    service = client(job)
    recovery = await recover_all(service, history, clock=Clock(sleep=nap))
    await service.aclose()
    assert [found.id for found in recovery.found] == ["job_lost01"]
    assert [batch.id for batch in recovery.batches] == OPEN
    items = {batch.id: [item.waits for item in batch.items] for batch in recovery.batches}
    assert items == {"batch-open-01": [False, False, True, True, False, True, True], "batch-again-1": [True, False]}
    assert history.find("job_lost01", base_url=URL).intent == lost["intent"]
