"""The parameters that the service documents for each tool: names, types, defaults and values.

`novakit_widgets.model.checks` checks parameters against this table, and `novakit_widgets.model.spelling` their names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from .tools import Tool

__all__ = ["KEYWORDS", "PARAMETERS", "SOURCES", "Parameter", "short"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One documented parameter of one tool.

    Attributes:
        name: as the service spells it.
        kind: ``str``, ``int``, ``float``, ``bool``, ``dict`` or ``list``. An int serves as a float.
        default: what the service uses when it is left out; ``None`` where that is nothing.
        required: whether the service refuses a job without it.
        choices: the documented values, the default first.
        closed: whether no other value than the choices can be right.
        minimum: the smallest number.
        maximum: the largest number.
        above: the number it must be greater than.
        max_length: characters at most.
        unit: what a number counts, such as ``"s"``.
        url: whether it is an address (or a data URI) of media.
        media: what kind of media those are: ``"image"``, ``"video"`` or ``"audio"``; ``""`` for no media.
        modes: the values of ``mode`` that it belongs to; empty for all.
        advanced: whether a form may fold it away.
        help: one line for people.
        missing: what to ask for where a required value is missing, such as ``"Enter a prompt"``.
    """

    name: str
    kind: type = str
    default: Any = None
    required: bool = False
    choices: tuple[Any, ...] = ()
    closed: bool = True
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    max_length: int | None = None
    unit: str = ""
    url: bool = False
    media: str = ""
    modes: tuple[str, ...] = ()
    advanced: bool = False
    help: str = ""
    missing: str = ""

    def problem(self, value: object) -> str | None:
        """Return what is wrong with a value; ``None`` when it is valid.

        Example:
            >>> Parameter("fps", int, choices=(30, 60)).problem(29)
            'fps must be 30 or 60, got 29'
        """
        if value is None:
            return self._missing() if self.required else None
        if not self._has_type(value):
            return f"{self.name} must be {_KIND_NAMES[self.kind]}, got {short(value)} ({type(value).__name__})"
        if self.required and isinstance(value, str) and not value.strip():
            return self._missing()
        if self.max_length is not None and isinstance(value, str) and len(value) > self.max_length:
            return f"{self.name} must have at most {self.max_length:,} characters, got {len(value):,}"
        if self.closed and self.choices and self._outside(value):
            return f"{self.name} must be {_any_of(self.choices)}, got {short(value)}"
        return self._range_problem(value)

    def _missing(self) -> str:
        return self.missing or f"Enter a value for {self.name}"

    def _has_type(self, value: object) -> bool:
        if self.kind is float:
            return isinstance(value, int | float) and not isinstance(value, bool)
        if self.kind is int:
            return isinstance(value, int) and not isinstance(value, bool)
        if self.kind is dict:
            return isinstance(value, Mapping)
        if self.kind is list:
            return isinstance(value, list | tuple)
        return isinstance(value, self.kind)

    def _outside(self, value: object) -> bool:
        if isinstance(value, list | tuple):
            return any(item not in self.choices for item in value)
        return value not in self.choices

    def _range_problem(self, value: object) -> str | None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return None
        unit = f" {self.unit}" if self.unit else ""
        if isinstance(value, float) and not math.isfinite(value):
            return f"{self.name} must be a finite number, got {value}"
        if self.above is not None and value <= self.above:
            return f"{self.name} must be greater than {self.above:g}{unit}, got {short(value)}"
        if self.minimum is not None and value < self.minimum:
            return f"{self.name} must be at least {self.minimum:g}{unit}, got {short(value)}"
        if self.maximum is not None and value > self.maximum:
            return f"{self.name} must be at most {self.maximum:g}{unit}, got {short(value)}"
        return None


