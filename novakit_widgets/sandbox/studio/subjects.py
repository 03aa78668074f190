"""Draw what a prompt names: a cat is a cat, not a hill.

Each subject is a list of flat shapes on a square of 100 by 100 units, in the colours of `_INK`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Subject", "subjects_of"]

Colour = tuple[int, int, int]
# A shape: its kind, its colour's name, and its numbers: the box of an ellipse, box or arc, or the points of a polygon or line.
# The last number of a line is its width; the last three of an arc are where it begins and ends, in degrees, and its width.
Shape = tuple[str, str, tuple[float, ...]]

_SHARP = 4  # how many times larger it is drawn, so that its edges are smooth
_INK: dict[str, Colour] = {
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
_MAIN: dict[str, tuple[Colour, ...]] = {
    "fur": ((206, 130, 70), (92, 86, 92), (228, 214, 194), (150, 108, 76)),
    "paint": ((206, 66, 60), (62, 116, 190), (240, 186, 70), (70, 150, 120), (150, 96, 170)),
    "petal": ((226, 92, 116), (244, 186, 74), (158, 106, 190), (244, 240, 230)),
    "stone": ((168, 160, 150), (188, 170, 140), (146, 150, 164)),
    "leaf": ((66, 136, 84), (104, 158, 72), (48, 120, 104), (196, 122, 52)),
    "fruit": ((206, 66, 60), (140, 170, 70), (236, 176, 84)),
}

_SAID: dict[str, Colour] = {
    **{name: _INK[name] for name in ("white", "grey", "red", "green", "brown", "yellow", "orange", "blue", "pink")},
    "gray": _INK["grey"],
    "black": _INK["dark"],
    "golden": _INK["yellow"],
    "purple": (140, 90, 170),
    "violet": (140, 90, 170),
}
_COUNTS = {"two": 2, "pair": 2, "three": 3, "many": 3, "several": 3}
_MOST = 3  # in one picture


@dataclass(frozen=True, slots=True)
class _Kind:
    """One subject.

    Attributes:
        words: a regular expression of what people call it, in the singular.
        shapes: from back to front.
        main: which colours of `_MAIN` it can have.
        flies: whether it is seen in the sky.
    """

    words: str
    shapes: tuple[Shape, ...]
    main: str = "paint"
    flies: bool = False


def _legs(colour: str, *columns: float, top: float = 66, foot: float = 94) -> tuple[Shape, ...]:
    return tuple(("box", colour, (left, top, left + 7, foot)) for left in columns)


def _wheels(*centres: float, radius: float = 10, row: float = 82) -> tuple[Shape, ...]:
    shapes: list[Shape] = []
    for x in centres:
        shapes.append(("ellipse", "dark", (x - radius, row - radius, x + radius, row + radius)))
        shapes.append(("ellipse", "grey", (x - radius / 2.4, row - radius / 2.4, x + radius / 2.4, row + radius / 2.4)))
    return tuple(shapes)


_KINDS = (
    _Kind(
        "cat|kitten|katze",
        (
            ("arc", "main", (62, 44, 96, 90, 250, 80, 7)),
            ("ellipse", "main", (28, 46, 74, 96)),
            ("ellipse", "main", (28, 16, 70, 56)),
            ("polygon", "main", (30, 34, 30, 6, 48, 20)),
            ("polygon", "main", (68, 34, 68, 6, 50, 20)),
            ("polygon", "pink", (34, 24, 33, 13, 41, 20)),
            ("polygon", "pink", (64, 24, 65, 13, 57, 20)),
            ("ellipse", "leaf", (36, 29, 45, 39)),
            ("ellipse", "leaf", (53, 29, 62, 39)),
            ("ellipse", "dark", (39, 29, 42, 39)),
            ("ellipse", "dark", (56, 29, 59, 39)),
            ("polygon", "pink", (46, 42, 52, 42, 49, 46)),
            ("line", "dark", (49, 46, 49, 49, 44, 51, 1)),
            ("line", "dark", (49, 49, 54, 51, 1)),
            ("line", "white", (42, 45, 24, 42, 1)),
            ("line", "white", (42, 47, 24, 49, 1)),
            ("line", "white", (56, 45, 74, 42, 1)),
            ("line", "white", (56, 47, 74, 49, 1)),
            ("ellipse", "pale", (38, 86, 50, 97)),
            ("ellipse", "pale", (52, 86, 64, 97)),
        ),
        "fur",
    ),
    _Kind(
        "dog|puppy|hound|hund",
        (
            ("arc", "main", (66, 34, 96, 70, 20, 110, 7)),
            ("ellipse", "main", (22, 46, 84, 78)),
            *_legs("main", 26, 38, 64, 75),
            ("ellipse", "main", (10, 18, 48, 54)),
            ("ellipse", "pale", (4, 36, 30, 54)),
            ("ellipse", "dark", (3, 36, 13, 44)),
            ("ellipse", "dark", (20, 27, 26, 34)),
            ("ellipse", "brown", (34, 18, 50, 52)),
            ("box", "red", (28, 52, 46, 57)),
        ),
        "fur",
    ),
    _Kind(
        "fox|fuchs",
        (
            ("ellipse", "orange", (58, 50, 98, 76)),
            ("ellipse", "white", (84, 54, 99, 72)),
            ("ellipse", "orange", (24, 48, 70, 78)),
            *_legs("dark", 28, 38, 52, 61),
            ("polygon", "orange", (8, 20, 44, 20, 40, 44, 26, 58, 12, 44)),
            ("polygon", "orange", (8, 26, 8, 4, 22, 20)),
            ("polygon", "orange", (44, 26, 44, 4, 30, 20)),
            ("polygon", "white", (11, 40, 25, 40, 26, 58)),
            ("polygon", "white", (41, 40, 27, 40, 26, 58)),
            ("ellipse", "dark", (16, 28, 21, 34)),
            ("ellipse", "dark", (31, 28, 36, 34)),
            ("ellipse", "dark", (23, 53, 29, 59)),
        ),
    ),
    _Kind(
        "rabbit|bunny|hare",
        (
            ("ellipse", "main", (34, 2, 46, 42)),
            ("ellipse", "main", (54, 2, 66, 42)),
            ("ellipse", "pink", (37, 8, 43, 38)),
            ("ellipse", "pink", (57, 8, 63, 38)),
            ("ellipse", "main", (26, 52, 74, 96)),
            ("ellipse", "main", (30, 30, 70, 66)),
            ("ellipse", "dark", (38, 42, 44, 49)),
            ("ellipse", "dark", (56, 42, 62, 49)),
            ("polygon", "pink", (47, 53, 53, 53, 50, 57)),
            ("ellipse", "white", (40, 64, 60, 94)),
        ),
        "fur",
    ),
    _Kind(
        "horse|pony|unicorn|pferd",
        (
            ("polygon", "dark", (82, 46, 96, 74, 88, 80, 80, 56)),
            ("ellipse", "main", (30, 40, 86, 68)),
            *_legs("main", 34, 45, 68, 77, top=58),
            ("polygon", "main", (32, 60, 24, 24, 36, 16, 50, 46)),
            ("polygon", "main", (36, 14, 30, 30, 8, 42, 4, 34, 24, 14)),
            ("polygon", "dark", (30, 14, 40, 14, 54, 46, 46, 46)),
            ("polygon", "main", (28, 16, 30, 6, 36, 15)),
            ("ellipse", "dark", (20, 21, 25, 26)),
        ),
        "fur",
    ),
    _Kind(
        "elephant|elefant",
        (
            ("ellipse", "grey", (32, 26, 94, 76)),
            *(("box", "grey", (left, 62, left + 12, 95)) for left in (38, 52, 68, 81)),
            ("ellipse", "grey", (10, 20, 50, 58)),
            ("arc", "grey", (2, 28, 30, 92, 90, 200, 10)),
            ("ellipse", "pale", (32, 22, 56, 56)),
            ("ellipse", "dark", (20, 32, 25, 37)),
            ("polygon", "white", (18, 52, 26, 52, 12, 64)),
        ),
    ),
    _Kind(
        "owl|eule",
        (
            ("ellipse", "brown", (26, 18, 74, 94)),
            ("polygon", "brown", (28, 30, 28, 8, 46, 20)),
            ("polygon", "brown", (72, 30, 72, 8, 54, 20)),
            ("ellipse", "pale", (36, 52, 64, 90)),
            ("ellipse", "white", (28, 24, 51, 47)),
            ("ellipse", "white", (49, 24, 72, 47)),
            ("ellipse", "dark", (35, 30, 46, 41)),
            ("ellipse", "dark", (54, 30, 65, 41)),
            ("polygon", "yellow", (46, 44, 54, 44, 50, 54)),
        ),
    ),
    _Kind(
        "bird|eagle|gull|parrot|sparrow|swallow|crow|raven|dove|vogel",
        (
            ("polygon", "main", (60, 52, 96, 62, 92, 72, 56, 64)),
            ("ellipse", "main", (22, 40, 70, 70)),
            ("ellipse", "main", (12, 32, 38, 58)),
            ("polygon", "yellow", (14, 42, 0, 48, 14, 52)),
            ("ellipse", "white", (19, 39, 27, 47)),
            ("ellipse", "dark", (21, 41, 25, 45)),
            ("polygon", "dark", (36, 48, 66, 46, 84, 6, 50, 22)),
        ),
        flies=True,
    ),
    _Kind(
        "penguin|pinguin",
        (
            ("ellipse", "dark", (28, 8, 72, 92)),
            ("ellipse", "white", (36, 32, 64, 90)),
            ("ellipse", "dark", (18, 36, 34, 76)),
            ("ellipse", "dark", (66, 36, 82, 76)),
            ("ellipse", "white", (38, 18, 48, 30)),
            ("ellipse", "white", (52, 18, 62, 30)),
            ("ellipse", "dark", (41, 21, 46, 27)),
            ("ellipse", "dark", (54, 21, 59, 27)),
            ("polygon", "orange", (44, 29, 56, 29, 50, 38)),
            ("ellipse", "orange", (32, 88, 48, 96)),
            ("ellipse", "orange", (52, 88, 68, 96)),
        ),
    ),
    _Kind(
        "butterfly|butterflie|moth|schmetterling",
        (
            ("ellipse", "main", (6, 12, 50, 54)),
            ("ellipse", "main", (50, 12, 94, 54)),
            ("ellipse", "main", (16, 46, 50, 86)),
            ("ellipse", "main", (50, 46, 84, 86)),
            ("ellipse", "white", (18, 24, 32, 38)),
            ("ellipse", "white", (68, 24, 82, 38)),
            ("ellipse", "dark", (46, 18, 54, 80)),
            ("line", "dark", (49, 20, 38, 4, 2)),
            ("line", "dark", (51, 20, 62, 4, 2)),
        ),
        "petal",
        flies=True,
    ),
    _Kind(
        "fish|goldfish|shark|salmon|koi",
        (
            ("polygon", "main", (66, 50, 96, 26, 90, 50, 96, 74)),
            ("ellipse", "main", (8, 28, 76, 72)),
            ("polygon", "main", (32, 32, 54, 12, 60, 34)),
            ("arc", "white", (24, 30, 44, 70, 270, 90, 2)),
            ("ellipse", "white", (18, 40, 28, 50)),
            ("ellipse", "dark", (21, 43, 26, 48)),
        ),
    ),
    _Kind(
        "whale|dolphin",
        (
            ("polygon", "blue", (80, 50, 98, 24, 100, 40, 94, 58)),
            ("ellipse", "blue", (4, 30, 90, 84)),
            ("polygon", "pale", (8, 64, 60, 80, 30, 84, 14, 76)),
            ("ellipse", "white", (20, 48, 27, 55)),
            ("ellipse", "dark", (22, 50, 26, 54)),
            ("line", "sky", (40, 30, 40, 14, 3)),
            ("line", "sky", (40, 16, 30, 8, 3)),
            ("line", "sky", (40, 16, 50, 8, 3)),
        ),
    ),
    _Kind(
        "turtle|tortoise",
        (
            ("ellipse", "leaf", (4, 52, 28, 74)),
            *(("ellipse", "leaf", (left, 74, left + 14, 92)) for left in (28, 70)),
            ("polygon", "green", (22, 78, 28, 50, 44, 36, 66, 36, 84, 50, 92, 78)),
            ("line", "leaf", (44, 38, 50, 76, 2)),
            ("line", "leaf", (66, 38, 66, 76, 2)),
            ("line", "leaf", (28, 56, 86, 56, 2)),
            ("ellipse", "dark", (9, 58, 13, 62)),
        ),
    ),
    _Kind(
        "camel|dromedary",
        (
            ("ellipse", "main", (28, 42, 86, 72)),
            ("ellipse", "main", (38, 24, 58, 60)),
            ("ellipse", "main", (60, 24, 80, 60)),
            *_legs("main", 34, 44, 68, 77),
            ("polygon", "main", (34, 62, 16, 50, 16, 22, 24, 22, 26, 46, 40, 50)),
            ("ellipse", "main", (4, 16, 28, 32)),
            ("ellipse", "dark", (14, 19, 18, 23)),
        ),
        "fur",
    ),
    _Kind(
        "dragon|dinosaur|drache",
        (
            ("polygon", "main", (60, 68, 98, 88, 64, 84)),
            ("polygon", "red", (44, 46, 96, 6, 84, 42, 64, 60)),
            ("ellipse", "main", (26, 48, 74, 86)),
            *_legs("main", 34, 58, top=76, foot=95),
            ("polygon", "main", (28, 66, 20, 30, 34, 22, 48, 54)),
            ("polygon", "main", (38, 18, 34, 36, 4, 40, 6, 26, 24, 14)),
            ("polygon", "yellow", (30, 16, 40, 4, 38, 20)),
            ("ellipse", "yellow", (20, 20, 26, 26)),
        ),
        "leaf",
    ),
    _Kind(
        "robot|android",
        (
            ("line", "grey", (50, 16, 50, 6, 2)),
            ("ellipse", "red", (46, 2, 54, 10)),
            ("box", "main", (32, 16, 68, 42)),
            ("ellipse", "yellow", (37, 22, 47, 32)),
            ("ellipse", "yellow", (53, 22, 63, 32)),
            ("box", "dark", (40, 35, 60, 38)),
            ("box", "grey", (28, 45, 72, 76)),
            ("box", "main", (38, 52, 62, 66)),
            ("box", "grey", (16, 46, 25, 70)),
            ("box", "grey", (75, 46, 84, 70)),
            ("box", "dark", (34, 77, 46, 96)),
            ("box", "dark", (54, 77, 66, 96)),
        ),
    ),
    _Kind(
        "person|people|man|woman|girl|boy|child|portrait|teacher|student|dancer|astronaut|knight|chef|musician|pirate",
        (
            ("box", "dark", (38, 66, 48, 96)),
            ("box", "dark", (52, 66, 62, 96)),
            ("polygon", "main", (34, 36, 66, 36, 70, 70, 30, 70)),
            ("line", "main", (36, 39, 22, 64, 8)),
            ("line", "main", (64, 39, 78, 64, 8)),
            ("ellipse", "brown", (36, 4, 64, 30)),
            ("ellipse", "skin", (38, 8, 62, 35)),
            ("ellipse", "dark", (44, 19, 47, 22)),
            ("ellipse", "dark", (53, 19, 56, 22)),
            ("arc", "dark", (44, 20, 56, 30, 20, 160, 1)),
        ),
    ),
    _Kind(
        "lighthouse|leuchtturm",
        (
            ("polygon", "yellow", (54, 14, 100, 2, 100, 28)),
            ("polygon", "white", (38, 28, 62, 28, 70, 96, 30, 96)),
            ("polygon", "main", (36, 42, 64, 42, 66, 56, 34, 56)),
            ("polygon", "main", (33, 70, 67, 70, 69, 84, 31, 84)),
            ("box", "dark", (34, 25, 66, 29)),
            ("box", "yellow", (42, 12, 58, 25)),
            ("polygon", "main", (38, 12, 62, 12, 50, 2)),
            ("box", "dark", (46, 86, 54, 96)),
        ),
    ),
    _Kind(
        "castle|fortress|palace|schloss",
        (
            ("box", "main", (24, 44, 76, 94)),
            ("box", "main", (10, 34, 30, 94)),
            ("box", "main", (70, 34, 90, 94)),
            ("box", "main", (40, 26, 60, 60)),
            ("polygon", "red", (6, 34, 34, 34, 20, 10)),
            ("polygon", "red", (66, 34, 94, 34, 80, 10)),
            ("polygon", "red", (36, 26, 64, 26, 50, 2)),
            ("box", "dark", (42, 70, 58, 94)),
            ("ellipse", "dark", (42, 62, 58, 78)),
            *(("box", "yellow", (left, 46, left + 6, 56)) for left in (17, 77, 47)),
        ),
        "stone",
    ),
    _Kind(
        "windmill|mill",
        (
            ("polygon", "pale", (38, 40, 62, 40, 70, 96, 30, 96)),
            ("polygon", "brown", (36, 40, 64, 40, 50, 22)),
            ("box", "dark", (45, 78, 55, 96)),
            ("line", "white", (50, 40, 18, 8, 5)),
            ("line", "white", (50, 40, 82, 8, 5)),
            ("line", "white", (50, 40, 18, 72, 5)),
            ("line", "white", (50, 40, 82, 72, 5)),
            ("ellipse", "dark", (46, 36, 54, 44)),
        ),
    ),
    _Kind(
        "house|cottage|cabin|hut|village|home|haus",
        (
            ("box", "brown", (66, 12, 76, 36)),
            ("box", "pale", (18, 46, 82, 94)),
            ("polygon", "main", (8, 48, 92, 48, 50, 12)),
            ("box", "brown", (43, 66, 57, 94)),
            ("box", "yellow", (24, 56, 38, 70)),
            ("box", "yellow", (62, 56, 76, 70)),
        ),
    ),
    _Kind(
        "bridge|brücke",
        (
            ("box", "main", (0, 60, 100, 66)),
            ("box", "main", (22, 16, 28, 94)),
            ("box", "main", (72, 16, 78, 94)),
            ("arc", "main", (25, -22, 75, 54, 0, 180, 3)),
            ("line", "main", (0, 58, 25, 16, 3)),
            ("line", "main", (75, 16, 100, 58, 3)),
            *(("line", "main", (x, top, x, 60, 1)) for x, top in ((35, 46), (43, 52), (50, 54), (57, 52), (65, 46))),
        ),
    ),
    _Kind(
        "boat|sailboat|sailing|yacht|segelboot",
        (
            ("polygon", "white", (52, 8, 52, 64, 90, 64)),
            ("polygon", "main", (47, 16, 47, 64, 16, 64)),
            ("line", "brown", (50, 4, 50, 72, 3)),
            ("polygon", "brown", (8, 70, 92, 70, 78, 90, 22, 90)),
        ),
    ),
    _Kind(
        "ship|ferry|steamer|schiff",
        (
            ("box", "red", (42, 22, 54, 46)),
            ("box", "dark", (42, 20, 54, 27)),
            ("box", "white", (26, 44, 76, 62)),
            *(("ellipse", "blue", (left, 50, left + 6, 56)) for left in (32, 44, 56, 66)),
            ("polygon", "main", (4, 62, 98, 62, 84, 90, 18, 90)),
            ("line", "white", (8, 70, 94, 70, 2)),
        ),
    ),
    _Kind(
        "car|taxi|auto",
        (
            ("polygon", "main", (24, 54, 34, 32, 64, 32, 78, 54)),
            ("polygon", "sky", (30, 52, 37, 37, 48, 37, 48, 52)),
            ("polygon", "sky", (52, 52, 52, 37, 62, 37, 71, 52)),
            ("box", "main", (6, 52, 94, 76)),
            ("ellipse", "yellow", (88, 56, 96, 64)),
            *_wheels(26, 74, row=78),
        ),
    ),
    _Kind(
        "bus|van|truck|lorry|tram",
        (
            ("box", "main", (6, 24, 94, 76)),
            *(("box", "sky", (left, 32, left + 16, 50)) for left in (11, 31, 51, 72)),
            ("box", "white", (6, 56, 94, 60)),
            *_wheels(26, 74, row=78),
        ),
    ),
    _Kind(
        "train|locomotive|railway|zug",
        (
            ("ellipse", "pale", (58, 0, 82, 16)),
            ("box", "dark", (68, 18, 78, 42)),
            ("box", "main", (10, 24, 44, 74)),
            ("box", "sky", (16, 30, 36, 48)),
            ("box", "main", (40, 42, 92, 74)),
            ("polygon", "red", (88, 74, 100, 88, 84, 88)),
            ("box", "dark", (8, 72, 92, 78)),
            *_wheels(22, 46, 70, radius=9, row=84),
        ),
    ),
    _Kind(
        "bicycle|bike|cyclist|fahrrad",
        (
            ("arc", "dark", (4, 50, 44, 90, 0, 360, 3)),
            ("arc", "dark", (56, 50, 96, 90, 0, 360, 3)),
            ("line", "main", (24, 70, 38, 38, 66, 38, 48, 70, 24, 70, 3)),
            ("line", "main", (48, 70, 36, 32, 3)),
            ("line", "main", (76, 70, 64, 28, 74, 26, 3)),
            ("line", "dark", (30, 32, 44, 32, 4)),
        ),
    ),
    _Kind(
        "plane|airplane|aeroplane|aircraft|jet|flugzeug",
        (
            ("polygon", "white", (2, 50, 20, 42, 88, 42, 98, 52, 88, 60, 16, 58)),
            ("polygon", "main", (4, 48, 2, 22, 14, 22, 26, 44)),
            ("polygon", "main", (44, 52, 26, 88, 40, 88, 68, 54)),
            ("polygon", "main", (44, 44, 34, 22, 44, 22, 64, 44)),
            *(("ellipse", "blue", (left, 46, left + 5, 51)) for left in (34, 44, 54, 64, 74)),
        ),
        flies=True,
    ),
    _Kind(
        "rocket|spaceship|rakete",
        (
            ("polygon", "yellow", (40, 78, 60, 78, 50, 100)),
            ("polygon", "main", (36, 56, 20, 82, 38, 78)),
            ("polygon", "main", (64, 56, 80, 82, 62, 78)),
            ("polygon", "white", (50, 0, 64, 26, 64, 78, 36, 78, 36, 26)),
            ("polygon", "main", (50, 0, 61, 20, 39, 20)),
            ("ellipse", "blue", (42, 30, 58, 46)),
        ),
        flies=True,
    ),
    _Kind(
        "balloon|airship",
        (
            ("ellipse", "main", (18, 2, 82, 66)),
            ("polygon", "main", (22, 48, 78, 48, 58, 76, 42, 76)),
            ("ellipse", "white", (38, 2, 62, 66)),
            ("polygon", "white", (38, 50, 62, 50, 54, 76, 46, 76)),
            ("line", "brown", (42, 76, 43, 86, 1)),
            ("line", "brown", (58, 76, 57, 86, 1)),
            ("box", "brown", (41, 85, 59, 97)),
        ),
        flies=True,
    ),
    _Kind(
        "planet|saturn|mars|jupiter",
        (
            ("ellipse", "main", (22, 22, 78, 78)),
            ("arc", "white", (22, 16, 78, 60, 30, 150, 3)),
            ("arc", "pale", (2, 36, 98, 64, 340, 200, 4)),
        ),
        flies=True,
    ),
    _Kind(
        "umbrella|parasol",
        (
            ("line", "brown", (50, 10, 50, 86, 3)),
            ("arc", "brown", (50, 78, 64, 96, 0, 180, 3)),
            ("pie", "main", (8, 10, 92, 90, 180, 360)),
            ("pie", "white", (36, 10, 64, 90, 180, 360)),
        ),
    ),
    _Kind(
        "sunflower|flower|rose|tulip|daisy|daisie|orchid|blossom|blume",
        (
            ("line", "green", (50, 40, 50, 96, 4)),
            ("ellipse", "leaf", (52, 64, 78, 78)),
            ("ellipse", "leaf", (22, 72, 48, 86)),
            *(
                ("ellipse", "main", (50 + 18 * x - 13, 32 + 18 * y - 13, 50 + 18 * x + 13, 32 + 18 * y + 13))
                for x, y in ((1, 0), (0.31, 0.95), (-0.81, 0.59), (-0.81, -0.59), (0.31, -0.95))
            ),
            ("ellipse", "yellow", (39, 21, 61, 43)),
        ),
        "petal",
    ),
    _Kind(
        "mushroom|toadstool|pilz",
        (
            ("polygon", "pale", (42, 50, 58, 50, 64, 96, 36, 96)),
            ("pie", "main", (10, 10, 90, 98, 180, 360)),
            *(("ellipse", "white", (x, y, x + 11, y + 10)) for x, y in ((26, 32), (46, 18), (64, 34))),
        ),
    ),
    _Kind(
        "cactus|cactuse|kaktus",
        (
            ("line", "leaf", (50, 62, 26, 62, 26, 40, 10)),
            ("line", "leaf", (50, 52, 74, 52, 74, 28, 10)),
            ("ellipse", "leaf", (21, 34, 31, 46)),
            ("ellipse", "leaf", (69, 22, 79, 34)),
            ("box", "leaf", (42, 22, 58, 94)),
            ("ellipse", "leaf", (42, 12, 58, 32)),
            ("ellipse", "pink", (46, 6, 55, 15)),
        ),
    ),
    _Kind(
        "palm|pine|fir|oak|bonsai|tree|baum",
        (
            ("box", "brown", (45, 56, 55, 96)),
            ("ellipse", "main", (14, 28, 56, 66)),
            ("ellipse", "main", (44, 28, 86, 66)),
            ("ellipse", "main", (26, 4, 74, 52)),
        ),
        "leaf",
    ),
    _Kind(
        "snowman|schneemann",
        (
            ("line", "brown", (34, 56, 12, 42, 2)),
            ("line", "brown", (66, 56, 88, 42, 2)),
            ("ellipse", "white", (26, 54, 74, 96)),
            ("ellipse", "white", (32, 32, 68, 64)),
            ("ellipse", "white", (37, 12, 63, 38)),
            ("box", "dark", (38, 2, 62, 14)),
            ("box", "dark", (32, 12, 68, 16)),
            ("ellipse", "dark", (44, 20, 47, 23)),
            ("ellipse", "dark", (53, 20, 56, 23)),
            ("polygon", "orange", (50, 25, 62, 28, 50, 30)),
            *(("ellipse", "dark", (48, y, 52, y + 4)) for y in (42, 50, 64, 74)),
        ),
    ),
    _Kind(
        "coffee|cup|mug|tea|kaffee",
        (
            ("arc", "pale", (36, 8, 48, 34, 90, 270, 2)),
            ("arc", "pale", (48, 6, 60, 32, 270, 90, 2)),
            ("arc", "main", (62, 46, 92, 76, 270, 90, 6)),
            ("polygon", "main", (18, 40, 76, 40, 70, 84, 24, 84)),
            ("ellipse", "main", (18, 34, 76, 46)),
            ("ellipse", "brown", (23, 36, 71, 44)),
            ("ellipse", "pale", (8, 84, 86, 94)),
        ),
    ),
    _Kind(
        "apple|peach|cherry|cherrie|fruit|apfel",
        (
            ("ellipse", "main", (16, 26, 60, 94)),
            ("ellipse", "main", (40, 26, 84, 94)),
            ("line", "brown", (50, 32, 54, 10, 4)),
            ("ellipse", "leaf", (54, 8, 80, 22)),
            ("ellipse", "white", (26, 38, 36, 54)),
        ),
        "fruit",
    ),
    _Kind(
        "cake|cupcake|birthday|kuchen",
        (
            ("line", "white", (50, 14, 50, 36, 4)),
            ("ellipse", "yellow", (47, 2, 53, 14)),
            ("box", "pink", (24, 34, 76, 60)),
            ("box", "main", (12, 58, 88, 88)),
            ("box", "white", (12, 58, 88, 64)),
            ("ellipse", "pale", (4, 84, 96, 96)),
        ),
    ),
    _Kind(
        "guitar|violin|cello|ukulele",
        (
            ("line", "brown", (60, 42, 90, 8, 6)),
            ("box", "dark", (84, 2, 97, 12)),
            ("ellipse", "main", (34, 30, 70, 64)),
            ("ellipse", "main", (8, 48, 56, 94)),
            ("ellipse", "dark", (36, 46, 52, 62)),
            ("line", "white", (28, 76, 90, 8, 1)),
        ),
        "fur",
    ),
    _Kind(
        "book|library|buch",
        (
            ("polygon", "main", (4, 30, 50, 38, 96, 30, 96, 84, 50, 92, 4, 84)),
            ("polygon", "white", (8, 26, 50, 34, 50, 86, 8, 78)),
            ("polygon", "white", (92, 26, 50, 34, 50, 86, 92, 78)),
            ("line", "grey", (50, 34, 50, 86, 2)),
            *(("line", "grey", (14, y, 44, y + 5, 1)) for y in (40, 50, 60)),
            *(("line", "grey", (56, y + 5, 86, y, 1)) for y in (40, 50, 60)),
        ),
    ),
    _Kind(
        "clock|watch|uhr",
        (
            ("ellipse", "main", (8, 8, 92, 92)),
            ("ellipse", "white", (16, 16, 84, 84)),
            ("line", "dark", (50, 50, 50, 24, 4)),
            ("line", "dark", (50, 50, 68, 60, 4)),
            ("ellipse", "red", (46, 46, 54, 54)),
        ),
    ),
    _Kind(
        "heart|love|valentine|herz",
        (
            ("ellipse", "main", (8, 14, 54, 58)),
            ("ellipse", "main", (46, 14, 92, 58)),
            ("polygon", "main", (12, 46, 88, 46, 50, 94)),
        ),
        "petal",
    ),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a prompt names, ready to be drawn.

    Attributes:
        flies: whether it is seen in the sky.
    """

    flies: bool
    _shapes: tuple[Shape, ...]
    _main: Colour
    _mirrored: bool

    def drawn(self, size: int, *, light: float = 1.0) -> NDArray[np.uint8]:
        """Return its pixels, `size` by `size` with a channel for how much they cover.

        Args:
            size: pixels.
            light: how bright the day is, from 0 (dark) to 1.
        """
        unit = size * _SHARP / 100
        image = Image.new("RGBA", (size * _SHARP, size * _SHARP), (0, 0, 0, 0))
        draw = ImageDraw.Draw(image)
        for kind, ink, numbers in self._shapes:
            red, green, blue = self._main if ink == "main" else _INK[ink]
            # By night colours are dark and a little blue; what gives light keeps it.
            dim = 1.0 if ink == "yellow" else light
            colour = (int(red * dim), int(green * dim), int(blue * (dim + (1 - dim) * 0.25)), 255)
            _draw(draw, kind, colour, numbers, unit)
        if self._mirrored:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return np.asarray(image.resize((size, size), Image.Resampling.BOX))


