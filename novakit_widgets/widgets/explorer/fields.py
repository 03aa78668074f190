"""The fields of a form: one parameter each. Empty means that it is not said, and so not sent."""

from __future__ import annotations

import json
import math
import re
from abc import ABC, abstractmethod
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import ipywidgets
from markupsafe import Markup

from ...api.uploads import MAX_UPLOAD_BYTES, upload
from ...errors import InvalidParameterError
from ...model.parsing import readable
from ...runtime import loop as job_loop
from ..common.observe import when_changed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...model.parameters import Parameter
    from ...model.tools import Tool

__all__ = ["Field", "field_of", "label_of_parameter", "label_of_value"]

_LABEL_WIDTH = "132px"  # the longest of the names, in JupyterLab's letters
_LONG_TEXTS = frozenset({"prompt", "input", "negative_prompt", "reference_text"})
# A slider has two ends, and no largest length of a video is documented; the box beside it takes any.
_REACH = 20.0
_STEPS = 40  # of a slider at most
_NOTHING = ""  # a dropdown takes the value None for no choice, and shows nothing
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")  # or three decimals, where a comma is the decimal point
_WHOLE = re.compile(r"[+-]?\d+(_\d+)*")
_MOST_DIGITS = 40  # more than any seed has, and fewer than Python takes long to read


