"""What jobs will use of the quota, in a sentence or two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from ...model.quota import CREDITS, bucket_of
from .amounts import amount, grouped, name_of, unit_of
from .times import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...engine.quota_watch import QuotaWatch
    from ...job_history.estimates import Estimate
    from ...model.quota import Bucket
    from ...model.tools import Tool

__all__ = ["spending"]


def spending(tool: Tool, units: float | None, watch: QuotaWatch, similar: Sequence[Estimate | None]) -> Markup:
    """Describe what jobs will use of their bucket, whether it is enough, and what similar jobs took.

    Args:
        tool: the jobs' tool.
        units: what all of them use together; ``None`` if that can't be told from their parameters.
        watch: knows the remaining quota.
        similar: for each job, what a similar job took; ``None`` if there was none.
    """
    parts = []
    buckets = {} if watch.quota is None else watch.quota.buckets
    costs = [each.credits for each in similar if each is not None and each.credits is not None]
    billed = sum(costs) if costs else None  # of the jobs with an estimate: at least this much
    if (bucket := buckets.get(bucket_of(tool))) is not None:
        uses = "Uses" if len(similar) == 1 else "All jobs use"
        parts.append(_marked(_use(bucket, units, uses), short=_is_short(bucket, units)))
    elif watch.trouble:
        parts.append(Markup("<span>Remaining quota unknown: {}</span>").format(watch.trouble))
    took = _took(similar, billed, len(costs))
    if (bucket := buckets.get(CREDITS)) is not None and (_is_short(bucket, billed) or bucket.remaining == 0):
        parts.append(_marked(" ".join(filter(None, [took, _exceeded(bucket)])), short=True))
    elif took:
        parts.append(Markup("<span>{}</span>").format(took))
    return Markup(" ").join(parts)


def _marked(text: str, *, short: bool) -> Markup:
    return Markup('<span class="{}">{}</span>').format("nk-short" if short else "nk-left", text)


def _is_short(bucket: Bucket, needed: float | None) -> bool:
    return needed is not None and bucket.remaining is not None and needed > bucket.remaining


def _use(bucket: Bucket, units: float | None, uses: str) -> str:
    """Describe what is used of a bucket and what remains."""
    if bucket.remaining is None:
        # The service does not distinguish the two.
        subject = name_of(bucket) if units is None else f"{uses} {amount(bucket, units)}"
        return f"{subject}: unlimited, or not part of your plan."
    if units is None:
        return f"Remaining: {amount(bucket, bucket.remaining)}."
    if units > bucket.remaining:
        return f"{uses} {amount(bucket, units)}. {_exceeded(bucket)}"
    count = amount(bucket, units) if unit_of(bucket, units) == "s" else grouped(units)
    return f"{uses} {count} of your remaining {amount(bucket, bucket.remaining)}."


def _exceeded(bucket: Bucket) -> str:
    assert bucket.remaining is not None  # for the type checker
    return f"Quota exceeded: {amount(bucket, bucket.remaining)} left."


def _took(similar: Sequence[Estimate | None], billed: float | None, known: int) -> str:
    """Describe what similar jobs took: for one job credits and time, for several the sum of credits."""
    if len(similar) > 1:
        if billed is None:
            return ""
        jobs = "in total" if known == len(similar) else f"for {known:,} of them"
        return f"About {grouped(billed, 4)} credits {jobs}, based on similar jobs."
    seconds = next((each.seconds for each in similar if each is not None), None)
    took = [f"{grouped(billed, 4)} credits"] if billed is not None else []
    if seconds is not None:
        took.append(duration(seconds))
    return f"Similar jobs took {' and '.join(took)}." if took else ""
