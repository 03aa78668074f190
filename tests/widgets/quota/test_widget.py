"""What the plan has left, on the page."""

from __future__ import annotations

import asyncio
import copy
import pickle
import re
import time
from datetime import datetime, timezone

import pytest

from novakit_widgets import AuthenticationError, NovaKitClient, Sandbox, configure, quota
from novakit_widgets.model.quota import Bucket, Quota
from novakit_widgets.sandbox import Fault
from novakit_widgets.widgets.quota.widget import QuotaView, left_of, table

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture
def limited():
    """A sandbox with the free plan's quotas, and a client of it."""
    configure(speed=500)
    with Sandbox(speed=500.0, seed=1, limits="off", media="canned") as sandbox:
        yield sandbox, NovaKitClient(sandbox.api_key, sandbox.base_url)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda view: pickle.loads(pickle.dumps(view))])
def test_copied_view_is_the_plain_answer(limited, copied):
    """Data without the client that asked for it, and so without its key."""
    view = quota(client=limited[1])
    assert copied(view) == view.quota
    assert b"sk_" not in pickle.dumps(view)


def test_it_says_what_is_left(limited):
    """Each bucket has a line with a bar, what is left of how much, and there is one line on when it is full again."""
    _, client = limited
    view = quota(client=client)
    assert view.quota.buckets["credits"].remaining == 2_000
    html = view._repr_html_()
    assert "2,000 of 2,000 left" in html
    assert "Video, seconds" in html
    assert re.search(
        r'<meter min="0" max="120" low="24" optimum="120" value="120" aria-label="Video, seconds: left">', html
    )
    assert re.search(r"Resets \d+ \w+( 20\d\d)? · As of", html)
    assert repr(view).startswith("<Quota Free: credits 2,000 of 2,000 left")


def test_it_is_asked_again(limited):
    """A plain script asks at once; what was used is gone from it."""
    _, client = limited
    view = quota(client=client)

    async def make() -> None:
        job = await client.submit("images/generations", {"prompt": "A lighthouse", "n": 3})
        while not (await client.get(job.id)).ended:
            await asyncio.sleep(0.01)
        await client.aclose()

    asyncio.run(make())
    view.refresh()
    assert view.quota.buckets["image_generations"].remaining == 97
    assert "97 of 100 left" in view._repr_html_()


async def test_many_ends_are_one_question(limited):
    """Jobs that end together cost one request, and a failure is said beside the last known numbers."""
    sandbox, client = limited
    view = QuotaView(client, Quota.from_json(await client.quota()))
    asked = sandbox.inject(Fault.status(500), method="GET", path="/quota", times=None)
    for _ in range(20):
        view.job_ended()
    while not view._watch.trouble:
        await asyncio.sleep(0.01)
    first = asked.hits
    assert "Not up to date" in view._repr_html_()
    assert "2,000 of 2,000 left" in view._repr_html_()
    sandbox.clear_faults()
    view.job_ended()
    while view._watch.trouble:
        await asyncio.sleep(0.01)
    assert asked.hits == first <= 4  # with the retries of one question
    await client.aclose()


def test_a_key_without_the_scope_is_told(limited):
    """The error comes at once, and names the scope."""
    sandbox, client = limited
    sandbox.inject(Fault.status(401), method="GET", path="/quota")
    with pytest.raises(AuthenticationError):
        quota(client=client)


def test_words_from_outside_stay_words():
    """Names of plans and buckets are text; an empty answer says so; a plan that is not in force too."""
    hostile = Quota.from_json(
        {"plan": {"name": HOSTILE, "entitled": False}, "quotas": {HOSTILE: {"remaining": 0.5, "limit": 2}}}
    )
    html = str(table(hostile, NOON, HOSTILE))
    assert "<script" not in html
    assert "0.5 of 2 left" in html
    assert "not active" in html
    assert "reports no quota" in table(Quota(), NOON)
    assert "unlimited, or not part of the plan" in table(Quota.from_json({"quotas": {"credits": None}}), NOON)


@pytest.fixture
def live_in(monkeypatch):
    """Move this process to a time zone, and home again."""
    if not hasattr(time, "tzset"):
        pytest.skip("this system has one time zone for all processes")

    def move(zone):
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield move
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("zone", "end", "shown"),
    [
        ("UTC-14", "9999-12-31T23:59:59Z", "31 Dec 9999"),
        ("UTC+12", "0001-01-01T00:00:00Z", "1 Jan"),
        ("UTC-14", "2026-12-01T12:00:00Z", "2 Dec"),
    ],
)
def test_a_plan_that_never_ends_is_shown_everywhere(live_in, zone, end, shown):
    """Here, its last second may be past the end of all dates."""
    live_in(zone)
    quotas = {
        "credits": {"remaining": 5, "limit": 10},
        "video_seconds": {"remaining": 5, "reset_at": "2026-11-26T12:00Z"},
    }
    body = {"plan": {"period_end": end}, "quotas": quotas}
    assert f"5 of 10 left, resets {shown}" in table(Quota.from_json(body), NOON)


def test_whole_numbers_are_written_out():
    """However large, and what is near the largest number there is breaks nothing."""
    bucket = Bucket("credits", 12_345_678.0, 1e7)
    assert left_of(bucket) == "12,345,678 of 10,000,000 left"
    assert left_of(Bucket("credits", 0.04, 2.25)) == "0.04 of 2.25 left"
    odd = Quota.from_json({"quotas": {"credits": {"remaining": 1e308, "used": 1e308}}})
    assert odd.buckets["credits"].limit is None
    assert "left" in table(odd, NOON)


def test_buckets_that_are_full_again_on_different_days_say_so_each():
    """And none is told where all have the same day, since it stands below."""
    quotas = {
        "credits": {"remaining": 5, "limit": 10, "reset_at": "2026-12-01T12:00:00Z"},
        "video_seconds": {"remaining": 0, "limit": 10, "reset_at": "2026-11-26T12:00:00Z"},
        "tts_chars": None,
    }
    html = table(Quota.from_json({"quotas": quotas}), NOON)
    assert "5 of 10 left, resets 1 Dec" in html
    assert "0 of 10 left, resets 26 Nov" in html
    assert html.count("resets ") == 2
