"""The field of a URL or an uploaded file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
from markupsafe import Markup

from ...api.uploads import MAX_UPLOAD_BYTES, upload
from ...errors import InvalidParameterError
from ...runtime import loop as job_loop
from ..common.labels import label_of_parameter
from ..common.observe import when_changed
from .field import Field

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...model.parameters import Parameter
    from ...model.tools import Tool

__all__ = ["FileField"]


class FileField(Field):
    """A URL, or a file that is uploaded from the user's machine."""

    def __init__(self, parameter: Parameter, changed: Callable[[], None], tool: Tool) -> None:
        self._tool = tool
        self._file: tuple[str, str] | None = None  # its name and its data URI
        self._refused = ""
        super().__init__(parameter, changed)

    def _make(self) -> tuple[ipywidgets.DOMWidget, tuple[ipywidgets.DOMWidget, ...]]:
        control = ipywidgets.Text(**{**self._options(), "placeholder": "https://…, or choose a file"})
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
        self._remove = ipywidgets.Button(
            description="Remove",
            tooltip=f"{name}: remove the file",
            layout=ipywidgets.Layout(width="auto", display="none"),
        )
        self._remove.on_click(lambda _button: job_loop.call(self._removed))
        return control, (self._chooser, self._name, self._remove)

    def _chosen(self) -> None:
        for file in self._chooser.value[:1]:
            try:
                sent = upload(file["content"], tool=self._tool, name=self.parameter.name)
            except InvalidParameterError as error:
                self._refused = _reason_of(error, self._tool)
                self._file = None
            else:
                self._refused = ""
                self._file = (str(file["name"]), sent)
                self.control.value = ""
        self._show_file()
        self._changed()

    def _removed(self) -> None:
        self._file, self._refused = None, ""
        self._show_file()
        self._changed()

    def _show_file(self) -> None:
        present = self._file is not None or bool(self._refused)
        self._remove.layout.display = None if present else "none"
        name, sent = self._file or ("", "")
        text = Markup("<span dir='auto'>{} ({:,.0f} kB)</span>").format(name, len(sent) * 3 / 4 / 1000)
        self._name.value = str(text) if name else ""

    @property
    def value(self) -> Any:
        """The value; see `Field.value`."""
        text = self.control.value.strip()
        if text:
            return text
        if self._refused:
            raise ValueError(self._refused)
        return None if self._file is None else self._file[1]

    def fill(self, value: Any) -> None:
        """Set the value; ``None`` clears it."""
        uploaded = isinstance(value, str) and not value.startswith(("http:", "https:")) and len(value) > len("data:")
        self._file = ("the same file", value) if uploaded else None
        self._refused = ""
        self.control.value = "" if value is None or uploaded else str(value)
        self._show_file()


def _reason_of(error: InvalidParameterError, tool: Tool) -> str:
    """Return an error's reason without the parameter's name, which is shown beside it."""
    return error.message.removeprefix(f"{tool}: {error.parameter}: ").removesuffix(". Nothing was sent or billed.")
