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
        shape: of the layers: ``"mountains"``, ``"hills"``, ``"waves"`` or ``"towers"``; ``""`` where the prompt names no place.
        particles: ``"stars"``, ``"snow"``, ``"rain"``, ``"sparks"`` or ``"dust"``.
        sun_height: the height of the sun or moon, from 0.0 at the horizon to 1.0.
        night: whether it is dark.
    """

    sky: tuple[Colour, ...]
    light: Colour
    land: tuple[Colour, Colour]
    shape: str = "mountains"
    particles: str = "dust"
    sun_height: float = 0.4
    night: bool = False


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
    night=True,
)
_SPACE = Look(
    ((10, 6, 26), (44, 16, 78), (108, 34, 122), (40, 60, 130)),
    (255, 214, 236),
    ((58, 30, 92), (10, 6, 22)),
    particles="stars",
    sun_height=0.55,
    night=True,
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
_CITY = replace(_DAY, shape="towers", land=((150, 164, 186), (58, 70, 98)))

# Where a prompt names neither a place nor a time of day: a wall with light on it, which is nothing that was not asked for.
_PLAIN = (
    Look(
        ((214, 196, 178), (230, 214, 196), (240, 228, 212)),
        (255, 246, 232),
        ((188, 160, 140), (160, 130, 112)),
        shape="",
    ),
    Look(
        ((150, 178, 192), (182, 204, 212), (212, 226, 228)),
        (246, 252, 255),
        ((112, 142, 160), (86, 116, 136)),
        shape="",
    ),
    Look(
        ((172, 186, 156), (198, 208, 182), (222, 228, 206)),
        (252, 255, 240),
        ((132, 150, 116), (104, 124, 92)),
        shape="",
    ),
    Look(
        ((190, 168, 190), (212, 194, 210), (232, 220, 230)),
        (255, 246, 255),
        ((150, 126, 152), (122, 98, 126)),
        shape="",
    ),
)

_PLACES: tuple[tuple[str, Look], ...] = (
    (r"space|galax|nebula|planet|cosmos|star|rocket|astronaut", _SPACE),
    (r"city|citie|skyline|street|neon|tokyo|cyber|tower|downtown", _CITY),
    (r"snow|snowy|winter|ice|icy|arctic|polar|penguin|snowman", _WINTER),
    (r"sea|ocean|wave|beach|lake|river|fish|ship|boat|sailboat|whale|water|underwater|harbour|harbor|lighthouse", _SEA),
    (r"forest|tree|jungle|garden|meadow|fox|bird|leaf|leave|wood|mushroom|owl", _FOREST),
    (r"desert|dune|sand|canyon|camel|cactus", _DESERT),
    (r"fire|lava|volcano|dragon|flame", _FIRE),
    (r"sky|cloud|field|balloon|mountain|alp|peak|hill|valley|landscape|village|countryside", _DAY),
)
# The time of day is that of the first of them.
_TIMES: tuple[tuple[str, Look], ...] = (
    (r"sunset|dusk|evening|abend", _SUNSET),
    (r"sunrise|dawn|morning|mist|misty|fog|foggy", _DAWN),
    (r"night|midnight|nighttime|neon|cyberpunk|moon|moonlit|moonlight|dark|aurora|starry|nacht", _NIGHT),
    (r"day|daylight|noon|midday|summer|sunny", _DAY),
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


def _at(place: Look, time: Look) -> Look:
    """Return a place at a time of day: its land in that light, under that sky."""
    if time is _DAY:
        return place
    dark = 0.8 if time.night else 0.45

    def lit(number: int) -> Colour:
        pairs = zip(place.land[number], time.land[number], strict=True)
        red, green, blue = (int(own * (1 - dark) + light * dark) for own, light in pairs)
        return red, green, blue

    return replace(
        place,
        sky=time.sky,
        light=time.light,
        land=(lit(0), lit(1)),
        particles=time.particles if place.particles == "dust" else place.particles,
        sun_height=time.sun_height,
        night=time.night,
    )


def look_of(prompt: str, rng: np.random.Generator, *, natural: bool = False) -> Look:
    """Return the look for a prompt. Its words decide, and what they don't name is not shown; the rest is random.

    Args:
        prompt: the text.
        rng: the random generator of the prompt.
        natural: paler colours (the service's ``style="natural"``).
    """
    text = prompt.lower()
    plain = _PLAIN[int(rng.integers(len(_PLAIN)))]
    place = next((look for words, look in _PLACES if _mentions(text, words)), None)
    time = next((look for words, look in _TIMES if _mentions(text, words)), None)
    look = place or time or plain
    if place is not None and time is not None and place.night is not True:
        look = _at(place, time)
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
    strength = 0.4 if look.particles == "rain" else 0.45 if natural else 1.0
    if look.particles == "rain":  # no sun
        look = replace(look, light=look.sky[-1])

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