class Field(ABC):
    """One parameter, as a row of a form.

    Args:
        parameter: which.
        changed: called on the loop when the user has changed it.

    Attributes:
        parameter: which.
        row: what a form contains.
        control: what takes the keyboard.
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
        """Return what takes the keyboard, and what stands beside it."""

    @property
    @abstractmethod
    def value(self) -> Any:
        """What the user said; ``None`` for nothing.

        Raises:
            ValueError: it can't be read; the text says why.
        """

    @abstractmethod
    def fill(self, value: Any) -> None:
        """Show a value as if the user had said it; ``None`` for nothing."""

    def say(self, reason: str) -> None:
        """Show beside the field why it is refused; ``""`` when it is not."""
        text = Markup('<span class="nk-reason" role="alert" dir="auto">{}</span>').format(reason) if reason else ""
        if self._reason.value != str(text):
            self._reason.value = str(text)

    @property
    def shown(self) -> bool:
        """Whether the field is relevant now."""
        return bool(self.row.layout.display != "none")

    @shown.setter
    def shown(self, shown: bool) -> None:
        self.row.layout.display = None if shown else "none"

    def _look(self, *, width: str = "420px", placeholder: bool = True) -> dict[str, Any]:
        """Return what all controls have in common."""
        look: dict[str, Any] = {
            "description": label_of_parameter(self.parameter),
            "tooltip": f"{self.parameter.name}: {self.parameter.help}",
            "style": {"description_width": _LABEL_WIDTH},
            "layout": ipywidgets.Layout(width=width, max_width="100%", margin="2px 0"),
        }
        if placeholder and self.parameter.default not in (None, ""):
            look["placeholder"] = f"{self._default} (the service's default)"
        return look

    @property
    def _default(self) -> str:
        return label_of_value(self.parameter.default)


class _Words(Field):
    """A text, in one line or several; with suggestions where some are documented."""

    def _make(self) -> tuple[ipywidgets.DOMWidget, tuple[ipywidgets.DOMWidget, ...]]:
        look = self._look(width="560px")
        if self.parameter.name in _LONG_TEXTS:
            control = ipywidgets.Textarea(rows=3 if self.parameter.required else 2, **look)
        elif self.parameter.choices:
            control = ipywidgets.Combobox(options=[str(each) for each in self.parameter.choices], **look)
        else:
            control = ipywidgets.Text(**look)
        when_changed(control, self._changed)
        return control, ()

    @property
    def value(self) -> Any:
        text = self.control.value
        if self.parameter.name not in _LONG_TEXTS:
            text = text.strip()  # a name, which nobody means to end in a space
        return text if text.strip() else None

    def fill(self, value: Any) -> None:
        self.control.value = "" if value is None else str(value)


class _Choice(Field):
    """One of the documented values, or nothing."""

    def _make(self) -> tuple[ipywidgets.DOMWidget, tuple[ipywidgets.DOMWidget, ...]]:
        nothing = "none" if self.parameter.default is None else f"{self._default} (the service's default)"
        values = (True, False) if self.parameter.kind is bool else self.parameter.choices
        options = [(nothing, _NOTHING), *((label_of_value(each), each) for each in values)]
        control = ipywidgets.Dropdown(options=options, **self._look(placeholder=False))
        when_changed(control, self._changed)
        return control, ()

    @property
    def value(self) -> Any:
        value = self.control.value
        return None if isinstance(value, str) and value == _NOTHING else value

    def fill(self, value: Any) -> None:
        value = _NOTHING if value is None else value
        values = [each for _, each in self.control.options]
        if value not in values:
            self.control.options = [*self.control.options, (label_of_value(value), value)]
            values.append(value)
        self.control.index = values.index(value)


class _Number(Field):
    """A number: a box to type it, which has the last word, and a slider where it has a range."""

    def _make(self) -> tuple[ipywidgets.DOMWidget, tuple[ipywidgets.DOMWidget, ...]]:
        # Changes at once, so that slider and box never disagree about who was last.
        look = self._look(width="250px")
        look["placeholder"] = "" if self.parameter.default is None else f"{self._default} (default)"
        box = ipywidgets.Text(**look)
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
        """Move the slider to where the box is."""
        assert self._slider is not None  # for the type checker
        try:
            value = self.value
        except ValueError:
            return
        place = self._rest if value is None else float(value)
        if self._slider.min <= place <= self._slider.max:
            self._slider.value = place

    def _slid(self) -> None:
        """Write into the box what the slider says, if it is the slider that has moved."""
        assert self._slider is not None  # for the type checker
        moved = self._slider.value
        try:
            value = self.value
        except ValueError:
            value = math.nan
        if moved == value or (value is None and moved == self._rest):
            return
        if value is not None and not self._slider.min <= value <= self._slider.max and moved == self._rest:
            return  # it never went there
        self.control.value = f"{moved:.6g}"

    @property
    def value(self) -> Any:
        text = self.control.value.strip()
        if not text:
            return None
        if _WHOLE.fullmatch(text):  # never as a float, which ends after some sixteen digits
            if sum(map(str.isdigit, text)) > _MOST_DIGITS:
                raise ValueError(f"{_quoted(text)} has more than {_MOST_DIGITS} digits")
            return int(text)
        if _THOUSANDS.fullmatch(text):
            raise ValueError(f"{_quoted(text)} can be read in two ways: write it without the comma, or with a point")
        try:
            value = float(text.replace(",", "."))
        except ValueError:
            raise ValueError(f"{_quoted(text)} is no number") from None
        if self.parameter.kind is int and value.is_integer():
            return int(value)
        return value

    def fill(self, value: Any) -> None:
        self.control.value = "" if value is None else f"{value}"


class _Ticks(Field):
    """Several of the documented values; none of them means nothing."""

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
            layout=ipywidgets.Layout(width=_LABEL_WIDTH, margin="2px 8px 2px 0"),
        )
        control = ipywidgets.HBox([label, *self._boxes.values()])
        return control, (ipywidgets.HTML(f"<span>default: {Markup.escape(self._default)}</span>"),)

    @property
    def value(self) -> Any:
        ticked = [each for each, box in self._boxes.items() if box.value]
        return ticked or None

    def fill(self, value: Any) -> None:
        for each, box in self._boxes.items():
            box.value = each in (value or ())


class _Object(Field):
    """A JSON object."""

    def _make(self) -> tuple[ipywidgets.DOMWidget, tuple[ipywidgets.DOMWidget, ...]]:
        control = ipywidgets.Textarea(rows=2, **{**self._look(width="560px"), "placeholder": '{"name": 1}'})
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
            raise ValueError("it is not a JSON object") from None

    def fill(self, value: Any) -> None:
        self.control.value = "" if value is None else json.dumps(value, ensure_ascii=False)


class _Address(Field):
    """A URL, or a file that is chosen on the reader's machine and sent in its place."""

    def __init__(self, parameter: Parameter, changed: Callable[[], None], tool: Tool) -> None:
        self._tool = tool
        self._file: tuple[str, str] | None = None  # its name, and what is sent
        self._refused = ""
        super().__init__(parameter, changed)

    def _make(self) -> tuple[ipywidgets.DOMWidget, tuple[ipywidgets.DOMWidget, ...]]:
        control = ipywidgets.Text(**{**self._look(), "placeholder": "https://…, or choose a file"})
        when_changed(control, self._changed)
        narrow = ipywidgets.Layout(width="auto", margin="2px 4px")
        kind = self.parameter.media
        name = label_of_parameter(self.parameter)
        self._chooser = ipywidgets.FileUpload(
            accept=f"{kind}/*" if kind else "",
            description="File",
            tooltip=f"{name}: choose a file of at most {MAX_UPLOAD_BYTES / 1e6:.0f} MB",
            layout=narrow,
        )
        when_changed(self._chooser, self._chosen)
        self._name = ipywidgets.HTML()
        self._drop = ipywidgets.Button(
            description="Take away",
            tooltip=f"{name}: send no file",
            layout=ipywidgets.Layout(width="auto", display="none"),
        )
        self._drop.on_click(lambda _button: job_loop.at_home(self._dropped))
        return control, (self._chooser, self._name, self._drop)

    def _chosen(self) -> None:
        for file in self._chooser.value[:1]:
            try:
                sent = upload(file["content"], tool=self._tool, name=self.parameter.name)
            except InvalidParameterError as error:
                self._refused = _bare(error, self._tool)
                self._file = None
            else:
                self._refused = ""
                self._file = (str(file["name"]), sent)
                self.control.value = ""
        self._show_file()
        self._changed()

    def _dropped(self) -> None:
        self._file, self._refused = None, ""
        self._show_file()
        self._changed()

    def _show_file(self) -> None:
        there = self._file is not None or bool(self._refused)
        self._drop.layout.display = None if there else "none"
        name, sent = self._file or ("", "")
        text = Markup("<span dir='auto'>{} ({:,.0f} kB)</span>").format(name, len(sent) * 3 / 4 / 1000)
        self._name.value = str(text) if name else ""

    @property
    def value(self) -> Any:
        text = self.control.value.strip()
        if text:
            return text
        if self._refused:
            raise ValueError(self._refused)
        return None if self._file is None else self._file[1]

    def fill(self, value: Any) -> None:
        uploaded = isinstance(value, str) and not value.startswith(("http:", "https:")) and len(value) > len("data:")
        self._file = ("the same file", value) if uploaded else None
        self._refused = ""
        self.control.value = "" if value is None or uploaded else str(value)
        self._show_file()


