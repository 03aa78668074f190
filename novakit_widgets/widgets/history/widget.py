"""The past jobs: a list for programs, a table with actions for people."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, overload

import ipywidgets
from markupsafe import Markup

from ...api.client import default_client
from ...api.listing import newest
from ...engine.reconcile import look_up_all
from ...engine.run import JobRun
from ...errors import ConfigurationError, NovaKitError
from ...job_history.jobs import HistoryEntry, default_history
from ...job_history.rows import DISMISSED, INTENT, UNCERTAIN, UNSENT
from ...model.job import JobStatus
from ...model.tools import Tool
from ...runtime import loop as job_loop
from ..card.player import close_all
from ..card.widget import JobWidget
from ..common.code import call_of_kept
from ..common.observe import when_changed
from ..common.view import label_of
from .table import STAGES, line_of, table, unresolved

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...api.client import NovaKitClient
    from ...job_history.jobs import JobHistory
    from ...model.job import Job

__all__ = ["HistoryView", "history"]

_ANY = "any"


class HistoryView(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """The past jobs, newest first: a sequence of `HistoryEntry`, and a table on the page.

    What the service's own list has besides is merged in, so that jobs started elsewhere with the same key are there too.

    Args:
        jobs: where they are kept.
        client: asks the service; ``None`` to show only what is kept.
        limit: rows at most; ``None`` for all.
        tool: only this tool's.
        status: only jobs with this status; or ``"unsent"``, ``"uncertain"`` or ``"intent"``.
        search: only those with all of these words in the prompt or the note, or as the beginning of the job id.

    Raises:
        ConfigurationError: a filter is of no use.

    Example:
        >>> from novakit_widgets.job_history.jobs import JobHistory
        >>> len(HistoryView(JobHistory(None), None))
        0
    """

    def __init__(
        self,
        jobs: JobHistory,
        client: NovaKitClient | None,
        *,
        limit: int | None = 50,
        tool: Tool | str | None = None,
        status: str | None = None,
        search: str | None = None,
    ) -> None:
        self._jobs = jobs
        self._client = client
        self._limit = limit
        self._entries: list[HistoryEntry] = []
        tools = [("any tool", _ANY), *((label_of(each), each.value) for each in Tool)]
        states = [*(each.value for each in JobStatus), UNSENT, UNCERTAIN, DISMISSED, INTENT]
        _check_status(status, states)
        statuses = [("any status", _ANY), *((STAGES.get(each, each), each) for each in states)]
        narrow = ipywidgets.Layout(width="auto")
        self._search = ipywidgets.Text(
            search or "", placeholder="words or job id", continuous_update=False, layout=narrow
        )
        self._tool = ipywidgets.Dropdown(
            options=tools, value=_ANY if tool is None else Tool.of(tool).value, layout=narrow
        )
        self._status = ipywidgets.Dropdown(
            options=statuses, value=_ANY if status is None else str(status), layout=narrow
        )
        self._lost: frozenset[str] = frozenset()
        self._told = ""
        self._open = ipywidgets.HTML()
        self._look = ipywidgets.Button(
            description="Look them up", tooltip="Ask the service what became of them; it costs nothing", layout=narrow
        )
        self._dismiss = ipywidgets.Button(
            description="Dismiss them",
            tooltip="Look no more for those of which the service can't tell; it costs nothing",
            layout=ipywidgets.Layout(width="auto", display="none"),
        )
        self._unclear: tuple[str, ...] = ()
        self._unresolved = _row(self._open, self._look, self._dismiss)
        self._table = ipywidgets.HTML()
        self._choice = ipywidgets.Dropdown(layout=ipywidgets.Layout(width="auto", max_width="520px"))
        self._show = ipywidgets.Button(
            description="Show", tooltip="Show this job and its result; it costs nothing", layout=narrow
        )
        self._code = ipywidgets.Button(
            description="Code", tooltip="Write the call that makes this job again", layout=narrow
        )
        self._fresh = ipywidgets.Button(
            description="Refresh", tooltip="Read the list again, the service's too", layout=narrow
        )
        self._said = ipywidgets.HTML()
        self._result = ipywidgets.VBox()
        super().__init__(
            children=[
                self._unresolved,
                _row(self._search, self._tool, self._status, self._fresh),
                self._table,
                _row(self._choice, self._show, self._code),
                self._said,
                self._result,
            ]
        )
        for control in (self._search, self._tool, self._status):
            when_changed(control, self.reload)
        when_changed(self._choice, lambda: None)  # read when a button is pressed
        self._show.on_click(lambda _button: job_loop.at_home(self._show_chosen))
        self._code.on_click(lambda _button: job_loop.at_home(self._write_code))
        self._look.on_click(lambda _button: job_loop.at_home(self._look_up))
        self._dismiss.on_click(lambda _button: job_loop.at_home(self._dismiss_unclear))
        self._fresh.on_click(lambda _button: job_loop.at_home(self.refresh))
        self.refresh()

    def __repr__(self) -> str:
        return f"<HistoryView {len(self._entries)} jobs>"

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> HistoryEntry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[HistoryEntry]: ...
    def __getitem__(self, index: int | slice) -> HistoryEntry | Sequence[HistoryEntry]:
        return self._entries[index]

    def __iter__(self) -> Iterator[HistoryEntry]:
        return iter(self._entries)

    def __bool__(self) -> bool:
        return True  # a widget, also when there are no jobs

    def reload(self) -> None:
        """Read the kept jobs again, with the filters as they are set."""
        self._entries = self._jobs.entries(
            limit=self._limit,
            tool=None if self._tool.value == _ANY else self._tool.value,
            status=None if self._status.value == _ANY else self._status.value,
            search=self._search.value or None,
            # A sandbox's jobs are gone with it, and another service's can't be shown with this key.
            base_url=None if self._client is None else self._client.base_url,
        )
        base_url, account = (None, None) if self._client is None else (self._client.base_url, self._client.account)
        self._lost = frozenset(entry.intent for entry in self._jobs.lost(base_url=base_url))
        # Another key's are lost as well, but not to be found with this one.
        count = len(self._jobs.lost(base_url=base_url, account=account))
        self._open.value = self._told = str(unresolved(count))
        self._unresolved.layout.display = None if count else "none"
        self._look.disabled = self._client is None
        self._table.value = str(self._rows)
        chosen = self._choice.value
        intents = [entry.intent for entry in self._entries]
        self._choice.options = [(line_of(entry, self._lost), entry.intent) for entry in self._entries]
        # A dropdown whose options are set chooses none of them.
        self._choice.value = chosen if chosen in intents else next(iter(intents), None)
        self._show.disabled = self._code.disabled = not self._entries

    def refresh(self) -> None:
        """Read the kept jobs again, and soon after those that only the service knows."""
        self.reload()
        if self._client is not None and job_loop.current() is not None:
            job_loop.spawn(self._merge(self._client))

    def close(self) -> None:
        """Take the table off the page and release all that it is made of."""
        close_all(self.children)
        super().close()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        # For readers without a kernel, where the sanitiser or the converter takes HTML.
        return {**super()._repr_mimebundle_(**kwargs), "text/html": self._told + str(self._rows)}

    async def _merge(self, client: NovaKitClient) -> None:
        """Take in the jobs that only the service knows."""
        try:
            jobs, _ = await newest(client)
        except NovaKitError as error:
            self._said.value = str(Markup("<span>The service's own list is missing. {}</span>").format(error.message))
            return
        for job in reversed(jobs):
            await self._jobs.off_loop(self._jobs.update, job, base_url=client.base_url, account=client.account)
        self.reload()

    @property
    def _rows(self) -> Markup:
        filtered = self._search.value or self._tool.value != _ANY or self._status.value != _ANY
        nothing = "No job is found by these words and filters." if filtered else "No jobs yet."
        return table(self._entries, self._lost, nothing=nothing)

    @property
    def _chosen(self) -> HistoryEntry | None:
        return next((entry for entry in self._entries if entry.intent == self._choice.value), None)

    def _show_chosen(self) -> None:
        entry = self._chosen
        if entry is None:
            return
        if entry.job is None:
            self._said.value = "There is no job to show; nk.recover() looks up what was lost."
            return
        try:
            card = self._card_of(entry, entry.job)
        except ConfigurationError as error:
            self._said.value = str(Markup("<span>{}</span>").format(error.message))
            return
        close_all(self._result.children)
        self._result.children = (card,)

    def _card_of(self, entry: HistoryEntry, job: Job) -> JobWidget:
        tool = Tool.known(entry.tool)
        if job.id is not None or tool is None:
            return JobWidget.attach(job.id or "", client=self._client)
        # It was answered at once: the service keeps nothing to ask for, and the row has the result.
        return JobWidget.showing(JobRun.known(tool, entry.params, job, client=self._client or default_client()))

    def _look_up(self) -> None:
        """Find out what became of the submissions whose end is unknown."""
        if self._client is not None and job_loop.current() is not None:
            self._look.disabled = True
            self._said.value = "Asking the service…"
            job_loop.spawn(self._looked_up(self._client))

    async def _looked_up(self, client: NovaKitClient) -> None:
        findings = await look_up_all(client, self._jobs)
        self._unclear = tuple(entry.intent for entry in findings.unclear)
        self._dismiss.layout.display = None if self._unclear else "none"
        reasons = "; ".join(dict.fromkeys(findings.reasons))
        self._said.value = str(
            Markup("<span dir='auto'>{}.</span>").format(findings.counts + (f": {reasons}" if reasons else ""))
        )
        self.reload()

    def _dismiss_unclear(self) -> None:
        """Ask no more about those that were looked up in vain."""
        self._jobs.dismiss(self._unclear)
        self._unclear = ()
        self._dismiss.layout.display = "none"
        self._said.value = ""
        self.reload()

    def _write_code(self) -> None:
        entry = self._chosen
        tool = None if entry is None else Tool.known(entry.tool)
        if entry is not None and tool is not None:
            self._said.value = str(Markup("<pre>{}</pre>").format(call_of_kept(tool, entry.params)))


def _row(*controls: ipywidgets.Widget) -> ipywidgets.HBox:
    """Put controls beside each other, with a layout of their own: one row may be hidden while the others are shown."""
    return ipywidgets.HBox(controls, layout=ipywidgets.Layout(flex_flow="row wrap"))


def _check_status(status: str | None, states: Sequence[str]) -> None:
    """Refuse a status that no row can have.

    Raises:
        ConfigurationError: it is none.
    """
    if status is not None and str(status) not in states:
        close = difflib.get_close_matches(str(status), states, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ConfigurationError(f"{status!r} is no status to filter by; those are {', '.join(states)}.{hint}")


def history(
    limit: int | None = 50,
    *,
    tool: Tool | str | None = None,
    status: str | None = None,
    search: str | None = None,
    client: NovaKitClient | None = None,
) -> HistoryView:
    """Show the past jobs, newest first, and give them as a sequence.

    Args:
        limit: how many at most; ``None`` for all.
        tool: only this tool's, such as ``"video"``.
        status: only jobs with this status; or ``"unsent"`` (certainly not started), ``"uncertain"`` (its answer was lost) or
            ``"intent"`` (under way, or cut off in the midst of it).
        search: only those with all of these words in the prompt or the note, or as the beginning of the job id.
        client: asks the service for jobs started elsewhere; where it is left out, one is made from the settings.

    Raises:
        ConfigurationError: a filter is of no use.

    Example:
        >>> [entry.job for entry in history(tool="video", status="completed")]  # doctest: +SKIP
    """
    try:
        asks = client or default_client()
    except ConfigurationError:
        asks = None  # without a key there is still what is kept here
    return HistoryView(default_history(), asks, limit=limit, tool=tool, status=status, search=search)
