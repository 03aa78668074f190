"""What a form and a sweep say that jobs take: of their bucket, of the credits, and whether that is there."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from novakit_widgets.job_history.estimates import Estimate
from novakit_widgets.model.quota import Bucket, Quota
from novakit_widgets.model.tools import Tool
from novakit_widgets.widgets.quota.spending import spending


def said(tool, units, *, similar=(None,), trouble="", **left):
    """Return the words, with so much left in some buckets."""
    quota = Quota(buckets={name: Bucket(name, remaining) for name, remaining in left.items()})
    return spending(tool, units, SimpleNamespace(quota=quota, trouble=trouble), similar)


@pytest.mark.parametrize(
    ("tool", "units", "left", "words"),
    [
        (Tool.VIDEO, 3.0, {"video_seconds": 114.0}, "This takes 3 of the 114 seconds of video that are left."),
        (Tool.VIDEO, 2.5, {"video_seconds": 114.0}, "This takes 2.5 of the 114 seconds of video that are left."),
        (
            Tool.TTS,
            1e6,
            {"tts_chars": 12_345_678.0},
            "This takes 1,000,000 of the 12,345,678 characters of speech that are left.",
        ),
        (
            Tool.TTS,
            2e7,
            {"tts_chars": 1e7},
            "This takes 20,000,000 characters of speech. Not enough is left: 10,000,000 characters of speech.",
        ),
        (Tool.MUSIC, 1.0, {"music_tracks": 1.0}, "This takes 1 of the 1 music track that is left."),
        (Tool.IMAGE, 4.0, {"image_generations": 3.0}, "This takes 4 images. Not enough is left: 3 images."),
        (Tool.IMAGE_EDIT, 1.0, {"image_edits": 0.0}, "This takes 1 image edit. Not enough is left: no image edits."),
        (
            Tool.TTS,
            12.0,
            {"tts_chars": None},
            "This takes 12 characters of speech, which may be unlimited, or not in the plan.",
        ),
        (Tool.STT, None, {"stt_seconds": 60.0}, "60 seconds of transcription are left."),
        (Tool.STT, None, {"stt_seconds": None}, "Seconds of transcription may be unlimited, or not in the plan."),
        (Tool.VIDEO, 3.0, {}, ""),
    ],
)
def test_what_is_taken_of_the_bucket(tool, units, left, words):
    """In a sentence, for each tool."""
    text = said(tool, units, **left)
    assert text.striptags() == words
    assert ("nk-short" in text) == ("Not enough" in words)


def test_credits_are_told_where_they_do_not_suffice():
    """A bucket that is full helps nobody whose credits have run out."""
    similar = [Estimate(2, 22.0, 40.0)]
    enough = said(Tool.VIDEO, 5.0, similar=similar, video_seconds=120.0, credits=22.0)
    assert enough.striptags().endswith("are left. Similar jobs took 22 credits and 0:40.")
    assert "nk-short" not in enough
    short = said(Tool.VIDEO, 5.0, similar=similar, video_seconds=120.0, credits=1.0)
    assert short.striptags().endswith("Similar jobs took 22 credits and 0:40. Not enough is left: 1 credit.")
    assert "nk-short" in short
    none = said(Tool.VIDEO, 5.0, video_seconds=120.0, credits=0.0)
    assert none.striptags().endswith("Not enough is left: no credits.")


def test_several_jobs_are_summed_up():
    """Each by jobs like it; where some are like none, it is said of how many the sum is."""
    known = [Estimate(1, 4.0, 10.0), Estimate(1, 40.0, 90.0)]
    text = said(Tool.VIDEO, 22.0, similar=known, video_seconds=120.0, credits=100.0)
    assert text.striptags() == (
        "All of them take 22 of the 120 seconds of video that are left. "
        "All of them take about 44 credits, as similar jobs did."
    )
    text = said(Tool.VIDEO, 25.0, similar=[*known, None], video_seconds=120.0, credits=20.0)
    assert text.striptags().endswith(
        "2 of them take about 44 credits, as similar jobs did. Not enough is left: 20 credits."
    )
    text = said(Tool.VIDEO, 25.0, similar=[Estimate(1, 12_345.0, 1.0)] * 2, video_seconds=120.0)
    assert text.striptags().endswith("All of them take about 24,690 credits, as similar jobs did.")
    assert "credits" not in said(Tool.VIDEO, 25.0, similar=[None, None], video_seconds=120.0)


def test_that_it_is_not_known_is_said():
    """In the service's words, which are text."""
    text = said(Tool.VIDEO, 3.0, trouble="<b>no scope</b>")
    assert "What is left is not known: &lt;b&gt;no scope" in text
