"""When a job will end, by its progress."""

from __future__ import annotations

from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual import PROGRESS

from novakit_widgets.limits.prediction import Prediction, expected_end, predict, reliable

WINDOW = 60.0
VIDEO = (30.0, 120.0)


def samples(kind, seconds, *, until, every=5.0, queued=0.0, seed=0):
    """Return what a list every few seconds shows of a job of such progress."""
    chance = Random(seed)
    seen = [(0.0, 0.0)]
    at = 2.0
    while at < until:
        done = max(0.0, at - queued) / seconds
        percent = PROGRESS[kind](done, chance)
        if percent is not None:
            seen.append((at, min(99.0, max(0.0, percent))))
        at += every
    return seen


@given(seconds=st.floats(10.0, 300.0), part=st.floats(0.3, 0.99), every=st.floats(0.5, 8.0))
def test_predict_linear_progress_exact(seconds, part, every):
    """Whatever its length, and however often it was seen."""
    found = predict(samples("linear", seconds, until=seconds * part, every=every)[-10:], window=WINDOW)
    assert found is None or found.end == pytest.approx(seconds, rel=1e-3)


@given(seconds=st.floats(20.0, 120.0), seed=st.integers(0, 10_000))
def test_predict_noisy_progress_close(seconds, seed):
    """A noise of 4 % moves the end by a few seconds."""
    seen = samples("noisy", seconds, until=seconds * 0.8, every=seconds / 12, seed=seed)
    found = predict(seen[-10:], window=WINDOW)
    assert found is not None
    assert abs(found.end - seconds) < 0.2 * seconds


def test_predict_time_in_a_queue_does_not_count():
    """At 0 % a job may wait for a machine."""
    seen = [(at, 0.0) for at in range(0, 50, 10)] + [(50.0 + at, 2.0 * at) for at in range(5, 30, 5)]
    found = predict(seen, window=WINDOW)
    assert found is not None
    assert found.end == pytest.approx(100.0, abs=6.0)


def test_predict_one_wild_sample_ignored():
    """A median does not follow a single value that is far off."""
    seen = [(float(at), 2.0 * at) for at in range(0, 30, 3)]
    seen[5] = (15.0, 95.0)
    found = predict(seen, window=WINDOW)
    assert found is not None
    assert found.end == pytest.approx(50.0, abs=2.0)


@pytest.mark.parametrize("kind", ["none", "zero", "jumping", "backwards"])
def test_predict_progress_that_says_nothing_none(kind):
    """Missing, constant, in few steps, or beginning again and again: for most of the time nothing is predicted."""
    predicted = [
        predict(samples(kind, 100.0, until=until)[-10:], window=WINDOW) is not None for until in range(20, 100, 10)
    ]
    assert sum(predicted) <= len(predicted) / 2


@pytest.mark.parametrize("seen", [[], [(1.0, 5.0)], [(1.0, 5.0), (1.0, 7.0)], [(1.0, 50.0), (9.0, 50.0)]])
def test_predict_too_little_none(seen):
    """One sample, two of the same moment, a plateau."""
    assert predict(seen, window=WINDOW) is None


@given(st.lists(st.tuples(st.floats(0.0, 1e6), st.floats(0.0, 100.0)), max_size=12))
def test_predict_never_fails(seen):
    """Whatever the service says."""
    found = predict(sorted(seen), window=WINDOW)
    assert found is None or found.spread >= 0.0


def test_expected_end_new_job_not_before_its_tool_is_usually_done():
    """Afterwards, a job without progress says nothing."""
    expected = [
        expected_end(None, now=now, added_at=0.0, typical=VIDEO, window=WINDOW) for now in (0.0, 14.0, 16.0, 200.0)
    ]
    assert expected == [30.0, 30.0, None, None]


def test_expected_end_overdue_says_nothing():
    """A job that is much later than predicted has shown that its progress lies."""
    prediction = Prediction(40.0, 1.0)
    expected = [
        expected_end(prediction, now=now, added_at=0.0, typical=VIDEO, window=WINDOW) for now in (10.0, 51.0, 53.0)
    ]
    assert expected == [40.0, 40.0, None]


def test_reliable_few_or_right_or_long_ago():
    """Predictions are trusted until most of the last two windows were wrong."""
    wrong = [(float(at), False) for at in range(6)]
    assert reliable([], now=0.0, window=WINDOW)
    assert reliable(wrong[:3], now=6.0, window=WINDOW)
    assert not reliable(wrong, now=6.0, window=WINDOW)
    assert reliable([*wrong, *((float(at), True) for at in range(6, 12))], now=12.0, window=WINDOW)
    assert reliable(wrong, now=130.0, window=WINDOW)


def test_predict_error_median_of_many_jobs_small():
    """Jobs of 20 to 60 s with noise, last seen at three quarters: half of the predictions are within 2.5 s."""
    chance = Random(1)
    errors = []
    for seed in range(200):
        seconds = chance.uniform(20.0, 60.0)
        found = predict(samples("noisy", seconds, until=0.75 * seconds, every=4.0, seed=seed)[-10:], window=WINDOW)
        if found is not None:
            errors.append(abs(found.end - seconds))
    assert len(errors) > 190
    assert median(errors) < 2.5
