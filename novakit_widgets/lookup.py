"""Looking up what became of submissions whose answers nobody saw, in the service's own list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import NovaKitError
from .jobhistory_rows import digest_of
from .jobs import Job, Tool
from .submission import Clockwork, Sighting, all_candidates

if TYPE_CHECKING:
    from .jobhistory import HistoryEntry, JobHistory
    from .submission import Submits

__all__ = ["Findings", "look_up_all", "look_up_entries"]


@dataclass(frozen=True, slots=True)
class Findings:
    """What became of submissions whose end was unknown.

    Attributes:
        found: the jobs that they had started.
        unsent: those of which the service has no job: they were not started and not billed.
        unclear: those that could be one of several jobs, that could not be looked up, or of which the list does not tell. They
            stay for the next look.
        reasons: why, for each that is unclear.
    """

    found: tuple[Job, ...] = ()
    unsent: tuple[HistoryEntry, ...] = ()
    unclear: tuple[HistoryEntry, ...] = ()
    reasons: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Findings {self.counts}>"

    @property
    def counts(self) -> str:
        """How many of each there are, in words."""
        return f"{len(self.found)} found, {len(self.unsent)} never started, {len(self.unclear)} unclear"


async def look_up_all(client: Submits, history: JobHistory, *, clockwork: Clockwork | None = None) -> Findings:
    """Look up every submission of this service whose end is unknown. Nothing is ever submitted.

    Args:
        client: asks for the service's list.
        history: has the submissions.
        clockwork: time and chance.
    """
    lost = await history.off_loop(history.lost, base_url=client.base_url, account=client.account)
    return await look_up_entries(client, history, lost, clockwork=clockwork)


async def look_up_entries(
    client: Submits, history: JobHistory, lost: Iterable[HistoryEntry], *, clockwork: Clockwork | None = None
) -> Findings:
    """Look up some submissions whose end is unknown, and note in the history what became of them.

    Args:
        client: asks for the service's list.
        history: has the submissions.
        lost: those in question.
        clockwork: time and chance.
    """
    works = clockwork or Clockwork()
    groups: dict[Tool, dict[str, list[HistoryEntry]]] = {}
    unclear: list[HistoryEntry] = []
    reasons: list[str] = []
    for entry in lost:
        tool = Tool.known(entry.tool)
        digest = None if tool is None else digest_of(tool, entry.params)
        if tool is None or digest is None:
            unclear.append(entry)
            reasons.append("its tool is newer than this package" if tool is None else "its parameters can't be read")
        else:
            groups.setdefault(tool, {}).setdefault(digest, []).append(entry)
    found: list[Job] = []
    unsent: list[HistoryEntry] = []
    for tool, alike in groups.items():
        try:
            listed = await _candidates_of(client, history, tool, list(alike.values()), works)
        except NovaKitError as error:
            for entries in alike.values():
                unclear.extend(entries)
                reasons.extend([error.message] * len(entries))
            continue
        for entries, sighting in zip(alike.values(), listed, strict=True):
            jobs, missing, reason = _shared_out(entries, sighting)
            # They ask for the same, so it is of no account which of them is whose.
            for entry, job in zip(entries, jobs, strict=False):
                await history.off_loop(history.started, entry.intent, job, base_url=client.base_url)
                found.append(job)
            if reason:
                unclear.extend(missing)
                reasons.extend([reason] * len(missing))
                continue
            for entry in missing:
                await history.off_loop(history.unsent, entry.intent, "the service's list has no such job")
                unsent.append(entry)
    return Findings(tuple(found), tuple(unsent), tuple(unclear), tuple(reasons))


def _shared_out(entries: Sequence[HistoryEntry], sighting: Sighting) -> tuple[list[Job], Sequence[HistoryEntry], str]:
    """Return the jobs of entries that ask for the same, oldest first; the entries that have none; and why that is unclear."""
    jobs = sighting.jobs[::-1]
    if len(jobs) > len(entries):
        return [], entries, f"{len(jobs)} jobs could be it: {', '.join(str(job.id) for job in jobs)}"
    return jobs, entries[len(jobs) :], sighting.doubt


async def _candidates_of(
    client: Submits, history: JobHistory, tool: Tool, groups: Sequence[Sequence[HistoryEntry]], works: Clockwork
) -> list[Sighting]:
    """Return for each group of entries that ask for the same the service's jobs that could be theirs."""
    known = await history.off_loop(history.job_ids, base_url=client.base_url)
    asked = [(entries[0].params, min(entry.begun_at for entry in entries)) for entries in groups]
    return await all_candidates(client, tool, asked, known=known, clockwork=works)
