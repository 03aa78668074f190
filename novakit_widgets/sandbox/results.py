"""The charge and the output data of a generation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..model.parameters import PARAMETERS
from ..model.tools import Tool
from .accounts import Charge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .artifact import Artifact

__all__ = ["charge_for", "model_of", "output_data", "tier_of", "value"]

# The sandbox's own prices. Those of the service are in its documentation of plans, and change.
_CREDITS = {Tool.VIDEO: 10.0, Tool.MUSIC: 20.0, Tool.IMAGE: 4.0, Tool.IMAGE_EDIT: 4.0, Tool.TTS: 0.01, Tool.STT: 0.1}
_RESOLUTIONS = {"720p": 1.0, "1080p": 2.0, "4k": 4.0}
_UPSCALES = {"2x": 2.0, "4x": 4.0}


def value(tool: Tool, params: Mapping[str, Any], name: str) -> Any:
    """Return the value of a parameter, or its documented default."""
    given = params.get(name)
    return PARAMETERS[tool][name].default if given is None else given


def model_of(tool: Tool, params: Mapping[str, Any]) -> str:
    """Return the model of a generation."""
    if "model" in PARAMETERS[tool]:
        return str(value(tool, params, "model"))
    return str(params.get("model") or "fal-ai/flux/dev")


def tier_of(model: str) -> str:
    """Return the tier of a model."""
    if "turbo" in model:
        return "fast"
    return "premium" if model.endswith(("-hd", "/v2")) else "standard"


def charge_for(tool: Tool, params: Mapping[str, Any], transcript: Mapping[str, Any] | None) -> Charge:
    """Return the charge of a generation."""
    multiplier = 1.0
    if tool is Tool.VIDEO:
        units = float(value(tool, params, "duration_seconds"))
        multiplier = _RESOLUTIONS[value(tool, params, "resolution")]
    elif tool is Tool.IMAGE:
        units = float(value(tool, params, "n"))
        multiplier = _UPSCALES.get(params.get("upscale") or "", 1.0)
    elif tool is Tool.TTS:
        units = float(len(params["input"]))
    elif tool is Tool.STT and transcript is not None:
        units = float(math.ceil(transcript["duration"]))
    else:
        units = 1.0
    units *= multiplier
    return Charge(tool.facts.bucket, units, round(max(0.01, units * _CREDITS[tool]), 2), multiplier)


def output_data(
    tool: Tool, artifacts: Sequence[Artifact], urls: Sequence[str], transcript: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the ``outputData`` of a finished job."""
    if tool is Tool.STT:
        return {name: transcript[name] for name in ("text", "segments")} if transcript else {}
    if tool is Tool.VIDEO:
        return {"video": {"url": urls[0]}}
    if tool in (Tool.IMAGE, Tool.IMAGE_EDIT):
        return {
            "images": [
                {"url": url, "width": made.width, "height": made.height}
                for made, url in zip(artifacts, urls, strict=True)
            ]
        }
    return {"audio": {"url": urls[0], "duration_seconds": artifacts[0].seconds}}
