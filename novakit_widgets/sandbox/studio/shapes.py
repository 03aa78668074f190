"""The shapes that pictures of subjects are made of, and their colours.

A subject is a list of flat shapes on a square of 100 by 100 units.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["INK", "MAIN", "Colour", "Kind", "Shape"]

Colour = tuple[int, int, int]
# A shape: its kind, its colour's name, and its numbers: the box of an ellipse, box or arc, or the points of a polygon or line.
# The last number of a line is its width; the last three of an arc are where it begins and ends, in degrees, and its width.
Shape = tuple[str, str, tuple[float, ...]]

INK: dict[str, Colour] = {
    "dark": (44, 42, 56),
    "white": (246, 243, 236),
    "pale": (224, 216, 202),
    "grey": (142, 146, 158),
    "red": (206, 66, 60),
    "green": (66, 136, 84),
    "leaf": (104, 168, 92),
    "brown": (122, 82, 56),
    "yellow": (244, 196, 84),
    "orange": (230, 136, 64),
    "blue": (78, 128, 190),
    "sky": (172, 208, 232),
    "pink": (226, 140, 158),
    "skin": (222, 172, 138),
}
# "main" is another colour with each seed, so that the same subject comes out differently. Each is clearly seen by day and by night.
MAIN: dict[str, tuple[Colour, ...]] = {
    "fur": ((206, 130, 70), (92, 86, 92), (228, 214, 194), (150, 108, 76)),
    "paint": ((206, 66, 60), (62, 116, 190), (240, 186, 70), (70, 150, 120), (150, 96, 170)),
    "petal": ((226, 92, 116), (244, 186, 74), (158, 106, 190), (244, 240, 230)),
    "stone": ((168, 160, 150), (188, 170, 140), (146, 150, 164)),
    "leaf": ((66, 136, 84), (104, 158, 72), (48, 120, 104), (196, 122, 52)),
    "fruit": ((206, 66, 60), (140, 170, 70), (236, 176, 84)),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """One subject.

    Attributes:
        words: a regular expression of what people call it, in the singular.
        shapes: from back to front.
        main: which colours of `MAIN` it can have.
        flies: whether it is seen in the sky.
    """

    words: str
    shapes: tuple[Shape, ...]
    main: str = "paint"
    flies: bool = False
