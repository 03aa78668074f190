"""A form for a tool's documented parameters. It sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

from ...api.uploads import address_problem, excess
from ...model.canonical import owned
from ...model.checks import problems
from ...model.parameters import PARAMETERS
from ..common.closing import ClosingBox
from ..common.observe import when_changed
from .fields import field_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...model.tools import Tool
    from .field import Field

__all__ = ["ParameterForm"]

_MODE = "mode"


class ParameterForm(ClosingBox):
    """The fields of one tool: the relevant ones, and advanced ones behind a button.

    An empty field sets no parameter, so that the service's default applies.

    Args:
        tool: the tool.
        fixed: parameters without a field, which the user can't change.
        on_change: called on the loop when the user has changed a field.

    Example:
        >>> from novakit_widgets import Tool
        >>> form = ParameterForm(Tool.VIDEO, fixed={"resolution": "720p"})
        >>> form.fields["prompt"].fill("A sunset")
        >>> form.params
        {'prompt': 'A sunset', 'resolution': '720p'}
        >>> form.close()
    """

    def __init__(
        self,
        tool: Tool,
        *,
        fixed: Mapping[str, Any] | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.tool = tool
        self.fixed = dict(fixed or {})
        self._on_change = on_change
        self._submit_attempted = False
        table = PARAMETERS[tool]
        self.fields: dict[str, Field] = {
            name: field_of(tool, parameter, self._changed)
            for name, parameter in table.items()
            if name not in self.fixed
        }
        folded = [field for field in self.fields.values() if field.parameter.advanced]
        open_ones = [field for field in self.fields.values() if not field.parameter.advanced]
        self._more = ipywidgets.ToggleButton(
            description="More options",
            tooltip="Show the rarely needed parameters",
            layout=ipywidgets.Layout(
                width="auto", margin="4px 0", align_self="flex-start", display=None if folded else "none"
            ),
        )
        self._folded = ipywidgets.VBox(
            [field.row for field in folded], layout=ipywidgets.Layout(display="none", overflow="hidden")
        )
        when_changed(self._more, self._fold)
        super().__init__(
            children=[*(field.row for field in open_ones), self._more, self._folded],
            layout=ipywidgets.Layout(overflow="hidden"),
        )
        self._arrange()

    def __repr__(self) -> str:
        return f"<ParameterForm {self.tool}>"

    @property
    def params(self) -> dict[str, Any]:
        """The parameters to send: those that are set in relevant fields, and the fixed ones.

        Values that can't be read are omitted; see `refused`.
        """
        found = {}
        for name, field in self.fields.items():
            try:
                value = field.value if field.shown else None
            except ValueError:
                continue
            if value is not None:
                found[name] = value
        return {**found, **owned(self.fixed)}

    @property
    def refused(self) -> dict[str, str]:
        """The reasons why the form can't be sent, by parameter; empty if it can."""
        params = self.params
        found = {**excess(self.tool, params), **problems(self.tool, params)}
        for name, parameter in PARAMETERS[self.tool].items():
            problem = address_problem(params.get(name), tool=self.tool) if parameter.url else None
            if problem is not None:
                found.setdefault(name, problem)
        for name, field in self.fields.items():
            try:
                _ = field.value if field.shown else None
            except ValueError as error:
                found[name] = str(error)
        return found

    def check(self) -> bool:
        """Show why fields are refused, focus the first of them, and return whether the form can be sent."""
        self._submit_attempted = True
        refused = self._show_reasons()
        for name, field in self.fields.items():
            if name in refused:
                if field.parameter.advanced:
                    self._more.value = True
                field.control.focus()
                break
        return not refused

    def fill(self, params: Mapping[str, Any]) -> None:
        """Set all fields to the given parameters; a field without one is cleared.

        Args:
            params: by the service's names; those without a field are ignored.
        """
        for name, field in self.fields.items():
            field.fill(params.get(name))
            if field.parameter.advanced and params.get(name) is not None:
                self._more.value = True
        self._changed()

    def _changed(self) -> None:
        self._arrange()
        self._show_reasons()
        self._on_change()

    def _show_reasons(self) -> Mapping[str, str]:
        """Show the reasons beside the fields; for an empty field only after an attempt to submit."""
        refused = self.refused
        for name, field in self.fields.items():
            missing = name not in self.params and name in refused and not _is_filled(field)
            field.show_reason(refused.get(name, "") if self._submit_attempted or not missing else "")
        return refused

    def _arrange(self) -> None:
        """Show the fields of the current mode, and hide the others."""
        table = PARAMETERS[self.tool]
        mode = self.params.get(_MODE, table[_MODE].default if _MODE in table else None)
        for field in self.fields.values():
            modes = field.parameter.modes
            if modes and field.shown != (mode in modes):
                field.shown = mode in modes

    def _fold(self) -> None:
        self._more.description = "Fewer options" if self._more.value else "More options"
        self._folded.layout.display = None if self._more.value else "none"


def _is_filled(field: Field) -> bool:
    try:
        return field.value is not None
    except ValueError:
        return True
