"""Comparing two to four results side by side; videos play in step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets
from markupsafe import Markup

from ...model.differences import differing_names, words
from ...model.parsing import readable
from ...runtime import loop as job_loop
from ..card.plain import media_tag
from ..card.player import players
from ..common.closing import ClosingBox
from ..common.front_end import front_end, hidden
from ..common.labels import label_of_value, prompt_of, shortened
from ..common.observe import when_changed
from ..common.shape import shape_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...api.embedding import Kept
    from ...model.job import Job
    from ...model.tools import Tool

__all__ = ["FEWEST", "MOST", "Compared", "Comparison"]

FEWEST, MOST = 2, 4
_TILE = 360  # the maximum width of a column in pixels
_PROMPT_LENGTH = 400  # characters
_LETTERS = "ABCD"


@dataclass(frozen=True, slots=True)
class Compared:
    """One of the compared results.

    Attributes:
        params: the job's parameters.
        job: the completed job.
        kept: its media.
    """

    params: Mapping[str, Any]
    job: Job
    kept: tuple[Kept, ...]


class Comparison(ClosingBox):
    """Results side by side, in columns headed by their differences.

    Args:
        tool: the jobs' tool.
        compared: two to four results, from left to right.
        on_close: called on the loop when the user closes the comparison.
    """

    def __init__(self, tool: Tool, compared: Sequence[Compared], on_close: Callable[[], None]) -> None:
        self._compared = tuple(compared)
        close = ipywidgets.Button(
            description="Close comparison",
            tooltip="Close the comparison",
            layout=ipywidgets.Layout(width="auto", align_self="flex-start"),
        )
        close.on_click(lambda _button: job_loop.call(on_close))
        all_videos = all(one.kept and one.kept[0].media.kind == "video" for one in compared)
        super().__init__(
            children=[
                ipywidgets.HTML(str(_heads(tool, self._compared, media=not all_videos))),
                *(self._videos(tool) if all_videos else ()),
                close,
            ],
            layout=ipywidgets.Layout(max_width=f"{_TILE * len(compared)}px", overflow="hidden"),
        )
        self.add_class("novakit-comparison")

    def __repr__(self) -> str:
        return f"<Comparison of {len(self._compared)} results>"

    def _videos(self, tool: Tool) -> tuple[ipywidgets.DOMWidget, ...]:
        """Return the first video of each, a line about them, and what keeps them in step where the page can load it."""
        columns = [
            ipywidgets.VBox(
                players(one.kept[:1], title=prompt_of(one.params), shape=shape_of(tool, one.params)),
                layout=ipywidgets.Layout(flex="1 1 0", min_width="0"),
            )
            for one in self._compared
        ]
        line = ipywidgets.HTML()
        module = front_end(Path(__file__).with_name("in_step.js"), "novakit-comparison")

        def say() -> None:
            line.value = "<span>They play in step. Turn on the sound of one, and the others are silent.</span>"

        when_changed(module, say, "running")
        row = ipywidgets.HBox(columns, layout=ipywidgets.Layout(overflow="hidden"))
        return row, line, hidden(module)


def _heads(tool: Tool, compared: Sequence[Compared], *, media: bool) -> Markup:
    names = differing_names(tool, [one.params for one in compared])
    first = compared[0].params
    heads = [Markup('<th scope="col">{}</th>').format(letter) for letter in _LETTERS[: len(compared)]]
    facts = [_facts(names, first, one.params) for one in compared]
    same = "" if names else "All have the same parameters."
    rows = [heads, facts, *([_cells(compared)] if media else [])]
    return _table(rows) + Markup("<p>{}</p>").format(same or f"The same in all: {_rest(names, first)}")


def _table(rows: Sequence[Sequence[Markup]]) -> Markup:
    made = Markup("").join(Markup("<tr>{}</tr>").format(Markup("").join(row)) for row in rows)
    return Markup('<table class="nk-compare"><tbody>{}</tbody></table>').format(made)


def _cells(compared: Sequence[Compared]) -> list[Markup]:
    cells = []
    for one in compared:
        title = prompt_of(one.params)
        shown = [media_tag(kept, title, alone=False) for kept in one.kept]
        if one.job.text is not None:
            shown.append(Markup('<p class="nk-text" dir="auto">{}</p>').format(one.job.text))
        cells.append(Markup("<td>{}</td>").format(Markup(" ").join(shown) or "No result to show."))
    return cells


def _facts(names: Sequence[str], first: Mapping[str, Any], params: Mapping[str, Any]) -> Markup:
    facts = Markup("").join(
        Markup('<div><span class="nk-name">{}</span> <span dir="auto">{}</span></div>').format(
            readable(str(name)), marked(first.get(name), params.get(name), mark=params is not first)
        )
        for name in names
    )
    return Markup("<td>{}</td>").format(facts)


def marked(before: Any, after: Any, *, mark: bool = True) -> Markup:
    """Return a value with its changes marked.

    Args:
        before: the value to compare with; ``None`` if it is unset.
        after: the value.
        mark: whether to mark changes at all.
    """
    if isinstance(before, str) and isinstance(after, str) and mark and len(after) <= _PROMPT_LENGTH:
        return Markup("").join(
            Markup("<mark>{}</mark>").format(text) if new else Markup("{}").format(text)
            for text, new in words(readable(before), readable(after))
        )
    text = shortened(label_of_value(after), _PROMPT_LENGTH)
    return Markup("<mark>{}</mark>").format(text) if mark and before != after else Markup("{}").format(text)


def _rest(names: Sequence[str], params: Mapping[str, Any]) -> str:
    rest = [
        f"{readable(str(name))} {shortened(label_of_value(value), 60)}"
        for name, value in params.items()
        if name not in names
    ]
    return ", ".join(rest) or "the service's defaults"
