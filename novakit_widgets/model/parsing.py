"""Tolerant parsing of single values: an unexpected value becomes ``None`` and never fails the whole answer."""

from __future__ import annotations

import math
import re
from datetime import datetime, timezone

__all__ = ["number", "percent", "readable", "text", "time"]

_HALF = re.compile("[\ud800-\udfff]")


def readable(said: str) -> str:
    r"""Replace halves of characters (lone surrogates), which neither messages nor files can hold.

    Example:
        >>> readable("cut \ud83d") == "cut \ufffd"
        True
    """
    return _HALF.sub("\ufffd", said)


def text(value: object) -> str | None:
    """Return a non-empty text made `readable`; ``None`` for any other value.

    Example:
        >>> text("") is text(5) is None
        True
    """
    return readable(value) if isinstance(value, str) and value else None


def number(value: object) -> float | None:
    """Return a finite number; ``None`` for any other value.

    Example:
        >>> number("2.5"), number(True), number("nan")
        (2.5, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def percent(value: object) -> float | None:
    """Return a number clipped to 0 to 100; ``None`` for any other value.

    Example:
        >>> percent(140)
        100.0
    """
    found = number(value)
    return None if found is None else min(100.0, max(0.0, found))


def time(value: object) -> datetime | None:
    """Return a time with its time zone, from ISO 8601 or Unix seconds; ``None`` for any other value.

    Example:
        >>> time("2026-11-23T12:00:00Z"), time("soon")
        (datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.timezone.utc), None)
    """
    if not isinstance(value, str):
        return _from_unix(number(value))
    # Before Python 3.11 fromisoformat accepts neither Z nor fractions of other than three or six digits.
    iso = re.sub(r"[Zz]$", "+00:00", value.strip())
    iso = re.sub(r"\.(\d+)", lambda found: "." + found[1][:6].ljust(6, "0"), iso, count=1)
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _from_unix(seconds: float | None) -> datetime | None:
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, tz=timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