def short(value: object) -> str:
    """Return the repr of a value, cut to the length that fits into a line of an error message."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write integers of more than 4,300 digits
        text = f"{type(value).__name__}(…)"
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def _any_of(choices: tuple[Any, ...]) -> str:
    *others, last = map(repr, choices)
    return f"{', '.join(others)} or {last}" if others else last


_LONGEST_SHOWN = 40  # characters
_KIND_NAMES: Mapping[type, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    dict: "a dict",
    list: "a list",
}

_PROMPT = Parameter("prompt", required=True, help="What to generate, in words.", missing="Enter a prompt")
_NEGATIVE = Parameter("negative_prompt", advanced=True, help="What to avoid, in words.")
_SEED = Parameter("seed", int, advanced=True, help="The same seed and prompt give the same result.")


def _url(name: str, mode: str, what: str) -> Parameter:
    media = name.removeprefix("source_")
    return Parameter(name, url=True, media=media, modes=(mode,), help=f"URL of {what}, for mode {mode}.")


def _model(*names: str) -> Parameter:
    return Parameter("model", default=names[0], choices=names, closed=False, help="The model that makes it.")


def _table(*parameters: Parameter) -> Mapping[str, Parameter]:
    return MappingProxyType({parameter.name: parameter for parameter in parameters})


PARAMETERS: Mapping[Tool, Mapping[str, Parameter]] = MappingProxyType(
    {
        Tool.VIDEO: _table(
            _PROMPT,
            _model("fal-ai/minimax/video-01"),
            Parameter("duration_seconds", float, 5, above=0, unit="s", help="How long the video is."),
            Parameter("resolution", default="720p", choices=("720p", "1080p", "4k"), help="Lines of a frame."),
            Parameter("fps", int, 30, choices=(30, 60), advanced=True, help="Frames a second."),
            Parameter(
                "aspect_ratio",
                default="16:9",
                choices=("16:9", "9:16", "1:1", "4:3", "3:4"),
                help="Width to height.",
            ),
            Parameter(
                "mode",
                default="text_to_video",
                choices=("text_to_video", "image_to_video", "video_to_video"),
                help="What it starts from.",
            ),
            _url("source_image", "image_to_video", "the image to start from"),
            _url("source_video", "video_to_video", "the video to start from"),
            _NEGATIVE,
            _SEED,
            Parameter("prompt_optimizer", bool, True, advanced=True, help="Let the service improve the prompt."),
            Parameter("loop", bool, False, advanced=True, help="Make the end meet the beginning."),
        ),
        Tool.MUSIC: _table(
            _PROMPT,
            _model(
                "fal-ai/stable-audio",
                "fal-ai/stable-audio-25/text-to-audio",
                "fal-ai/minimax-music/v2",
                "fal-ai/minimax-music/v1.5",
                "beatoven/music-generation",
                "sonauto/v2/text-to-music",
            ),
            Parameter("duration_seconds", float, 30, above=0, maximum=60, unit="s", help="How long the music is."),
            Parameter(
                "mode",
                default="text_to_music",
                choices=("text_to_music", "audio_to_audio"),
                help="What it starts from.",
            ),
            _url("source_audio", "audio_to_audio", "the sound to start from"),
            Parameter("output_format", default="mp3", choices=("mp3", "wav"), help="The file's format."),
            _NEGATIVE,
            Parameter("model_inputs", dict, advanced=True, help="What else the model takes."),
        ),
        Tool.IMAGE: _table(
            _PROMPT,
            _model("fal-ai/flux/dev"),
            Parameter(
                "size",
                default="1024x1024",
                choices=("1024x1024", "512x512", "1792x1024", "1024x1792", "1536x1024", "1024x1536"),
                help="Width x height in pixels.",
            ),
            Parameter("n", int, 1, minimum=1, maximum=10, help="How many images."),
            Parameter("style", default="vivid", choices=("vivid", "natural"), help="Strong or plain colours."),
            Parameter("upscale", choices=("2x", "4x"), advanced=True, help="Enlarge the result."),
            _NEGATIVE,
            _SEED,
        ),
        # The documentation says "operation-dependent"; these names appear in its error texts.
        Tool.IMAGE_EDIT: _table(
            Parameter("prompt", help="What to change, in words."),
            Parameter("operation", help="Which edit; what it takes depends on it."),
            Parameter("image", url=True, media="image", help="URL of the image to edit."),
            Parameter("mask", url=True, media="image", help="URL of the mask; inpainting needs one."),
        ),
        Tool.TTS: _table(
            Parameter(
                "input", required=True, max_length=10_000, help="The text to speak.", missing="Enter the text to speak"
            ),
            _model(
                "fal-ai/f5-tts",
                "fal-ai/maya",
                "fal-ai/chatterbox/text-to-speech/turbo",
                "fal-ai/minimax/speech-2.6-hd",
                "fal-ai/minimax/speech-2.6-turbo",
                "fal-ai/index-tts-2/text-to-speech",
                "fal-ai/chatterbox/text-to-speech/multilingual",
            ),
            # Open: models bring voices of their own.
            Parameter(
                "voice",
                default="nova",
                choices=("nova", "alloy", "echo", "fable", "onyx", "shimmer"),
                closed=False,
                help="Who says it.",
            ),
            Parameter("speed", float, 1.0, minimum=0.25, maximum=4.0, unit="x", help="How fast it is said."),
            Parameter(
                "response_format",
                default="mp3",
                choices=("mp3", "wav", "opus", "aac"),
                help="The file's format.",
            ),
            Parameter("reference_audio", url=True, media="audio", advanced=True, help="URL of a voice to imitate."),
            Parameter("reference_text", advanced=True, help="What the reference says."),
        ),
        Tool.STT: _table(
            Parameter(
                "file",
                required=True,
                url=True,
                media="audio",
                help="The audio: a URL or base64.",
                missing="Choose an audio file or enter its URL",
            ),
            _model("fal-ai/whisper"),
            Parameter(
                "language",
                default="auto",
                closed=False,
                choices=("auto",),
                help="The language spoken, such as 'en'.",
            ),
            Parameter(
                "response_format",
                default="json",
                choices=("json", "text", "srt", "vtt"),
                help="The form of the text.",
            ),
            Parameter(
                "timestamp_granularities",
                list,
                ["segment"],
                choices=("segment", "word"),
                advanced=True,
                help="What gets times.",
            ),
            Parameter("diarization", bool, False, help="Tell the speakers apart."),
            Parameter("translation", bool, False, help="Translate to English."),
            Parameter("model_inputs", dict, advanced=True, help="What else the model takes."),
        ),
    }
)
"""Every documented parameter by tool and name; the source is the vendor's public API documentation."""

SOURCES = frozenset(
    name for parameters in PARAMETERS.values() for name, parameter in parameters.items() if parameter.url
)
"""The parameters that take a URL of media, of all tools."""

KEYWORDS = frozenset({"autostart", "client", "confirm", "embed", "max_running", "reuse", "timeout"})
"""Keywords of this package's own functions; they are never sent to the service."""
