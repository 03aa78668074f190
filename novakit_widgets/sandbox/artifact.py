"""A generated media file, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Artifact"]


@dataclass(frozen=True, slots=True)
class Artifact:
    """A generated file.

    Attributes:
        path: where it is.
        mime: its type.
        seconds: how long it plays.
        width: pixels.
        height: pixels.
    """

    path: Path
    mime: str
    seconds: float | None = None
    width: int | None = None
    height: int | None = None
