"""The fields of a form: one for each parameter. An empty field sets no parameter."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import ipywidgets
from markupsafe import Markup

from ..common.labels import label_of_parameter, label_of_value
from ..common.observe import when_changed
from .field import LABEL_WIDTH, Field
from .file_field import FileField
from .number_field import NumberField

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...model.parameters import Parameter
    from ...model.tools import Tool

__all__ = ["field_of"]

_LONG_TEXTS = frozenset({"prompt", "input", "negative_prompt", "reference_text"})
_UNSET = ""  # the value of the dropdown's first option: None would mean that no option is chosen


class _TextField(Field):
    """A text of one or several lines, with suggestions if values are documented."""

    def _make(self) -> tuple[ipywidgets.DOMWidget, tuple[ipywidgets.DOMWidget, ...]]:
        options = self._options(width="560px")
        if self.parameter.name in _LONG_TEXTS:
            control = ipywidgets.Textarea(rows=3 if self.parameter.required else 2, **options)
        elif self.parameter.choices:
            control = ipywidgets.Combobox(options=[str(each) for each in self.parameter.choices], **options)
        else:
            control = ipywidgets.Text(**options)
        when_changed(control, self._changed)
        return control, ()

    @property
    def value(self) -> Any:
        text = self.control.value
        if self.parameter.name not in _LONG_TEXTS:
            text = text.strip()  # a name, which has no surrounding spaces
        return text if text.strip() else None

    def fill(self, value: Any) -> None:
        self.control.value = "" if value is None else str(value)


class _ChoiceField(Field):
    """One of the documented values, or none."""

    def _make(self) -> tuple[ipywidgets.DOMWidget, tuple[ipywidgets.DOMWidget, ...]]:
        unset = "not set" if self.parameter.default is None else f"{self._default} (the service's default)"
        values = (True, False) if self.parameter.kind is bool else self.parameter.choices
        choices = [(unset, _UNSET), *((label_of_value(each), each) for each in values)]
        control = ipywidgets.Dropdown(options=choices, **self._options(placeholder=False))
        when_changed(control, self._changed)
        return control, ()

    @property
    def value(self) -> Any:
        value = self.control.value
        return None if isinstance(value, str) and value == _UNSET else value

    def fill(self, value: Any) -> None:
        value = _UNSET if value is None else value
        values = [each for _, each in self.control.options]
        if value not in values:
            self.control.options = [*self.control.options, (label_of_value(value), value)]
            values.append(value)
        self.control.index = values.index(value)


class _CheckboxesField(Field):
    """Several of the documented values."""

    def _make(self) -> tuple[ipywidgets.DOMWidget, tuple[ipywidgets.DOMWidget, ...]]:
        self._boxes = {
            each: ipywidgets.Checkbox(
                description=label_of_value(each), indent=False, layout=ipywidgets.Layout(width="auto")
            )
            for each in self.parameter.choices
        }
        for box in self._boxes.values():
            when_changed(box, self._changed)
        label = ipywidgets.Label(
            label_of_parameter(self.parameter),
            tooltip=self.parameter.help,
            layout=ipywidgets.Layout(width=LABEL_WIDTH, margin="2px 8px 2px 0"),
        )
        control = ipywidgets.HBox([label, *self._boxes.values()])
        return control, (ipywidgets.HTML(f"<span>default: {Markup.escape(self._default)}</span>"),)

    @property
    def value(self) -> Any:
        checked = [each for each, box in self._boxes.items() if box.value]
        return checked or None

    def fill(self, value: Any) -> None:
        for each, box in self._boxes.items():
            box.value = each in (value or ())


class _ObjectField(Field):
    """A JSON object."""

    def _make(self) -> tuple[ipywidgets.DOMWidget, tuple[ipywidgets.DOMWidget, ...]]:
        control = ipywidgets.Textarea(rows=2, **{**self._options(width="560px"), "placeholder": '{"name": 1}'})
        when_changed(control, self._changed)
        return control, ()

    @property
    def value(self) -> Any:
        text = self.control.value.strip()
        if not text:
            return None
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError(f"{self.parameter.name} must be a JSON object") from None

    def fill(self, value: Any) -> None:
        self.control.value = "" if value is None else json.dumps(value, ensure_ascii=False)


def field_of(tool: Tool, parameter: Parameter, changed: Callable[[], None]) -> Field:
    """Return the field for a parameter.

    Args:
        tool: the parameter's tool.
        parameter: the parameter.
        changed: called on the loop when the user has changed the value.
    """
    if parameter.url:
        return FileField(parameter, changed, tool)
    if parameter.kind in _KINDS:
        return _KINDS[parameter.kind](parameter, changed)
    return (_ChoiceField if parameter.choices and parameter.closed else _TextField)(parameter, changed)


# An int with documented values is chosen from a list; any other is typed.
_KINDS: Mapping[type, Callable[[Parameter, Callable[[], None]], Field]] = {
    bool: _ChoiceField,
    int: lambda parameter, changed: (_ChoiceField if parameter.choices else NumberField)(parameter, changed),
    float: NumberField,
    dict: _ObjectField,
    list: _CheckboxesField,
}
