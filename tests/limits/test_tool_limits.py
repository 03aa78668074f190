"""What may be submitted when: never more than the service allows, and no slower than it forces."""

from __future__ import annotations

import heapq
import itertools
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novakit_widgets import NovaKitClient, settings
from novakit_widgets.engine.submit import submit
from novakit_widgets.errors import APIError, ConfigurationError, QuotaExceededError, RateLimitError
from novakit_widgets.job_history.jobs import JobHistory
from novakit_widgets.limits.tool_limits import Allowance, allowance_of
from novakit_widgets.model.rate_limit import RateLimit
from novakit_widgets.model.tools import TOOL_LIMITS, Tool
from novakit_widgets.runtime.clock import Clock
from novakit_widgets.runtime.sliding_window import SlidingWindow
from novakit_widgets.sandbox import Limits

NOW = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
MARGIN = 1.0


class Time:
    """A clock that is moved by hand."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    """A clock."""
    return Time()


@given(
    st.integers(1, 6),
    st.floats(0.5, 100.0),
    st.lists(st.floats(0.0, 200.0), max_size=60),
)
def test_window_never_exceeds_its_count(count, seconds, pauses):
    """Callers that come at any time and wait as told never exceed it."""
    window, now, passed = SlidingWindow(count, seconds), 0.0, []
    for pause in pauses:
        now += pause
        now += window.wait(now)
        window.add(now)
        passed.append(now)
    for index, moment in enumerate(passed[count:]):
        # What ends a stretch belongs to the next one; a sum of floats may be off in its last digit.
        assert moment - passed[index] >= seconds * (1 - 1e-9)


@given(st.integers(1, 5), st.integers(0, 5), st.integers(0, 20), st.lists(st.floats(0.0, 15.0), max_size=12))
def test_window_wait_with_others_ahead_is_exact(count, under_way, ahead, gaps):
    """The predicted wait is the one that the last of them has."""
    moments = list(itertools.accumulate(gaps))
    window, real = SlidingWindow(count, 10.0), SlidingWindow(count, 10.0)
    for moment in moments:
        window.add(moment)
        real.add(moment)
    now = began = moments[-1] if moments else 0.0
    for _ in range(under_way):
        real.add(now)
    foretold = window.wait(now, under_way=under_way, ahead=ahead)
    for _ in range(ahead + 1):
        now += real.wait(now)
        real.add(now)
    if len(moments) + under_way <= count:  # beyond that, some were let through that do not fit
        assert foretold == pytest.approx(now - began, abs=1e-6)


@given(
    st.sampled_from([(1, 10.0), (5, 60.0), (3, 7.0)]),
    st.lists(st.tuples(st.floats(0.0, 3.0), st.floats(0.0, 3.0), st.booleans()), min_size=1, max_size=40),
    st.integers(1, 10),
)
def test_allowance_keeps_the_service_from_refusing(limit, posts, at_once):
    """POSTs and answers take their time, several at once; none arrives too early."""
    count, seconds = limit
    time = Time()
    allowance = Allowance({Tool.VIDEO: limit}, clock=Clock(monotonic=time))
    allowance.observe(RateLimit(10_000), wall=0.0)
    service, coming, numbers = SlidingWindow(count, seconds), [], itertools.count()
    waiting, slowest = list(posts), max(there + back for there, back, _ in posts)
    began = time.now
    while waiting or coming:
        wait = allowance.wait(Tool.VIDEO)
        if waiting and wait == 0.0 and len(coming) < at_once:
            there, back, counts = waiting.pop(0)
            slot = allowance.take(Tool.VIDEO)
            heapq.heappush(coming, (time.now + there, next(numbers), slot, back, counts))
            continue
        events = [coming[0][0]] if coming else []
        if waiting and wait > 0.0:
            events.append(time.now + wait)
        time.now = max(time.now, min(events))
        while coming and coming[0][0] <= time.now:
            at, _, slot, back, counts = heapq.heappop(coming)
            if back is None:
                slot.counted() if counts else slot.released()
                continue
            if counts:
                assert service.wait(at) <= 1e-6
                service.add(at)
            heapq.heappush(coming, (at + back, next(numbers), slot, None, counts))
    counted = sum(counts for *_, counts in posts)
    rounds = (max(0, counted - 1)) // count
    if at_once >= count and all(counts for *_, counts in posts):
        assert time.now - began <= rounds * (seconds + MARGIN + slowest) + slowest + 1e-6


def test_documented_limits_equal_the_sandboxs(time):
    """Both come from the same page."""
    assert {str(tool): limit for tool, limit in TOOL_LIMITS.items()} == dict(Limits().tools)


def test_window_begins_with_the_answer(time):
    """The service counts from the arrival of the POST, which is before its answer."""
    allowance = Allowance(clock=Clock(monotonic=time))
    slots = [allowance.take(Tool.VIDEO) for _ in range(5)]
    assert allowance.wait(Tool.VIDEO) > 0.0
    time.now += 40.0
    for slot in slots:
        slot.counted()
    assert allowance.wait(Tool.VIDEO) == pytest.approx(3600.0 + MARGIN)
    slots[0].released()  # once only
    assert allowance.wait(Tool.VIDEO) > 3600.0


def test_released_slot_does_not_count(time):
    """Nothing was generated, so its place is free at once."""
    allowance = Allowance(clock=Clock(monotonic=time))
    for _ in range(4):
        allowance.take(Tool.VIDEO).counted()
    slot = allowance.take(Tool.VIDEO)
    assert allowance.wait(Tool.VIDEO) > 0.0
    slot.released(QuotaExceededError("no more", 402))
    assert allowance.wait(Tool.VIDEO) == 0.0


def test_429_pauses_its_tool_only(time):
    """No POST of that tool is sent before Retry-After; other tools go on."""
    allowance = Allowance(clock=Clock(monotonic=time))
    allowance.take(Tool.VIDEO).released(RateLimitError("slow", 429, retry_after=900.0))
    assert allowance.outlook(Tool.VIDEO) == (900.0, "NovaKit asked for a pause")
    assert allowance.wait(Tool.IMAGE) == 0.0
    allowance.take(Tool.IMAGE).again(20.0, RateLimitError("slow", 429, retry_after=20.0))
    assert allowance.wait(Tool.IMAGE) == 20.0
    allowance.take(Tool.TTS).released(RateLimitError("slow", 429))
    assert allowance.wait(Tool.TTS) == 30.0
    time.now += 30.0
    assert allowance.wait(Tool.TTS) == 0.0
    assert allowance.contested(Tool.TTS)
    time.now += 60.0 + MARGIN
    assert not allowance.contested(Tool.TTS)
    assert not allowance.contested(Tool.MUSIC)


def test_503_with_retry_after_pauses_all_tools(time):
    """Other errors pause nothing."""
    allowance = Allowance(clock=Clock(monotonic=time))
    allowance.take(Tool.TTS).released(APIError("broken", 500))
    assert allowance.wait(Tool.IMAGE) == 0.0
    allowance.take(Tool.TTS).released(APIError("busy", 503, retry_after=12.0))
    assert allowance.wait(Tool.IMAGE) == allowance.request_wait() == 12.0


def test_submissions_leave_half_of_the_requests_to_polling(time):
    """30 a minute until a header says otherwise: 15 submissions, then a wait."""
    allowance = Allowance({}, clock=Clock(monotonic=time))
    for _ in range(15):
        assert allowance.wait(Tool.TTS) == 0.0
        allowance.take(Tool.TTS).counted()
    assert allowance.outlook(Tool.TTS) == (61.0, "15 requests a minute")
    allowance.observe(RateLimit(120, remaining=100), wall=0.0)
    assert allowance.wait(Tool.TTS) == 0.0
    allowance.observe(None, wall=0.0)
    assert allowance.wait(Tool.TTS) == 0.0


def test_observe_without_remaining_waits_for_the_reset(time):
    """A wrong clock stops us for a minute at most."""
    allowance = Allowance(clock=Clock(monotonic=time))
    allowance.observe(RateLimit(30, remaining=0, reset=107.0), wall=100.0)
    assert allowance.request_wait() == 7.0
    allowance.observe(RateLimit(30, remaining=0, reset=100_000.0), wall=100.0)
    assert allowance.request_wait() == 60.0


def shared(time, **options):
    """Return an allowance that has just learnt that others take 14 of the key's 30 requests."""
    allowance = Allowance(clock=Clock(monotonic=time, random=lambda: 0.5), **options)
    allowance.observe(RateLimit(30, remaining=29, reset=160.0, sent=1, sent_at=time.now), wall=100.0)
    time.now += 2.0
    allowance.observe(RateLimit(30, remaining=14, reset=160.0, sent=2, sent_at=time.now), wall=102.0)
    return allowance


