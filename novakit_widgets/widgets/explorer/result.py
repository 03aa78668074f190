"""One result of an explorer: its card, its changes and its actions."""

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
from ..common.kernel import notebook_folder
from ..common.labels import label_of_value, shortened
from ..common.observe import when_changed
from .comparison import Compared, marked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...model.tools import Tool
    from ..card.widget import JobWidget

__all__ = ["Result"]

_OLD_LENGTH = 60  # characters of a previous value


class Result(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """A card with its changed parameters above and its actions below.

    Args:
        card: the job's card.
        tool: the job's tool.
        params: the job's parameters.
        older: the parameters of the previous result; ``None`` for the first.
        again: called to generate it again, with a new seed if the tool has one.
        vary: called to put its parameters into the form.
        chosen: called when it is selected or deselected for a comparison.
        seeded: whether the tool has a seed.

    Attributes:
        card: the job's card.
        params: the job's parameters.
        again: the button that generates it again.
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
        changes = "" if older is None else str(_changes(tool, older, params))
        narrow = ipywidgets.Layout(width="auto", margin="2px 4px 2px 0")
        self.again = ipywidgets.Button(
            description="New seed" if seeded else "Again",
            tooltip="Generate this again; it is billed like a new job",
            layout=narrow,
        )
        self._vary = ipywidgets.Button(description="Vary", tooltip="Put these parameters into the form", layout=narrow)
        self._code = ipywidgets.Button(
            description="Copy code", tooltip="Show the call that makes this again, to copy", layout=narrow
        )
        self._star = ipywidgets.ToggleButton(description="☆ Star", tooltip="Mark this in your history", layout=narrow)
        self._choose = ipywidgets.Checkbox(
            description="Compare", indent=False, layout=ipywidgets.Layout(width="auto", margin="2px 8px 2px 4px")
        )
        self._note = ipywidgets.Text(
            description="Note",
            placeholder="stored in your history",
            continuous_update=False,
            style={"description_width": "initial"},
            layout=ipywidgets.Layout(width="260px", max_width="100%"),
        )
        self._code_box = ipywidgets.VBox(layout=ipywidgets.Layout(display="none"))
        self._message = ipywidgets.HTML()
        for button, work in ((self.again, again), (self._vary, vary), (self._code, Result._toggle_code)):
            button.on_click(lambda _button, work=work: job_loop.call(lambda: work(self)))
        when_changed(self._star, self._starred)
        when_changed(self._note, self._noted)
        when_changed(self._choose, lambda: chosen(self))
        actions = [self.again, self._vary, self._code, self._star, self._choose, self._note]
        super().__init__(
            children=[
                ipywidgets.HTML(changes),
                card,
                ipywidgets.HBox(actions, layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center")),
                self._message,
                self._code_box,
            ],
            # Two side by side if the page is wide enough.
            layout=ipywidgets.Layout(
                margin="0 6px 10px 0", flex="1 1 400px", max_width="732px", min_width="0", overflow="hidden"
            ),
        )
        self.add_class("novakit-result")

    def __repr__(self) -> str:
        return f"<Result {self.card!r}>"

    @property
    def code(self) -> str:
        """The call that makes this again. Uploaded files are saved beside the notebook, and the call names them.

        Raises:
            OSError: Such a file can't be written.
        """
        write_files(self.tool, self.params, Path(FOLDER), beside=notebook_folder())
        return call_with_files(self.tool, self.params, Path(FOLDER))

    @property
    def comparable(self) -> bool:
        """Whether the job is done and its media have been fetched."""
        return self.card.kept is not None and self.card.job is not None

    @property
    def chosen(self) -> bool:
        """Whether it is selected for a comparison."""
        return bool(self._choose.value)

    @chosen.setter
    def chosen(self, chosen: bool) -> None:
        self._choose.value = chosen

    def compared(self) -> Compared:
        """Return its data for a comparison; it must be `comparable`."""
        assert self.card.job is not None  # for the type checker
        return Compared(self.params, self.card.job, self.card.kept or ())

    def show_message(self, text: str) -> None:
        """Show a line below the actions."""
        self._message.value = str(Markup('<span dir="auto">{}</span>').format(text)) if text else ""

    def _toggle_code(self) -> None:
        if self._code_box.children:
            shown = self._code_box.layout.display is None
            self._code_box.layout.display = "none" if shown else None
            return
        try:
            code = self.code
        except OSError as error:
            self.show_message(f"The uploaded file can't be saved beside the notebook ({error.strerror}).")
            return
        # A text area, because its text can be selected and copied by keyboard.
        lines = min(12, code.count("\n") + 2 + len(code) // 80)
        text = ipywidgets.Textarea(
            code,
            description="Code",
            rows=lines,
            style={"description_width": "initial"},
            layout=ipywidgets.Layout(width="100%", max_width="720px"),
        )
        self._code_box.children = (text,)
        self._code_box.layout.display = None

    def _starred(self) -> None:
        on = bool(self._star.value)
        self._star.description = "★ Starred" if on else "☆ Star"
        self._annotate(star=on)

    def _noted(self) -> None:
        self._annotate(note=self._note.value)

    def _annotate(self, *, note: str | None = None, star: bool | None = None) -> None:
        job_loop.background(lambda: self._store(note, star))

    async def _store(self, note: str | None, star: bool | None) -> None:
        stored = await self.card.run.annotate(note=note, star=star)
        self.show_message("" if stored else "Not stored: this job is not in your history.")


def _changes(tool: Tool, older: Mapping[str, Any], params: Mapping[str, Any]) -> Markup:
    """Return the differences from the previous result."""
    found = differences(tool, older, params)
    if not found:
        return Markup('<p class="nk-news">Same parameters as the previous result.</p>')
    lines = [
        Markup('<span class="nk-name">{}</span> <span dir="auto">{}</span>{}').format(
            readable(str(one.name)),
            marked(one.before, one.after),
            ""
            if isinstance(one.before, str) and isinstance(one.after, str) and " " in one.after
            else f" (was {shortened(label_of_value(one.before), _OLD_LENGTH)})",
        )
        for one in found
    ]
    return Markup('<p class="nk-news">Changed: {}</p>').format(Markup("; ").join(lines))
