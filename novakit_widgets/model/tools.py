"""The service's tools: endpoints, typical durations, time-outs and limits."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..errors import InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HOUR", "MINUTE", "TOOL_LIMITS", "Tool", "tool_names"]

MINUTE = 60.0  # seconds
HOUR = 3600.0


class Tool(str, Enum):
    """What the service can make; the values are those of a job's ``tool``."""

    endpoint: str
    typical_seconds: tuple[float, float]
    timeout: float

    def __new__(cls, value: str, endpoint: str, typical_seconds: tuple[float, float], timeout: float) -> Tool:  # noqa: PYI034 # Self is newer than Python 3.10
        """Make a member that is its value and knows its endpoint and times."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.endpoint = endpoint
        member.typical_seconds = typical_seconds
        member.timeout = timeout
        return member

    # Typical seconds and time-outs of video and music are those of the vendor's async-jobs guide.
    # The others are undocumented: a guess for display only, and the guide's time-out rounded down.
    VIDEO = "video", "videos/generations", (30.0, 120.0), 300.0
    MUSIC = "music", "music/generations", (30.0, 60.0), 180.0
    IMAGE = "image", "images/generations", (5.0, 30.0), 120.0
    IMAGE_EDIT = "image_edit", "images/edits", (5.0, 30.0), 120.0
    TTS = "tts", "audio/speech", (3.0, 20.0), 120.0
    STT = "stt", "audio/transcriptions", (3.0, 20.0), 120.0

    __str__ = str.__str__

    @classmethod
    def known(cls, value: str | None) -> Tool | None:
        """Find a tool by a job's ``tool``; ``None`` for one that is newer than this package."""
        return next((tool for tool in cls if tool.value == value), None)

    @classmethod
    def of(cls, name: str) -> Tool:
        """Find a tool by its name, its endpoint or its short form's name.

        Args:
            name: ``"video"``, ``"videos/generations"``, ``"speech"``, …

        Raises:
            InvalidParameterError: there is no such tool.
        """
        key = str(name).strip().strip("/").lower()
        for tool in cls:
            if key in (tool.value, tool.endpoint):
                return tool
        if key in _SHORT_FORMS:
            return _SHORT_FORMS[key]
        raise InvalidParameterError(
            f"{name!r} is none of NovaKit's tools. Nothing was sent. "
            f"Use one of {tool_names()}, or an endpoint such as {cls.VIDEO.endpoint!r}.",
            parameter="tool",
        )


_SHORT_FORMS = {"edit_image": Tool.IMAGE_EDIT, "speech": Tool.TTS, "transcribe": Tool.STT}


def tool_names() -> str:
    """List the tools as they are called, the service's own name in brackets where it is another one.

    Example:
        >>> tool_names()
        'video, music, image, edit_image (image_edit), speech (tts), transcribe (stt)'
    """
    called = {tool: name for name, tool in _SHORT_FORMS.items()}
    return ", ".join(f"{called[tool]} ({tool})" if tool in called else str(tool) for tool in Tool)


TOOL_LIMITS: Mapping[Tool, tuple[int, float]] = MappingProxyType(
    {
        Tool.IMAGE: (10, MINUTE),
        Tool.IMAGE_EDIT: (10, MINUTE),
        Tool.VIDEO: (5, HOUR),
        Tool.TTS: (20, MINUTE),
        Tool.STT: (10, MINUTE),
        Tool.MUSIC: (10, HOUR),
    }
)
"""Documented: how many generations in how many seconds."""
