"""Draw the prompt into the picture."""

from __future__ import annotations

import functools
from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Caption"]

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_MOST_LINES = 4
# Pillow's own font has Latin letters only; for others try common system fonts.
_WIDE_FONTS = ("NotoSansCJK-Regular.ttc", "DejaVuSans.ttf", "Arial Unicode.ttf", "msyh.ttc", "arial.ttf")
_LATIN = 0x250


class Caption:
    """A panel with wrapped text at the bottom of a picture, and a small tag at its top.

    Args:
        text: the prompt.
        tag: one short line.
        width: the width of the picture in pixels.
        height: the height of the picture in pixels.
        scale: the scale of the letters.
    """

    def __init__(self, text: str, tag: str, width: int, height: int, *, scale: float = 1.0) -> None:
        unit = min(width, height)
        margin = round(unit * 0.045)
        size = max(11, round(unit * 0.05 * scale))
        self._parts = [
            self._panel(text, size, margin, width, height, at_foot=True),
            self._panel(tag, max(9, round(size * 0.62)), margin, width, height, at_foot=False),
        ]

    def put(self, view: NDArray[np.uint8]) -> None:
        """Draw into a picture."""
        for colour, cover, top, left in self._parts:
            rows, columns = colour.shape[:2]
            place = view[top : top + rows, left : left + columns]
            # In whole numbers: half the time of floats, and a video has many frames.
            place[:] = (place * (256 - cover) + colour) >> 8

    def _panel(
        self, text: str, size: int, margin: int, width: int, height: int, *, at_foot: bool
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32], int, int]:
        font = _font(size, all(ord(letter) < _LATIN for letter in text))
        pad = round(size * 0.7)
        lines = _wrap(text, font, width - 2 * margin - 2 * pad)
        step = round(size * 1.32)
        wide = min(width - 2 * margin, round(max(font.getlength(line) for line in lines)) + 2 * pad)
        tall = step * len(lines) + round(1.2 * pad)
        panel = Image.new("RGBA", (wide, tall), (0, 0, 0, 0))
        draw = ImageDraw.Draw(panel)
        draw.rounded_rectangle((0, 0, wide - 1, tall - 1), radius=round(size * 0.55), fill=(12, 14, 28, 176))
        for number, line in enumerate(lines):
            spot = (pad, round(0.5 * pad) + number * step)
            draw.text(spot, line, font=font, fill=(255, 255, 255, 255))
        pixels = np.asarray(panel, np.uint32)
        cover = pixels[..., 3:] * 256 // 255
        top = height - margin - tall if at_foot else margin
        return pixels[..., :3] * cover, cover, max(0, top), margin


def _wrap(text: str, font: Font, room: float) -> list[str]:
    # A letter is a pixel wide at least, so what is behind this many of them can't be seen. Prompts may have a hundred thousand.
    fits = max(1, int(room))
    lines: list[str] = [""]
    for word in " ".join(text[: fits * (_MOST_LINES + 1)].split()).split(" "):
        if len(lines) > _MOST_LINES:
            break
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= room:
            lines[-1] = longer
            continue
        rest = word
        if lines[-1]:
            lines.append("")
        # A word wider than the panel is broken (and so is a language without spaces).
        while font.getlength(rest) > room and len(lines) <= _MOST_LINES:
            # The largest number of letters that fit, found by halving: each measuring takes as long as they are many.
            cut = max(1, bisect_right(range(1, min(len(rest), fits) + 1), room, key=lambda n: font.getlength(rest[:n])))
            lines[-1], rest = rest[:cut], rest[cut:]
            lines.append("")
        lines[-1] = rest
    if len(lines) > _MOST_LINES:
        lines = lines[:_MOST_LINES]
        while lines[-1] and font.getlength(lines[-1] + "…") > room:
            lines[-1] = lines[-1][:-1]
        lines[-1] = lines[-1].rstrip() + "…"
    return lines


@functools.lru_cache(maxsize=32)
def _font(size: int, latin: bool) -> Font:
    if not latin:
        for name in _WIDE_FONTS:
            try:
                return ImageFont.truetype(name, size)
            except OSError:
                continue  # not on this system
    return ImageFont.load_default(size)
