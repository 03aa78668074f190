"""What differs between two results, and what similar jobs took."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from novakit_widgets import HistoryEntry, Job, Tool
from novakit_widgets.job_history.estimates import estimate, estimates
from novakit_widgets.model.differences import differences, differing_names, words

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
TEXT = st.text(st.sampled_from("ab \n"), max_size=30)


@given(TEXT, TEXT)
def test_the_pieces_are_the_text(before, after):
    """None is lost or added; where nothing differs, nothing is marked; what is not marked is in the other text too."""
    pieces = words(before, after)
    assert "".join(text for text, _ in pieces) == after
    assert all(text for text, _ in pieces)
    if before == after:
        assert not any(new for _, new in pieces)
    assert all(text in before for text, new in pieces if not new)


def test_long_texts_are_compared_whole():
    """Word by word it would take minutes."""
    assert words("a " * 5_000, "b " * 5_000) == [("b " * 5_000, True)]


@given(st.dictionaries(st.sampled_from(["prompt", "seed", "fps", "strange"]), st.integers(0, 2)))
def test_nothing_differs_from_itself(params):
    """Whatever it is."""
    assert differences(Tool.VIDEO, params, dict(params)) == ()


def test_a_default_is_the_same_as_nothing():
    """But not where it is another value; unknown parameters come last."""
    before, after = {"prompt": "A", "fps": 30, "zoom": 1}, {"prompt": "B", "duration_seconds": 5.0, "loop": True}
    assert [one.name for one in differences(Tool.VIDEO, before, after)] == ["prompt", "loop", "zoom"]
    assert differing_names(Tool.VIDEO, [before, before, after]) == ("prompt", "loop", "zoom")


def entry(params, *, billed=10.0, seconds=60, status="completed", tool="video"):
    """Make a row of the history."""
    job = Job("job_1", status, created_at=NOON, completed_at=NOON + timedelta(seconds=seconds), actual_credits=billed)
    return HistoryEntry("intent", "https://x.example", tool, params, "job", None, NOON, job)


def test_similar_jobs_are_those_of_the_same_size():
    """Words and seeds don't matter, a longer video does; so do failures, which take nothing; credits may be unknown."""
    entries = [
        entry({"prompt": "A", "seed": 1}, billed=10.0, seconds=40),
        entry({"prompt": "B", "duration_seconds": 5}, billed=14.0, seconds=60),
        entry({"prompt": "C"}, billed=None, seconds=80),
        entry({"prompt": "D", "duration_seconds": 10}, billed=99.0),
        entry({"prompt": "E"}, status="failed", billed=99.0),
        entry({"prompt": "F"}, tool="music", billed=99.0),
    ]
    found = estimate(entries, Tool.VIDEO, {"prompt": "Z"})
    assert found is not None
    assert (found.jobs, found.credits, found.seconds) == (3, 12.0, 60.0)
    assert estimate(entries, Tool.VIDEO, {"prompt": "Z", "resolution": "4k"}) is None
    each = estimates(entries, Tool.VIDEO, [{"duration_seconds": 5.0}, {"duration_seconds": 10}, {"fps": 60}])
    assert [one and one.credits for one in each] == [12.0, 99.0, None]
