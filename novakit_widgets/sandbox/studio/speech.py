"""Render synthetic speech: syllables of two or three formants, as long as the text takes to speak.

It is not intelligible, but it has a voice, a pace and a melody, falls at a full stop and rises at a question mark.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...model.tools import Tool
from ..results import value
from .seeds import generator
from .sound import write_sound

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ..artifact import Artifact

__all__ = ["make_speech"]

Wave = NDArray[np.float64]

_PITCHES = {"nova": 205.0, "alloy": 165.0, "echo": 118.0, "fable": 182.0, "onyx": 92.0, "shimmer": 228.0}
# Hertz of the first three formants.
_VOWELS = {
    "a": (750, 1250, 2600),
    "e": (520, 1850, 2500),
    "i": (310, 2250, 2950),
    "o": (480, 880, 2450),
    "u": (330, 780, 2300),
    "y": (330, 1900, 2300),
}
_SHARP, _SOFT = "szxcfhjkptq", "bdgmnlrvw"
_SYLLABLE, _GAP, _COMMA, _STOP = 0.165, 0.035, 0.16, 0.34  # seconds at speed 1
_BREADTH = 110.0  # hertz of a formant
_PITCH_STEPS = 12
_RATE = 24_000


@dataclass(frozen=True, slots=True)
class _Unit:
    """A syllable, or a silence where the vowel is empty."""

    vowel: str
    onset: str
    seconds: float
    height: float


def make_speech(params: Mapping[str, Any], target: Path) -> Artifact:
    """Render speech whose length follows the text and the speed."""

    def wanted(name: str) -> Any:
        return value(Tool.TTS, params, name)

    text, speed = str(wanted("input")), float(wanted("speed"))
    voice, format_name = str(wanted("voice")), str(wanted("response_format"))
    rng = generator(text, voice, wanted("model"))
    pitch = _PITCHES.get(voice, float(rng.uniform(95, 230)))
    speaker = _Speaker(pitch, rng)
    parts = [speaker.say(unit, speed) for unit in _units(text, rng)]
    return write_sound(np.concatenate(parts)[None, :], format_name, _RATE, target)


def _units(text: str, rng: np.random.Generator) -> Iterator[_Unit]:
    yield _Unit("", "", 0.08, 0)
    for sentence in re.findall(r"[^.!?]+[.!?]*", text):
        words = re.findall(r"[^\s,;:]+[,;:]*", sentence)
        asks = sentence.rstrip().endswith("?")
        for place, word in enumerate(words):
            share = place / max(1, len(words) - 1)
            height = 1.12 - 0.24 * share
            if asks and share > 0.7:
                height = 0.95 + 0.45 * (share - 0.7) / 0.3
            for syllable in _syllables(word):
                vowel = next((letter for letter in syllable if letter in _VOWELS), "a")
                onset = next((letter for letter in syllable if letter not in _VOWELS), "")
                seconds = _SYLLABLE * float(rng.uniform(0.82, 1.18)) + 0.02 * max(0, len(syllable) - 2)
                yield _Unit(vowel, onset, seconds, height * float(rng.uniform(0.94, 1.06)))
            yield _Unit("", "", _COMMA if word[-1] in ",;:" else _GAP, 0)
        yield _Unit("", "", _STOP, 0)


def _syllables(word: str) -> list[str]:
    letters = "".join(letter for letter in word.lower() if letter.isalnum())
    found = re.findall(r"[^aeiouy]*[aeiouy]+(?:[^aeiouy]+$)?", letters)
    # Digits, and scripts without these vowels: about two characters to a syllable.
    return found or [letters[at : at + 2] for at in range(0, len(letters), 2)]


class _Speaker:
    """One voice; a vowel at a height is made once and cut to length."""

    def __init__(self, pitch: float, rng: np.random.Generator) -> None:
        self._pitch, self._rng = pitch, rng
        self._sung: dict[tuple[str, int], Wave] = {}

    def say(self, unit: _Unit, speed: float) -> Wave:
        length = max(1, int(unit.seconds / speed * _RATE))
        if not unit.vowel:
            return np.zeros(length)
        source = self._sing(unit.vowel, round(unit.height * _PITCH_STEPS))
        wave = np.resize(source, length) if length > len(source) else source[:length].copy()
        time = np.linspace(0, 1, length)
        wave *= np.clip(time / 0.14, 0, 1) * np.clip((1 - time) / 0.3, 0, 1)
        if unit.onset in _SHARP and unit.onset:
            burst = int(length * 0.3)
            hiss = np.diff(self._rng.normal(0, 1, burst + 1))
            wave[:burst] = 0.25 * wave[:burst] + 0.09 * hiss * np.sin(np.linspace(0, np.pi, burst))
        elif unit.onset in _SOFT and unit.onset:
            wave[: int(length * 0.2)] *= 0.45
        return wave

    def _sing(self, vowel: str, step: int) -> Wave:
        known = self._sung.get((vowel, step))
        if known is not None:
            return known
        pitch = self._pitch * step / _PITCH_STEPS
        time = np.arange(int(0.42 * _RATE)) / _RATE
        # A fall within the syllable and a slight vibrato: a steady pitch sounds like a machine.
        phase = 2 * np.pi * pitch * (time - 0.09 * time**2 + 0.0006 * np.sin(2 * np.pi * 5.2 * time))
        wave = np.zeros(len(time))
        for number in range(1, int(4_200 / pitch)):
            frequency = number * pitch
            gain = sum(
                strength / (1 + ((frequency - formant) / _BREADTH) ** 2)
                for formant, strength in zip(_VOWELS[vowel], (1.0, 0.55, 0.25), strict=True)
            )
            wave += (gain + 0.03) / number**0.35 * np.sin(number * phase)
        wave /= np.abs(wave).max()
        self._sung[vowel, step] = wave
        return wave
