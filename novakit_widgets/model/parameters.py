"""The parameters that the service documents for each tool: defaults, values, and what is obviously bad.

The lists of the service grow. So a value outside a list of *models* is passed on, and so is a parameter that
nobody here has heard of; refused is only what the documentation forbids, because a refusal costs nothing and a
wrong job does.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..errors import InvalidParameterError
from .tools import Tool

__all__ = [
    "KEYWORDS",
    "PARAMETERS",
    "Parameter",
    "bounded",
    "canonical",
    "check",
    "check_names",
    "name_problem",
    "owned",
    "problems",
    "same",
]


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

    def problem(self, value: object) -> str | None:
        """Say in a few words what is wrong with a value; ``None`` when nothing is."""
        if value is None:
            return "it must not be empty" if self.required else None
        wrong_type = self._type_problem(value)
        if wrong_type:
            return wrong_type
        if self.required and isinstance(value, str) and not value.strip():
            return "it must not be empty"
        if self.max_length is not None and isinstance(value, str) and len(value) > self.max_length:
            return f"it has {len(value):,} characters, at most {self.max_length:,} are allowed"
        if self.closed and self.choices and self._outside(value):
            return f"{_short(value)} is none of {', '.join(map(repr, self.choices))}"
        return self._range_problem(value)

    def _type_problem(self, value: object) -> str | None:
        if self.kind is float:
            fits = isinstance(value, int | float) and not isinstance(value, bool)
        elif self.kind is int:
            fits = isinstance(value, int) and not isinstance(value, bool)
        elif self.kind is dict:
            fits = isinstance(value, Mapping)
        elif self.kind is list:
            fits = isinstance(value, list | tuple)
        else:
            fits = isinstance(value, self.kind)
        if fits:
            return None
        return f"it must be {_KIND_NAMES[self.kind]}, not {type(value).__name__} ({_short(value)})"

    def _outside(self, value: object) -> bool:
        if isinstance(value, list | tuple):
            return any(item not in self.choices for item in value)
        return value not in self.choices

    def _range_problem(self, value: object) -> str | None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return None
        unit = f" {self.unit}" if self.unit else ""
        if isinstance(value, float) and not math.isfinite(value):
            return f"{value} is no number that JSON knows"
        if self.above is not None and value <= self.above:
            return f"{_short(value)} is not more than {self.above:g}{unit}"
        if self.minimum is not None and value < self.minimum:
            return f"{_short(value)} is less than {self.minimum:g}{unit}"
        if self.maximum is not None and value > self.maximum:
            return f"{_short(value)} is more than {self.maximum:g}{unit}"
        return None


_KIND_NAMES: Mapping[type, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    dict: "a dict",
    list: "a list",
}

_PROMPT = Parameter("prompt", required=True, help="What to make, in words.")
_NEGATIVE = Parameter("negative_prompt", advanced=True, help="What to keep out of it.")
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
            Parameter("input", required=True, max_length=10_000, help="What to say."),
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
            Parameter("file", required=True, url=True, media="audio", help="The sound: a URL or base64."),
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

KEYWORDS = frozenset({"autostart", "client", "confirm", "embed", "max_running", "reuse", "timeout"})
"""What short forms, batches, sweeps and the explorer take for themselves, between them; the service never gets it."""

_SHORT_NAME = 4  # letters of a name in which one that is wrong is told
LONG = 10_000  # characters; the longest text that the documentation allows
_DIGEST = re.compile(r"\(\d+ characters, sha256 [0-9a-f]{64}\)")
# Documented: 47 s for the default model, 60 s for the other documented ones.
_STABLE_AUDIO_SECONDS = 47.0


def check(tool: Tool, params: Mapping[str, Any]) -> None:
    """Refuse what the documentation forbids, before anything is sent or billed.

    Args:
        tool: which table to hold the parameters against.
        params: what the user gave, by the service's names.

    Raises:
        InvalidParameterError: a required parameter is missing, a value is obviously bad, or a name is no text.

    Example:
        >>> check(Tool.VIDEO, {"prompt": "A sunset", "fps": 30})
        >>> check(Tool.VIDEO, {"prompt": "A sunset", "fps": 29})
        Traceback (most recent call last):
        ...
        novakit_widgets.errors.InvalidParameterError: video: fps: 29 is none of 30, 60. Nothing was sent or billed.
    """
    if not isinstance(params, Mapping):
        raise InvalidParameterError(
            f"{tool}: the parameters must be a dict, not {type(params).__name__}. Nothing was sent or billed."
        )
    _check_texts(tool, params)
    for name, problem in problems(tool, params).items():
        raise InvalidParameterError(f"{tool}: {name}: {problem}. Nothing was sent or billed.", parameter=name)


def _check_texts(tool: Tool, params: Mapping[Any, Any]) -> None:
    """Refuse a name that is no text. JSON would make one of some of them, and they would be billed."""
    for name in params:
        if not isinstance(name, str):
            raise InvalidParameterError(
                f"{tool}: the name of a parameter is text, not {type(name).__name__} ({_short(name)}). Nothing was sent or billed."
            )


def problems(tool: Tool, params: Mapping[str, Any]) -> dict[str, str]:
    """Find what the documentation forbids, for each parameter the first reason.

    Args:
        tool: which table to hold the parameters against.
        params: what the user gave, by the service's names.

    Returns:
        Reasons by the parameter's name, in the table's order; empty where nothing is wrong.

    Example:
        >>> problems(Tool.VIDEO, {"fps": 29})
        {'prompt': 'it must not be empty', 'fps': '29 is none of 30, 60'}
    """
    found = {}
    for parameter in PARAMETERS[tool].values():
        if parameter.required or parameter.name in params:
            problem = parameter.problem(params.get(parameter.name))
            if problem:
                found[parameter.name] = problem
    for name, problem in _joint_problems(tool, params):
        found.setdefault(name, problem)
    return found


def check_names(
    tool: Tool, params: Mapping[str, Any], *, called: str | None = None, ours: Collection[str] = KEYWORDS
) -> None:
    """Refuse a keyword that is a slip of a documented one, or of one that the package takes for itself.

    Args:
        tool: which table to hold the names against.
        params: what the user gave as keywords. Names unlike every documented one are let through.
        called: what the user called; where it is left out, a function of the tool's name.
        ours: what that takes for itself.

    Raises:
        TypeError: a name is nearly a documented one.
        InvalidParameterError: a name is no text.

    Example:
        >>> check_names(Tool.VIDEO, {"aspect_ration": "1:1"})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        TypeError: video() got an unknown keyword 'aspect_ration': did you mean 'aspect_ratio'? ...
        >>> check_names(Tool.TTS, {"auto_start": False}, called="speech()")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        TypeError: speech() got an unknown keyword 'auto_start': did you mean 'autostart'? ...
    """
    _check_texts(tool, params)
    for name in params:
        advice = name_problem(tool, name, ours)
        if advice is not None:
            raise TypeError(
                f"{called or f'{tool}()'} got an unknown keyword {name!r}{advice} Nothing was sent or billed. "
                f"To send it as it is, use JobWidget({tool.endpoint!r}, {{{name!r}: …}})."
            )


def name_problem(tool: Tool, name: str, ours: Collection[str] = KEYWORDS) -> str | None:
    """Say what a name was meant to be; ``None`` where it may be the service's.

    Args:
        tool: whose parameters are documented.
        name: of a parameter.
        ours: as for `check_names`.
    """
    if name in PARAMETERS[tool]:
        return None
    known = [*PARAMETERS[tool], *ours]
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.8)
    meant = close[0] if close else next((other for other in known if _one_slip(name.lower(), other)), None)
    if meant is not None and meant != name:
        return f": did you mean {meant!r}?"
    if name == "wait":
        return ": to wait for the result, write .wait() behind the call."
    return ", which is none of the service's." if name in KEYWORDS else None


def _one_slip(name: str, other: str) -> bool:
    """Whether one letter of a short name is another, or two are exchanged; the first is the same."""
    if len(name) != len(other) or len(name) < _SHORT_NAME or name[0] != other[0]:
        return False
    wrong = [place for place, pair in enumerate(zip(name, other, strict=True)) if pair[0] != pair[1]]
    return len(wrong) == 1 or (len(wrong) == 2 and sorted(name) == sorted(other) and wrong[1] == wrong[0] + 1)


def canonical(tool: Tool, params: Mapping[str, Any]) -> str:
    """Write parameters so that two sets that ask for the same are the same text.

    5 and 5.0 are the same number, the order of keys is of no account, a documented default is the same as nothing, and an upload is
    its digest.

    Args:
        tool: whose defaults hold.
        params: by the service's names.

    Example:
        >>> canonical(Tool.VIDEO, {"prompt": "A sunset", "fps": 30, "seed": 7.0})
        '{"prompt": "A sunset", "seed": 7}'
    """
    table = PARAMETERS[tool]
    kept = {
        str(name): bounded(_plain(value))
        for name, value in params.items()
        if value is not None and not (name in table and _plain(value) == _plain(table[name].default))
    }
    return json.dumps(kept, sort_keys=True, ensure_ascii=False, default=str)


def same(tool: Tool, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Whether two sets of parameters ask for the same; see `canonical`."""
    return canonical(tool, ours) == canonical(tool, theirs)


