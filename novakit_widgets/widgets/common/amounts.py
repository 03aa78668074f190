"""Quota buckets and amounts in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.quota import CREDITS
from ...model.tools import FACTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...model.quota import Bucket

__all__ = ["amount", "grouped", "name_of", "unit_of"]

_NAMES: Mapping[str, str] = {CREDITS: "Credits", **{facts.bucket: facts.bucket_label for facts in FACTS.values()}}
_UNITS: Mapping[str, tuple[str, str]] = {  # singular and plural
    CREDITS: ("credit", "credits"),
    **{facts.bucket: (facts.unit, facts.units) for facts in FACTS.values()},
}


def name_of(bucket: Bucket) -> str:
    """Return a bucket's label; an unknown bucket's own name."""
    return _NAMES.get(bucket.name, bucket.name.replace("_", " "))


def unit_of(bucket: Bucket, count: float) -> str:
    """Return a bucket's unit, such as ``"images"``, in the singular or the plural."""
    one, several = _UNITS.get(bucket.name, (name_of(bucket), name_of(bucket)))
    return one if count == 1 else several


def amount(bucket: Bucket, count: float) -> str:
    """Return a count with the bucket's unit, such as ``"3 images"`` or ``"no images"``."""
    unit = unit_of(bucket, count)
    return f"no {unit}" if not count and unit != "s" else f"{grouped(count)} {unit}"


def grouped(number: float, digits: int = 6) -> str:
    """Format a number with thousands separators; fractions are rounded to a number of digits, never to a power of ten.

    Example:
        >>> grouped(10_000_000), grouped(2.5), grouped(1_234_567.8)
        ('10,000,000', '2.5', '1,234,568')
    """
    large = number == int(number) or abs(number) >= 10 ** (digits - 1)
    return f"{number:,.0f}" if large else f"{number:,.{digits}g}"
