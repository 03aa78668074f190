"""Looking up what became of submissions whose answers nobody saw, in the service's own list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import NovaKitError
from ..job_history.rows import digest_of
from ..model.tools import Tool
from ..runtime.clock import Clockwork
from .matching import sightings_of
from .ownership import Owner, SharedLists, claims_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..job_history.jobs import HistoryEntry, JobHistory
    from ..model.job import Job
    from .submit import Submits

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
    owner = Owner(claims_of(client.account), history, client.base_url, None, works)
    for tool, alike in groups.items():
        asked = [(entries[0].params, min(entry.begun_at for entry in entries)) for entries in alike.values()]
        try:
            listed = await sightings_of(SharedLists(client), tool, asked, owner=owner, clockwork=works)
        except NovaKitError as error:
            for entries in alike.values():
                unclear.extend(entries)
                reasons.extend([error.message] * len(entries))
            continue
        for entries, sighting in zip(alike.values(), listed, strict=True):
            jobs = sighting.jobs
            if len(jobs) > len(entries):
                unclear.extend(entries)
                ids = ", ".join(str(job.id) for job in jobs)
                reasons.extend([f"{len(jobs)} jobs could be it: {ids}"] * len(entries))
                continue
            taken, rest = await _shared_out(entries, jobs, owner)
            found += taken
            unclear += rest
            reasons += ["what it could be is another's by now"] * len(rest)
            missing = entries[len(jobs) :]
            if sighting.doubt:
                unclear.extend(missing)
                reasons.extend([sighting.doubt] * len(missing))
                continue
            for entry in missing:
                await history.off_loop(history.unsent, entry.intent, "the service's list has no such job")
                unsent.append(entry)
    return Findings(tuple(found), tuple(unsent), tuple(unclear), tuple(reasons))


async def _shared_out(
    entries: Sequence[HistoryEntry], jobs: Sequence[Job], owner: Owner
) -> tuple[list[Job], list[HistoryEntry]]:
    """Give each entry one of the jobs, the oldest first: they ask for the same, so it is of no account which of them is whose.

    Returns:
        The jobs that were given, and the entries whose job somebody else took first.
    """
    taken, rest = [], []
    for entry, job in zip(entries, reversed(jobs), strict=False):
        if await owner.take(job, entry.intent):
            taken.append(job)
        else:
            rest.append(entry)
    return taken, rest
