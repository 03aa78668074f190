"""The colours, land and weather that the words of a prompt suggest."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

__all__ = ["Look", "look_of"]

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Look:
    """A mood.

    Attributes:
        sky: colours from the top of the sky down to the horizon.
        light: of the sun or moon.
        land: the farthest and the nearest layer.
        shape: of the layers: ``"mountains"``, ``"hills"``, ``"waves"`` or ``"towers"``.
        particles: ``"stars"``, ``"snow"``, ``"rain"``, ``"sparks"`` or ``"dust"``.
        sun_height: the height of the sun or moon, from 0.0 at the horizon to 1.0.
    """

    sky: tuple[Colour, ...]
    light: Colour
    land: tuple[Colour, Colour]
    shape: str = "mountains"
    particles: str = "dust"
    sun_height: float = 0.4


_SUNSET = Look(
    ((38, 24, 74), (122, 46, 110), (226, 88, 96), (255, 168, 98), (255, 214, 150)),
    (255, 236, 190),
    ((146, 70, 110), (28, 16, 44)),
    sun_height=0.16,
)
_DAWN = Look(
    ((70, 110, 170), (150, 180, 214), (246, 206, 196), (255, 226, 190)),
    (255, 246, 220),
    ((128, 142, 176), (36, 52, 84)),
    sun_height=0.24,
)
_DAY = Look(
    ((38, 110, 190), (96, 164, 224), (186, 220, 240), (236, 244, 238)),
    (255, 252, 232),
    ((126, 164, 176), (30, 74, 70)),
    shape="hills",
    sun_height=0.66,
)
_NIGHT = Look(
    ((8, 10, 34), (16, 24, 66), (40, 50, 104), (84, 84, 140)),
    (232, 236, 255),
    ((44, 50, 98), (8, 10, 26)),
    particles="stars",
    sun_height=0.62,
)
_SPACE = Look(
    ((10, 6, 26), (44, 16, 78), (108, 34, 122), (40, 60, 130)),
    (255, 214, 236),
    ((58, 30, 92), (10, 6, 22)),
    particles="stars",
    sun_height=0.55,
)
_SEA = Look(
    ((22, 86, 140), (70, 150, 190), (160, 210, 214), (240, 232, 206)),
    (255, 244, 210),
    ((70, 150, 176), (8, 44, 84)),
    shape="waves",
    sun_height=0.34,
)
_FOREST = Look(
    ((60, 112, 110), (122, 168, 140), (200, 216, 166), (244, 236, 190)),
    (255, 250, 214),
    ((96, 144, 118), (12, 42, 34)),
    shape="hills",
    particles="sparks",
    sun_height=0.42,
)
_WINTER = Look(
    ((92, 122, 168), (158, 184, 214), (214, 226, 238), (246, 240, 240)),
    (255, 255, 250),
    ((172, 190, 214), (64, 84, 122)),
    particles="snow",
    sun_height=0.5,
)
_DESERT = Look(
    ((64, 120, 164), (156, 186, 190), (244, 214, 160), (252, 190, 120)),
    (255, 246, 214),
    ((222, 156, 104), (110, 50, 44)),
    shape="hills",
    sun_height=0.5,
)
_FIRE = Look(
    ((26, 8, 20), (92, 18, 30), (200, 60, 30), (255, 160, 60)),
    (255, 222, 140),
    ((120, 34, 34), (20, 6, 12)),
    particles="sparks",
    sun_height=0.2,
)
_CITY = replace(_NIGHT, shape="towers", land=((60, 62, 118), (10, 12, 30)))

_WORDS: tuple[tuple[str, Look], ...] = (
    (r"sunset|dusk|evening|abend", _SUNSET),
    (r"sunrise|dawn|morning|mist|fog", _DAWN),
    (r"space|galaxy|nebula|planet|cosmos|star", _SPACE),
    (r"city|skyline|street|neon|tokyo|cyber|tower|robot", _CITY),
    (r"snow|winter|ice|arctic|polar|penguin", _WINTER),
    (r"sea|ocean|wave|beach|lake|river|fish|ship|boat|whale|water", _SEA),
    (r"forest|tree|jungle|garden|meadow|fox|bird|leaf|leaves", _FOREST),
    (r"desert|dune|sand|canyon|camel", _DESERT),
    (r"fire|lava|volcano|dragon|flame", _FIRE),
    (r"night|moon|dark|dream|aurora", _NIGHT),
    (r"day|summer|sky|cloud|field|balloon|dog|cat", _DAY),
)
_SHAPES = (
    (r"mountain|alp|peak", "mountains"),
    (r"hill|dune|field|meadow", "hills"),
    (r"sea|ocean|wave|lake", "waves"),
    (r"city|skyline|street|tower", "towers"),
)
_WEATHER = (
    (r"snow", "snow"),
    (r"rain|storm", "rain"),
    (r"firefly|fireflie|spark|ember|magic", "sparks"),
    (r"star", "stars"),
)


def _mentions(text: str, words: str) -> bool:
    # Whole words, also in the plural: a watercolour is no water.
    return re.search(rf"\b(?:{words})(?:s|es|y)?\b", text) is not None


def look_of(prompt: str, rng: np.random.Generator, *, natural: bool = False) -> Look:
    """Return the look for a prompt. Its words decide; what they leave open is random.

    Args:
        prompt: the text.
        rng: the random generator of the prompt.
        natural: paler colours (the service's ``style="natural"``).
    """
    text = prompt.lower()
    looks = [look for words, look in _WORDS if _mentions(text, words)]
    everything = [look for _, look in _WORDS]
    look = looks[0] if looks else everything[int(rng.integers(len(everything)))]
    for words, shape in _SHAPES:
        if _mentions(text, words):
            look = replace(look, shape=shape)
            break
    for words, particles in _WEATHER:
        if _mentions(text, words):
            look = replace(look, particles=particles)
            break
    # A small random change for each prompt, so that two sunsets differ.
    shift = rng.normal(0, 6, 3)
    strength = 0.45 if natural else 1.0

    def tint(colour: Colour) -> Colour:
        grey = sum(colour) / 3
        mixed = (grey + (part - grey) * strength + move for part, move in zip(colour, shift, strict=True))
        red, green, blue = (int(min(255, max(0, part))) for part in mixed)
        return red, green, blue

    return replace(
        look,
        sky=tuple(tint(colour) for colour in look.sky),
        land=(tint(look.land[0]), tint(look.land[1])),
        sun_height=float(np.clip(look.sun_height + rng.normal(0, 0.04), 0.08, 0.85)),
    )
