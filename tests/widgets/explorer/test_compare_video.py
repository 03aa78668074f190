"""Several videos as one: in tiles, in step, and refused when they are none."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from core_fixtures import _no_waiting, _served, client, nothing_left, sandbox, serve, small  # noqa: F401

from novakit_widgets.widgets.explorer.compare_video import side_by_side


def video(width: int, height: int, *, rate: int, seconds: float, level: int) -> bytes:
    """Make a video whose picture is grey, and grows lighter by one a tenth of a second."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("h264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(round(rate * seconds)):
            grey = np.full((height, width, 3), level + index * 10 // rate, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def test_tiles_are_of_one_size_and_in_step():
    """Wide and high ones, of 30 and of 60 frames a second: at each moment each tile shows its own moment."""
    made = side_by_side(
        [
            video(320, 180, rate=30, seconds=2, level=40),
            video(180, 320, rate=60, seconds=3, level=120),
            video(320, 180, rate=30, seconds=1, level=180),
        ],
        height=180,
    )
    with av.open(io.BytesIO(made)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (3 * 320, 180)
        assert float(stream.duration * stream.time_base) == pytest.approx(3, abs=0.1)
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(stream)]
    assert len(frames) == pytest.approx(90, abs=1)
    middles = [[int(frame[90, 160 + 320 * tile]) for tile in range(3)] for frame in frames]
    for seconds, (first, second, third) in ((0.5, (45, 125, 185)), (2.5, (59, 145, 189))):  # the short ones stand still
        assert middles[round(seconds * 30)] == pytest.approx([first, second, third], abs=4)
    assert frames[45][90, 330] < 30  # black beside the high one


def test_it_plays_while_it_loads():
    """The index stands in front of the pictures."""
    one = video(64, 64, rate=30, seconds=0.5, level=9)
    made = side_by_side([one, one], height=64)
    assert made.index(b"moov") < made.index(b"mdat")


def test_what_is_no_video_is_named_by_its_number():
    """A sound, or rubbish."""
    fine = video(64, 64, rate=30, seconds=0.2, level=9)
    with pytest.raises(ValueError, match="Video 2"):
        side_by_side([fine, b"<html>" * 100])
    sound = io.BytesIO()
    with av.open(sound, "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(ValueError, match="Video 1"):
        side_by_side([sound.getvalue(), fine])
