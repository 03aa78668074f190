"""PromptExplorer: a form for trying prompts, with the results below it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, overload

import ipywidgets
from markupsafe import Markup

from ...api.client import default_client
from ...api.embedding import Embed, check_embed
from ...api.uploads import said
from ...engine import signals
from ...engine.quota_watch import watch_of
from ...errors import NovaKitError
from ...job_history.estimates import estimate
from ...job_history.jobs import default_history
from ...model.checks import problems, refuse
from ...model.parameters import PARAMETERS
from ...model.quota import units_of
from ...model.spelling import check_names
from ...model.tools import Tool
from ...runtime import loop as job_loop
from ..card.widget import JobWidget
from ..common import style
from ..common.closing import ClosingBox
from ..common.code import main_parameter
from ..common.icons import icon
from ..common.keys import GENERATE, key_guard
from ..common.labels import label_of, label_of_value, shortened
from ..common.spending import spending
from .comparison import FEWEST, MOST
from .debounce import Debounce, disable, enable_when_answered
from .form import ParameterForm
from .gallery import Gallery
from .result import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ...api.client import NovaKitClient
    from ...job_history.jobs import HistoryEntry
    from ...model.job import Job

__all__ = ["PromptExplorer", "explore"]

_SEEDS = 2**31  # every model accepts a signed 32-bit integer
_SIMILAR = 200  # history entries that are searched


class PromptExplorer(ClosingBox):
    """A form for a tool's parameters, and the results generated with it: a sequence of `JobWidget`, newest first.

    Only parameters that are set in the form are sent. Several jobs may run at once. Each click on *Generate* is billed.

    Args:
        tool: the tool, such as ``"video"``.
        fixed: parameters that are sent with each job and have no field.
        client: the client; the default is made from the settings.
        embed: where finished media go; see `JobWidget`.
        chance: the random generator for seeds.

    Raises:
        InvalidParameterError: A fixed parameter is invalid.
        TypeError: The name of a fixed parameter looks misspelled.
        ConfigurationError: The key, base URL or embed is missing or invalid.

    Example:
        >>> from novakit_widgets import use_sandbox
        >>> sandbox = use_sandbox(speed=1000)
        >>> explorer = PromptExplorer("image", {"size": "512x512"})
        >>> explorer.fill({"prompt": "A lighthouse"})
        >>> explorer.generate().wait().params
        {'prompt': 'A lighthouse', 'size': '512x512'}
        >>> len(explorer)
        1
        >>> sandbox.stop()
    """

    _made = False

    def __init__(
        self,
        tool: Tool | str = Tool.VIDEO,
        fixed: Mapping[str, Any] | None = None,
        *,
        client: NovaKitClient | None = None,
        embed: Embed | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.tool = Tool.of(tool)
        check_names(self.tool, fixed or {}, called="explore()", ours=("client", "embed"))
        self._fixed = said(self.tool, fixed or {})
        _check_fixed(self.tool, self._fixed)
        self._client = default_client(client)
        self._embed = check_embed(embed)
        self._chance = chance or random.Random()  # noqa: S311 # not for secrets
        self._history = default_history()
        self._similar: Sequence[HistoryEntry] = ()
        self._debounce = Debounce()
        self._made = True
        self.form = ParameterForm(self.tool, fixed=self._fixed, on_change=self._form_changed)
        self._generate = ipywidgets.Button(
            description="Generate",
            button_style="primary",
            tooltip="Submit a job; it is billed (Ctrl+Enter)",
            layout=ipywidgets.Layout(width="auto", margin="2px 10px 2px 0", flex="0 0 auto"),
        )
        self._spending = ipywidgets.HTML(layout=ipywidgets.Layout(flex="1 1 260px", min_width="0"))
        self._error = ipywidgets.HTML()
        self._gallery = Gallery(self.tool)
        super().__init__(
            children=[
                ipywidgets.HTML(str(style.EXPLORER), layout=ipywidgets.Layout(display="none")),
                ipywidgets.HTML(str(self._head())),
                self.form,
                ipywidgets.HBox(
                    [self._generate, self._spending],
                    layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center", overflow="hidden"),
                ),
                self._error,
                self._gallery,
                key_guard("novakit-explorer"),
            ]
        )
        self.add_class("novakit-page")
        self.add_class("novakit-explorer")
        self._generate.add_class(GENERATE)
        self._generate.on_click(lambda _button: job_loop.call(self._generate_from_form))
        self._quota = watch_of(self._client)
        self._stops = [self._quota.listen(self._show_spending), signals.listen(self._job_ended)]
        self._quota.follow()
        job_loop.call(self._begin)

    # For programs

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that *Generate* would send."""
        return self.form.params

    @property
    def cards(self) -> tuple[JobWidget, ...]:
        """The cards of the results, newest first."""
        return tuple(result.card for result in self.results)

    @property
    def results(self) -> tuple[Result, ...]:
        """The results, newest first: each is a card with its changes and actions."""
        return self._gallery.results

    def __repr__(self) -> str:
        return f"<PromptExplorer {self.tool}: {len(self)} results>"

    def __len__(self) -> int:
        return len(self._gallery.results)

    def __bool__(self) -> bool:
        return True  # also without results: it is a widget

    @overload
    def __getitem__(self, index: int) -> JobWidget: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[JobWidget]: ...
    def __getitem__(self, index: int | slice) -> JobWidget | Sequence[JobWidget]:
        return self.cards[index]

    def __iter__(self) -> Iterator[JobWidget]:
        return iter(self.cards)

    def fill(self, params: Mapping[str, Any]) -> None:
        """Replace the parameters in the form.

        Args:
            params: by the service's names; a file as a `pathlib.Path`.
        """
        self.form.fill(said(self.tool, params))

    def generate(self) -> JobWidget:
        """Submit a job with the parameters in the form, and show it as the newest result.

        Raises:
            InvalidParameterError: A parameter is invalid. Nothing was sent or billed.
            ConfigurationError: A setting is invalid, such as ``NOVAKIT_REUSE``. Nothing was sent or billed.
        """
        if not self.form.check():
            refuse(self.tool, self.form.refused)
        return self._submit(self.form.params, disable(self._generate))

    def compare(self, *cards: JobWidget) -> None:
        """Show finished results side by side, from left to right.

        Args:
            cards: two to four cards of this explorer.

        Raises:
            ValueError: The number of cards is wrong, or a card is unfinished or not in this explorer.
        """
        if not FEWEST <= len(cards) <= MOST:
            raise ValueError(f"{FEWEST} to {MOST} results can be compared, not {len(cards)}.")
        by_card = {result.card: result for result in self.results}
        results = [by_card.get(card) for card in cards]
        ready = [result for result in results if result is not None and result.comparable]
        if len(ready) < len(results):
            raise ValueError("Only finished results of this explorer can be compared.")
        self._gallery.compare(ready)

    def show(self) -> None:
        """Display the results in the current cell, newest first, as plain HTML, which a saved notebook keeps."""
        for card in self.cards:
            card.show()

    def close(self) -> None:
        """Remove the explorer from the page and free its resources. The jobs go on."""
        if not self._made:
            return  # refused by the constructor, or closed before
        self._made = False
        for stop in self._stops:
            stop()
        super().close()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        # For readers without a kernel. `show` displays the results for them.
        plain = Markup("<p>NovaKit prompt explorer ({}). Run the cell to use it.</p>").format(label_of(self.tool))
        return {**super()._repr_mimebundle_(**kwargs), "text/html": str(plain)}

    # Events

    def _begin(self) -> None:
        """Request the quota, and look up similar jobs."""
        self._quota.ask_soon()
        job_loop.spawn(self._look_back())

    def _job_ended(self, client: NovaKitClient, job: Job) -> None:
        if client is self._client and job.tool == self.tool:
            job_loop.spawn(self._look_back())

    async def _look_back(self) -> None:
        self._similar = await self._history.off_loop(
            self._history.entries,
            limit=_SIMILAR,
            tool=self.tool,
            status="completed",
            base_url=self._client.base_url,
        )
        self._show_spending()

    def _form_changed(self) -> None:
        self._debounce.changed()
        self._show_spending()

    def _generate_from_form(self) -> None:
        # Ignore a second click that was sent before the button was disabled.
        if self._generate.disabled:
            return
        enable = disable(self._generate)
        job_loop.spawn(self._submit_debounced(enable))

    async def _submit_debounced(self, enable: Callable[[], None]) -> None:
        await self._debounce.wait()
        self._submit_form(enable)

    def _submit_form(self, enable: Callable[[], None]) -> None:
        if self._made and self.form.check():
            self._submit_or_show_error(self.form.params, enable)
        else:
            enable()

    def _submit_or_show_error(self, params: Mapping[str, Any], enable: Callable[[], None]) -> None:
        """Submit after a click: an error is shown, because no cell can raise it."""
        try:
            self._submit(params, enable)
        except NovaKitError as error:
            self._error.value = str(Markup('<p class="nk-reason" dir="auto">{}</p>').format(error.message))

    def _submit(self, params: Mapping[str, Any], enable: Callable[[], None]) -> JobWidget:
        """Submit a job and show it; call ``enable`` when the service has answered, or if it can't be submitted."""
        try:
            card = self._show_new(params)
        except BaseException:
            enable()
            raise
        self._error.value = ""
        enable_when_answered(card, enable)
        card.start()
        return card

    def _show_new(self, params: Mapping[str, Any]) -> JobWidget:
        card = JobWidget(self.tool, params, client=self._client, embed=self._embed, autostart=False)
        older = self.results[0].params if self.results else None
        result = Result(
            card,
            self.tool,
            params,
            older=older,
            again=self._generate_again,
            vary=self._vary,
            chosen=lambda _result: self._gallery.selection_changed(),
            seeded="seed" in PARAMETERS[self.tool],
        )
        self._gallery.add(result)
        return card

    def _generate_again(self, result: Result) -> None:
        if result.again.disabled:
            return
        params = dict(result.params)
        if "seed" in PARAMETERS[self.tool]:
            params["seed"] = self._chance.randrange(_SEEDS)
        self._submit_or_show_error(params, disable(result.again))

    def _vary(self, result: Result) -> None:
        self.form.fill(result.params)
        main = self.form.fields.get(main_parameter(self.tool)) or next(iter(self.form.fields.values()), None)
        if main is not None:
            main.control.focus()

    # Texts

    def _head(self) -> Markup:
        fixed = ", ".join(f"{name} {shortened(label_of_value(value), 60)}" for name, value in self._fixed.items())
        return Markup(
            '<div class="nk-head">{}<span class="nk-title" dir="auto">Explore: {}</span>'
            '<span class="nk-facts" dir="auto">{}</span></div>'
        ).format(icon(self.tool.value), label_of(self.tool), f"Fixed: {fixed}" if fixed else "")

    def _show_spending(self) -> None:
        """Show beside the button what a job would use of the quota."""
        if not self._made:
            return
        params = self.form.params
        similar = estimate(self._similar, self.tool, params)
        text = str(spending(self.tool, units_of(self.tool, params), self._quota, [similar]))
        if self._spending.value != text:
            self._spending.value = text


