"""The remaining quota as plain HTML, updated when a job has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ...api.client import default_client
from ...engine.quota_watch import QuotaWatch
from ...model.quota import Bucket, Quota
from ...runtime import loop as job_loop
from ...runtime.registry import replace
from ..common.amounts import grouped, name_of
from ..common.display import DisplayHandles
from ..common.kernel import in_kernel
from ..common.style import PAGE
from ..common.times import date_and_time, day

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ...api.client import NovaKitClient
    from ...runtime.clock import Clock

__all__ = ["QuotaView", "quota"]

_LOW = 0.2  # of a bucket's limit: below it, the bar has the warning color


def _as_it_is(quota: Quota) -> Quota:
    return quota


class QuotaView:
    """The remaining quota at a moment. On a page it is updated as jobs end.

    It is plain HTML: a saved notebook would lose a widget.

    Args:
        client: the client.
        quota: the service's answer.
        clock: see `Clock`.
    """

    def __init__(
        self,
        client: NovaKitClient,
        quota: Quota,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._watch = QuotaWatch(client, quota, clock=clock)
        self._watch.listen(self._replace)
        self._handles = DisplayHandles()

    def __reduce__(self) -> tuple[Callable[[Quota], Quota], tuple[Quota]]:
        # A copy, or one that was pickled, is the plain answer: the view holds a client, and so the key.
        return _as_it_is, (self.quota,)

    @property
    def quota(self) -> Quota:
        """The service's newest answer."""
        assert self._watch.quota is not None  # for the type checker: the constructor sets it
        return self._watch.quota

    @property
    def asked_at(self) -> datetime:
        """When the service was asked, with time zone."""
        return self._watch.asked_at

    def __repr__(self) -> str:
        left = ", ".join(f"{bucket.name} {left_of(bucket)}" for bucket in self.quota.buckets.values())
        return f"<Quota {self.quota.plan}: {left}>"

    def _repr_html_(self) -> str:
        trouble = f"Not up to date: {self._watch.trouble}" if self._watch.trouble else ""
        return str(table(self.quota, self.asked_at, trouble))

    def _ipython_display_(self) -> None:
        if not in_kernel():
            print(repr(self))  # noqa: T201 # a terminal shows no HTML
            return
        self._handles.show(self._bundle())
        # Only the newest view of an account is updated. Older ones stay as they were, with their time.
        before = replace(self._watch.client.account, "shown quota", self._watch)
        if before is not None:
            before.leave()
        self._watch.follow()

    def refresh(self) -> None:
        """Ask again in the background, and update the page. Thread-safe."""
        self._watch.refresh()

    def job_ended(self) -> None:
        """Ask again soon: a job has ended, and others may end at the same moment."""
        self._watch.ask_soon()

    def _replace(self) -> None:
        self._handles.replace(self._bundle())

    def _bundle(self) -> dict[str, Any]:
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}


def table(quota: Quota, asked_at: datetime, trouble: str = "") -> Markup:
    """Return a quota as a table of plain HTML.

    Args:
        quota: the remaining quota.
        asked_at: when the service was asked.
        trouble: why this is not up to date; ``""`` if it is.
    """
    row = Markup('<tr><th scope="row">{}</th><td>{}</td><td>{}</td></tr>')
    resets = {day(bucket.resets_at, now=asked_at) for bucket in quota.buckets.values() if bucket.resets_at is not None}
    facts = [f"As of {date_and_time(asked_at)}"]
    several = len(resets) > 1  # then each bucket shows its own date
    if len(resets) == 1:
        facts.insert(0, f"Resets {resets.pop()}")
    rows = [
        row.format(
            name_of(bucket),
            _bar(bucket),
            left_of(bucket)
            + (f", resets {day(bucket.resets_at, now=asked_at)}" if several and bucket.resets_at else ""),
        )
        for bucket in quota.buckets.values()
    ]
    if quota.entitled is False:
        facts.insert(0, "This plan is not active")
    return Markup(
        '<div class="novakit-page novakit-quota"><table><caption>{}</caption><tbody>{}</tbody></table><p>{}</p>{}{}</div>'
    ).format(
        f"NovaKit quota, plan {quota.plan}" if quota.plan else "NovaKit quota",
        Markup("").join(rows) or Markup("<tr><td>The service reports no quota.</td></tr>"),
        " · ".join(facts),
        Markup('<p dir="auto">{}</p>').format(trouble) if trouble else "",
        PAGE,
    )


def _bar(bucket: Bucket) -> Markup:
    if bucket.remaining is None or not bucket.limit:
        return Markup("")
    # The browser's own: screen readers know it, it follows the theme, and the sanitiser keeps it.
    return Markup('<meter min="0" max="{}" low="{}" optimum="{}" value="{}" aria-label="{}: left">{}</meter>').format(
        _plain(bucket.limit),
        _plain(bucket.limit * _LOW),
        _plain(bucket.limit),
        _plain(bucket.remaining),
        name_of(bucket),
        f"{bucket.remaining / bucket.limit:.0%}",
    )


def left_of(bucket: Bucket) -> str:
    """Return what is left in a bucket, in words."""
    if bucket.remaining is None:
        return "unlimited, or not part of the plan"
    of = "" if bucket.limit is None else f" of {grouped(bucket.limit)}"
    return f"{grouped(bucket.remaining)}{of} left"


def _plain(number: float) -> str:
    return f"{number:.10g}"


def quota(*, client: NovaKitClient | None = None) -> QuotaView:
    """Show the remaining quota: a bar for each bucket, and when it resets. It is updated as jobs end.

    Args:
        client: the client; the default is made from the settings.

    Returns:
        A view; its ``quota`` is the service's answer.

    Raises:
        NovaKitError: The service did not answer, or the key has no scope ``usage``. No job is affected.

    Example:
        >>> sorted(quota().quota.buckets)[:2]
        ['credits', 'image_edits']
    """
    asks = default_client(client)
    body = job_loop.run_blocking(asks.quota)
    return QuotaView(asks, Quota.from_json(body))
