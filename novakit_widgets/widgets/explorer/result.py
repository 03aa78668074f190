"""One result among others that were tried: its card, what is new about it, and what can be done with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets
from markupsafe import Markup

from ...api.embedding import FOLDER
from ...api.uploads import write_files
from ...model.differences import differences
from ...model.parsing import readable
from ...runtime import loop as job_loop
from ..common.code import call_with_files
from ..common.display import notebook_folder
from ..common.observe import when_changed
from ..common.view import shortened
from .comparison import Compared, marked
from .fields import label_of_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...model.tools import Tool
    from ..card.widget import JobWidget

__all__ = ["Result"]

_OLD_LENGTH = 60  # characters of a value that was replaced


class Result(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """A card of an explorer, with its neighbour's differences above and its actions below.

    Args:
        card: the job.
        tool: what makes it.
        params: what it was asked for with.
        older: what the result before it was asked for with; ``None`` for the first.
        again: called when the user wants it once more, with another seed where the tool has one.
        vary: called when the user wants to change it.
        chosen: called when the user has chosen it for a comparison, or no longer.

    Attributes:
        card: the job.
        params: what it was asked for with.
        again: the button that asks for it once more.
    """

    def __init__(
        self,
        card: JobWidget,
        tool: Tool,
        params: Mapping[str, Any],
        *,
        older: Mapping[str, Any] | None,
        again: Callable[[Result], object],
        vary: Callable[[Result], object],
        chosen: Callable[[Result], object],
        seeded: bool,
    ) -> None:
        self.card = card
        self.tool = tool
        self.params = dict(params)
        news = "" if older is None else str(_news(tool, older, params))
        narrow = ipywidgets.Layout(width="auto", margin="2px 4px 2px 0")
        self.again = ipywidgets.Button(
            description="Another seed" if seeded else "Once more",
            tooltip="Generate this once more, by another chance; it is billed like a new one",
            layout=narrow,
        )
        self._vary = ipywidgets.Button(
            description="Vary this", tooltip="Put these parameters into the form", layout=narrow
        )
        self._code = ipywidgets.Button(
            description="As code", tooltip="Write the call that makes this again", layout=narrow
        )
        self._star = ipywidgets.ToggleButton(description="☆ Star", tooltip="Mark this in your history", layout=narrow)
        self._choose = ipywidgets.Checkbox(
            description="Compare", indent=False, layout=ipywidgets.Layout(width="auto", margin="2px 8px 2px 4px")
        )
        self._note = ipywidgets.Text(
            description="Note",
            placeholder="kept in your history",
            continuous_update=False,
            style={"description_width": "initial"},
            layout=ipywidgets.Layout(width="260px", max_width="100%"),
        )
        self._written = ipywidgets.VBox(layout=ipywidgets.Layout(display="none"))
        self._said = ipywidgets.HTML()
        for button, work in ((self.again, again), (self._vary, vary), (self._code, Result._write_code)):
            button.on_click(lambda _button, work=work: job_loop.at_home(lambda: work(self)))
        when_changed(self._star, self._starred)
        when_changed(self._note, self._noted)
        when_changed(self._choose, lambda: chosen(self))
        actions = [self.again, self._vary, self._code, self._star, self._choose, self._note]
        super().__init__(
            children=[
                ipywidgets.HTML(news),
                card,
                ipywidgets.HBox(actions, layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center")),
                self._said,
                self._written,
            ],
            # Two beside each other where the page is wide enough.
            layout=ipywidgets.Layout(
                margin="0 6px 10px 0", flex="1 1 400px", max_width="732px", min_width="0", overflow="hidden"
            ),
        )
        self.add_class("novakit-result")

    def __repr__(self) -> str:
        return f"<Result {self.card!r}>"

    @property
    def code(self) -> str:
        """The exact call, to paste. Files that were chosen in the form are written beside the notebook, and named by it.

        Raises:
            OSError: such a file can't be written.
        """
        write_files(self.tool, self.params, Path(FOLDER), beside=notebook_folder())
        return call_with_files(self.tool, self.params, Path(FOLDER))

    @property
    def comparable(self) -> bool:
        """Whether it is finished, with all its media."""
        return self.card.kept is not None and self.card.job is not None

    @property
    def chosen(self) -> bool:
        """Whether it is chosen for a comparison."""
        return bool(self._choose.value)

    @chosen.setter
    def chosen(self, chosen: bool) -> None:
        self._choose.value = chosen

    def compared(self) -> Compared:
        """Return what a comparison needs of it, when it is `comparable`."""
        assert self.card.job is not None  # for the type checker
        return Compared(self.params, self.card.job, self.card.kept or ())

    def say(self, text: str) -> None:
        """Show a line below the actions."""
        self._said.value = str(Markup('<span dir="auto">{}</span>').format(text)) if text else ""

    def _write_code(self) -> None:
        if self._written.children:
            shown = self._written.layout.display is None
            self._written.layout.display = "none" if shown else None
            return
        try:
            code = self.code
        except OSError as error:
            self.say(f"The file that was sent can't be written beside the notebook ({error.strerror}).")
            return
        # A text area, because its text can be chosen and copied by keyboard alone.
        lines = min(12, code.count("\n") + 2 + len(code) // 80)
        text = ipywidgets.Textarea(
            code,
            description="Code",
            rows=lines,
            style={"description_width": "initial"},
            layout=ipywidgets.Layout(width="100%", max_width="720px"),
        )
        self._written.children = (text,)
        self._written.layout.display = None

    def _starred(self) -> None:
        on = bool(self._star.value)
        self._star.description = "★ Starred" if on else "☆ Star"
        self._annotate(star=on)

    def _noted(self) -> None:
        self._annotate(note=self._note.value)

    def _annotate(self, *, note: str | None = None, star: bool | None = None) -> None:
        if job_loop.current() is None:
            job_loop.run_blocking(self._keep(note, star))
        else:
            job_loop.spawn(self._keep(note, star))

    async def _keep(self, note: str | None, star: bool | None) -> None:
        there = await self.card.run.annotate(note=note, star=star)
        self.say("" if there else "It is not kept: this job is not in your history.")


def _news(tool: Tool, older: Mapping[str, Any], params: Mapping[str, Any]) -> Markup:
    """Return what is different from the result before."""
    found = differences(tool, older, params)
    if not found:
        return Markup('<p class="nk-news">Asked for with the same parameters as the one before.</p>')
    lines = [
        Markup('<span class="nk-name">{}</span> <span dir="auto">{}</span>{}').format(
            readable(str(one.name)),
            marked(one.before, one.after),
            ""
            if isinstance(one.before, str) and isinstance(one.after, str) and " " in one.after
            else f" (before: {shortened(label_of_value(one.before), _OLD_LENGTH)})",
        )
        for one in found
    ]
    return Markup('<p class="nk-news">New: {}</p>').format(Markup("; ").join(lines))
