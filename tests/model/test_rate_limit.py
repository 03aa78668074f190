"""The headers that tell a key's limit, and the service's clock, which may differ from this machine's by hours."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from novakit_widgets.model.rate_limit import RateLimit, answered_at, http_date

SERVICE = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)
HOUR = 3600.0


def headers(**others):
    """The headers of an answer that came at `SERVICE`; the limit resets 20 s later."""
    told = {"x-ratelimit-limit": "30", "x-ratelimit-remaining": "0", "date": format_datetime(SERVICE, usegmt=True)}
    return {**told, "x-ratelimit-reset": f"{SERVICE.timestamp() + 20:.0f}", **others}


@pytest.mark.parametrize("ahead", [-14 * HOUR, -90.0, 3 * HOUR, 400 * 24 * HOUR])
def test_reset_is_converted_to_this_machines_clock(ahead):
    """Compared with the wrong clock, the limit resets in 20 s."""
    here = SERVICE + timedelta(seconds=ahead)
    limit = RateLimit.from_headers(headers(), now=lambda: here)
    assert limit is not None
    assert limit.reset == here.timestamp() + 20
    assert limit.ahead == ahead


@pytest.mark.parametrize("ahead", [-2.0, 0.0, 0.7, 2.0])
def test_reset_is_unchanged_where_the_clocks_agree(ahead):
    """``Date`` has whole seconds and an answer takes some time, which is no difference of clocks."""
    limit = RateLimit.from_headers(headers(), now=lambda: SERVICE + timedelta(seconds=ahead))
    assert limit == RateLimit(30, 0, SERVICE.timestamp() + 20)


@pytest.mark.parametrize("date", ["", "soon", "Mon, 01 Jan 99999 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -1400"])
def test_reset_without_a_date_is_unchanged(date):
    """Then nothing tells how the clocks differ."""
    limit = RateLimit.from_headers(headers(date=date), now=lambda: SERVICE + timedelta(hours=3))
    assert limit == RateLimit(30, 0, SERVICE.timestamp() + 20)


@pytest.mark.parametrize(
    ("age", "seconds"),
    [("", 0), ("30", 30), ("0", 0), ("-5", 0), ("soon", 0), ("1.5", 0), ("9" * 400, 0), ("90000", 0)],
)
def test_answered_at_adds_the_age_of_a_cached_answer(age, seconds):
    """A cache repeats the ``Date`` of the answer that it keeps."""
    assert answered_at(headers(age=age)) == SERVICE + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("Sun, 01 Nov 2026 12:00:00 GMT", SERVICE),
        ("Sun, 01 Nov 2026 13:00:00 +0100", SERVICE),
        ("Sunday, 01-Nov-26 12:00:00 GMT", SERVICE),  # an obsolete form that HTTP allows
        ("01 Nov 2026 12:00:00", SERVICE),
        ("yesterday", None),
        ("1793534400", None),
    ],
)
def test_http_date_reads_the_forms_of_http(value, moment):
    """Any time zone; what is no date is ``None``."""
    assert http_date(value) == moment
