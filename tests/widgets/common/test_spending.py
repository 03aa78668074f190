"""What a form and a sweep say that jobs take: of their bucket, of the credits, and whether that is there."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from novakit_widgets.job_history.estimates import Estimate
from novakit_widgets.model.quota import Bucket, Quota
from novakit_widgets.model.tools import Tool
from novakit_widgets.widgets.common.spending import spending


def said(tool, units, *, similar=(None,), trouble="", **left):
    """Return the words, with so much left in some buckets."""
    quota = Quota(buckets={name: Bucket(name, remaining) for name, remaining in left.items()})
    return spending(tool, units, SimpleNamespace(quota=quota, trouble=trouble), similar)


@pytest.mark.parametrize(
    ("tool", "units", "left", "sentence"),
    [
        (Tool.VIDEO, 3.0, {"video_seconds": 114.0}, "Uses 3 s of your remaining 114 s."),
        (Tool.VIDEO, 2.5, {"video_seconds": 114.0}, "Uses 2.5 s of your remaining 114 s."),
        (
            Tool.TTS,
            1e6,
            {"tts_chars": 12_345_678.0},
            "Uses 1,000,000 of your remaining 12,345,678 characters.",
        ),
        (
            Tool.TTS,
            2e7,
            {"tts_chars": 1e7},
            "Uses 20,000,000 characters. Quota exceeded: 10,000,000 characters left.",
        ),
        (Tool.MUSIC, 1.0, {"music_tracks": 1.0}, "Uses 1 of your remaining 1 track."),
        (Tool.IMAGE, 4.0, {"image_generations": 3.0}, "Uses 4 images. Quota exceeded: 3 images left."),
        (Tool.IMAGE_EDIT, 1.0, {"image_edits": 0.0}, "Uses 1 image edit. Quota exceeded: no image edits left."),
        (
            Tool.TTS,
            12.0,
            {"tts_chars": None},
            "Uses 12 characters: unlimited, or not part of your plan.",
        ),
        (Tool.STT, None, {"stt_seconds": 60.0}, "Remaining: 60 s."),
        (Tool.STT, None, {"stt_seconds": None}, "Transcription, seconds: unlimited, or not part of your plan."),
        (Tool.VIDEO, 3.0, {}, ""),
    ],
)
def test_what_is_taken_of_the_bucket(tool, units, left, sentence):
    """In a sentence, for each tool."""
    text = said(tool, units, **left)
    assert text.striptags() == sentence
    assert ("nk-short" in text) == ("Quota exceeded" in sentence)


def test_credits_are_told_where_they_do_not_suffice():
    """A bucket that is full helps nobody whose credits have run out."""
    similar = [Estimate(2, 22.0, 40.0)]
    enough = said(Tool.VIDEO, 5.0, similar=similar, video_seconds=120.0, credits=22.0)
    assert enough.striptags().endswith("remaining 120 s. Similar jobs took 22 credits and 40 s.")
    assert "nk-short" not in enough
    short = said(Tool.VIDEO, 5.0, similar=similar, video_seconds=120.0, credits=1.0)
    assert short.striptags().endswith("Similar jobs took 22 credits and 40 s. Quota exceeded: 1 credit left.")
    assert "nk-short" in short
    none = said(Tool.VIDEO, 5.0, video_seconds=120.0, credits=0.0)
    assert none.striptags().endswith("Quota exceeded: no credits left.")


def test_several_jobs_are_summed_up():
    """Each by jobs like it; where some are like none, it is said of how many the sum is."""
    known = [Estimate(1, 4.0, 10.0), Estimate(1, 40.0, 90.0)]
    text = said(Tool.VIDEO, 22.0, similar=known, video_seconds=120.0, credits=100.0)
    assert text.striptags() == (
        "All jobs use 22 s of your remaining 120 s. About 44 credits in total, based on similar jobs."
    )
    text = said(Tool.VIDEO, 25.0, similar=[*known, None], video_seconds=120.0, credits=20.0)
    assert text.striptags().endswith(
        "About 44 credits for 2 of them, based on similar jobs. Quota exceeded: 20 credits left."
    )
    text = said(Tool.VIDEO, 25.0, similar=[Estimate(1, 12_345.0, 1.0)] * 2, video_seconds=120.0)
    assert text.striptags().endswith("About 24,690 credits in total, based on similar jobs.")
    assert "credits" not in said(Tool.VIDEO, 25.0, similar=[None, None], video_seconds=120.0)


def test_that_it_is_not_known_is_said():
    """In the service's words, which are text."""
    text = said(Tool.VIDEO, 3.0, trouble="<b>no scope</b>")
    assert "Remaining quota unknown: &lt;b&gt;no scope" in text
