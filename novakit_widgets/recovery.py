"""Finding the jobs of submissions whose answers nobody saw: of kernels that died, and of lost connections."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from .errors import NovaKitError
from .jobs import Job, Tool
from .parameters import canonical
from .submission import Clockwork, candidates

if TYPE_CHECKING:
    from .client import NovaKitClient
    from .jobhistory import HistoryEntry, JobHistory
    from .submission import Submits

__all__ = ["Recovery", "look_up_all", "recover"]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of the submissions that nobody knew the end of.

    Attributes:
        found: the jobs that they had started; `attach` shows each. They cost nothing more.
        unsent: those of which the service has no job: they were not started and not billed.
        unclear: those that could be one of several jobs, or that could not be looked up.
        reasons: why, for each that is unclear.
    """

    found: tuple[Job, ...] = ()
    unsent: tuple[HistoryEntry, ...] = ()
    unclear: tuple[HistoryEntry, ...] = ()
    reasons: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Recovery {len(self.found)} found, {len(self.unsent)} never started, {len(self.unclear)} unclear>"

    def _repr_html_(self) -> str:
        rows = [Markup("<li>found: <code>nk.attach({!r})</code></li>").format(job.id) for job in self.found]
        rows += [
            Markup("<li>never started, not billed: {} {}</li>").format(entry.tool, entry.params.get("prompt", ""))
            for entry in self.unsent
        ]
        rows += [
            Markup("<li>unclear: {} {}: {}</li>").format(entry.tool, entry.params.get("prompt", ""), reason)
            for entry, reason in zip(self.unclear, self.reasons, strict=True)
        ]
        nothing = Markup("<li>nothing to recover: the end of each submission is known</li>")
        return str(Markup("<ul>{}</ul>").format(Markup("").join(rows) or nothing))


async def look_up_all(client: Submits, history: JobHistory, *, clockwork: Clockwork | None = None) -> Recovery:
    """Look up every submission of this service whose end is unknown. Nothing is ever submitted.

    Args:
        client: asks for the service's list.
        history: has the submissions.
        clockwork: time and chance.
    """
    works = clockwork or Clockwork()
    lost = await asyncio.to_thread(history.lost, base_url=client.base_url)
    groups: dict[tuple[Tool, str], list[HistoryEntry]] = {}
    unclear: list[HistoryEntry] = []
    reasons: list[str] = []
    for entry in lost:
        tool = Tool.known(entry.tool)
        if tool is None:
            unclear.append(entry)
            reasons.append("its tool is newer than this package")
        else:
            groups.setdefault((tool, canonical(tool, entry.params)), []).append(entry)
    found: list[Job] = []
    unsent: list[HistoryEntry] = []
    for (tool, _), entries in groups.items():
        try:
            jobs = await _candidates_of(client, history, tool, entries, works)
        except NovaKitError as error:
            unclear.extend(entries)
            reasons.extend([error.message] * len(entries))
            continue
        if len(jobs) > len(entries):
            unclear.extend(entries)
            ids = ", ".join(str(job.id) for job in jobs)
            reasons.extend([f"{len(jobs)} jobs could be it: {ids}"] * len(entries))
            continue
        # They ask for the same, so it is of no account which of them is whose.
        for entry, job in zip(entries, jobs, strict=False):
            await asyncio.to_thread(history.started, entry.intent, job, base_url=client.base_url)
            found.append(job)
        for entry in entries[len(jobs) :]:
            await asyncio.to_thread(history.unsent, entry.intent, "the service's list has no such job")
            unsent.append(entry)
    return Recovery(tuple(found), tuple(unsent), tuple(unclear), tuple(reasons))


async def _candidates_of(
    client: Submits, history: JobHistory, tool: Tool, entries: Sequence[HistoryEntry], works: Clockwork
) -> list[Job]:
    """Return the service's jobs that could be those of some entries that ask for the same, oldest first."""
    known = await asyncio.to_thread(history.job_ids, base_url=client.base_url)
    since = min(entry.begun_at for entry in entries)
    found = await candidates(client, tool, entries[0].params, since=since, known=known, clockwork=works)
    return found[::-1]


def recover(*, client: NovaKitClient | None = None) -> Recovery:
    """Find the jobs of submissions whose end is unknown: of kernels that died, and of lost answers. It costs nothing.

    Args:
        client: speaks to the service; where it is left out, one is made from the settings.

    Returns:
        What was found, and what was never started. Those that could not be looked up stay for the next time.

    Raises:
        ConfigurationError: there is no usable key or base URL.

    Example:
        >>> recover()  # doctest: +SKIP
        <Recovery 1 found, 0 never started, 0 unclear>
    """
    from .client import default_client
    from .eventloop import run_blocking
    from .jobhistory import default_history

    caller = client or default_client()
    return run_blocking(look_up_all(caller, default_history()), farewell=caller.aclose)
