"""Names of other services: each is refused with the documented name before anything is billed."""

from __future__ import annotations

import pytest

import novakit_widgets as nk
from novakit_widgets.errors import InvalidParameterError
from novakit_widgets.model.other_names import ADVICE, OTHER_NAMES
from novakit_widgets.model.parameters import KEYWORDS, PARAMETERS
from novakit_widgets.model.spelling import check_names, name_problem, passed_on
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
        (Tool.VIDEO, "reference_image_urls", "source_image"),
        (Tool.MUSIC, "audio_length_in_s", "duration_seconds"),
    ),
    "replicate": (
        (Tool.VIDEO, "duration", "duration_seconds"),
        (Tool.VIDEO, "first_frame_image", "source_image"),
        (Tool.VIDEO, "image", "source_image"),
        (Tool.IMAGE, "num_outputs", "n"),
        (Tool.IMAGE, "width", "size"),
        (Tool.IMAGE, "aspect_ratio", "size"),
        (Tool.IMAGE, "megapixels", "size"),
        (Tool.VIDEO, "num_frames", "duration_seconds"),
        (Tool.VIDEO, "prompt_extend", "prompt_optimizer"),
        (Tool.MUSIC, "melody", "source_audio"),
        (Tool.STT, "diarise_audio", "diarization"),
        (Tool.STT, "timestamp", "timestamp_granularities"),
    ),
    "openai": (
        (Tool.VIDEO, "seconds", "duration_seconds"),
        (Tool.VIDEO, "size", "resolution"),
        (Tool.VIDEO, "input_reference", "source_image"),
        (Tool.STT, "timestamps", "timestamp_granularities"),
    ),
    "runway": (
        (Tool.VIDEO, "promptText", "prompt"),
        (Tool.VIDEO, "prompt_image", "source_image"),
        (Tool.VIDEO, "ratio", "aspect_ratio"),
        (Tool.VIDEO, "videoUri", "source_video"),
        (Tool.IMAGE, "referenceImages", None),
    ),
    "google": (
        (Tool.VIDEO, "durationSeconds", "duration_seconds"),
        (Tool.VIDEO, "enhance_prompt", "prompt_optimizer"),
        (Tool.IMAGE, "number_of_images", "n"),
        (Tool.IMAGE_EDIT, "edit_mode", "operation"),
        (Tool.TTS, "speaking_rate", "speed"),
        (Tool.STT, "language_code", "language"),
        (Tool.VIDEO, "aspectRatio", "aspect_ratio"),
        (Tool.VIDEO, "negativePrompt", "negative_prompt"),
        (Tool.VIDEO, "numberOfVideos", None),
        (Tool.MUSIC, "sample_count", None),
        (Tool.IMAGE, "sampleCount", "n"),
        (Tool.TTS, "audio_encoding", "response_format"),
        (Tool.STT, "enable_word_time_offsets", "timestamp_granularities"),
        (Tool.STT, "enable_speaker_diarization", "diarization"),
    ),
    "stability": (
        (Tool.IMAGE, "style_preset", "style"),
        (Tool.IMAGE, "samples", "n"),
        (Tool.IMAGE, "negative", "negative_prompt"),
        (Tool.MUSIC, "audio", "source_audio"),
        (Tool.IMAGE, "text_prompts", "prompt"),
        (Tool.IMAGE, "init_image", None),
        (Tool.IMAGE_EDIT, "mask_image", "mask"),
    ),
    "luma, elevenlabs": (
        (Tool.VIDEO, "keyframes", "source_image"),
        (Tool.MUSIC, "music_length_ms", "duration_seconds"),
        (Tool.TTS, "voice_id", "voice"),
        (Tool.STT, "timestamps_granularity", "timestamp_granularities"),
    ),
}


@pytest.mark.parametrize(("tool", "name", "right"), [call for calls in CALLS.values() for call in calls], ids=str)
def test_name_of_other_service_is_refused_with_the_documented_name(tool: Tool, name: str, right: str | None) -> None:
    """A TypeError, as for any unknown keyword, that says that nothing was billed; or what to call instead."""
    advice = r"use nk\.(batch|edit_image)\(\)" if right is None else f"did you mean '{right}'"
    with pytest.raises(TypeError, match=f"unknown keyword '{name}': .*{advice}.*Nothing was sent or billed"):
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


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["prompt", "seed"], ""),
        (["camera"], "camera is not a documented parameter of video: it was passed on as it is."),
        (["a", "prompt", "b"], "a, b are not documented parameters of video: they were passed on as they are."),
        (
            list("abcdefgh"),
            "a, b, c, d, e and 3 more are not documented parameters of video: they were passed on as they are.",
        ),
        (["x" * 1_000], f"{'x' * 40} is not a documented parameter of video: it was passed on as it is."),
    ],
)
def test_passed_on_names_undocumented_parameters(names: list[str], said: str) -> None:
    """One sentence of a few words, whatever is sent."""
    assert passed_on(Tool.VIDEO, names) == said
