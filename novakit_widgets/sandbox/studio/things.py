"""Plants and things that the sandbox's pictures show; see `shapes`."""

from __future__ import annotations

from .shapes import Kind

__all__ = ["THINGS"]

THINGS = (
    Kind(
        "umbrella|parasol",
        (
            ("line", "brown", (50, 10, 50, 86, 3)),
            ("arc", "brown", (50, 78, 64, 96, 0, 180, 3)),
            ("pie", "main", (8, 10, 92, 90, 180, 360)),
            ("pie", "white", (36, 10, 64, 90, 180, 360)),
        ),
    ),
    Kind(
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
    Kind(
        "mushroom|toadstool|pilz",
        (
            ("polygon", "pale", (42, 50, 58, 50, 64, 96, 36, 96)),
            ("pie", "main", (10, 10, 90, 98, 180, 360)),
            *(("ellipse", "white", (x, y, x + 11, y + 10)) for x, y in ((26, 32), (46, 18), (64, 34))),
        ),
    ),
    Kind(
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
    Kind(
        "palm|pine|fir|oak|bonsai|tree|baum",
        (
            ("box", "brown", (45, 56, 55, 96)),
            ("ellipse", "main", (14, 28, 56, 66)),
            ("ellipse", "main", (44, 28, 86, 66)),
            ("ellipse", "main", (26, 4, 74, 52)),
        ),
        "leaf",
    ),
    Kind(
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
    Kind(
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
    Kind(
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
    Kind(
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
    Kind(
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
    Kind(
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
    Kind(
        "clock|watch|uhr",
        (
            ("ellipse", "main", (8, 8, 92, 92)),
            ("ellipse", "white", (16, 16, 84, 84)),
            ("line", "dark", (50, 50, 50, 24, 4)),
            ("line", "dark", (50, 50, 68, 60, 4)),
            ("ellipse", "red", (46, 46, 54, 54)),
        ),
    ),
    Kind(
        "heart|love|valentine|herz",
        (
            ("ellipse", "main", (8, 14, 54, 58)),
            ("ellipse", "main", (46, 14, 92, 58)),
            ("polygon", "main", (12, 46, 88, 46, 50, 94)),
        ),
        "petal",
    ),
)
