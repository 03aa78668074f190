"""The job history: a sequence for programs, a table with actions for people."""

from __future__ import annotations

import difflib
from functools import partial
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
from ..card.widget import JobWidget
from ..common.closing import ClosingBox, close_all
from ..common.code import call_of_kept
from ..common.keys import key_guard
from ..common.labels import label_of
from ..common.observe import when_changed
from ..common.style import PAGE
from .table import label_of_status, line_of, table, unresolved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ...api.client import NovaKitClient
    from ...job_history.jobs import JobHistory
    from ...model.job import Job

    _Found = tuple[list[HistoryEntry], list[HistoryEntry], list[HistoryEntry]]  # rows, lost ones, those of this key

__all__ = ["HistoryView", "history"]

_ANY = "any"

_EMPTY = 'No jobs yet. Generate one with nk.video("…"), or try prompts with nk.explore("video").'


class HistoryView(ClosingBox):
    """Past jobs, newest first: a sequence of `HistoryEntry`, and a table on the page.

    Jobs in the service's list are merged in, so that it includes jobs that were started elsewhere with the same key.

    Args:
        jobs: the history.
        client: requests the service's list; ``None`` shows the history only.
        limit: the maximum number of rows; ``None`` for all.
        tool: see `history`.
        status: see `history`.
        search: see `history`.

    Raises:
        ConfigurationError: A filter is invalid.

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
        tools = [("Any tool", _ANY), *((label_of(each), each.value) for each in Tool)]
        states = [*(each.value for each in JobStatus), UNSENT, UNCERTAIN, DISMISSED, INTENT]
        _check_status(status, states)
        if search is not None and not isinstance(search, str):
            raise ConfigurationError(f"search must be text, got {search!r}.")
        statuses = [("Any status", _ANY), *((label_of_status(each), each) for each in states)]
        narrow = ipywidgets.Layout(width="auto")
        self._search = ipywidgets.Text(
            search or "", placeholder="Words or job id", continuous_update=False, layout=narrow
        )
        self._tool = ipywidgets.Dropdown(
            options=tools, value=_ANY if tool is None else Tool.of(tool).value, layout=narrow
        )
        self._status = ipywidgets.Dropdown(
            options=statuses, value=_ANY if status is None else str(status), layout=narrow
        )
        self._lost: frozenset[str] = frozenset()
        self._asked = 0  # how often the history was read off the loop
        self._unresolved_html = ""
        self._unresolved_line = ipywidgets.HTML()
        self._look = ipywidgets.Button(
            description="Look it up", tooltip="Look for the jobs of these submissions; it costs nothing", layout=narrow
        )
        self._dismiss = ipywidgets.Button(
            description="Discard",
            tooltip="Stop looking for submissions that can't be resolved; it costs nothing",
            layout=ipywidgets.Layout(width="auto", display="none"),
        )
        self._unclear: tuple[str, ...] = ()
        self._unresolved = _row(self._unresolved_line, self._look, self._dismiss)
        self._table = ipywidgets.HTML()
        self._choice = ipywidgets.Dropdown(layout=ipywidgets.Layout(width="auto", max_width="520px"))
        self._show = ipywidgets.Button(
            description="Open", tooltip="Show this job and its result; it costs nothing", layout=narrow
        )
        self._code = ipywidgets.Button(
            description="Copy code", tooltip="Show the call that makes this job again, to copy", layout=narrow
        )
        self._fresh = ipywidgets.Button(
            description="Refresh", tooltip="Read the history and the service's list again", layout=narrow
        )
        self._message = ipywidgets.HTML()
        self._result = ipywidgets.VBox()
        self._pick = _row(self._choice, self._show, self._code)
        super().__init__(
            children=[
                ipywidgets.HTML(str(PAGE), layout=ipywidgets.Layout(display="none")),
                self._unresolved,
                _row(self._search, self._tool, self._status, self._fresh),
                self._table,
                self._pick,
                self._message,
                self._result,
                key_guard("novakit-history"),
            ]
        )
        self.add_class("novakit-history")
        self.add_class("novakit-page")
        for control in (self._search, self._tool, self._status):
            when_changed(control, self._reload_soon)
        when_changed(self._choice, lambda: None)  # its value is read when a button is pressed
        self._show.on_click(lambda _button: job_loop.call(self._show_chosen))
        self._code.on_click(lambda _button: job_loop.call(self._write_code))
        self._look.on_click(lambda _button: job_loop.call(self._look_up))
        self._dismiss.on_click(lambda _button: job_loop.call(self._dismiss_unclear))
        self._fresh.on_click(lambda _button: job_loop.call(self._refresh_soon))
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
        return True  # also without jobs: it is a widget

    def reload(self) -> None:
        """Read the history again, with the current filters."""
        self._take(self._query()())

    def _reload_soon(self) -> None:
        """Read the history again; on the job loop nobody waits for the disk, so what is read is shown when it is there."""
        if job_loop.here():
            job_loop.spawn(self._reload_off_loop())
        else:
            self.reload()

    async def _reload_off_loop(self) -> None:
        self._asked += 1
        asked, query = self._asked, self._query()
        found = await self._jobs.off_loop(query)
        if asked == self._asked:  # a later one shows the present filters
            self._take(found)

    def _query(self) -> Callable[[], _Found]:
        """Return what reads the history with the present filters, on any thread."""
        jobs, client = self._jobs, self._client
        base_url, account = (None, None) if client is None else (client.base_url, client.account)
        entries = partial(
            jobs.entries,
            limit=self._limit,
            tool=None if self._tool.value == _ANY else self._tool.value,
            status=None if self._status.value == _ANY else self._status.value,
            search=self._search.value or None,
            # Jobs of a stopped sandbox are gone, and those of another service can't be shown with this key.
            base_url=base_url,
        )
        # Submissions of other keys can't be looked up with this one.
        return lambda: (entries(), jobs.lost(base_url=base_url), jobs.lost(base_url=base_url, account=account))

    def _take(self, found: _Found) -> None:
        """Show what was read."""
        self._entries, lost, ours = found
        self._lost = frozenset(entry.intent for entry in lost)
        count = len(ours)
        self._unresolved_line.value = self._unresolved_html = str(unresolved(count))
        self._unresolved.layout.display = None if count else "none"
        self._look.disabled = self._client is None
        self._table.value = str(self._rows)
        chosen = self._choice.value
        intents = [entry.intent for entry in self._entries]
        self._choice.options = [(line_of(entry, self._lost), entry.intent) for entry in self._entries]
        # Setting the options of a dropdown clears its value.
        self._choice.value = chosen if chosen in intents else next(iter(intents), None)
        self._pick.layout.display = None if self._entries else "none"  # no control that does nothing

    def refresh(self) -> None:
        """Read the history again, and then the service's list."""
        self.reload()
        self._merge_soon()

    def _refresh_soon(self) -> None:
        self._reload_soon()
        self._merge_soon()

    def _merge_soon(self) -> None:
        client = self._client
        if client is not None:
            job_loop.background(lambda: self._merge(client))

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        shown = self._unresolved_html + str(self._rows)
        # For readers without a kernel: an untrusted notebook or a converted one shows HTML.
        return {**super()._repr_mimebundle_(**kwargs), "text/html": f'<div class="novakit-page">{PAGE}{shown}</div>'}

    async def _merge(self, client: NovaKitClient) -> None:
        """Merge the jobs of the service's list."""
        try:
            jobs, _ = await newest(client)
        except NovaKitError as error:
            missing = Markup("<span>Jobs started elsewhere are missing: the service's list is unavailable. {}</span>")
            self._message.value = str(missing.format(error.message))
            return
        for job in reversed(jobs):
            await self._jobs.off_loop(self._jobs.update, job, base_url=client.base_url, account=client.account)
        await self._reload_off_loop()

    @property
    def _rows(self) -> Markup:
        filtered = self._search.value or self._tool.value != _ANY or self._status.value != _ANY
        nothing = "No jobs match these filters." if filtered else _EMPTY
        return table(self._entries, self._lost, nothing=nothing)

    @property
    def _chosen(self) -> HistoryEntry | None:
        return next((entry for entry in self._entries if entry.intent == self._choice.value), None)

    def _show_chosen(self) -> None:
        entry = self._chosen
        if entry is None:
            return
        if entry.job is None:
            self._message.value = "No job to show. nk.recover() looks up unresolved submissions."
            return
        try:
            card = self._card_of(entry, entry.job)
        except ConfigurationError as error:
            self._message.value = str(Markup("<span>{}</span>").format(error.message))
            return
        close_all(self._result.children)
        self._result.children = (card,)

    def _card_of(self, entry: HistoryEntry, job: Job) -> JobWidget:
        tool = Tool.known(entry.tool)
        if job.id is not None or tool is None:
            return JobWidget.attach(job.id or "", client=self._client)
        # The service answered at once and keeps no job; the history has the result.
        return JobWidget.showing(JobRun.known(tool, entry.params, job, client=default_client(self._client)))

    def _look_up(self) -> None:
        """Look up the unresolved submissions."""
        if self._client is not None:
            self._look.disabled = True
            self._message.value = "Looking up …"
            job_loop.spawn(self._look_up_and_show(self._client))

    async def _look_up_and_show(self, client: NovaKitClient) -> None:
        findings = await look_up_all(client, self._jobs)
        self._unclear = tuple(entry.intent for entry in findings.unclear)
        self._dismiss.layout.display = None if self._unclear else "none"
        reasons = "; ".join(dict.fromkeys(findings.reasons))
        self._message.value = str(
            Markup("<span dir='auto'>{}.</span>").format(findings.counts + (f": {reasons}" if reasons else ""))
        )
        await self._reload_off_loop()

    def _dismiss_unclear(self) -> None:
        """Stop looking for submissions that could not be resolved."""
        self._jobs.later(self._jobs.dismiss, self._unclear)  # read after that, in turn
        self._unclear = ()
        self._dismiss.layout.display = "none"
        self._message.value = ""
        self._reload_soon()

    def _write_code(self) -> None:
        entry = self._chosen
        tool = None if entry is None else Tool.known(entry.tool)
        if entry is not None and tool is not None:
            self._message.value = str(Markup("<pre>{}</pre>").format(call_of_kept(tool, entry.params)))


