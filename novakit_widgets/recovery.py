"""Finding what dead kernels and lost connections left: jobs whose answers nobody saw, and batches in mid-work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from .errors import NovaKitError
from .jobs import Job, Tool
from .parameters import canonical
from .queueing import active_batches
from .submission import Clockwork, all_candidates

if TYPE_CHECKING:
    from .client import NovaKitClient
    from .jobhistory import HistoryEntry, JobHistory
    from .jobhistory_batches import BatchRecord
    from .submission import Submits

__all__ = ["Recovery", "look_up_all", "recover", "recover_all"]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of the submissions that nobody knew the end of.

    Attributes:
        found: the jobs that they had started; `attach` shows each. They cost nothing more.
        unsent: those of which the service has no job: they were not started and not billed.
        unclear: those that could be one of several jobs, or that could not be looked up.
        reasons: why, for each that is unclear.
        batches: those of dead kernels; `boards` shows them, and what had not been submitted waits for your word.
    """

    found: tuple[Job, ...] = ()
    unsent: tuple[HistoryEntry, ...] = ()
    unclear: tuple[HistoryEntry, ...] = ()
    reasons: tuple[str, ...] = ()
    batches: tuple[BatchRecord, ...] = ()
    _client: NovaKitClient | None = field(default=None, repr=False, compare=False)
    _boards: list[Any] = field(default_factory=list, repr=False, compare=False)

    def __repr__(self) -> str:
        told = [f"{len(self.found)} found, {len(self.unsent)} never started, {len(self.unclear)} unclear"]
        if self.batches:
            waiting = sum(item.waits for batch in self.batches for item in batch.items)
            several = "es" if len(self.batches) > 1 else ""
            told.append(f"{len(self.batches)} batch{several} with {waiting} waiting: recovery.boards")
        return f"<Recovery {', '.join(told)}>"

    @property
    def boards(self) -> tuple[Any, ...]:
        """The boards of the batches, with their queues where they were: running jobs are watched, what waits is held."""
        # By its name: nothing outside widgets/ depends on them, so what needs no page works without ipywidgets.
        board = import_module("novakit_widgets.widgets.board").JobBoard
        if self.batches and not self._boards:
            # Those that are on a board already stay there: a later recovery may have shown them.
            active = active_batches()
            shown = [batch for batch in self.batches if batch.id not in active]
            self._boards.extend(board.restored(batch, client=self._client) for batch in shown)
        return tuple(self._boards)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        if self.found or self.unsent or self.unclear or not self.batches:
            display({"text/html": self._repr_html_(), "text/plain": repr(self)}, raw=True)
        for board in self.boards:
            display(board)

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
    lost = await history.off_loop(history.lost, base_url=client.base_url)
    groups: dict[Tool, dict[str, list[HistoryEntry]]] = {}
    unclear: list[HistoryEntry] = []
    reasons: list[str] = []
    for entry in lost:
        tool = Tool.known(entry.tool)
        if tool is None:
            unclear.append(entry)
            reasons.append("its tool is newer than this package")
        else:
            groups.setdefault(tool, {}).setdefault(canonical(tool, entry.params), []).append(entry)
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
        for entries, jobs in zip(alike.values(), listed, strict=True):
            if len(jobs) > len(entries):
                unclear.extend(entries)
                ids = ", ".join(str(job.id) for job in jobs)
                reasons.extend([f"{len(jobs)} jobs could be it: {ids}"] * len(entries))
                continue
            # They ask for the same, so it is of no account which of them is whose.
            for entry, job in zip(entries, jobs, strict=False):
                await history.off_loop(history.started, entry.intent, job, base_url=client.base_url)
                found.append(job)
            for entry in entries[len(jobs) :]:
                await history.off_loop(history.unsent, entry.intent, "the service's list has no such job")
                unsent.append(entry)
    return Recovery(tuple(found), tuple(unsent), tuple(unclear), tuple(reasons))


async def _candidates_of(
    client: Submits, history: JobHistory, tool: Tool, groups: Sequence[Sequence[HistoryEntry]], works: Clockwork
) -> list[list[Job]]:
    """Return for each group of entries that ask for the same the service's jobs that could be theirs, oldest first."""
    known = await history.off_loop(history.job_ids, base_url=client.base_url)
    asked = [(entries[0].params, min(entry.begun_at for entry in entries)) for entries in groups]
    found = await all_candidates(client, tool, asked, known=known, clockwork=works)
    return [jobs[::-1] for jobs in found]


async def recover_all(client: NovaKitClient, history: JobHistory, *, clockwork: Clockwork | None = None) -> Recovery:
    """Take over the batches of dead kernels, and look up every submission whose end is unknown. Nothing is ever submitted.

    Args:
        client: asks for the service's list.
        history: has the submissions and the batches.
        clockwork: time and chance.
    """
    # Claimed before they are looked at: of two kernels that recover at once, one alone goes on with each.
    claimed = await history.off_loop(history.batches.claim, base_url=client.base_url, active=active_batches())
    outcome = await look_up_all(client, history, clockwork=clockwork)
    records = [await history.off_loop(history.batches.find, batch) for batch in claimed]
    return replace(outcome, batches=tuple(record for record in records if record is not None), _client=client)


def recover(*, client: NovaKitClient | None = None) -> Recovery:
    """Find what dead kernels left: jobs whose answers nobody saw, and batches in mid-work. It costs nothing.

    Args:
        client: speaks to the service; where it is left out, one is made from the settings.

    Returns:
        What was found, and what was never started; shown in a cell, also the boards of the batches, where `resume` submits
        what still waits. Submissions that could not be looked up stay for the next time.

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
    return run_blocking(recover_all(caller, default_history()), farewell=caller.aclose)
