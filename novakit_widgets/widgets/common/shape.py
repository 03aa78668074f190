"""The shape that a result will have, from its job's parameters: its place is kept free while it is made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ...model.parameters import PARAMETERS
from ...model.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Shape", "shape_of"]

_MOST = 10  # documented: images of one job


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of a job's result.

    Attributes:
        kind: what it is.
        wide: the width of its aspect ratio.
        high: the height of its aspect ratio.
        count: how many results there are.
    """

    kind: Literal["picture", "sound", "text"] = "picture"
    wide: int = 16
    high: int = 9
    count: int = 1


def shape_of(tool: Tool | str | None, params: Mapping[str, Any]) -> Shape:
    """Return the shape that was requested, or the service's default; 16:9 if both are unknown.

    Example:
        >>> shape_of(Tool.VIDEO, {"aspect_ratio": "9:16"})
        Shape(kind='picture', wide=9, high=16, count=1)
        >>> shape_of(Tool.IMAGE, {"n": 4}).count, shape_of(Tool.MUSIC, {}).kind
        (4, 'sound')
    """
    known = Tool.known(tool)
    if known is None:
        return Shape()
    if known.facts.media is None:
        return Shape("text")
    if known.facts.media == "audio":
        return Shape("sound")
    count = params.get("n")
    return Shape("picture", *_ratio(known, params), min(count, _MOST) if isinstance(count, int) and count > 0 else 1)


def _ratio(tool: Tool, params: Mapping[str, Any]) -> tuple[int, int]:
    for name in ("aspect_ratio", "size"):
        known = PARAMETERS[tool].get(name)
        value = params.get(name, None if known is None else known.default)
        found = re.fullmatch(r"(\d{1,5})[:x](\d{1,5})", value) if isinstance(value, str) else None
        if found is not None and int(found[1]) and int(found[2]):
            return int(found[1]), int(found[2])
    return 16, 9
