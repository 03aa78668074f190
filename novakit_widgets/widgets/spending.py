"""What jobs take, and what is left of it, in a sentence or two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from ..quotas import bucket_of
from .quota import left_of, name_of
from .view import duration

if TYPE_CHECKING:
    from ..estimates import Estimate
    from ..jobs import Tool
    from ..quotawatch import QuotaWatch

__all__ = ["spending"]


def spending(tool: Tool, units: float | None, watch: QuotaWatch, similar: Estimate | None, *, jobs: int = 1) -> Markup:
    """Say what some jobs take of their bucket, whether there is enough, and what similar ones took.

    Args:
        tool: what makes them.
        units: what all of them take together; ``None`` where their parameters don't tell.
        watch: knows what is left.
        similar: what one such job took.
        jobs: how many they are.
    """
    parts = []
    bucket = None if watch.quota is None else watch.quota.buckets.get(bucket_of(tool))
    if bucket is not None:
        short = units is not None and bucket.remaining is not None and units > bucket.remaining
        takes = "" if units is None else f"This takes {units:,.6g}. "
        left = f"{name_of(bucket)}: {left_of(bucket)}."
        parts.append(
            Markup('<span class="{}">{}{}</span>').format(
                "nk-short" if short else "nk-left", takes, f"Not enough is left. {left}" if short else left
            )
        )
    elif watch.trouble:
        parts.append(Markup("<span>What is left is not known: {}</span>").format(watch.trouble))
    if similar is not None:
        each = " each" if jobs > 1 else ""
        took = [
            f"{similar.credits:,.4g} credits" if similar.credits is not None else "",
            duration(similar.seconds) if similar.seconds is not None else "",
        ]
        said = " and ".join(part for part in took if part)
        if said:
            parts.append(Markup("<span>Similar jobs took {}{}.</span>").format(said, each))
    return Markup(" ").join(parts)
