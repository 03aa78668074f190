"""Names of other services: each is refused with the documented name before anything is billed."""

from __future__ import annotations

import pytest

import novakit_widgets as nk
from novakit_widgets.errors import InvalidParameterError
from novakit_widgets.model.other_names import ADVICE, OTHER_NAMES
from novakit_widgets.model.parameters import KEYWORDS, PARAMETERS
from novakit_widgets.model.spelling import check_names, name_problem
from novakit_widgets.model.tools import Tool

# As calls of the SDKs have them.
CALLS = {
    "fal": (
        (Tool.VIDEO, "image_url", "source_image"),
        (Tool.IMAGE, "image_size", "size"),
        (Tool.IMAGE, "num_images", "n"),
        (Tool.MUSIC, "seconds_total", "duration_seconds"),
        (Tool.TTS, "gen_text", "input"),
        (Tool.TTS, "ref_audio_url", "reference_audio"),
        (Tool.STT, "audio_url", "file"),
        (Tool.STT, "diarize", "diarization"),
    ),
    "replicate": (
        (Tool.VIDEO, "duration", "duration_seconds"),
        (Tool.VIDEO, "first_frame_image", "source_image"),
        (Tool.VIDEO, "image", "source_image"),
        (Tool.IMAGE, "num_outputs", "n"),
        (Tool.IMAGE, "width", "size"),
        (Tool.IMAGE, "aspect_ratio", "size"),
    ),
    "openai": (
        (Tool.VIDEO, "seconds", "duration_seconds"),
        (Tool.VIDEO, "size", "resolution"),
        (Tool.STT, "timestamps", "timestamp_granularities"),
    ),
    "runway": (
        (Tool.VIDEO, "promptText", "prompt"),
        (Tool.VIDEO, "prompt_image", "source_image"),
        (Tool.VIDEO, "ratio", "aspect_ratio"),
    ),
    "google": (
        (Tool.VIDEO, "durationSeconds", "duration_seconds"),
        (Tool.VIDEO, "enhance_prompt", "prompt_optimizer"),
        (Tool.IMAGE, "number_of_images", "n"),
        (Tool.IMAGE_EDIT, "edit_mode", "operation"),
        (Tool.TTS, "speaking_rate", "speed"),
        (Tool.STT, "language_code", "language"),
    ),
    "stability": (
        (Tool.IMAGE, "style_preset", "style"),
        (Tool.IMAGE, "samples", "n"),
        (Tool.IMAGE, "negative", "negative_prompt"),
        (Tool.MUSIC, "audio", "source_audio"),
    ),
}


@pytest.mark.parametrize(("tool", "name", "right"), [call for calls in CALLS.values() for call in calls], ids=str)
def test_name_of_other_service_is_refused_with_the_documented_name(tool: Tool, name: str, right: str) -> None:
    """A TypeError, as for any unknown keyword, that says that nothing was billed."""
    with pytest.raises(
        TypeError, match=f"unknown keyword '{name}': did you mean '{right}'.*Nothing was sent or billed"
    ):
        check_names(tool, {name: 1})


@pytest.mark.parametrize("tool", Tool)
def test_other_names_lead_to_documented_ones_and_hide_none(tool: Tool) -> None:
    """A name that is documented, or a keyword of ours, is never called another's."""
    for other, name in OTHER_NAMES[tool].items():
        assert name in PARAMETERS[tool], other
        assert other == other.lower().replace("-", "_")
    assert not KEYWORDS.intersection(OTHER_NAMES[tool])
    assert not KEYWORDS.intersection(ADVICE[tool])
    assert all(name_problem(tool, name) is None for name in PARAMETERS[tool])


@pytest.mark.parametrize("name", ["n", "num_outputs", "number_of_videos", "batch_size"])
def test_number_of_videos_is_refused_with_advice(name: str) -> None:
    """The service would make one, and bill it."""
    with pytest.raises(TypeError, match=r"use nk\.batch\(\)"):
        check_names(Tool.VIDEO, {name: 2})


@pytest.mark.parametrize("name", ["image", "image_url", "init_image"])
def test_image_to_start_from_is_refused_with_advice(name: str) -> None:
    """Images are generated from text alone."""
    with pytest.raises(TypeError, match=r"use nk\.edit_image\(\)"):
        check_names(Tool.IMAGE, {name: "https://example.org/a.png"})


@pytest.mark.parametrize(
    "call",
    [
        lambda: nk.video("A", duration=5),
        lambda: nk.batch("video", ["A"], duration=5),
        lambda: nk.batch("video", [{"prompt": "A"}, {"prompt": "B", "duration": 5}]),
        lambda: nk.sweep("video", prompt="A", duration=[5, 6]),
    ],
)
def test_every_way_to_a_job_refuses_the_name(call) -> None:
    """One job, a batch, an item of a batch, and a sweep."""
    with pytest.raises((TypeError, InvalidParameterError), match="did you mean 'duration_seconds'"):
        call()


@pytest.mark.parametrize("name", ["brightness", "camera_motion", "person_generation", "guidance_scale"])
def test_unknown_name_is_passed_on(name: str) -> None:
    """The service may know it."""
    for tool in Tool:
        assert name_problem(tool, name) is None
