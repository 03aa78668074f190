"""PromptExplorer: a form to try prompts with, and the results beside each other."""

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
from ...errors import InvalidParameterError, NovaKitError
from ...job_history.estimates import estimate
from ...job_history.jobs import default_history
from ...model.checks import problems, refuse
from ...model.parameters import PARAMETERS
from ...model.quota import units_of
from ...model.spelling import check_names
from ...model.tools import Tool
from ...runtime import loop as job_loop
from ..card import html as card_html
from ..card.player import close_all
from ..card.widget import JobWidget
from ..common.code import main_parameter
from ..common.view import label_of, shortened
from ..quota.spending import spending
from .comparison import FEWEST, MOST, Comparison
from .debounce import Quiet, hold, release_when_sent
from .fields import label_of_value
from .form import ParameterForm
from .result import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ...api.client import NovaKitClient
    from ...job_history.jobs import HistoryEntry
    from ...model.job import Job

__all__ = ["PromptExplorer", "explore"]

MOST_RESULTS = 24  # that are shown at once; each is some forty models. Older ones are in the history
_SEEDS = 2**31  # the most that a signed number of 32 bits holds, which every model takes
_SIMILAR = 200  # rows of the history that are looked through
_STYLE = Markup("""<style>
.novakit-explorer { border: 1px solid var(--jp-border-color2, #bdbdbd); border-radius: 6px; padding: 10px 12px; margin: 4px 2px;
  max-width: 1480px; box-sizing: border-box; overflow: hidden; color: var(--jp-ui-font-color1, inherit); }
.novakit-explorer .nk-reason { color: #b3261e; font-weight: 600; overflow-wrap: anywhere; }
[data-jp-theme-light="false"] .novakit-explorer .nk-reason { color: #f2867e; }
.novakit-explorer mark { background: rgba(255, 193, 7, .35); color: inherit; border-radius: 2px; padding: 0 2px; }
.novakit-explorer .nk-name { font-weight: 600; }
.novakit-explorer .nk-news { margin: 0; overflow-wrap: anywhere; }
.novakit-explorer .nk-short { font-weight: 600; }
.nk-compare.nk-compare { table-layout: fixed; width: 100%; border-collapse: collapse; margin: 0; line-height: 1.45; }
.nk-compare.nk-compare th, .nk-compare.nk-compare td { text-align: left; vertical-align: top; padding: 2px 10px 2px 0;
  overflow-wrap: anywhere; }
.nk-compare video, .nk-compare img { max-width: 100%; height: auto; border-radius: 4px; } .nk-compare audio { width: 100%; }
</style>""")


