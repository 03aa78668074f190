"""Render a moving landscape: sky, light, layers of land at different speeds, particles, and what the prompt names in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .palettes import Look
    from .subjects import Subject

__all__ = ["Scene"]

Pixels = NDArray[np.uint8]
_LAYERS = 5
_DISCS = 6


@dataclass(frozen=True, slots=True)
class _Layer:
    """A strip of land as wide as the view; its right end meets its left.

    Attributes:
        colours: its pixels.
        mask: where there is land.
        top: the view's row where it begins.
        solid: its row from which on there is land everywhere.
    """

    colours: Pixels
    mask: NDArray[np.bool_]
    top: int
    solid: int


@dataclass(frozen=True, slots=True)
class _Figure:
    """A drawn subject in the view.

    Attributes:
        colour: its pixels, times how much they cover.
        cover: how much they cover, from 0 to 256.
        left: its column in the view.
        top: its row.
        flies: whether it rises and falls.
    """

    colour: NDArray[np.uint32]
    cover: NDArray[np.uint32]
    left: int
    top: int
    flies: bool

    def put(self, view: Pixels, turn: float) -> None:
        """Draw it at a moment: at the end it is where it was at the beginning.

        Args:
            view: the picture.
            turn: the moment as an angle of the whole.
        """
        size = self.cover.shape[0]
        left = self.left + round(0.12 * size * math.sin(turn))
        top = self.top - round((0.1 if self.flies else 0.02) * size * abs(math.sin(turn if self.flies else 3 * turn)))
        left, top = min(max(0, left), view.shape[1] - size), min(max(0, top), view.shape[0] - size)
        spot = view[top : top + size, left : left + size]
        spot[:] = (spot * (256 - self.cover) + self.colour) >> 8


class Scene:
    """A view of a look, `width` by `height` pixels.

    Args:
        look: colours, land and weather.
        width: pixels.
        height: pixels.
        rng: places everything.
        backdrop: a picture instead of the sky and land; it is panned.
        subjects: what stands, swims or flies in it.

    Attributes:
        abstract: whether the prompt names nothing that we can show: then there are only colours.
    """

    def __init__(
        self,
        look: Look,
        width: int,
        height: int,
        rng: np.random.Generator,
        backdrop: Pixels | None = None,
        subjects: Sequence[Subject] = (),
    ) -> None:
        self.width, self.height = width, height
        self._look = look
        self._horizon = {"waves": 0.52, "": 0.74}.get(look.shape, 0.62)
        self._sun = (float(rng.uniform(0.28, 0.72)), self._horizon - look.sun_height * 0.6)
        self._backdrop = backdrop
        self.abstract = not look.shape and not subjects and backdrop is None
        layers = _LAYERS if look.shape else 1 if subjects else 0  # a plain wall stands on a floor
        self._layers = [] if backdrop is not None else [self._layer(number, rng) for number in range(layers)]
        self._discs = rng.random((_DISCS, 4)) * (1, 1, 0.42, 1) + (0, 0, 0.06, 0)
        self._sky = self._paint_sky()
        count = {"stars": 170, "snow": 150, "rain": 170, "sparks": 70, "dust": 60}[look.particles]
        self._particles = rng.random((count, 5))
        self._figures = [] if backdrop is not None else self._place(subjects, rng)

    def frame(self, moment: float, seconds: float, *, loop: bool = False) -> Pixels:
        """Return the view at a moment.

        Args:
            moment: seconds from the start.
            seconds: how long it all is.
            loop: whether the end has to meet the beginning.
        """
        turn = 2 * math.pi * moment / max(seconds, 0.001)
        # On a loop everything sways; otherwise the camera travels.
        travel = 0.5 * math.sin(turn) if loop else moment / 5
        if self._backdrop is not None:
            view = self._pan(self._backdrop, travel)
        else:
            view = self._sky.copy()
            tops = [max(0, layer.top + self._bob(number, turn, seconds)) for number, layer in enumerate(self._layers)]
            feet = [top + layer.solid for top, layer in zip(tops[1:], self._layers[1:], strict=True)] + [self.height]
            for number, (layer, top, foot) in enumerate(zip(self._layers, tops, feet, strict=False)):
                # The nearest layer crosses two thirds of the view in five seconds, the farthest a thirtieth.
                shift = int(travel * self.width * 0.03 * 2.1**number) % self.width
                self._lay(view, layer, top, shift, min(foot, self.height))
        self._scatter(view, moment, seconds, loop=loop)
        for figure in self._figures:
            figure.put(view, turn)
        return view

    def _place(self, subjects: Sequence[Subject], rng: np.random.Generator) -> list[_Figure]:
        """Put subjects on the ground, on the water or into the sky: large where there is nothing else to see."""
        unit = min(self.width, self.height) * (0.58 if not self._look.shape else 0.42) / len(subjects or "1") ** 0.4
        shifts, spread = rng.uniform(-1, 1, (len(subjects), 2)), 0.3 if self._look.shape else 0.22
        figures = []
        for number, subject in enumerate(subjects):
            size = max(16, round(unit * (1 + 0.1 * float(shifts[number, 0]))))
            middle = (number + 1) / (len(subjects) + 1) + spread * 0.5 * float(shifts[number, 1]) / len(subjects)
            foot = 0.55 if subject.flies else 0.8  # above the prompt, which is written at the foot
            pixels = subject.drawn(size, light=0.5 if self._look.night else 1.0)
            cover = pixels[..., 3:].astype(np.uint32) * 256 // 255
            left = min(max(0, round(middle * self.width - size / 2)), self.width - size)
            top = max(0, round(foot * self.height) - size)
            figures.append(_Figure(pixels[..., :3] * cover, cover, left, top, flies=subject.flies))
        return figures

    def _bob(self, number: int, turn: float, seconds: float) -> int:
        """Return how many rows a layer is lower than its place: waves go up and down."""
        if self._look.shape != "waves":
            return 0
        angle = turn * max(1, round(seconds / 3)) + number * 1.3
        return int(self.height * 0.006 * (number + 1) * math.sin(angle))

    def _paint_sky(self) -> Pixels:
        height, width = self.height, self.width
        stops = np.array(self._look.sky, float)
        places = np.linspace(0, self._horizon + 0.06, len(stops))
        rows = np.linspace(0, 1, height)
        sky = np.stack([np.interp(rows, places, stops[:, part]) for part in range(3)], axis=1)
        y, x = np.ogrid[0:height, 0:width]
        unit = min(width, height)
        far = np.hypot(x - self._sun[0] * width, y - self._sun[1] * height) / unit
        glow = 0.55 * np.exp(-far * 3.6) + 0.35 * np.exp(-((far / 0.16) ** 2))
        disc = np.clip((0.075 - far) * unit / 2.0 + 0.5, 0, 1)
        if not self._look.shape or self._look.particles == "rain":
            disc = glow = glow * 0.4  # light on a wall, or behind clouds
        strength = np.clip(glow + disc, 0, 1)[..., None]
        light = np.array(self._look.light, float)
        painted = sky[:, None, :] * (1 - strength) + light * strength
        if self.abstract:
            self._paint_discs(painted)
        # Dithering: without it an encoder makes bands of a smooth sky.
        noise = np.random.default_rng(0).uniform(-1.2, 1.2, (height, width, 1))
        return np.clip(painted + noise, 0, 255).astype(np.uint8)

    def _paint_discs(self, painted: NDArray[np.float64]) -> None:
        y, x = np.ogrid[0 : self.height, 0 : self.width]
        unit = min(self.width, self.height)
        for across, down, size, ink in self._discs:
            far = np.hypot(x - across * self.width, y - down * self.height)
            cover = np.clip(size * unit - far, 0, 1)[..., None] * 0.32
            painted += (np.array(self._look.land[int(ink > 0.5)], float) - painted) * cover

    def _layer(self, number: int, rng: np.random.Generator) -> _Layer:
        near = number / (_LAYERS - 1)
        base = self.height * (self._horizon + (0.97 - self._horizon) * near**1.25 * 0.86)
        rise = self.height * (0.075 + 0.05 * near) * (0.35 if self._look.shape == "waves" else 1.0)
        outline = base - rise * self._outline(number, rng)
        top = max(0, int(outline.min()) - 1)
        rows = np.arange(top, self.height)[:, None]
        depth = rows - outline[None, :]
        far, close = (np.array(colour, float) for colour in self._look.land)
        colour = far * (1 - near) + close * near
        # Mist gathers at the foot of each layer, in the colour of the horizon.
        mist = np.clip(depth / (self.height * 0.30), 0, 1) * 0.42 * (1 - 0.75 * near)
        horizon = np.array(self._look.sky[-1], float)
        body = colour * (1 - mist[..., None]) + horizon * mist[..., None]
        rim = np.exp(-np.clip(depth, 0, None) / (self.height * 0.008)) * (0.16 + 0.1 * (1 - near))
        body = body * (1 - rim[..., None]) + np.array(self._look.light, float) * rim[..., None]
        if self._look.shape == "towers":
            self._light_windows(body, depth, number, rng)
        mask = depth >= 0
        gaps = np.flatnonzero(~mask.all(axis=1))
        return _Layer(body.clip(0, 255).astype(np.uint8), mask[..., None], top, int(gaps[-1]) + 1 if len(gaps) else 0)

    def _outline(self, number: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return heights from -1 to 1 for every column; the right end meets the left."""
        x = np.linspace(0, 2 * math.pi, self.width, endpoint=False)
        if self._look.shape == "towers":
            count = 16 + 5 * (_LAYERS - number)
            edges = np.sort(rng.integers(0, self.width, count))
            tall = rng.uniform(-0.6, 2.4, count + 1) * (0.6 + 0.4 * rng.random(count + 1))
            return tall[np.searchsorted(edges, np.arange(self.width)) % count]
        if not self._look.shape:
            return np.zeros(self.width)
        octaves, fall = {"mountains": (9, 0.95), "hills": (3, 1.25), "waves": (6, 0.7)}[self._look.shape]
        total = np.zeros(self.width)
        for step in range(octaves):
            waves = (step + 1) * (2 if step > 2 else 1) + number // 2 + (4 if self._look.shape == "waves" else 0)
            wave = np.sin(waves * x + rng.uniform(0, 2 * math.pi))
            # The absolute value of a sine has the sharp crests of mountains.
            total += (1 - 2 * np.abs(wave) if self._look.shape == "mountains" else wave) / (step + 1) ** fall
        if self._look.shape == "mountains":
            rough = np.interp(
                np.arange(self.width), np.linspace(0, self.width, 97), np.resize(rng.normal(0, 0.08, 96), 97)
            )
            total += rough
        return np.asarray(total / np.abs(total).max() * 1.25)

    def _light_windows(
        self, body: NDArray[np.float64], depth: NDArray[np.float64], number: int, rng: np.random.Generator
    ) -> None:
        cell = max(4, self.height // 60)
        rows, columns = body.shape[:2]
        lit = rng.random((rows // cell + 1, columns // cell + 1)) < 0.10 + 0.035 * number
        grid = np.kron(lit, np.ones((cell, cell), bool))[:rows, :columns]
        inner = (np.arange(rows) % cell >= cell // 2)[:, None] & (np.arange(columns) % cell >= cell // 2)[None, :]
        body[grid & inner & (depth > cell)] = (255, 214, 140)

    def _lay(self, view: Pixels, layer: _Layer, top: int, shift: int, foot: int) -> None:
        """Draw a layer down to a row, below which the next one hides it."""
        rows = max(0, min(layer.colours.shape[0], foot - top))
        ragged = min(layer.solid, rows)  # looking at the mask takes much longer than copying
        for target, source in (
            (slice(0, self.width - shift), slice(shift, self.width)),
            (slice(self.width - shift, self.width), slice(0, shift)),
        ):
            part = view[top : top + rows, target]
            np.copyto(part[:ragged], layer.colours[:ragged, source], where=layer.mask[:ragged, source])
            part[ragged:] = layer.colours[ragged:rows, source]
        if top + rows < foot:
            view[top + rows : foot] = view[top + rows - 1]

    def _pan(self, backdrop: Pixels, travel: float) -> Pixels:
        spare_y = backdrop.shape[0] - self.height
        spare_x = backdrop.shape[1] - self.width
        share = 0.5 + 0.5 * math.sin(travel * 1.8)
        top, left = int(spare_y * share), int(spare_x * share)
        return np.array(backdrop[top : top + self.height, left : left + self.width])

    def _scatter(self, view: Pixels, moment: float, seconds: float, *, loop: bool) -> None:
        kind = self._look.particles
        across, down, size, phase, pace = self._particles.T
        # Whole rounds in the time there is, where the end has to meet the beginning.
        rounds = np.ceil(pace * 3) if loop else (0.5 + pace) * seconds / 5
        share = moment / max(seconds, 0.001)
        angle = 2 * math.pi * (phase + share * np.ceil(pace * 3 + 1))
        x, y, bright = across, down, 0.55 + 0.45 * np.sin(angle)
        if kind == "stars":
            y = down * (self._horizon - 0.05)
        elif kind in ("snow", "rain"):
            y = (down + share * rounds * (1 if kind == "snow" else 6)) % 1
            x = (across + 0.015 * np.sin(angle)) % 1
            bright = 0.45 + 0.5 * size
        else:
            y = 0.35 + 0.6 * ((down - share * rounds * 0.5) % 1)
            x = (across + 0.02 * np.sin(angle)) % 1
            bright = bright * (0.9 if kind == "sparks" else 0.35)
        radius = max(1.0, min(self.width, self.height) / 360)
        colour = np.array((255, 206, 110) if kind == "sparks" else (255, 255, 250), float)
        for left, top, big, light in zip(x * self.width, y * self.height, size, bright, strict=True):
            wide = max(1, round(radius * (0.8 + 1.6 * big**3)))
            tall = wide * 7 if kind == "rain" else wide
            spot = view[int(top) : int(top) + tall, int(left) : int(left) + wide]
            spot += ((colour - spot) * light * (0.4 if kind == "rain" else 0.9)).astype(np.int16).astype(np.uint8)