def _check_fixed(tool: Tool, fixed: Mapping[str, Any]) -> None:
    """Refuse a fixed parameter that is invalid, because the form can't change it."""
    refuse(tool, {name: problem for name, problem in problems(tool, fixed).items() if name in fixed})


def explore(
    tool: Tool | str = Tool.VIDEO,
    *,
    client: NovaKitClient | None = None,
    embed: Embed | None = None,
    **fixed: Any,
) -> PromptExplorer:
    """Try prompts in a form: generate, vary, compare side by side, and continue in code.

    Args:
        tool: the tool, such as ``"video"``, ``"image"`` or ``"tts"``.
        client: the client; the default is made from the settings.
        embed: where finished media go; see `JobWidget`.
        fixed: parameters that are sent with each job and have no field; a file is a `pathlib.Path`.

    Returns:
        A widget that is also a sequence of the results' cards, newest first.

    Raises:
        InvalidParameterError: A fixed parameter is invalid. Nothing was sent or billed.
        TypeError: The name of a fixed parameter looks misspelled.
        MissingKeyError: There is no API key. ``nk.use_sandbox()`` needs none.

    Example:
        >>> explore("image", size="512x512")  # doctest: +SKIP
    """
    return PromptExplorer(tool, fixed, client=client, embed=embed)
