"""What jobs take, and what is left of it, in a sentence or two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from ...model.quota import CREDITS, bucket_of
from ..common.view import duration
from .widget import amount, grouped, units_in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...engine.quota_watch import QuotaWatch
    from ...job_history.estimates import Estimate
    from ...model.quota import Bucket
    from ...model.tools import Tool

__all__ = ["spending"]


def spending(tool: Tool, units: float | None, watch: QuotaWatch, similar: Sequence[Estimate | None]) -> Markup:
    """Say what some jobs take of their bucket, whether there is enough, and what similar ones took.

    Args:
        tool: what makes them.
        units: what all of them take together; ``None`` where their parameters don't tell.
        watch: knows what is left.
        similar: for each of the jobs, what one like it took; ``None`` where there was none.
    """
    parts = []
    buckets = {} if watch.quota is None else watch.quota.buckets
    told = [each.credits for each in similar if each is not None and each.credits is not None]
    billed = sum(told) if told else None  # of those that are known, which is the least that all take
    if (bucket := buckets.get(bucket_of(tool))) is not None:
        takes = "This takes" if len(similar) == 1 else "All of them take"
        parts.append(_marked(_left(bucket, units, takes), short=_is_short(bucket, units)))
    elif watch.trouble:
        parts.append(Markup("<span>What is left is not known: {}</span>").format(watch.trouble))
    took = _took(similar, billed, len(told))
    if (bucket := buckets.get(CREDITS)) is not None and (_is_short(bucket, billed) or bucket.remaining == 0):
        parts.append(_marked(" ".join(filter(None, [took, _only(bucket)])), short=True))
    elif took:
        parts.append(Markup("<span>{}</span>").format(took))
    return Markup(" ").join(parts)


def _marked(text: str, *, short: bool) -> Markup:
    return Markup('<span class="{}">{}</span>').format("nk-short" if short else "nk-left", text)


def _is_short(bucket: Bucket, needed: float | None) -> bool:
    return needed is not None and bucket.remaining is not None and needed > bucket.remaining


def _left(bucket: Bucket, units: float | None, takes: str) -> str:
    """Say what is taken of a bucket, and what is left of it."""
    if bucket.remaining is None:
        # The service does not tell the two apart.
        of_these = f"{takes} {amount(bucket, units)}, which" if units is not None else _first(units_in_words(bucket, 2))
        return f"{of_these} may be unlimited, or not in the plan."
    if units is None:
        return f"{_first(amount(bucket, bucket.remaining))} {_are(bucket)} left."
    if units > bucket.remaining:
        return f"{takes} {amount(bucket, units)}. {_only(bucket)}"
    return f"{takes} {grouped(units)} of the {amount(bucket, bucket.remaining)} that {_are(bucket)} left."


def _only(bucket: Bucket) -> str:
    assert bucket.remaining is not None  # for the type checker
    return f"Not enough is left: {amount(bucket, bucket.remaining)}."


def _are(bucket: Bucket) -> str:
    return "is" if bucket.remaining == 1 else "are"


def _first(text: str) -> str:
    return text[:1].upper() + text[1:]


def _took(similar: Sequence[Estimate | None], billed: float | None, known: int) -> str:
    """Say what similar jobs took: of one its time, too; of several the sum."""
    if len(similar) > 1:
        if billed is None:
            return ""
        of_them = "All of them take" if known == len(similar) else f"{known:,} of them take"
        return f"{of_them} about {grouped(billed, 4)} credits, as similar jobs did."
    seconds = next((each.seconds for each in similar if each is not None), None)
    took = [f"{grouped(billed, 4)} credits"] if billed is not None else []
    if seconds is not None:
        took.append(duration(seconds))
    return f"Similar jobs took {' and '.join(took)}." if took else ""
