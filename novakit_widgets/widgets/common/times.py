"""Durations and moments as people write them. All moments on a page are in the local time zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["clock_time", "date_and_time", "day", "duration", "took"]

_SOON = 45.0  # seconds; below this, a clock time in minutes tells nothing


def duration(seconds: float) -> str:
    """Format a duration.

    Example:
        >>> duration(7.4), duration(75), duration(3700)
        ('7 s', '1 min 15 s', '1 h 2 min')
    """
    total = round(seconds)
    if total < 3600:
        minutes, rest = divmod(total, 60)
        parts = [f"{minutes} min"] if minutes else []
        return " ".join([*parts, *([f"{rest} s"] if rest or not minutes else [])])
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def took(seconds: float) -> str:
    """Format the total duration of something that has ended.

    Example:
        >>> took(0.4), took(75)
        ('under 1 s', '1 min 15 s')
    """
    return duration(seconds) if seconds >= 1 else "under 1 s"


def day(moment: datetime, *, now: datetime) -> str:
    """Format a date; the year is left out if it is the current one.

    Example:
        >>> from datetime import datetime, timezone
        >>> now = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
        >>> day(datetime(2026, 12, 1, 12, tzinfo=timezone.utc), now=now)
        '1 Dec'
        >>> day(datetime(2027, 1, 9, 12, tzinfo=timezone.utc), now=now)
        '9 Jan 2027'
    """
    here = _local(moment)
    return f"{here.day} {here:%b}" if here.year == _local(now).year else f"{here.day} {here:%b %Y}"


def date_and_time(moment: datetime) -> str:
    """Format a moment with its UTC offset, for text that may be read elsewhere.

    Example:
        >>> from datetime import datetime, timezone
        >>> date_and_time(datetime(2026, 12, 1, 9, 5, tzinfo=timezone.utc)).startswith("1 Dec 2026")
        True
    """
    here = _local(moment)
    offset = here.utcoffset()
    minutes = 0 if offset is None else round(offset.total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    zone = "UTC" + (f"{'+' if minutes > 0 else '-'}{hours}" if minutes else "") + (f":{rest:02}" if rest else "")
    return f"{here.day} {here:%b %Y %H:%M} {zone}"


def clock_time(moment: datetime | None, *, now: datetime) -> str:
    """Format when something is expected, to the minute; ``""`` if that is unknown.

    Example:
        >>> from datetime import datetime, timedelta, timezone
        >>> noon = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
        >>> clock_time(noon + timedelta(seconds=5), now=noon)
        'soon'
    """
    if moment is None:
        return ""
    if (moment - now).total_seconds() < _SOON:
        return "soon"
    here = moment.astimezone()
    return f"about {here:%H:%M}" if here.date() == now.astimezone().date() else f"about {here.day} {here:%b %H:%M}"


def _local(moment: datetime) -> datetime:
    try:
        return moment.astimezone()
    except (OverflowError, ValueError, OSError):
        return moment  # "for ever" is often the last possible second: converting it may overflow