def _draw(
    draw: ImageDraw.ImageDraw, kind: str, colour: tuple[int, ...], numbers: tuple[float, ...], unit: float
) -> None:
    scaled = [number * unit for number in numbers]
    if kind == "ellipse":
        draw.ellipse(scaled, fill=colour)
    elif kind == "box":
        draw.rounded_rectangle(scaled, radius=1.5 * unit, fill=colour)
    elif kind == "polygon":
        draw.polygon(scaled, fill=colour)
    elif kind == "pie":
        draw.pieslice(scaled[:4], numbers[4], numbers[5], fill=colour)
    elif kind == "arc":
        draw.arc(scaled[:4], numbers[4], numbers[5], fill=colour, width=max(1, round(scaled[6])))
    else:
        draw.line(scaled[:-1], fill=colour, width=max(1, round(scaled[-1])), joint="curve")


def subjects_of(prompt: str, rng: np.random.Generator) -> tuple[Subject, ...]:
    """Return what a prompt names and we can draw: the first two things, or as many of one as it says.

    Args:
        prompt: the text. A colour just before a thing is that thing's.
        rng: the random generator of the prompt, for colours and the way that they look.
    """
    chances = rng.random((_MOST, 2))  # always as many, so that what is drawn after them does not depend on them
    text = prompt.lower()
    found = [(match.start(), kind) for kind in _KINDS if (match := _mention(kind.words).search(text))]
    found.sort(key=lambda each: each[0])
    if len(found) == 1:
        said = re.search(rf"\b({'|'.join(_COUNTS)})\b", text[: found[0][0]])
        found *= _COUNTS[said[1]] if said else 1
    return tuple(
        Subject(kind.flies, kind.shapes, _colour(kind, text[:start], chance[0]), bool(chance[1] < 0.5))
        for (start, kind), chance in zip(found[:_MOST], chances, strict=False)
    )


def _colour(kind: _Kind, before: str, chance: float) -> Colour:
    """Return the colour that is said just before the thing, or one of its own."""
    said = re.findall(r"\w+", before)[-2:]
    for word in reversed(said):
        if word in _SAID:
            return _SAID[word]
    colours = _MAIN[kind.main]
    return colours[int(chance * len(colours))]


def _mention(words: str) -> re.Pattern[str]:
    # Whole words, also in the plural: a catalogue is no cat.
    return re.compile(rf"\b(?:{words})(?:s|es)?\b")
