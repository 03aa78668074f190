"""Transcriptions: the spoken text of the sandbox's own speech, a plausible text for anything else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...model.tools import Tool
from ..results import value
from .seeds import generator

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["transcribe"]

_SENTENCES = (
    "Welcome back, it is good to see you here again.",
    "Today we look at something small that turns out to be useful.",
    "The first thing that you notice is how quiet it is.",
    "Let us listen to it once more, a little more slowly.",
    "Nobody expected that it would take this long.",
    "In the end there were only two questions left.",
    "And that, more or less, is the whole story.",
    "We will come back to this point in a moment.",
)
_CHARACTERS_A_SECOND = 14.5
_SHORTEST = 0.6  # seconds of a segment


def transcribe(params: Mapping[str, Any], known: tuple[str, float | None] | None) -> dict[str, Any]:
    """Return a transcription as the synchronous endpoint answers it.

    Args:
        params: the parameters of the request.
        known: the spoken text and its seconds, where the sandbox has generated the file.

    Returns:
        ``text, segments, language, duration``, and ``words`` where they were asked for. ``text`` is in the asked
        ``response_format`` (plain for ``json`` and ``text``, with times for ``srt`` and ``vtt``).
    """

    def wanted(name: str) -> Any:
        return value(Tool.STT, params, name)

    if known is None:
        rng = generator(params["file"])
        chosen = rng.permutation(len(_SENTENCES))[: int(rng.integers(3, 6))]
        text, seconds = " ".join(_SENTENCES[number] for number in chosen), None
    else:
        text, seconds = known
    duration = round(seconds or max(_SHORTEST, len(text) / _CHARACTERS_A_SECOND), 3)
    segments = _segments(text, duration, speakers=bool(wanted("diarization")))
    language = wanted("language")
    found: dict[str, Any] = {
        "text": _in_format(text, segments, wanted("response_format")),
        "segments": segments,
        "language": "en" if language == "auto" or wanted("translation") else language,
        "duration": duration,
    }
    if "word" in wanted("timestamp_granularities"):
        found["words"] = [word for segment in segments for word in _words(segment)]
    return found


def _segments(text: str, duration: float, *, speakers: bool) -> list[dict[str, Any]]:
    sentences = [part.strip() for part in re.findall(r"[^.!?]+[.!?]*", text) if part.strip()] or [text]
    whole = sum(map(len, sentences))
    at, segments = 0.0, []
    for number, sentence in enumerate(sentences):
        end = at + duration * len(sentence) / whole
        segments.append(
            {
                "start": round(at, 3),
                "end": round(end, 3),
                "text": sentence,
                "speaker": f"SPEAKER_{number % 2:02}" if speakers else None,
            }
        )
        at = end
    return segments


def _words(segment: Mapping[str, Any]) -> list[dict[str, Any]]:
    words = segment["text"].split()
    each = (segment["end"] - segment["start"]) / max(1, len(words))
    return [
        {
            "word": word,
            "start": round(segment["start"] + number * each, 3),
            "end": round(segment["start"] + (number + 1) * each, 3),
        }
        for number, word in enumerate(words)
    ]


def _in_format(text: str, segments: list[dict[str, Any]], name: str) -> str:
    if name == "srt":
        return "\n".join(
            f"{number}\n{_time(part['start'], ',')} --> {_time(part['end'], ',')}\n{part['text']}\n"
            for number, part in enumerate(segments, 1)
        )
    if name == "vtt":
        cues = (f"{_time(part['start'], '.')} --> {_time(part['end'], '.')}\n{part['text']}\n" for part in segments)
        return "WEBVTT\n\n" + "\n".join(cues)
    return text


def _time(seconds: float, point: str) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{thousandths:03}"
