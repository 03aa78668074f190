"""Write audio files: mp3, wav, opus and aac."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from numpy.typing import NDArray

from ..artifact import Artifact

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["RATES", "Sound", "write_sound"]

Sound = NDArray[np.float64]
"""Samples from -1.0 to 1.0: one row for a channel."""

RATES = {"mp3": 44_100, "wav": 44_100, "opus": 48_000, "aac": 44_100}
"""Samples a second by format; opus does not support 44,100."""

# Codec, container, ending and type.
_FORMATS = {
    "mp3": ("libmp3lame", "mp3", ".mp3", "audio/mpeg"),
    "wav": ("pcm_s16le", "wav", ".wav", "audio/wav"),
    "opus": ("libopus", "ogg", ".opus", "audio/ogg"),
    "aac": ("aac", "adts", ".aac", "audio/aac"),
}
_BIT_RATES = {"mp3": 128_000, "opus": 64_000, "aac": 96_000}
_OPTIONS = {"mp3": {"compression_level": "9"}}  # LAME's fastest: what is heard is the same to most
_BLOCK = 1 << 16


def write_sound(sound: Sound, format_name: str, rate: int, target: Path) -> Artifact:
    """Write samples to a file.

    Args:
        sound: one or two rows.
        format_name: ``"mp3"``, ``"wav"``, ``"opus"`` or ``"aac"``.
        rate: samples a second.
        target: the file to write, without its suffix.
    """
    codec, container_name, suffix, mime = _FORMATS[format_name]
    peak = float(np.abs(sound).max()) or 1.0
    samples = (sound * (0.86 / peak) * 32_767).astype(np.int16)
    layout = "mono" if len(samples) == 1 else "stereo"
    path = target.with_suffix(suffix)
    with av.open(str(path), "w", format=container_name) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        if format_name in _BIT_RATES:
            stream.bit_rate = _BIT_RATES[format_name]
        stream.options = _OPTIONS.get(format_name, {})
        for start in range(0, samples.shape[1], _BLOCK):
            # Packed: the channels' samples one after the other.
            block = np.ascontiguousarray(samples[:, start : start + _BLOCK].T).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return Artifact(path, mime, round(samples.shape[1] / rate, 3))
