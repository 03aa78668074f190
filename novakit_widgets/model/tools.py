"""The service's tools, and every fact about them in one table: `FACTS`. Parameters are in `novakit_widgets.model.parameters`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Literal

from ..errors import InvalidParameterError

__all__ = ["FACTS", "HOUR", "MINUTE", "TOOL_LIMITS", "MediaKind", "Tool", "ToolFacts", "tool_names"]

MediaKind = Literal["video", "audio", "image"]

MINUTE = 60.0  # seconds
HOUR = 3600.0
_SUBMIT_SECONDS = 60.0


class Tool(str, Enum):
    """A tool of the service; the values are those of a job's ``tool``.

    Example:
        >>> Tool.VIDEO.endpoint, Tool.VIDEO.timeout, Tool.VIDEO.facts.bucket
        ('videos/generations', 300.0, 'video_seconds')
    """

    VIDEO = "video"
    MUSIC = "music"
    IMAGE = "image"
    IMAGE_EDIT = "image_edit"
    TTS = "tts"
    STT = "stt"

    __str__ = str.__str__

    @property
    def facts(self) -> ToolFacts:
        """Everything that is known about the tool, except its parameters."""
        return FACTS[self]

    @property
    def endpoint(self) -> str:
        """The path that jobs are submitted to, such as ``"videos/generations"``."""
        return FACTS[self].endpoint

    @property
    def typical_seconds(self) -> tuple[float, float]:
        """How long a job usually takes: from, to."""
        return FACTS[self].typical_seconds

    @property
    def timeout(self) -> float:
        """Seconds to watch a job by default."""
        return FACTS[self].timeout

    @classmethod
    def known(cls, value: str | None) -> Tool | None:
        """Find a tool by a job's ``tool``; ``None`` for one that is newer than this package."""
        return next((tool for tool in cls if tool.value == value), None)

    @classmethod
    def of(cls, name: str) -> Tool:
        """Find a tool by its name, its endpoint, or the name of its function.

        Args:
            name: ``"video"``, ``"videos/generations"``, ``"speech"``, …

        Raises:
            InvalidParameterError: there is no such tool.
        """
        key = str(name).strip().strip("/").lower()
        for tool, facts in FACTS.items():
            if key in (tool.value, facts.endpoint, facts.function):
                return tool
        raise InvalidParameterError(
            f"NovaKit has no tool {name!r}. Nothing was sent. "
            f"Use one of {tool_names()}, or an endpoint such as {cls.VIDEO.endpoint!r}.",
            parameter="tool",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFacts:
    """What is known about one tool.

    Attributes:
        endpoint: the path that jobs are submitted to.
        scope: the scope that a key needs.
        function: the function of this package that makes one job, such as ``"edit_image"``.
        main_parameter: the parameter that this function takes without its name.
        label: the tool's name for people.
        plural: several results, in words.
        icon: an SVG path of 16 x 16.
        media: the kind of media that it makes; ``None`` for text.
        typical_seconds: how long a job usually takes: from, to.
        timeout: seconds to watch a job by default.
        submit_seconds: seconds to wait for the answer to a submission.
        at_once: whether the service is documented to answer with the result instead of a job.
        limit: how many generations are documented to be allowed, and in how many seconds.
        bucket: the quota that its jobs use, besides ``"credits"``.
        bucket_label: the name of this quota for people.
        unit: one unit of this quota, in words.
        units: several units of this quota, in words.
        units_from: the parameter that tells how many units a job uses; its length where it is a text. ``None`` where every job
            uses one. How many seconds a file has is not known before the service has it.
    """

    endpoint: str
    scope: str
    function: str
    main_parameter: str = "prompt"
    label: str
    plural: str
    icon: str
    media: MediaKind | None
    typical_seconds: tuple[float, float]
    timeout: float
    submit_seconds: float = _SUBMIT_SECONDS
    at_once: bool = False
    limit: tuple[int, float]
    bucket: str
    bucket_label: str
    unit: str
    units: str
    units_from: str | None = None


# Documented: endpoints, scopes, limits, and most buckets; the names of image edits and video seconds are not quoted there.
# Typical seconds and timeouts of video and music are those of the vendor's guide to async jobs. The others are undocumented: a
# guess for display, and the guide's timeout rounded down. Speech and transcriptions are documented to answer with the result, so
# that their submission gets the whole timeout; where a job is promised at once, a minute is ample.
FACTS: Mapping[Tool, ToolFacts] = MappingProxyType(
    {
        Tool.VIDEO: ToolFacts(
            endpoint="videos/generations",
            scope="video",
            function="video",
            label="Video",
            plural="videos",
            icon="M2 3h8.5a1 1 0 0 1 1 1v2l3-1.8v7.6l-3-1.8v2a1 1 0 0 1-1 1H2a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1z",
            media="video",
            typical_seconds=(30.0, 120.0),
            timeout=300.0,
            limit=(5, HOUR),
            bucket="video_seconds",
            bucket_label="Video, seconds",
            unit="s",
            units="s",
            units_from="duration_seconds",
        ),
        Tool.MUSIC: ToolFacts(
            endpoint="music/generations",
            scope="music",
            function="music",
            label="Music",
            plural="pieces of music",
            icon="M6 2l8-1.2v9.4a2.3 2.3 0 1 1-1.3-2V4.2L7.3 5v7.2a2.3 2.3 0 1 1-1.3-2z",
            media="audio",
            typical_seconds=(30.0, 60.0),
            timeout=180.0,
            limit=(10, HOUR),
            bucket="music_tracks",
            bucket_label="Music, tracks",
            unit="track",
            units="tracks",
        ),
        Tool.IMAGE: ToolFacts(
            endpoint="images/generations",
            scope="image",
            function="image",
            label="Image",
            plural="images",
            icon="M2 2h12a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H2a1 1 0 0 1-1-1V3a1 1 0 0 1 1-1zm0 10h12l-4-5-3 3.5L5 8.4z",
            media="image",
            typical_seconds=(5.0, 30.0),
            timeout=120.0,
            limit=(10, MINUTE),
            bucket="image_generations",
            bucket_label="Images",
            unit="image",
            units="images",
            units_from="n",
        ),
        Tool.IMAGE_EDIT: ToolFacts(
            endpoint="images/edits",
            scope="image_edit",
            function="edit_image",
            label="Image edit",
            plural="edited images",
            icon="M11.3 1.3l3.4 3.4-9 9L1 15l1.3-4.7z",
            media="image",
            typical_seconds=(5.0, 30.0),
            timeout=120.0,
            limit=(10, MINUTE),
            bucket="image_edits",
            bucket_label="Image edits",
            unit="image edit",
            units="image edits",
        ),
        Tool.TTS: ToolFacts(
            endpoint="audio/speech",
            scope="tts",
            function="speech",
            main_parameter="input",
            label="Speech",
            plural="speeches",
            icon="M2 6h2.5L8 3v10l-3.5-3H2zm8-1.5a4.5 4.5 0 0 1 0 7z",
            media="audio",
            typical_seconds=(3.0, 20.0),
            timeout=120.0,
            submit_seconds=120.0,
            at_once=True,
            limit=(20, MINUTE),
            bucket="tts_chars",
            bucket_label="Speech, characters",
            unit="character",
            units="characters",
            units_from="input",
        ),
        Tool.STT: ToolFacts(
            endpoint="audio/transcriptions",
            scope="stt",
            function="transcribe",
            main_parameter="file",
            label="Transcription",
            plural="transcriptions",
            icon="M8 1a2.2 2.2 0 0 1 2.2 2.2v4a2.2 2.2 0 0 1-4.4 0v-4A2.2 2.2 0 0 1 8 1zM7.3 12h1.4v3H7.3z",
            media=None,
            typical_seconds=(3.0, 20.0),
            timeout=120.0,
            submit_seconds=120.0,
            at_once=True,
            limit=(10, MINUTE),
            bucket="stt_seconds",
            bucket_label="Transcription, seconds",
            unit="s",
            units="s",
            units_from="file",
        ),
    }
)
"""The facts of every tool."""

TOOL_LIMITS: Mapping[Tool, tuple[int, float]] = MappingProxyType({tool: facts.limit for tool, facts in FACTS.items()})
"""Documented: how many generations in how many seconds."""


def tool_names() -> str:
    """List the tools by their functions, with the service's name in brackets where it differs.

    Example:
        >>> tool_names()
        'video, music, image, edit_image (image_edit), speech (tts), transcribe (stt)'
    """
    return ", ".join(
        facts.function if facts.function == tool.value else f"{facts.function} ({tool})"
        for tool, facts in FACTS.items()
    )
