"""Combining several videos side by side into one, for synchronised playback.

A page can synchronise several players only with a script, and a saved notebook keeps no scripts.
"""

from __future__ import annotations

import io
import tempfile
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import av
    import av.container
    import av.filter

__all__ = ["side_by_side"]

_HEIGHT = 360  # pixels; four side by side are as wide as a large screen
_RATE = 30  # frames a second; the service documents 30 and 60


def side_by_side(videos: Sequence[bytes], *, height: int = _HEIGHT) -> bytes:
    """Combine videos into one, in tiles of the same size. A video that ends early keeps its last frame.

    The result has no sound. This blocks for about a third of the videos' length, so call it on a thread.

    Args:
        videos: two or more files that PyAV reads, such as mp4 or webm.
        height: the height of a tile in pixels.

    Returns:
        An mp4 (h264) that plays while it loads.

    Raises:
        ImportError: PyAV is missing; ``pip install "novakit_widgets[compare]"``.
        ValueError: A file can't be read as a video.

    Example:
        >>> from novakit_widgets.widgets.explorer.compare_video import side_by_side
        >>> side_by_side([b"no video", b"no video"])
        Traceback (most recent call last):
        ...
        ValueError: Video 1 can't be read.
    """
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        inputs = [stack.enter_context(_opened(video, number)) for number, video in enumerate(videos, start=1)]
        # A file: to play while it loads, it needs its index in front, which is written last.
        target = Path(folder) / "combined.mp4"
        _write(inputs, target, height)
        return target.read_bytes()


def _opened(video: bytes, number: int) -> av.container.InputContainer:
    import av

    try:
        opened = av.open(io.BytesIO(video), "r")
    except av.FFmpegError:
        raise ValueError(f"Video {number} can't be read.") from None
    if not opened.streams.video:
        opened.close()
        raise ValueError(f"Video {number} can't be read.")
    return opened


def _write(inputs: Sequence[av.container.InputContainer], target: Path, height: int) -> None:
    import av

    width = _tile_width(inputs, height)
    graph, sources = _graph(inputs, width, height)
    with av.open(str(target), "w", format="mp4", options={"movflags": "faststart"}) as output:
        stream = output.add_stream("h264", rate=_RATE)
        stream.width, stream.height, stream.pix_fmt = width * len(inputs), height, "yuv420p"
        for frame in _frames(graph, sources, inputs):
            frame.pts = None  # the encoder sets it
            output.mux(stream.encode(frame))
        output.mux(stream.encode())


def _tile_width(inputs: Sequence[av.container.InputContainer], height: int) -> int:
    """Return the width of the widest video at that height; even, as h264 requires."""
    shapes = [one.streams.video[0] for one in inputs]
    return max(2, *(round(height * shape.width / shape.height / 2) * 2 for shape in shapes))


def _graph(
    inputs: Sequence[av.container.InputContainer], width: int, height: int
) -> tuple[av.filter.Graph, list[av.filter.context.FilterContext]]:
    """Chain the filters: each video at the common rate and tile size; then side by side."""
    import av.filter

    graph = av.filter.Graph()
    tiles = graph.add("hstack", f"inputs={len(inputs)}")
    sources = []
    for place, container in enumerate(inputs):
        source = graph.add_buffer(template=container.streams.video[0])
        chain = [
            source,
            graph.add("fps", str(_RATE)),
            graph.add("scale", f"{width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2"),
            graph.add("pad", f"{width}:{height}:-1:-1"),
            graph.add("setsar", "1"),
            graph.add("format", "pix_fmts=yuv420p"),
        ]
        for one, following in pairwise(chain):
            one.link_to(following)
        chain[-1].link_to(tiles, 0, place)
        sources.append(source)
    tiles.link_to(graph.add("buffersink"))
    graph.configure()
    return graph, sources


def _frames(
    graph: av.filter.Graph,
    sources: Sequence[av.filter.context.FilterContext],
    inputs: Sequence[av.container.InputContainer],
) -> Iterator[av.VideoFrame]:
    """Push the frames of all videos into the filters in turn, and yield the combined frames."""
    import av

    running = [(source, container.decode(video=0)) for source, container in zip(sources, inputs, strict=True)]
    while running:
        for source, frames in list(running):
            frame = next(frames, None)
            source.push(frame)
            if frame is None:
                running.remove((source, frames))
        while True:
            try:
                made = graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                break
            yield made
