"""The field of a number: a text box, and a slider if the parameter has a range."""

from __future__ import annotations

import math
import re
from typing import Any

import ipywidgets
from markupsafe import Markup

from ..common.labels import label_of_parameter
from ..common.observe import when_changed
from .field import Field

__all__ = ["NumberField"]

# A slider has two ends, but no maximum length of a video is documented; the box takes any number.
_REACH = 20.0
_STEPS = 40  # of a slider at most
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")  # or three decimals, if the comma is a decimal point
_WHOLE = re.compile(r"[+-]?\d+(_\d+)*")
_MOST_DIGITS = 40  # more than any seed has, and few enough to parse fast


class NumberField(Field):
    """A number: a text box, whose value counts, and a slider if the parameter has a range."""

    def _make(self) -> tuple[ipywidgets.DOMWidget, tuple[ipywidgets.DOMWidget, ...]]:
        # Sends every keystroke, so that the newer of slider and box is always known.
        options = self._options(width="250px")
        options["placeholder"] = "" if self.parameter.default is None else f"{self._default} (default)"
        box = ipywidgets.Text(**options)
        when_changed(box, self._changed)
        self._slider = self._make_slider()
        beside = self._make_unit()
        if self._slider is None:
            return box, beside
        when_changed(box, self._follow)
        when_changed(self._slider, self._slid)
        return box, (*beside, self._slider)

    def _make_unit(self) -> tuple[ipywidgets.HTML, ...]:
        if not self.parameter.unit:
            return ()
        text = Markup("<span>{}</span>").format(self.parameter.unit)
        return (ipywidgets.HTML(str(text), layout=ipywidgets.Layout(margin="0 8px 0 4px")),)

    def _make_slider(self) -> ipywidgets.FloatSlider | None:
        parameter = self.parameter
        low = parameter.minimum if parameter.minimum is not None else parameter.above
        if low is None:
            return None
        high = parameter.maximum if parameter.maximum is not None else _REACH
        step = 1.0 if parameter.kind is int or high - low >= _STEPS / 4 else 0.05
        self._rest = float(low if parameter.default is None else parameter.default)
        return ipywidgets.FloatSlider(
            value=self._rest,
            min=low + step if parameter.minimum is None else low,
            max=high,
            step=step,
            readout=False,
            tooltip=f"{label_of_parameter(parameter)}, {parameter.unit}".rstrip(", "),
            layout=ipywidgets.Layout(width="200px"),
        )

    def _follow(self) -> None:
        """Move the slider to the value of the box."""
        assert self._slider is not None  # for the type checker
        try:
            value = self.value
        except ValueError:
            return
        position = self._rest if value is None else float(value)
        if self._slider.min <= position <= self._slider.max:
            self._slider.value = position

    def _slid(self) -> None:
        """Write the slider's value into the box, if the slider was moved."""
        assert self._slider is not None  # for the type checker
        moved = self._slider.value
        try:
            value = self.value
        except ValueError:
            value = math.nan
        if moved == value or (value is None and moved == self._rest):
            return
        if value is not None and not self._slider.min <= value <= self._slider.max and moved == self._rest:
            return  # the slider was not moved
        self.control.value = f"{moved:.6g}"

    @property
    def value(self) -> Any:
        """The value; see `Field.value`."""
        text = self.control.value.strip()
        if not text:
            return None
        if _WHOLE.fullmatch(text):  # not as a float, which has sixteen digits
            if sum(map(str.isdigit, text)) > _MOST_DIGITS:
                raise ValueError(f"{self.parameter.name} must have at most {_MOST_DIGITS} digits, got {_quoted(text)}")
            return int(text)
        if _THOUSANDS.fullmatch(text):
            raise ValueError(
                f"{self.parameter.name} is ambiguous, got {_quoted(text)}: omit the comma, or use a decimal point"
            )
        try:
            value = float(text.replace(",", "."))
        except ValueError:
            raise ValueError(f"{self.parameter.name} must be a number, got {_quoted(text)}") from None
        if self.parameter.kind is int and value.is_integer():
            return int(value)
        return value

    def fill(self, value: Any) -> None:
        """Set the value; ``None`` clears it."""
        self.control.value = "" if value is None else f"{value}"


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 20 else text[:19] + "…")
