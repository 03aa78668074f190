"""Videos: h264 in mp4, ready to play while it loads.

They have the size that was asked for. To save time they are drawn at a half of it (``4k``: a third), and enlarged when they
are encoded. At 60 frames a second every drawing is shown twice.
"""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from PIL import Image, UnidentifiedImageError

from ...model.tools import Tool
from ..artifact import Artifact
from ..results import value
from .captions import Caption
from .palettes import look_of
from .scene import Scene
from .seeds import generator
from .subjects import subjects_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["frame_size", "make_video", "picture"]

_SHORT_SIDE = {"720p": 720, "1080p": 1080, "4k": 2160}  # pixels
_ENLARGED = {"720p": 2, "1080p": 2, "4k": 3}
_MOST_DRAWINGS = 30  # a second


def frame_size(resolution: str, aspect_ratio: str) -> tuple[int, int]:
    """Return width and height in pixels, both even as h264 wants them.

    Example:
        >>> frame_size("720p", "16:9"), frame_size("1080p", "3:4")
        ((1280, 720), (1080, 1440))
    """
    across, down = (int(part) for part in aspect_ratio.split(":"))
    short = _SHORT_SIDE[resolution]
    scale = short / min(across, down)
    return round(across * scale / 2) * 2, round(down * scale / 2) * 2


def make_video(params: Mapping[str, Any], source: bytes | None, target: Path) -> Artifact:
    """Render a video of the requested length, frame rate and aspect ratio that shows its prompt."""

    def wanted(name: str) -> Any:
        return value(Tool.VIDEO, params, name)

    prompt, seconds, fps = str(wanted("prompt")), float(wanted("duration_seconds")), int(wanted("fps"))
    resolution = wanted("resolution")
    full_width, full_height = frame_size(resolution, wanted("aspect_ratio"))
    width, height = full_width // _ENLARGED[resolution], full_height // _ENLARGED[resolution]
    rng = generator(prompt, wanted("seed"), wanted("negative_prompt"), wanted("model"))
    backdrop = None if source is None else picture(source, round(width * 1.2), round(height * 1.2))
    scene = Scene(look_of(prompt, rng), width, height, rng, backdrop, subjects_of(prompt, rng))
    tag = f"NovaKit sandbox  ·  {seconds:g} s  ·  {resolution}"
    caption = Caption(prompt, tag, width, height, scale=1.6 if scene.abstract else 1.0)
    count = max(1, round(seconds * fps))
    each = max(1, fps // _MOST_DRAWINGS)
    path = target.with_suffix(".mp4")
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = full_width, full_height, "yuv420p"
        stream.time_base = Fraction(1, fps)
        # One thread: the other core belongs to the notebook.
        stream.codec_context.thread_count = 1
        stream.options = {"preset": "ultrafast", "crf": "25", "tune": "zerolatency"}
        view = np.zeros((height, width, 3), np.uint8)
        for number in range(count):
            if number % each == 0:
                view = scene.frame(number / fps, seconds, loop=bool(wanted("loop")))
                caption.put(view)
                _mark_progress(view, number / count)
            drawing = av.VideoFrame.from_ndarray(view, format="rgb24")
            frame = drawing.reformat(full_width, full_height, "yuv420p", interpolation="FAST_BILINEAR")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return Artifact(path, "video/mp4", round(count / fps, 3), full_width, full_height)


def picture(source: bytes, width: int, height: int) -> NDArray[np.uint8]:
    """Return an image's pixels, cut to a size.

    Raises:
        ValueError: the bytes are not an image.
    """
    try:
        image = Image.open(BytesIO(source)).convert("RGB")
    except (UnidentifiedImageError, OSError) as problem:
        raise ValueError("The source is no image that can be read.") from problem
    scale = max(width / image.width, height / image.height)
    image = image.resize((max(width, round(image.width * scale)), max(height, round(image.height * scale))))
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return np.asarray(image.crop((left, top, left + width, top + height)))


def _mark_progress(view: NDArray[np.uint8], share: float) -> None:
    """Draw a progress line at the bottom, which shows that the video moves."""
    thick = max(2, view.shape[0] // 120)
    view[-thick:, : int(view.shape[1] * share)] = (255, 196, 92)
