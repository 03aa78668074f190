"""Draw what a prompt names: a cat is a cat, not a hill."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from .animals import ANIMALS
from .people import PEOPLE
from .shapes import INK, MAIN
from .things import THINGS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .shapes import Colour, Kind, Shape

__all__ = ["Subject", "subjects_of"]

_SHARP = 4  # how many times larger it is drawn, so that its edges are smooth
_SAID: dict[str, Colour] = {
    **{name: INK[name] for name in ("white", "grey", "red", "green", "brown", "yellow", "orange", "blue", "pink")},
    "gray": INK["grey"],
    "black": INK["dark"],
    "golden": INK["yellow"],
    "purple": (140, 90, 170),
    "violet": (140, 90, 170),
}
_COUNTS = {"two": 2, "pair": 2, "three": 3, "four": 4, "many": 4, "several": 4}
_MOST = 4  # in one picture
_MOST_KINDS = 2  # more than two different things crowd it
_KINDS = (*ANIMALS, *PEOPLE, *THINGS)


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
            red, green, blue = self._main if ink == "main" else INK[ink]
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
    found = found[:_MOST_KINDS]
    if len(found) == 1:
        said = re.search(rf"\b({'|'.join(_COUNTS)})\b", text[: found[0][0]])
        found *= _COUNTS[said[1]] if said else 1
    return tuple(
        Subject(kind.flies, kind.shapes, _colour(kind, text[:start], chance[0]), bool(chance[1] < 0.5))
        for (start, kind), chance in zip(found, chances, strict=False)
    )


def _colour(kind: Kind, before: str, chance: float) -> Colour:
    """Return the colour that is said just before the thing, or one of its own."""
    said = re.findall(r"\w+", before)[-2:]
    for word in reversed(said):
        if word in _SAID:
            return _SAID[word]
    colours = MAIN[kind.main]
    return colours[int(chance * len(colours))]


def _mention(words: str) -> re.Pattern[str]:
    # Whole words, also in the plural: a catalogue is no cat.
    return re.compile(rf"\b(?:{words})(?:s|es)?\b")
