"""What the plan has left, on the page: plain HTML from the start, replaced when a job has ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ...api.client import default_client
from ...engine.quota_watch import QuotaWatch
from ...model.quota import CREDITS, Bucket, Quota
from ...model.tools import FACTS
from ...runtime import loop as job_loop
from ...runtime.clock import utc_now
from ...runtime.registry import replace
from ..common.display import Places, in_kernel

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ...api.client import NovaKitClient

__all__ = ["QuotaView", "amount", "grouped", "quota", "units_in_words"]

_LITTLE = 0.2  # of a bucket: from there on its bar is in the colour of warning
_NAMES = {CREDITS: "Credits", **{facts.bucket: facts.bucket_label for facts in FACTS.values()}}
_UNITS = {CREDITS: ("credit", "credits"), **{facts.bucket: (facts.unit, facts.units) for facts in FACTS.values()}}
_STYLE = Markup("""<style>
.novakit-quota { border-collapse: collapse; line-height: 1.5; margin: 6px 0; }
.novakit-quota caption { text-align: left; font-weight: 600; padding-bottom: 4px; }
.novakit-quota.novakit-quota th, .novakit-quota.novakit-quota td { text-align: left; padding: 2px 14px 2px 0; font-weight: normal; }
.novakit-quota meter { width: 12em; max-width: 30vw; height: 1em; vertical-align: middle; }
</style>""")


class QuotaView:
    """What the plan has left, as it was at a moment. On a page it is kept up to date as jobs end.

    It is no widget: a widget would be gone from the saved notebook.

    Args:
        client: asks the service.
        quota: what it said.
        clock: monotonic seconds.
        now: the present moment with time zone.
    """

    def __init__(
        self,
        client: NovaKitClient,
        quota: Quota,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._watch = QuotaWatch(client, quota, clock=clock, now=now)
        self._watch.listen(self._replace)
        self._places = Places()

    @property
    def quota(self) -> Quota:
        """The newest answer."""
        assert self._watch.quota is not None  # for the type checker: there was one in the beginning
        return self._watch.quota

    @property
    def asked_at(self) -> datetime:
        """When that came, with time zone."""
        return self._watch.asked_at

    def __repr__(self) -> str:
        left = ", ".join(f"{bucket.name} {left_of(bucket)}" for bucket in self.quota.buckets.values())
        return f"<Quota {self.quota.plan}: {left}>"

    def _repr_html_(self) -> str:
        trouble = f"Not up to date: {self._watch.trouble}" if self._watch.trouble else ""
        return str(table(self.quota, self.asked_at, trouble))

    def _ipython_display_(self) -> None:
        if not in_kernel():
            print(repr(self))  # noqa: T201 # a terminal has no page
            return
        self._places.show(self._bundle())
        # The newest alone is kept up to date: older ones stand above it and say when they were asked.
        before = replace(self._watch.client.account, "shown quota", self._watch)
        if before is not None:
            before.leave()
        self._watch.follow()

    def refresh(self) -> None:
        """Ask again, in the background; what is shown follows. From any thread."""
        self._watch.refresh()

    def job_ended(self) -> None:
        """Ask again soon: a job has ended, and more may in the same moment."""
        self._watch.ask_soon()

    def _replace(self) -> None:
        self._places.replace(self._bundle())

    def _bundle(self) -> dict[str, Any]:
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}


def table(quota: Quota, asked_at: datetime, said: str = "") -> Markup:
    """Return a quota as a table of plain HTML.

    Args:
        quota: what the plan has left.
        asked_at: when that was so.
        said: why it is not up to date, where it is not.
    """
    row = Markup('<tr><th scope="row">{}</th><td>{}</td><td>{}</td></tr>')
    ends = {_day(bucket.resets_at) for bucket in quota.buckets.values() if bucket.resets_at is not None}
    facts = [f"as of {asked_at.astimezone():%d %b %Y %H:%M}"]
    each = len(ends) > 1  # then it stands beside each
    if len(ends) == 1:
        facts.insert(0, f"full again on {ends.pop()}")
    rows = [
        row.format(
            name_of(bucket),
            _bar(bucket),
            left_of(bucket) + (f", full again on {_day(bucket.resets_at)}" if each and bucket.resets_at else ""),
        )
        for bucket in quota.buckets.values()
    ]
    if quota.entitled is False:
        facts.insert(0, "this plan is not in force")
    return Markup('<table class="novakit-quota"><caption>{}</caption><tbody>{}</tbody></table><p>{}</p>{}{}').format(
        f"NovaKit: what is left of the plan {quota.plan}".rstrip(),
        Markup("").join(rows) or Markup("<tr><td>The service names no quota.</td></tr>"),
        "; ".join(facts),
        Markup('<p dir="auto">{}</p>').format(said) if said else "",
        _STYLE,
    )


def name_of(bucket: Bucket) -> str:
    """Return a bucket's name for people."""
    return _NAMES.get(bucket.name, bucket.name.replace("_", " "))