def bounded(value: Any) -> Any:
    """Replace each text of more than 10,000 characters, which is an upload, by its length and digest.

    Args:
        value: parameters, or anything else that JSON can say.
    """
    if isinstance(value, str) and len(value) > LONG:
        return f"({len(value)} characters, sha256 {hashlib.sha256(value.encode('utf-8', 'replace')).hexdigest()})"
    if isinstance(value, Mapping):
        return {str(key): bounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [bounded(item) for item in value]
    return value


def owned(value: Any) -> Any:
    """Copy dicts, lists and tuples, however deep: what the user does with his own later is of no account.

    Texts and all else stay what they are, so that an upload is not there twice.

    Args:
        value: parameters, or one's value.

    Raises:
        RecursionError: it contains itself, or is nested too deeply.

    Example:
        >>> inputs = {"steps": [10]}
        >>> copy = owned(inputs)
        >>> inputs["steps"].append(20)
        >>> copy
        {'steps': [10]}
    """
    if isinstance(value, Mapping):
        return {name: owned(item) for name, item in value.items()}
    if isinstance(value, list):
        return [owned(item) for item in value]
    if isinstance(value, tuple):
        return tuple(owned(item) for item in value)
    return value


def lacks(value: object) -> bool:
    """Whether a value is not whole any more, since `bounded` has put a digest in place of a text in it.

    Example:
        >>> lacks(bounded("x" * 10_001)), lacks(bounded(["x" * 10_001])), lacks("x")
        (True, True, False)
    """
    if isinstance(value, Mapping):
        return any(map(lacks, value.values()))
    if isinstance(value, list | tuple):
        return any(map(lacks, value))
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _joint_problems(tool: Tool, params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Find what is wrong only in the company of another parameter."""
    found = []
    seconds = params.get("duration_seconds")
    default_model = PARAMETERS[tool].get("model")
    if (
        tool is Tool.MUSIC
        and default_model is not None
        and params.get("model") in (None, default_model.default)
        and isinstance(seconds, int | float)
        and seconds > _STABLE_AUDIO_SECONDS
    ):
        found.append(("duration_seconds", f"{seconds} s is more than the 47 s of {default_model.default}"))
    if tool is Tool.IMAGE_EDIT and params.get("operation") == "inpainting" and not params.get("mask"):
        found.append(("mask", "mask is required for inpainting"))
    mode = params.get("mode")
    found.extend(
        (parameter.name, f"mode {mode!r} needs it")
        for parameter in PARAMETERS[tool].values()
        if mode in parameter.modes and not params.get(parameter.name)
    )
    return found


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"  # a line of an error message
