"""Recovers what dead kernels and lost connections left: jobs whose answers were lost, and unfinished batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ..batches.work import active_batches
from ..engine.reconcile import Findings, look_up_all
from ..runtime import loop as job_loop

if TYPE_CHECKING:
    from ..api.client import NovaKitClient
    from ..job_history.batches import BatchRecord
    from ..job_history.jobs import JobHistory
    from ..runtime.clock import Clock

__all__ = ["Recovery", "recover", "recover_all"]


_NOTHING = Markup("<li>Nothing to recover: every submission is accounted for</li>")
_NO_HISTORY = Markup(
    "<li>There is no history, so earlier submissions are not known: <code>client.list()</code> shows the service's jobs, "
    "and <code>nk.attach(id)</code> picks one up</li>"
)


@dataclass(frozen=True, slots=True)
class Recovery(Findings):
    """What the lost submissions have come to, and the unfinished batches.

    Attributes:
        found: the jobs that they had started; `attach` shows each. They cost nothing more.
        unsent: submissions that never started a job and were not billed.
        unclear: submissions that may have started one of several jobs, that could not be looked up, or that the list does not
            account for. They stay for the next look.
        reasons: why each of them is unclear.
        batches: those of dead kernels; `boards` shows them, and what had not been submitted waits for you.
    """

    batches: tuple[BatchRecord, ...] = ()
    _client: NovaKitClient | None = field(default=None, repr=False, compare=False)
    _history: JobHistory | None = field(default=None, repr=False, compare=False)
    _boards: list[Any] = field(default_factory=list, repr=False, compare=False)

    def __reduce__(self) -> tuple[type[Recovery], tuple[Any, ...]]:
        # A copy, or one that was pickled, has no client, and so no key.
        return Recovery, (self.found, self.unsent, self.unclear, self.reasons, self.batches)

    def __repr__(self) -> str:
        told = [self.counts]
        if self.batches:
            waiting = sum(item.waits for batch in self.batches for item in batch.items)
            several = "es" if len(self.batches) > 1 else ""
            told.append(f"{len(self.batches)} batch{several} with {waiting} waiting: recovery.boards")
        if not self.kept:
            told = ["there is no history"]
        return f"<Recovery {', '.join(told)}>"

    @property
    def kept(self) -> bool:
        """Whether there is a history; without one, earlier submissions are not known."""
        return self._history is None or self._history.path is not None

    def dismiss(self) -> None:
        """Stop looking up the unclear ones, such as after you have looked for them yourself. It costs nothing.

        They stay in the history with the status ``dismissed``; an equal job with ``reuse=True`` is then submitted.

        Example:
            >>> recover().dismiss()  # doctest: +SKIP
        """
        history, intents = self._history, [entry.intent for entry in self.unclear]
        if history is None:
            return
        if job_loop.running() is None:
            history.dismiss(intents)
        else:
            history.later(
                history.dismiss, intents
            )  # a locked file must not hold the loop up; what reads it comes after

    @property
    def boards(self) -> tuple[Any, ...]:
        """The boards of the batches: running jobs are watched, and what waits is held."""
        # Imported here, so that recovering works without ipywidgets.
        from ..widgets.board.widget import JobBoard

        if self.batches and not self._boards:
            # A later recovery may have shown some already.
            active = active_batches()
            shown = [batch for batch in self.batches if batch.id not in active]
            self._boards.extend(JobBoard.restored(batch, client=self._client) for batch in shown)
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
        nothing = _NOTHING if self.kept else _NO_HISTORY
        return str(Markup("<ul>{}</ul>").format(Markup("").join(rows) or nothing))


async def recover_all(client: NovaKitClient, history: JobHistory, *, clock: Clock | None = None) -> Recovery:
    """Take over the batches of dead kernels, and look up every lost submission. Nothing is ever submitted.

    Args:
        client: lists the service's jobs.
        history: has the submissions and the batches.
        clock: see `Clock`.
    """
    # Claimed first: of two kernels that recover at the same time, only one continues a batch.
    claimed = await history.off_loop(
        history.batches.claim, base_url=client.base_url, account=client.account, active=active_batches()
    )
    outcome = await look_up_all(client, history, clock=clock)
    records = [await history.off_loop(history.batches.find, batch) for batch in claimed]
    return Recovery(
        outcome.found,
        outcome.unsent,
        outcome.unclear,
        outcome.reasons,
        tuple(record for record in records if record is not None),
        client,
        history,
    )


def recover(*, client: NovaKitClient | None = None) -> Recovery:
    """Recover what dead kernels left: jobs whose answers were lost, and unfinished batches. It costs nothing.

    Args:
        client: sends the requests; the default is a client with your settings.

    Returns:
        What was found and what was never started. A cell shows it, with the boards of the batches, where `resume` submits what
        still waits. Submissions that could not be looked up stay for the next time.

    Raises:
        ConfigurationError: there is no usable key or base URL.

    Example:
        >>> recover()  # doctest: +SKIP
        <Recovery 1 found, 0 never started, 0 unclear>
    """
    from ..api.client import default_client
    from ..job_history.jobs import default_history
    from ..runtime.loop import run_blocking

    caller = default_client(client)
    return run_blocking(lambda: recover_all(caller, default_history()))