def units_in_words(bucket: Bucket, count: float) -> str:
    """Return what a bucket holds, such as ``"seconds of video"``, in the singular or the plural."""
    one, several = _UNITS.get(bucket.name, (name_of(bucket), name_of(bucket)))
    return one if count == 1 else several


def amount(bucket: Bucket, count: float) -> str:
    """Return so many of what a bucket holds in words, such as ``"3 seconds of video"``."""
    return f"{grouped(count)} {units_in_words(bucket, count)}" if count else f"no {units_in_words(bucket, 2)}"


def _bar(bucket: Bucket) -> Markup:
    if bucket.remaining is None or not bucket.limit:
        return Markup("")
    # The browser's own: a screen reader knows it, it follows the theme, and the sanitiser lets it pass.
    return Markup('<meter min="0" max="{}" low="{}" optimum="{}" value="{}" aria-label="{}: left">{}</meter>').format(
        _plain(bucket.limit),
        _plain(bucket.limit * _LITTLE),
        _plain(bucket.limit),
        _plain(bucket.remaining),
        name_of(bucket),
        f"{bucket.remaining / bucket.limit:.0%}",
    )


def left_of(bucket: Bucket) -> str:
    """Return in words what is left in a bucket."""
    if bucket.remaining is None:
        return "unlimited, or not in the plan"
    of = "" if bucket.limit is None else f" of {grouped(bucket.limit)}"
    return f"{grouped(bucket.remaining)}{of} left"


def _day(moment: datetime) -> str:
    try:
        return f"{moment.astimezone():%d %b %Y}"
    except (OverflowError, ValueError, OSError):
        # "For ever" is often the last second there is: here it may be past that.
        return f"{moment:%d %b %Y}"


def _plain(number: float) -> str:
    return f"{number:.10g}"


def grouped(number: float, digits: int = 6) -> str:
    """Write a number for people: a whole one out, and of another so many digits, but never a power of ten.

    Example:
        >>> grouped(10_000_000), grouped(2.5), grouped(1_234_567.8)
        ('10,000,000', '2.5', '1,234,568')
    """
    large = number == int(number) or abs(number) >= 10 ** (digits - 1)
    return f"{number:,.0f}" if large else f"{number:,.{digits}g}"


def quota(*, client: NovaKitClient | None = None) -> QuotaView:
    """Show what the plan has left: its buckets as bars, and when they are full again. It follows the jobs as they end.

    Args:
        client: asks the service; where it is left out, one is made from the settings.

    Returns:
        A view whose ``quota`` is the answer, for programs.

    Raises:
        NovaKitError: the service did not answer, or the key has not the scope ``usage``. No job is affected.

    Example:
        >>> sorted(quota().quota.buckets)[:2]
        ['credits', 'image_edits']
    """
    asks = client or default_client()
    body = job_loop.run_blocking(asks.quota(), farewell=asks.aclose)
    return QuotaView(asks, Quota.from_json(body))
