"""Render images: PNGs of the requested size."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from ...model.tools import Tool
from ..artifact import Artifact
from ..results import value
from .captions import Caption
from .palettes import look_of
from .scene import Scene
from .seeds import generator
from .subjects import subjects_of
from .video import picture

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["make_edit", "make_image"]

_MOMENT = 2.0  # seconds into the scene
_EDIT_SIZE = 1024
_LARGEST_EDIT = 2048
_UPSCALES = {"2x": 2, "4x": 4}


def make_image(params: Mapping[str, Any], index: int, target: Path) -> Artifact:
    """Render one of the ``n`` images of a generation."""

    def wanted(name: str) -> Any:
        return value(Tool.IMAGE, params, name)

    width, height = (int(part) for part in str(wanted("size")).split("x"))
    prompt, natural = str(wanted("prompt")), wanted("style") == "natural"
    rng = generator(prompt, wanted("seed"), wanted("negative_prompt"), wanted("model"), index)
    look, subjects = look_of(prompt, rng, natural=natural), subjects_of(prompt, rng)
    scene = Scene(look, width, height, rng, subjects=subjects)
    view = scene.frame(_MOMENT, 5.0)
    Caption(prompt, "NovaKit sandbox", width, height, scale=1.2 if scene.abstract else 0.62).put(view)
    factor = _UPSCALES.get(wanted("upscale") or "", 1)
    image = Image.fromarray(view)
    if factor > 1:
        image = image.resize((width * factor, height * factor), Image.Resampling.BICUBIC)
    return _save(image, target)


def make_edit(params: Mapping[str, Any], source: bytes | None, target: Path) -> Artifact:
    """Edit the given image; where it is on another host, edit a generated one."""
    prompt = str(params.get("prompt") or "")
    operation = str(params.get("operation") or "edit")
    rng = generator(prompt, operation, params.get("seed"), params.get("image"), params.get("mask"))
    before = _before(params, source)
    after = _EDITS.get(operation, _recolour)(before, prompt, rng)
    view = np.asarray(after.convert("RGB")).copy()
    Caption(prompt or operation, f"NovaKit sandbox  ·  {operation}", after.width, after.height, scale=0.62).put(view)
    return _save(Image.fromarray(view), target)


def _before(params: Mapping[str, Any], source: bytes | None) -> Image.Image:
    if source is None:
        rng = generator(params.get("image"))
        prompt = str(params.get("prompt") or "")
        look, subjects = look_of(prompt, rng), subjects_of(prompt, rng)
        return Image.fromarray(Scene(look, _EDIT_SIZE, _EDIT_SIZE, rng, subjects=subjects).frame(_MOMENT, 5.0))
    with Image.open(BytesIO(source)) as opened:
        width, height = opened.size
    scale = min(1.0, _LARGEST_EDIT / max(width, height))
    return Image.fromarray(picture(source, max(16, round(width * scale)), max(16, round(height * scale))))


def _recolour(before: Image.Image, prompt: str, rng: np.random.Generator) -> Image.Image:
    """Apply the colours that the words suggest."""
    look = look_of(prompt, rng)
    tinted = ImageOps.colorize(before.convert("L"), look.land[1], look.light, look.sky[-2])
    return Image.blend(before, tinted, 0.7)


def _inpaint(before: Image.Image, prompt: str, rng: np.random.Generator) -> Image.Image:
    width, height = before.size
    look, subjects = look_of(prompt, rng), subjects_of(prompt, rng)
    new = Scene(look, max(16, width // 2), max(16, height // 2), rng, subjects=subjects).frame(_MOMENT, 5.0)
    cover = Image.new("L", (new.shape[1], new.shape[0]), 0)
    cover.paste(255, (width // 20, height // 20, new.shape[1] - width // 20, new.shape[0] - height // 20))
    after = before.copy()
    soft = cover.filter(ImageFilter.GaussianBlur(width / 50))
    after.paste(Image.fromarray(new), (width // 4, height // 4), soft)
    return after


def _outpaint(before: Image.Image, prompt: str, rng: np.random.Generator) -> Image.Image:
    wide = before.resize((before.width * 3 // 2, before.height)).filter(ImageFilter.GaussianBlur(before.width / 40))
    after = _recolour(wide, prompt, rng) if prompt else wide
    after.paste(before, (before.width // 4, 0))
    return after


def _remove_background(before: Image.Image, prompt: str, rng: np.random.Generator) -> Image.Image:  # noqa: ARG001
    y, x = np.ogrid[0 : before.height, 0 : before.width]
    far = np.hypot((x - before.width / 2) / before.width, (y - before.height / 2) / before.height)
    cover: NDArray[np.uint8] = (np.clip((0.42 - far) * 40, 0, 1) * 255).astype(np.uint8)
    return Image.composite(before, Image.new("RGB", before.size, "white"), Image.fromarray(cover))


def _upscale(before: Image.Image, prompt: str, rng: np.random.Generator) -> Image.Image:  # noqa: ARG001
    return before.resize((before.width * 2, before.height * 2), Image.Resampling.BICUBIC)


_EDITS = {
    "inpainting": _inpaint,
    "outpainting": _outpaint,
    "remove_background": _remove_background,
    "upscale": _upscale,
}


def _save(image: Image.Image, target: Path) -> Artifact:
    path = target.with_suffix(".png")
    image.save(path, compress_level=3)
    return Artifact(path, "image/png", None, image.width, image.height)
