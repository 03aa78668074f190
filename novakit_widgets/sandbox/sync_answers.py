"""The answers of generations without ``async=true``, which return their result at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..model.tools import Tool
from .results import value

if TYPE_CHECKING:
    from .store import SandboxJob

__all__ = ["sync_body"]


def sync_body(job: SandboxJob, remaining: float | None) -> dict[str, Any]:
    """Return the answer of a generation without ``async=true``.

    Args:
        job: finished.
        remaining: what is left of its bucket.
    """
    tool, params, made = job.tool, job.params, job.artifacts
    body: dict[str, Any] = {"created": int(time.time()), "model": job.model, "model_tier": job.tier}
    if tool is Tool.STT:
        return {**body, **(job.transcript or {})}
    url, seconds = job.urls[0], made[0].seconds
    if tool is Tool.TTS:
        return {
            **body,
            "audio_url": url,
            "duration_seconds": seconds,
            "character_count": len(params["input"]),
            "voice": value(tool, params, "voice"),
            "format": value(tool, params, "response_format"),
        }
    unit = {Tool.VIDEO: "seconds", Tool.MUSIC: "tracks"}.get(tool, "images")
    usage = {
        f"{unit}_used": job.charge.units,
        "quota_multiplier": job.charge.multiplier,
        f"{unit}_remaining": remaining,
    }
    data: Any
    if tool is Tool.VIDEO:
        shown = ("resolution", "fps", "aspect_ratio")
        data = {"url": url, "duration_seconds": seconds, **{name: value(tool, params, name) for name in shown}}
    elif tool is Tool.MUSIC:
        data = {"audio_url": url, "duration_seconds": seconds}
    else:
        data = [
            {"url": link, "revised_prompt": params.get("prompt"), "width": item.width, "height": item.height}
            for item, link in zip(made, job.urls, strict=True)
        ]
    return {**body, "data": data, "usage": usage}