def _row(*controls: ipywidgets.Widget) -> ipywidgets.HBox:
    """Return a row of controls with its own layout, so that it can be hidden alone."""
    return ipywidgets.HBox(controls, layout=ipywidgets.Layout(flex_flow="row wrap"))


def _check_status(status: str | None, states: Sequence[str]) -> None:
    """Refuse an unknown status.

    Raises:
        ConfigurationError: The status is unknown.
    """
    if status is not None and str(status) not in states:
        close = difflib.get_close_matches(str(status), states, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ConfigurationError(f"Unknown status {status!r}; use one of {', '.join(states)}.{hint}")


def history(
    limit: int | None = 50,
    *,
    tool: Tool | str | None = None,
    status: str | None = None,
    search: str | None = None,
    client: NovaKitClient | None = None,
) -> HistoryView:
    """Show the job history, newest first, and return it as a sequence.

    Args:
        limit: the maximum number of jobs; ``None`` for all.
        tool: only jobs of this tool, such as ``"video"``.
        status: only jobs with this status; or ``"unsent"`` (not submitted), ``"uncertain"`` (the answer was lost),
            ``"dismissed"`` (the same, and discarded) or ``"intent"`` (being submitted, or interrupted).
        search: only jobs whose prompt or note has all of these words, or whose id begins with it.
        client: requests the service's list; the default is made from the settings.

    Raises:
        ConfigurationError: A filter is invalid.

    Example:
        >>> [entry.job for entry in history(tool="video", status="completed")]  # doctest: +SKIP
    """
    try:
        asks = default_client() if client is None else client
    except ConfigurationError:
        asks = None  # without a key, the local history is shown
    return HistoryView(default_history(), asks, limit=limit, tool=tool, status=status, search=search)
