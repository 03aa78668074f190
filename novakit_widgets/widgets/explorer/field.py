"""The base of all fields of a form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import ipywidgets
from markupsafe import Markup

from ..common.labels import label_of_parameter, label_of_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...model.parameters import Parameter

__all__ = ["LABEL_WIDTH", "Field"]

LABEL_WIDTH = "132px"  # of the longest label in JupyterLab's font


class Field(ABC):
    """The row of a form for one parameter.

    Args:
        parameter: the parameter.
        changed: called on the loop when the user has changed the value.

    Attributes:
        parameter: the parameter.
        row: the widget of the row.
        control: the widget that takes the focus.
    """

    def __init__(self, parameter: Parameter, changed: Callable[[], None]) -> None:
        self.parameter = parameter
        self._changed = changed
        self.control, others = self._make()
        self._reason = ipywidgets.HTML(layout=ipywidgets.Layout(margin="0 0 0 6px", flex="0 1 auto", min_width="0"))
        self.row = ipywidgets.HBox(
            [self.control, *others, self._reason],
            layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center", width="100%", overflow="hidden"),
        )

    @abstractmethod
    def _make(self) -> tuple[ipywidgets.DOMWidget, tuple[ipywidgets.DOMWidget, ...]]:
        """Return the control, and the widgets beside it."""

    @property
    @abstractmethod
    def value(self) -> Any:
        """The value; ``None`` if it is not set.

        Raises:
            ValueError: The value can't be read; the message says why.
        """

    @abstractmethod
    def fill(self, value: Any) -> None:
        """Set the value; ``None`` clears it."""

    def show_reason(self, reason: str) -> None:
        """Show why the value is refused; ``""`` for no reason."""
        text = Markup('<span class="nk-reason" role="alert" dir="auto">{}</span>').format(reason) if reason else ""
        if self._reason.value != str(text):
            self._reason.value = str(text)

    @property
    def shown(self) -> bool:
        """Whether the field is relevant in the current mode."""
        return bool(self.row.layout.display != "none")

    @shown.setter
    def shown(self, shown: bool) -> None:
        self.row.layout.display = None if shown else "none"

    def _options(self, *, width: str = "420px", placeholder: bool = True) -> dict[str, Any]:
        """Return the arguments that all controls share."""
        options: dict[str, Any] = {
            "description": label_of_parameter(self.parameter),
            "tooltip": f"{self.parameter.name}: {self.parameter.help}",
            "style": {"description_width": LABEL_WIDTH},
            "layout": ipywidgets.Layout(width=width, max_width="100%", margin="2px 0"),
        }
        if placeholder and self.parameter.default not in (None, ""):
            options["placeholder"] = f"{self._default} (the service's default)"
        return options

    @property
    def _default(self) -> str:
        return label_of_value(self.parameter.default)
