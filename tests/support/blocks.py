"""The blocks of code in a Markdown page, and which of them a test can run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Block", "blocks_of"]

_BLOCK = re.compile(
    r"^(?:<!-- not run:(?P<why>[^\n]*)-->\n)?```(?P<language>[^\s`]*)[^\n]*\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One block of code.

    Attributes:
        page: its file's name.
        language: what stands behind its fence; of Sphinx's directives with their braces.
        code: what it says.
        why: why it is not to be run; ``None`` where it is.
    """

    page: str
    language: str
    code: str
    why: str | None


def blocks_of(path: Path) -> list[Block]:
    """Return a page's blocks, from its top to its end."""
    return [
        Block(path.name, found["language"], found["code"], None if found["why"] is None else found["why"].strip())
        for found in _BLOCK.finditer(path.read_text(encoding="utf-8"))
    ]
