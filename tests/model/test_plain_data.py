"""Jobs, media, history rows and quotas are plain data: pickle, copy, asdict, JSON and pandas take them."""

from __future__ import annotations

import concurrent.futures
import copy
import dataclasses
import json
import multiprocessing
import pickle
from datetime import datetime, timezone

import pandas as pd
import pytest

from novakit_widgets import Job, NovaKitClient, Tool
from novakit_widgets.job_history.batches import BatchItem, BatchRecord
from novakit_widgets.job_history.jobs import JobHistory
from novakit_widgets.model.frozen import FrozenDict
from novakit_widgets.model.quota import Quota
from novakit_widgets.notebook.recover import Recovery

URL = "https://x.example/api/v1"
BODY = {
    "id": "job_1",
    "status": "completed",
    "tool": "image",
    "inputParams": {"prompt": "A lighthouse", "model_inputs": {"steps": [1, 2]}},
    "outputData": {"images": [{"url": "https://cdn.example/a.png"}]},
    "createdAt": "2026-11-12T10:00:00Z",
}


def job():
    """A completed job as the service answers with it."""
    return Job.from_json(BODY)


@pytest.fixture
def values(tmp_path):
    """One value of each kind."""
    history = JobHistory(tmp_path / "history.sqlite3")
    intent = history.begin(Tool.IMAGE, BODY["inputParams"], base_url=URL)
    history.started(intent, job(), base_url=URL)
    record = BatchRecord("b", URL, datetime(2026, 11, 12, tzinfo=timezone.utc), (BatchItem(Tool.IMAGE, {"a": 1}),), 2)
    history.batches.open(record)
    quota = Quota.from_json({"plan": {"name": "Free"}, "quotas": {"credits": {"remaining": 12}}})
    return {
        "job": job(),
        "job answered at once": Job.from_result(Tool.TTS, {"input": "Hi"}, {"audio_url": "https://cdn.example/a.mp3"}),
        "media": job().media[0],
        "history entry": history.entries()[0],
        "batch": history.batches.find("b"),
        "quota": quota,
        "bucket": quota.buckets["credits"],
    }


KINDS = ["job", "job answered at once", "media", "history entry", "batch", "quota", "bucket"]


@pytest.mark.parametrize("kind", KINDS)
def test_plain_data_copies_are_equal(values, kind):
    """Each pickle protocol, a copy and a deep copy return an equal value."""
    value = values[kind]
    copies = [pickle.loads(pickle.dumps(value, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)]
    copies += [copy.copy(value), copy.deepcopy(value), dataclasses.replace(value)]
    assert all(each == value for each in copies)
    assert all(type(each) is type(value) for each in copies)


@pytest.mark.parametrize("kind", KINDS)
def test_plain_data_becomes_dicts_and_frames(values, kind):
    """`dataclasses.asdict` names every field, and `json.dumps` and pandas take the result."""
    value = values[kind]
    whole = dataclasses.asdict(value)
    assert list(whole) == [field.name for field in dataclasses.fields(value)]
    assert json.loads(json.dumps(whole, default=str))
    assert list(pd.DataFrame([value, value]).columns) == list(whole)


@pytest.mark.parametrize("kind", KINDS)
def test_plain_data_is_sent_to_another_process(values, kind):
    """As pools of processes do; the same value comes back."""
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(copy.copy, values[kind]).result() == values[kind]


@pytest.mark.parametrize("kind", ["job", "job answered at once", "media", "history entry"])
def test_equal_results_are_one_in_a_set(values, kind):
    """So that duplicates can be dropped."""
    assert len({values[kind], copy.deepcopy(values[kind])}) == 1


def test_recovery_is_copied_without_its_client(values):
    """What it found is data; what it can do needs the key, which is neither pickled nor copied."""
    client = NovaKitClient("sk_" + "5" * 64, URL)
    found = Recovery((values["job"],), (values["history entry"],), batches=(values["batch"],), _client=client)
    for copied in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):
        assert (copied, copied._client) == (found, None)
    assert b"sk_" not in pickle.dumps(found)


def test_job_params_are_json():
    """Parameters and the whole answer can be written as JSON without a conversion."""
    assert json.loads(json.dumps(job().params)) == BODY["inputParams"]
    assert json.loads(json.dumps(job().raw)) == BODY


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.__setitem__("prompt", "x"),
        lambda data: data.__delitem__("prompt"),
        lambda data: data.__ior__({"prompt": "x"}),
        lambda data: data.update(prompt="x"),
        lambda data: data.setdefault("seed", 1),
        lambda data: data.pop("prompt"),
        lambda data: data.popitem(),
        lambda data: data.clear(),
    ],
)
def test_frozen_dict_refuses_changes(change):
    """A snapshot stays what the service said; a copy can be changed."""
    params = job().params
    with pytest.raises(TypeError, match="read-only"):
        change(params)
    assert params == BODY["inputParams"]
    changed = {**params, "prompt": "x"}
    assert type(params | changed) is dict
    assert type(copy.deepcopy(params)) is FrozenDict
