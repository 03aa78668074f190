"""Render media from parameters: reproducible, and fast enough for a classroom's laptop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...model.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..artifact import Artifact

__all__ = ["render"]


def render(tool: Tool, params: Mapping[str, Any], *, index: int, source: bytes | None, target: Path) -> Artifact:
    """Render one medium.

    Args:
        tool: the tool of the job.
        params: the parameters as they were received; omitted ones have their documented defaults.
        index: the number of the result, where a generation has several.
        source: the bytes of an image to start from, or ``None``.
        target: the file to write, without its suffix.
    """
    if tool is Tool.VIDEO:
        from .video import make_video

        return make_video(params, source, target)
    if tool in (Tool.IMAGE, Tool.IMAGE_EDIT):
        from .images import make_edit, make_image

        if tool is Tool.IMAGE:
            return make_image(params, index, target)
        return make_edit(params, source, target)
    if tool is Tool.MUSIC:
        from .music import make_music

        return make_music(params, target)
    from .speech import make_speech

    return make_speech(params, target)
