"""What a plan has left, whatever the service says of it, and what a job takes."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novakit_widgets import NovaKitClient
from novakit_widgets.engine import signals
from novakit_widgets.model.job import Job, JobStatus
from novakit_widgets.model.quota import Bucket, Quota, bucket_of, units_of
from novakit_widgets.model.tools import Tool

END = datetime(2026, 12, 1, tzinfo=timezone.utc)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def test_the_documented_answer():
    """Plan, buckets and their ends; a bucket that is null is unlimited or not in the plan."""
    quota = Quota.from_json(
        {
            "org_id": "org_1",
            "plan": {"code": "free", "name": "Free", "entitled": True, "period_end": "2026-12-01T00:00:00Z"},
            "quotas": {
                "credits": {"remaining": 1_940, "limit": 2_000, "used": 60},
                "video_seconds": {"remaining": 5, "used": 115},
                "tts_chars": {"remaining": 7, "reset_at": 0},
                "image_edits": None,
                "new_things": {"remaining": "3"},
            },
        }
    )
    assert (quota.plan, quota.entitled, quota.period_end) == ("Free", True, END)
    assert list(quota.buckets.values()) == [
        Bucket("credits", 1_940.0, 2_000.0, END),
        Bucket("video_seconds", 5.0, 120.0, END),
        Bucket("tts_chars", 7.0, None, datetime(1970, 1, 1, tzinfo=timezone.utc)),
        Bucket("image_edits"),
        Bucket("new_things", 3.0, None, END),
    ]


@given(st.dictionaries(st.sampled_from(["plan", "quotas", "org_id"]), ANY))
def test_odd_fields_fail_nothing(body):
    """What can't be read is unknown."""
    quota = Quota.from_json(body)
    quotas = body.get("quotas")
    assert set(quota.buckets) == set(quotas if isinstance(quotas, dict) else ())


@pytest.mark.parametrize(
    ("tool", "params", "units"),
    [
        (Tool.VIDEO, {"prompt": "A boat"}, 5.0),
        (Tool.VIDEO, {"prompt": "A boat", "duration_seconds": 8}, 8.0),
        (Tool.MUSIC, {"prompt": "A waltz", "duration_seconds": 40}, 1.0),
        (Tool.IMAGE, {"prompt": "A boat", "n": 4}, 4.0),
        (Tool.IMAGE_EDIT, {"prompt": "A boat", "image": "https://x.example/a.png"}, 1.0),
        (Tool.TTS, {"input": "Good morning"}, 12.0),
    ],
)
async def test_what_a_job_takes_is_what_the_service_takes(serve, tool, params, units):
    """The sandbox takes so much from the bucket of that name."""
    assert units_of(tool, params) == units
    sandbox = serve(quotas=None)
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    before = Quota.from_json(await client.quota()).buckets[bucket_of(tool)]
    await client.submit(tool.endpoint, params)
    after = Quota.from_json(await client.quota()).buckets[bucket_of(tool)]
    await client.aclose()
    assert before.remaining - after.remaining == units


def test_the_length_of_a_sound_is_not_known():
    """It stands in no parameter."""
    assert units_of(Tool.STT, {"file": "https://x.example/a.mp3"}) is None


def test_listeners_hear_of_ends():
    """Until they stop; one that fails does not keep the others from hearing."""
    heard: list[Job] = []
    stop = signals.listen(lambda _client, job: heard.append(job))
    job = Job("job_1", JobStatus.COMPLETED)
    signals.tell(NovaKitClient("sk_" + "a" * 64, "http://127.0.0.1:1"), job)
    stop()
    stop()
    signals.tell(NovaKitClient("sk_" + "a" * 64, "http://127.0.0.1:1"), job)
    assert heard == [job]


async def test_a_listener_that_fails_is_shown(client, nothing_left):
    """The others hear of it all the same."""
    heard: list[Job] = []

    def fail(_client: NovaKitClient, _job: Job) -> None:
        raise ZeroDivisionError

    stops = [signals.listen(fail), signals.listen(lambda _client, job: heard.append(job))]
    signals.tell(client, Job("job_1", JobStatus.COMPLETED))
    for stop in stops:
        stop()
    assert len(heard) == 1
    assert [type(problem["exception"]) for problem in nothing_left] == [ZeroDivisionError]
    nothing_left.clear()