def field_of(tool: Tool, parameter: Parameter, changed: Callable[[], None]) -> Field:
    """Make the field that fits a parameter.

    Args:
        tool: whose parameter it is.
        parameter: which.
        changed: called on the loop when the user has changed it.
    """
    if parameter.url:
        return _Address(parameter, changed, tool)
    if parameter.kind in _KINDS:
        return _KINDS[parameter.kind](parameter, changed)
    return (_Choice if parameter.choices and parameter.closed else _Words)(parameter, changed)


# An int with documented values is chosen; any other is typed.
_KINDS: Mapping[type, Callable[[Parameter, Callable[[], None]], Field]] = {
    bool: _Choice,
    int: lambda parameter, changed: (_Choice if parameter.choices else _Number)(parameter, changed),
    float: _Number,
    dict: _Object,
    list: _Ticks,
}


def label_of_parameter(parameter: Parameter) -> str:
    """Return a parameter's name for people.

    Example:
        >>> from novakit_widgets.model.parameters import Parameter
        >>> label_of_parameter(Parameter("aspect_ratio"))
        'Aspect ratio'
    """
    return _LABELS.get(parameter.name, parameter.name.replace("_", " ").capitalize())


_LABELS = {"n": "How many", "fps": "Frames a second", "timestamp_granularities": "Timestamps"}


def label_of_value(value: Any) -> str:
    """Return a parameter's value for people; ``None`` is the service's default.

    Example:
        >>> label_of_value([1, 2.0, True]), label_of_value(b"RIFF"), label_of_value(None)
        ('1, 2, yes', 'a file of 0.0 kB', 'the default')
    """
    if value is None:
        return "the default"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(label_of_value, value))
    if isinstance(value, PurePath):
        return readable(value.name)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"a file of {len(value) / 1000:,.1f} kB"
    if (
        not isinstance(value, str)
        and hasattr(value, "mode")
        and isinstance(size := getattr(value, "size", None), tuple)
    ):
        return f"a picture of {' x '.join(map(str, size))}"
    return f"{value:g}" if isinstance(value, float) else readable(str(value))


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 20 else text[:19] + "…")


def _bare(error: InvalidParameterError, tool: Tool) -> str:
    """Return a refusal without the parameter's name, beside which it stands."""
    return error.message.removeprefix(f"{tool}: {error.parameter}: ").removesuffix(". Nothing was sent or billed.")
