"""Render music: chords, bass, melody, and drums where the prompt mentions them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...model.tools import Tool
from ..results import value
from .seeds import generator
from .sound import RATES, Sound, write_sound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..artifact import Artifact

__all__ = ["make_music"]

Wave = NDArray[np.float64]

_MAJOR, _MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
# Degrees of the scale, from 0.
_PROGRESSIONS = {
    "major": ((0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 5, 4), (3, 4, 2, 5)),
    "minor": ((0, 5, 2, 6), (0, 3, 5, 4), (0, 6, 5, 6), (0, 2, 6, 5)),
    "jazz": ((1, 4, 0, 5), (0, 5, 1, 4), (2, 5, 1, 4)),
}
_MINOR_WORDS = r"sad|dark|minor|melanchol|night|rain|dream|tense|horror|winter|lonely|blue|techno|hip.?hop"
_DRUM_WORDS = r"drum|beat|percussion|brush|hip.?hop|techno|rock|funk|dance|house|disco|groove|march|pop\b"
_SLOW, _FAST = (
    r"slow|calm|ambient|lullaby|sleep|soft|quiet|ballad",
    r"fast|upbeat|energetic|dance|techno|rock|happy|punk",
)

_FFT_STEP = 1 << 15  # samples; a length of many twos is fast to transform, and need not be all twos


@dataclass(frozen=True, slots=True)
class _Style:
    """The musical style that the words of a prompt suggest."""

    beats_per_minute: float
    root: int
    scale: tuple[int, ...]
    chords: tuple[int, ...]
    sevenths: bool
    drums: str  # "", "brushes" or "kit"


def make_music(params: Mapping[str, Any], target: Path) -> Artifact:
    """Render music of the requested length and format."""

    def wanted(name: str) -> Any:
        return value(Tool.MUSIC, params, name)

    prompt, seconds = str(wanted("prompt")), float(wanted("duration_seconds"))
    format_name = str(wanted("output_format"))
    rng = generator(prompt, wanted("negative_prompt"), wanted("model"), params.get("model_inputs"))
    rate = RATES[format_name]
    sound = _Piece(_style(prompt, rng), seconds, rate, rng).play()
    return write_sound(sound, format_name, rate, target)


def _style(prompt: str, rng: np.random.Generator) -> _Style:
    text = prompt.lower()
    jazz = re.search(r"jazz|swing|bossa|lounge", text) is not None
    minor = re.search(_MINOR_WORDS, text) is not None
    pace = float(rng.uniform(84, 104))
    pace = 68.0 if re.search(_SLOW, text) else 126.0 if re.search(_FAST, text) else pace
    chords = _PROGRESSIONS["jazz" if jazz else "minor" if minor else "major"]
    drums = "brushes" if re.search("brush", text) or jazz else "kit"
    return _Style(
        beats_per_minute=pace + float(rng.uniform(-3, 3)),
        root=int(rng.integers(48, 56)),
        scale=_MINOR if minor and not jazz else _MAJOR,
        chords=chords[int(rng.integers(len(chords)))],
        sevenths=jazz,
        drums=drums if re.search(_DRUM_WORDS, text) else "",
    )


class _Piece:
    """A piece of music, mixed into two channels."""

    def __init__(self, style: _Style, seconds: float, rate: int, rng: np.random.Generator) -> None:
        self._style, self._rate, self._rng = style, rate, rng
        self._length = max(1, round(seconds * rate))
        self._mix: Sound = np.zeros((2, self._length))
        self._beat = 60 / style.beats_per_minute
        self._tones: dict[tuple[object, ...], Wave] = {}  # chords come back, and melodies with them

    def play(self) -> Sound:
        bars = int(np.ceil(self._length / self._rate / (4 * self._beat)))
        phrase = self._phrase()
        for bar in range(bars):
            start = bar * 4 * self._beat
            degree = self._style.chords[bar % len(self._style.chords)]
            self._chord(start, degree)
            self._bass(start, degree)
            # The melody rests in every fourth bar, and before it has begun.
            if bar % 4 != 3 and (bar or bars < 3):
                self._melody(start, degree, phrase[bar % 2])
            if self._style.drums:
                self._drums(start, bar)
        return self._room() * self._edges()

    def _pitch(self, degree: int, octave: int = 0) -> float:
        scale = self._style.scale
        step, place = divmod(degree, len(scale))
        return float(440.0 * 2 ** ((self._style.root + scale[place] + 12 * (step + octave) - 69) / 12))

    def _add(self, start: float, wave: Wave, *, left: float = 1.0, right: float = 1.0) -> None:
        begin = int(start * self._rate)
        if begin >= self._length:
            return
        piece = wave[: self._length - begin]
        self._mix[0, begin : begin + len(piece)] += left * piece
        self._mix[1, begin : begin + len(piece)] += right * piece

    def _tone(self, pitch: float, seconds: float, partials: tuple[float, ...], detune: float = 0.0) -> Wave:
        known = self._tones.get((pitch, seconds, partials, detune))
        if known is not None:
            return known
        time = np.arange(int(seconds * self._rate)) / self._rate
        wave = np.zeros(len(time))
        for number, strength in enumerate(partials, 1):
            if pitch * number < self._rate / 2.5:
                wave += strength * np.sin(2 * np.pi * pitch * number * (1 + detune) * time)
        self._tones[pitch, seconds, partials, detune] = wave
        return wave

    def _chord(self, start: float, degree: int) -> None:
        seconds = 4 * self._beat * 1.06
        swell = _swell(int(seconds * self._rate), self._rate, attack=0.35, release=0.7)
        notes = (0, 2, 4, 6) if self._style.sevenths else (0, 2, 4)
        for number, note in enumerate(notes):
            pitch = self._pitch(degree + note)
            side = 0.75 + 0.25 * (number % 2)
            for detune, left, right in ((-0.0016, side, 0.55), (0.0016, 0.55, side)):
                wave = self._tone(pitch, seconds, (1.0, 0.42, 0.2, 0.09), detune)
                self._add(start, 0.052 * wave * swell, left=left, right=right)

    def _bass(self, start: float, degree: int) -> None:
        walk = (0, 2, 4, 5) if self._style.sevenths else (0, 0, 4, 0)
        for beat, step in enumerate(walk):
            if not self._style.drums and beat % 2:
                continue
            seconds = self._beat * (0.95 if self._style.drums else 1.9)
            wave = self._tone(self._pitch(degree + step, -1), seconds, (1.0, 0.5, 0.16))
            self._add(start + beat * self._beat, 0.2 * wave * _pluck(len(wave), self._rate, 2.2))

    def _phrase(self) -> tuple[list[tuple[float, int]], ...]:
        """Return two bars of (beat, step above the chord); the second answers the first."""
        rhythms = ((0, 1, 1.5, 2, 3), (0, 0.5, 1.5, 2, 3), (0, 1, 2, 2.5, 3.5), (0.5, 1, 2, 3))
        first = rhythms[int(self._rng.integers(len(rhythms)))]
        steps = [0, 2, 4, 7, 9, 4, 2]
        place = int(self._rng.integers(1, 4))
        bars: list[list[tuple[float, int]]] = [[], []]
        for bar in bars:
            for beat in first:
                place = int(np.clip(place + self._rng.integers(-1, 2), 0, len(steps) - 1))
                bar.append((beat, steps[place]))
        return tuple(bars)

    def _melody(self, start: float, degree: int, phrase: list[tuple[float, int]]) -> None:
        for number, (beat, step) in enumerate(phrase):
            swing = 0.12 * self._beat if self._style.sevenths and beat % 1 else 0.0
            wave = self._tone(self._pitch(degree + step, 1), self._beat * 2.4, (1.0, 0.5, 0.28, 0.12, 0.06))
            strength = 0.15 * (1.0 if number == 0 else 0.82)
            side = 0.5 + 0.4 * ((number % 3) / 2)
            self._add(
                start + beat * self._beat + swing,
                strength * wave * _pluck(len(wave), self._rate, 3.0),
                left=1.2 - side,
                right=side + 0.2,
            )

    def _drums(self, start: float, bar: int) -> None:
        soft = self._style.drums == "brushes"
        for beat in (0, 2) if soft else (0, 1.75 if bar % 2 else 2.5, 2):
            self._add(start + beat * self._beat, (0.34 if soft else 0.62) * self._kick())
        for beat in (1, 3):
            self._add(start + beat * self._beat, (0.16 if soft else 0.3) * self._noise(0.24, 14 if soft else 20))
        for eighth in range(8):
            late = 0.16 * self._beat if soft and eighth % 2 else 0.0
            loud = 0.075 if eighth % 2 else 0.12
            hat = self._noise(0.07, 60)
            self._add(start + eighth * self._beat / 2 + late, loud * np.diff(hat, prepend=0.0), left=0.7)

    def _kick(self) -> Wave:
        time = np.arange(int(0.28 * self._rate)) / self._rate
        return np.asarray(np.sin(2 * np.pi * (48 * time + 6.5 * (1 - np.exp(-time * 28)))) * np.exp(-time * 13))

    def _noise(self, seconds: float, fall: float) -> Wave:
        time = np.arange(int(seconds * self._rate)) / self._rate
        return np.asarray(self._rng.uniform(-1, 1, len(time)) * np.exp(-time * fall))

    def _room(self) -> Sound:
        """Return the mix with the echo of a room: a convolution with noise that dies away."""
        time = np.arange(int(1.1 * self._rate)) / self._rate
        size = -(-(self._length + len(time)) // _FFT_STEP) * _FFT_STEP
        wet = np.empty_like(self._mix)
        for side in range(2):
            echo = self._rng.normal(0, 1, len(time)) * np.exp(-time * 4.6)
            echo /= np.sqrt((echo**2).sum())
            spectrum = np.fft.rfft(self._mix[side], size) * np.fft.rfft(echo, size)
            wet[side] = np.fft.irfft(spectrum, size)[: self._length]
        return np.asarray(np.tanh(self._mix + 0.22 * wet))

    def _edges(self) -> Wave:
        """Return a gain that fades in at once and out over the end, so that nothing clicks."""
        shape = np.ones(self._length)
        rise = min(self._length // 4, int(0.02 * self._rate))
        fall = min(self._length // 3, int(1.6 * self._rate))
        shape[:rise] = np.linspace(0, 1, rise)
        if fall:
            shape[-fall:] = np.linspace(1, 0, fall) ** 1.5
        return shape


def _swell(length: int, rate: int, *, attack: float, release: float) -> Wave:
    time = np.arange(length) / rate
    end = length / rate
    return np.asarray(np.clip(time / attack, 0, 1) * np.clip((end - time) / release, 0, 1))


def _pluck(length: int, rate: int, fall: float) -> Wave:
    time = np.arange(length) / rate
    end = length / rate
    return np.asarray(np.clip(time / 0.006, 0, 1) * np.exp(-time * fall) * np.clip((end - time) / 0.04, 0, 1))
