"""What is asked next, and when; intervals that back off, and the waits after failures."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novakit_widgets.limits.schedule import Kind, Pace, Schedule, Situation, Watched


@given(failures=st.integers(1, 5_000), chance=st.floats(0, 1, exclude_max=True))
def test_retry_after_any_number_of_failures_is_bounded(failures, chance):
    """Exponential, with full jitter, and never longer than the longest, however long the outage."""
    pace = Pace()
    wait = pace.retry(failures, lambda: chance)
    assert 0.0 <= wait <= min(pace.retry_most, 2.0 ** min(failures - 1, 30))


def test_after_grows_to_the_longest_interval():
    """2 s, x 1.5, to 10 s."""
    pace, interval, seen = Pace(), Pace().first, []
    for _ in range(6):
        seen.append(interval)
        interval = pace.after(interval)
    assert seen == pytest.approx([2.0, 3.0, 4.5, 6.75, 10.0, 10.0])


@given(speed=st.floats(0.01, 10_000))
def test_at_any_speed_keeps_its_bounds(speed):
    """A faster service is asked faster, but no bar moves more than ten times a second."""
    pace = Pace.at(speed)
    assert pace.first >= 0.1
    assert pace.most >= pace.first
    assert pace.window == pytest.approx(60.0 / speed)
    assert Pace.at(1.0) == Pace()


WINDOW = 60.0
SCHEDULE = Schedule(Pace())


@st.composite
def situations(draw):
    """Any situation that a tracker can be in at 1,000 s."""
    now = 1_000.0
    places = draw(st.integers(1, 150))
    used = sorted(now - draw(st.floats(0.0, 59.9)) for _ in range(draw(st.integers(0, min(places, 40)))))
    jobs = [
        Watched(
            f"job_{number}",
            added_at=now - draw(st.floats(0.0, 300.0)),
            end=draw(st.none() | st.floats(now - 20.0, now + 200.0)),
            spread=draw(st.floats(0.0, 10.0)),
            held=draw(st.booleans()),
            heard=draw(st.booleans()),
        )
        for number in range(draw(st.integers(0, 20)))
    ]
    return Situation(
        now=now,
        jobs=jobs,
        places=places,
        used=used,
        listed_at=used[-1] if used else -math.inf,
        listing=draw(st.booleans()),
        progress_due=now + draw(st.floats(-5.0, 10.0)),
        holds=draw(st.booleans()),
        lists=draw(st.booleans()),
        crowded=draw(st.booleans()),
        reliable=draw(st.booleans()),
    )


@given(situations())
def test_decide_same_situation_same_decision(situation):
    """The policy has no memory, no clock and no chance."""
    assert SCHEDULE.decide(situation) == Schedule(Pace()).decide(replace(situation))


@given(situations())
def test_decide_is_sound(situation):
    """Nothing is asked in the past, for a job that is held already, held by a server that does not, or listed twice at once."""
    question = SCHEDULE.decide(situation)
    assert question.at >= situation.now
    if question.kind is Kind.HOLD:
        assert situation.holds
        assert not next(job for job in situation.jobs if job.job_id == question.job_id).held
    elif question.kind is Kind.LIST:
        assert not situation.listing
        assert question.job_id == ""
    else:
        assert not situation.jobs or situation.listing or situation.crowded or all(job.held for job in situation.jobs)


@given(situations())
def test_decide_a_held_request_puts_no_list_off(situation):
    """With a held request sent now, each list of the coming window still finds a place when it is due."""
    question = SCHEDULE.decide(situation)
    if question.kind is not Kind.HOLD or question.at > situation.now or len(situation.jobs) == 1 or situation.crowded:
        return
    # At least those that the progress needs; without held requests for all, those that notice each end in time.
    few = SCHEDULE.few(situation)
    interval = 10.0 if few else max(1.0, WINDOW / situation.places, min(10.0, 2 * WINDOW / situation.places))
    used = [*situation.used, situation.now]
    at = max(
        situation.now,
        situation.listed_at
        + max(interval, WINDOW / max(1, situation.places - 2 * len(situation.jobs)) if few else 0.0),
    )
    while at < situation.now + WINDOW:
        assert sum(1 for moment in used if moment + WINDOW > at) < situation.places
        used.append(at)
        at += max(interval, WINDOW / max(1, situation.places - 2 * len(situation.jobs)) if few else 0.0)


@given(situations())
def test_decide_list_is_never_later_than_two_windows_over_the_places(situation):
    """Unless each job is held, or others use the key."""
    if not situation.jobs or situation.listing or situation.crowded or SCHEDULE.few(situation):
        return
    question = SCHEDULE.decide(situation)
    oldest = min(job.added_at for job in situation.jobs)
    due = max(situation.listed_at + 2 * WINDOW / situation.places, oldest + 2.0, situation.now)
    assert question.at <= max(due, situation.listed_at + 1.0) + 1e-9


@given(st.integers(1, 300), st.integers(4, 300))
def test_decide_nothing_predicted_lists_have_all(jobs, places):
    """No end is later than one window over the places, but not more often than once a second."""
    watched = [Watched(f"job_{number}", added_at=0.0, heard=True) for number in range(jobs)]
    situation = Situation(now=100.0, jobs=watched, places=places, listed_at=99.9)
    question = SCHEDULE.decide(situation)
    if question.kind is Kind.LIST and not SCHEDULE.few(situation):
        assert question.at <= 99.9 + max(1.0, WINDOW / places) + 1e-9


def test_decide_nearest_end_first():
    """Those that are predicted within 12 s are held, the nearest first; the others are not."""
    ends = {"far": 160.0, "near": 111.0, "nearer": 105.0}
    jobs = [Watched(name, added_at=0.0, end=end, heard=True) for name, end in ends.items()]
    jobs += [Watched(f"later_{number}", added_at=0.0, end=500.0, heard=True) for number in range(9)]
    situation = Situation(now=100.0, jobs=jobs, places=30, listed_at=99.0)
    asked = []
    for _ in range(3):
        question = SCHEDULE.decide(situation)
        if question.kind is not Kind.HOLD or question.at > situation.now:
            break
        asked.append(question.job_id)
        jobs = [replace(job, held=job.held or job.job_id == question.job_id) for job in situation.jobs]
        situation = replace(situation, jobs=jobs, used=(*situation.used, situation.now))
    assert asked == ["nearer", "near"]


def test_decide_one_job_alone_always_held():
    """It is asked for at once, even where nothing can be predicted."""
    for end in (None, 500.0):
        situation = Situation(now=0.0, jobs=[Watched("job_1", added_at=0.0, end=end)], places=15)
        assert SCHEDULE.decide(situation).kind is Kind.HOLD


def test_decide_predictions_wrong_lately_lists_only():
    """The whole budget goes to lists until predictions are right again."""
    jobs = [Watched(f"job_{number}", added_at=0.0, end=105.0 + number, heard=True) for number in range(9)]
    situation = Situation(now=100.0, jobs=jobs, places=15, listed_at=99.0)
    assert SCHEDULE.decide(situation).kind is Kind.HOLD
    question = SCHEDULE.decide(replace(situation, reliable=False))
    assert (question.kind, question.at) == (Kind.LIST, pytest.approx(103.0))


def test_decide_a_larger_limit_is_used_at_once():
    """The next list is as early as the new limit allows."""
    jobs = [Watched(f"job_{number}", added_at=0.0, end=400.0, heard=True) for number in range(40)]
    situation = Situation(now=100.0, jobs=jobs, places=15, listed_at=99.0)
    assert SCHEDULE.decide(situation).at == pytest.approx(107.0)
    assert SCHEDULE.decide(replace(situation, places=150)).at == pytest.approx(100.0)