def test_submissions_on_a_shared_key_are_spread(time):
    """Polling and submitting are one share."""
    allowance = shared(time)
    assert allowance.fair.requests == 1.0
    assert allowance.outlook(Tool.IMAGE) == (pytest.approx(67.5), "others use the key too")
    assert allowance.outlook(Tool.IMAGE, ahead=2)[0] == pytest.approx(187.5)
    time.now += 67.5
    assert allowance.wait(Tool.IMAGE) == 0.0
    allowance.take(Tool.IMAGE).counted()
    assert allowance.wait(Tool.IMAGE) == pytest.approx(67.5)
    assert allowance.fair.wait() == pytest.approx(67.5)
    assert Allowance(clock=Clock(monotonic=time)).outlook(Tool.IMAGE) == (0.0, "")


def test_polling_and_submitting_take_turns(time):
    """Where both wait for the share, neither starves the other."""
    fair = shared(time).fair
    order = []
    for _ in range(6):
        kinds = ["", "submitting"]
        for kind in kinds:
            fair.wait(kind)
        seconds, kind = min((fair.wait(kind), kind) for kind in kinds)
        time.now += seconds
        order.append(kind)
        fair.taken(kind)
    assert order in (["", "submitting"] * 3, ["submitting", ""] * 3)


def test_spread_after_429_adds_jitter_on_a_shared_key(time):
    """Without others on the key, Retry-After is kept exactly."""
    allowance = shared(time)
    allowance.spread(RateLimitError("slow", 429, retry_after=20.0))
    assert allowance.outlook(Tool.IMAGE) == (pytest.approx(27.5), "NovaKit asked for a pause")
    alone = Allowance(clock=Clock(monotonic=time))
    alone.spread(RateLimitError("slow", 429, retry_after=20.0))
    assert alone.wait(Tool.IMAGE) == 0.0