class PromptExplorer(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """A form made from a tool's own parameters, and what was generated with it, newest first: a sequence of `JobWidget`.

    The form sends only what was set in it. Several jobs may run at once, and each click on *Generate* is billed like a call.

    Args:
        tool: such as ``"video"``.
        fixed: parameters that are sent with each job and have no field.
        client: speaks to the service; where it is left out, one is made from the settings.
        embed: where finished media go; see `JobWidget`.
        chance: where seeds come from.

    Raises:
        InvalidParameterError: the documentation forbids a fixed parameter.
        TypeError: a fixed parameter is nearly a documented one.
        ConfigurationError: there is no usable key, base URL or embed.

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
        self._client = client or default_client()
        self._embed = check_embed(embed)
        self._chance = chance or random.Random()  # noqa: S311 # pictures, no secrets
        self._history = default_history()
        self._similar: Sequence[HistoryEntry] = ()
        self._comparison: Comparison | None = None
        self._quiet = Quiet()
        self._made = True
        self.form = ParameterForm(self.tool, fixed=self._fixed, on_change=self._form_changed)
        self._generate = ipywidgets.Button(
            description="Generate",
            button_style="primary",
            tooltip="Submit this; it is billed",
            layout=ipywidgets.Layout(width="auto", margin="2px 10px 2px 0", flex="0 0 auto"),
        )
        self._spending = ipywidgets.HTML(layout=ipywidgets.Layout(flex="1 1 260px", min_width="0"))
        self._refused = ipywidgets.HTML()
        self._compare = ipywidgets.Button(
            description="Compare",
            layout=ipywidgets.Layout(width="auto", display="none", margin="8px 0 2px 0", align_self="flex-start"),
        )
        self._side_by_side = ipywidgets.VBox(layout=ipywidgets.Layout(overflow="hidden"))
        self._gallery = ipywidgets.HBox(layout=ipywidgets.Layout(flex_flow="row wrap", overflow="hidden"))
        self._older = ipywidgets.HTML()
        super().__init__(
            children=[
                ipywidgets.HTML(str(card_html.STYLE + _STYLE), layout=ipywidgets.Layout(display="none")),
                ipywidgets.HTML(str(self._head())),
                self.form,
                ipywidgets.HBox(
                    [self._generate, self._spending],
                    layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center", overflow="hidden"),
                ),
                self._refused,
                self._compare,
                self._side_by_side,
                self._gallery,
                self._older,
            ]
        )
        self.add_class("novakit-explorer")
        self._generate.on_click(lambda _button: job_loop.at_home(self._generate_from_form))
        self._compare.on_click(lambda _button: job_loop.at_home(self._compare_chosen))
        self._quota = watch_of(self._client)
        self._stops = [self._quota.listen(self._show_spending), signals.listen(self._job_ended)]
        if job_loop.home() is not None:
            self._quota.follow()
            job_loop.at_home(self._begin)

    # What a program may ask for

    @property
    def params(self) -> dict[str, Any]:
        """What *Generate* would send now."""
        return self.form.params

    @property
    def cards(self) -> tuple[JobWidget, ...]:
        """The results, newest first."""
        return tuple(result.card for result in self.results)

    @property
    def results(self) -> tuple[Result, ...]:
        """The cards with what stands around them, newest first."""
        return tuple(self._gallery.children)

    def __repr__(self) -> str:
        return f"<PromptExplorer {self.tool}: {len(self)} results>"

    def __len__(self) -> int:
        return len(self._gallery.children)

    def __bool__(self) -> bool:
        return True  # a widget, also before there are results

    @overload
    def __getitem__(self, index: int) -> JobWidget: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[JobWidget]: ...
    def __getitem__(self, index: int | slice) -> JobWidget | Sequence[JobWidget]:
        return self.cards[index]

    def __iter__(self) -> Iterator[JobWidget]:
        return iter(self.cards)

    def fill(self, params: Mapping[str, Any]) -> None:
        """Put parameters into the form, in place of those that are there.

        Args:
            params: by the service's names; a file as a `pathlib.Path`.
        """
        self.form.fill(said(self.tool, params))

    def generate(self) -> JobWidget:
        """Submit what the form says, and show it as the newest result.

        Raises:
            InvalidParameterError: the form can't be sent as it is. Nothing was sent or billed.
            ConfigurationError: a setting is of no use, such as ``NOVAKIT_REUSE``. Nothing was sent or billed.
        """
        if not self.form.check():
            name, reason = next(iter(self.form.refused.items()))
            raise InvalidParameterError(f"{self.tool}: {name}: {reason}. Nothing was sent or billed.", parameter=name)
        return self._submit(self.form.params, hold(self._generate))

    def compare(self, *cards: JobWidget) -> None:
        """Show finished results side by side, from left to right.

        Args:
            cards: two to four of this explorer's.

        Raises:
            ValueError: they are fewer or more, not all finished, or not all shown here.
        """
        if not FEWEST <= len(cards) <= MOST:
            raise ValueError(f"{FEWEST} to {MOST} results can be compared, not {len(cards)}.")
        by_card = {result.card: result for result in self.results}
        results = [by_card.get(card) for card in cards]
        ready = [result for result in results if result is not None and result.comparable]
        if len(ready) < len(results):
            raise ValueError("Only finished results of this explorer can be compared.")
        self._stop_comparing()
        self._comparison = Comparison(
            self.tool, [result.compared() for result in ready], self._client, self._stop_comparing
        )
        self._side_by_side.children = (self._comparison,)

    def show(self) -> None:
        """Show the results in the cell that runs, newest first: as plain HTML, which stays with the saved notebook."""
        for card in self.cards:
            card.show()

    def close(self) -> None:
        """Take all of it off the page, and release what it is made of. The jobs go on."""
        if not self._made:
            return  # refused in the making, or closed before
        self._made = False
        for stop in self._stops:
            stop()
        for card in self.cards:
            card.close()
        close_all(self.children)
        if self.layout is not None:
            self.layout.close()
        super().close()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        # For readers without a kernel. What was generated stays with them by `show`.
        plain = Markup("<p>NovaKit: a form to explore prompts ({}). Run the cell to use it.</p>").format(
            label_of(self.tool)
        )
        return {**super()._repr_mimebundle_(**kwargs), "text/html": str(plain)}

    # What happens on the page

    def _begin(self) -> None:
        """Learn what is left, and what similar jobs took."""
        if job_loop.current() is None:
            return
        self._quota.ask_soon()
        job_loop.spawn(self._look_back())

    def _job_ended(self, client: NovaKitClient, job: Job) -> None:
        if client is self._client and job.tool == self.tool and job_loop.current() is not None:
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
        self._quiet.changed()
        self._show_spending()

    def _generate_from_form(self) -> None:
        # A second click that was on its way when the first was taken is none.
        if self._generate.disabled:
            return
        release = hold(self._generate)
        if job_loop.current() is None:
            self._submit_form(release)
        else:
            job_loop.spawn(self._submit_what_is_seen(release))

    async def _submit_what_is_seen(self, release: Callable[[], None]) -> None:
        await self._quiet.wait()
        self._submit_form(release)

    def _submit_form(self, release: Callable[[], None]) -> None:
        if self._made and self.form.check():
            self._submit_and_say(self.form.params, release)
        else:
            release()

    def _submit_and_say(self, params: Mapping[str, Any], release: Callable[[], None]) -> None:
        """Submit for a click, which has no cell to raise in."""
        try:
            self._submit(params, release)
        except NovaKitError as error:
            self._refused.value = str(Markup('<p class="nk-reason" dir="auto">{}</p>').format(error.message))

    def _submit(self, params: Mapping[str, Any], release: Callable[[], None]) -> JobWidget:
        """Submit, and show it as the newest result; release what is held as soon as that is answered, or can't be done."""
        try:
            card = self._show_new(params)
        except BaseException:
            release()
            raise
        self._refused.value = ""
        if job_loop.home() is None:
            release()
        else:
            release_when_sent(card, release)
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
            again=self._once_more,
            vary=self._vary,
            chosen=self._chosen,
            seeded="seed" in PARAMETERS[self.tool],
        )
        self._gallery.children = (result, *self._gallery.children)
        self._drop_oldest()
        return card

    def _once_more(self, result: Result) -> None:
        if result.again.disabled:
            return
        params = dict(result.params)
        if "seed" in PARAMETERS[self.tool]:
            params["seed"] = self._chance.randrange(_SEEDS)
        self._submit_and_say(params, hold(result.again))

    def _vary(self, result: Result) -> None:
        self.form.fill(result.params)
        main = self.form.fields.get(main_parameter(self.tool)) or next(iter(self.form.fields.values()), None)
        if main is not None:
            main.control.focus()

    def _chosen(self, _result: Result) -> None:
        chosen = [result for result in self.results if result.chosen]
        self._compare.layout.display = None if chosen else "none"
        ready = [result for result in chosen if result.comparable]
        self._compare.disabled = not (FEWEST <= len(chosen) <= MOST and len(ready) == len(chosen))
        if len(ready) < len(chosen):
            self._compare.description = "Compare: not all of them are finished"
        elif self._compare.disabled:
            self._compare.description = f"Compare: choose {FEWEST} to {MOST}"
        else:
            self._compare.description = f"Compare {len(chosen)} side by side"
        self._compare.button_style = "" if self._compare.disabled else "primary"

    def _compare_chosen(self) -> None:
        chosen = [result.card for result in self.results if result.chosen and result.comparable]
        if FEWEST <= len(chosen) <= MOST:
            self.compare(*reversed(chosen))  # as they were made, from left to right

    def _stop_comparing(self) -> None:
        if self._comparison is not None:
            self._side_by_side.children = ()
            self._comparison.close()
            self._comparison = None

    def _drop_oldest(self) -> None:
        kept, dropped = self.results[:MOST_RESULTS], self.results[MOST_RESULTS:]
        if not dropped:
            return
        self._gallery.children = kept
        for result in dropped:
            result.card.close()
            close_all((result,))
        self._older.value = (
            f"<p>Older results are in your history: <code>nk.history(tool={self.tool.value!r})</code></p>"
        )

    # What it says

    def _head(self) -> Markup:
        fixed = ", ".join(f"{name} {shortened(label_of_value(value), 60)}" for name, value in self._fixed.items())
        return Markup(
            '<div class="nk-head">{}<span class="nk-tool">Explore: {}</span><span class="nk-prompt" dir="auto">{}</span></div>'
        ).format(card_html.icon(self.tool.value), label_of(self.tool), f"always with {fixed}" if fixed else "")

    def _show_spending(self) -> None:
        """Say what this would take, beside the button."""
        if not self._made:
            return
        params = self.form.params
        similar = estimate(self._similar, self.tool, params)
        text = str(spending(self.tool, units_of(self.tool, params), self._quota, [similar]))
        if self._spending.value != text:
            self._spending.value = text


def _check_fixed(tool: Tool, fixed: Mapping[str, Any]) -> None:
    """Refuse what no form could mend."""
    refuse(tool, {name: problem for name, problem in problems(tool, fixed).items() if name in fixed})


def explore(
    tool: Tool | str = Tool.VIDEO,
    *,
    client: NovaKitClient | None = None,
    embed: Embed | None = None,
    **fixed: Any,
) -> PromptExplorer:
    """Try prompts in a form: generate, vary, compare side by side, and carry on in code.

    Args:
        tool: such as ``"video"``, ``"image"`` or ``"tts"``.
        client: speaks to the service; where it is left out, one is made from the settings.
        embed: where finished media go; see `JobWidget`.
        fixed: parameters that are sent with each job and have no field; a file as a `pathlib.Path`.

    Returns:
        A widget that is also a sequence of the results, newest first.

    Raises:
        InvalidParameterError: the documentation forbids a fixed parameter. Nothing was sent or billed.
        TypeError: a fixed parameter is nearly a documented one.
        MissingKeyError: there is no API key; ``nk.use_sandbox()`` needs none.

    Example:
        >>> explore("image", size="512x512")  # doctest: +SKIP
    """
    return PromptExplorer(tool, fixed, client=client, embed=embed)
