"""People, and what they build and drive, which the sandbox's pictures show; see `shapes`."""

from __future__ import annotations

from .shapes import Kind, Shape

__all__ = ["PEOPLE"]


def _wheels(*centres: float, radius: float = 10, row: float = 82) -> tuple[Shape, ...]:
    shapes: list[Shape] = []
    for x in centres:
        shapes.append(("ellipse", "dark", (x - radius, row - radius, x + radius, row + radius)))
        shapes.append(("ellipse", "grey", (x - radius / 2.4, row - radius / 2.4, x + radius / 2.4, row + radius / 2.4)))
    return tuple(shapes)


PEOPLE = (
    Kind(
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
    Kind(
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
    Kind(
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
    Kind(
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
    Kind(
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
    Kind(
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
    Kind(
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
    Kind(
        "boat|sailboat|sailing|yacht|segelboot",
        (
            ("polygon", "white", (52, 8, 52, 64, 90, 64)),
            ("polygon", "main", (47, 16, 47, 64, 16, 64)),
            ("line", "brown", (50, 4, 50, 72, 3)),
            ("polygon", "brown", (8, 70, 92, 70, 78, 90, 22, 90)),
        ),
    ),
    Kind(
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
    Kind(
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
    Kind(
        "bus|van|truck|lorry|tram",
        (
            ("box", "main", (6, 24, 94, 76)),
            *(("box", "sky", (left, 32, left + 16, 50)) for left in (11, 31, 51, 72)),
            ("box", "white", (6, 56, 94, 60)),
            *_wheels(26, 74, row=78),
        ),
    ),
    Kind(
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
    Kind(
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
    Kind(
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
    Kind(
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
    Kind(
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
    Kind(
        "planet|saturn|mars|jupiter",
        (
            ("ellipse", "main", (22, 22, 78, 78)),
            ("arc", "white", (22, 16, 78, 60, 30, 150, 3)),
            ("arc", "pale", (2, 36, 98, 64, 340, 200, 4)),
        ),
        flies=True,
    ),
)