def test_allowance_at_speed_has_shorter_windows(time):
    """A sandbox at 100 times the speed has windows a hundredth as long."""
    allowance = Allowance(clock=Clock(monotonic=time), speed=100.0)
    for _ in range(5):
        allowance.take(Tool.VIDEO).counted()
    assert allowance.wait(Tool.VIDEO) == pytest.approx(36.01)
    assert allowance.limit_of(Tool.VIDEO) == "5 videos an hour"


def test_seed_counts_earlier_submissions(time):
    """Three videos of the last kernel, the oldest half an hour ago: two more, then a wait of half an hour."""
    allowance = Allowance(clock=Clock(monotonic=time))
    ago = [timedelta(minutes=30), timedelta(minutes=20), timedelta(minutes=1)]
    allowance.seed([(Tool.VIDEO, NOW - passed) for passed in reversed(ago)], now=NOW)
    for _ in range(2):
        assert allowance.wait(Tool.VIDEO) == 0.0
        allowance.take(Tool.VIDEO).counted()
    assert allowance.wait(Tool.VIDEO) == pytest.approx(1800.0 + MARGIN)
    assert allowance.longest == timedelta(seconds=3600 + MARGIN)


def test_listeners_are_called_after_changes(time):
    """A released slot and a pause may change when the next one starts."""
    allowance, heard = Allowance(clock=Clock(monotonic=time)), []

    def listen():
        heard.append(time.now)

    allowance.listen(listen)
    slot = allowance.take(Tool.VIDEO)
    assert not heard
    slot.released()
    assert len(heard) == 1
    allowance.pause(None, 3.0)
    assert len(heard) == 2
    allowance.ignore(listen)
    allowance.pause(None, 4.0)
    assert len(heard) == 2


async def test_cards_count_in_the_allowance_of_the_account(serve, nothing_left, tmp_path):
    """One account has one allowance."""
    sandbox = serve(limits="documented", speed=10.0)
    settings.configure(speed=10.0)
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    allowance = allowance_of(client.account)
    assert allowance_of(NovaKitClient(sandbox.api_key, sandbox.base_url).account) is allowance
    for number in range(5):
        assert allowance.wait(Tool.VIDEO) == 0.0
        await submit(client, Tool.VIDEO, {"prompt": str(number), "duration_seconds": 1}, history=JobHistory(None))
    assert 359.0 < allowance.wait(Tool.VIDEO) <= 360.1
    await client.aclose()


@pytest.mark.parametrize(
    ("given", "wait"), [("documented", True), ("off", False), ({"music": (1, 60)}, False), ({"video": (5, 100)}, True)]
)
def test_limits_setting_changes_the_allowance(given, wait):
    """The limits of another plan, or none."""
    settings.configure(limits=given)
    allowance = allowance_of("someone")
    for _ in range(5):
        allowance.take(Tool.VIDEO).counted()
    assert (allowance.wait(Tool.VIDEO) > 0.0) is wait
    assert settings.describe()["limits"].endswith("(configure)")
    settings.configure(limits=None)
    assert settings.limits().source == "default"
    assert allowance_of("someone").limits == TOOL_LIMITS


@pytest.mark.parametrize(
    "wrong", ["none", 5, {"video": 5}, {"video": (0, 60)}, {"video": (5, 0)}, {"video": ("5", 60)}, {"film": (5, 60)}]
)
def test_limits_setting_refuses_wrong_values(wrong):
    """Nothing is changed."""
    with pytest.raises(ConfigurationError):
        settings.configure(limits=wrong)
    assert settings.limits().value == TOOL_LIMITS
