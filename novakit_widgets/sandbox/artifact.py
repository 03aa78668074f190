"""A generated media file, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..model.media import suffix_of

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
        offset: where it begins in a larger file.
        size: its length in bytes in a larger file; ``None`` for a file of its own.
    """

    path: Path
    mime: str
    seconds: float | None = None
    width: int | None = None
    height: int | None = None
    offset: int = 0
    size: int | None = None

    @property
    def suffix(self) -> str:
        """The file ending, such as ``".mp4"``."""
        return self.path.suffix if self.size is None else suffix_of(self.mime)

    def content(self) -> bytes:
        """Return its bytes."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read() if self.size is None else file.read(self.size)
