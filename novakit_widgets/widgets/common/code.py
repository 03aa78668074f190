"""The line of Python that makes the same job again."""

from __future__ import annotations

import keyword
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from ...api.uploads import named_files
from ...model.canonical import lacks
from ...model.parameters import PARAMETERS
from ...model.spelling import name_problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...model.tools import Tool

__all__ = ["call_of", "call_of_kept", "call_with_files", "main_parameter"]


def call_of(tool: Tool, params: Mapping[str, Any]) -> str:
    """Return the call that makes the same job.

    Args:
        tool: the job's tool.
        params: the job's parameters; a file is a `pathlib.Path`.

    Example:
        >>> from novakit_widgets import Tool
        >>> call_of(Tool.VIDEO, {"prompt": "A sunset", "seed": 7})
        "nk.video('A sunset', seed=7)"
        >>> call_of(Tool.IMAGE_EDIT, {"operation": "upscale", "image": Path("boat.png")})
        "nk.edit_image(operation='upscale', image=Path('boat.png'))"
    """
    name, first = tool.facts.function, tool.facts.main_parameter
    needed = first in PARAMETERS[tool] and PARAMETERS[tool][first].required
    if (needed and first not in params) or not all(_fits(tool, key) for key in params):
        written = ", ".join(f"{key!r}: {_source(value)}" for key, value in params.items())
        return f"nk.JobWidget({tool.endpoint!r}, {{{written}}})"
    others = [f"{key}={_source(value)}" for key, value in params.items() if key != first]
    positional = [_source(params[first])] if first in params else []
    return f"nk.{name}({', '.join([*positional, *others])})"


def call_with_files(tool: Tool, params: Mapping[str, Any], folder: Path) -> str:
    """Return the call that makes the same job, with file names in place of uploaded content.

    Args:
        tool: the job's tool.
        params: the job's parameters.
        folder: the folder of the files; nothing is written.

    Returns:
        Lines of Python. A comment describes the content of each file.

    Example:
        >>> from novakit_widgets import Tool
        >>> print(call_with_files(Tool.STT, {"file": "UklGRg=="}, Path("media")))
        from pathlib import Path
        <BLANKLINE>
        # media/novakit-a40ff3d5900f.bin: the file that was sent, 4 bytes
        nk.transcribe(Path('media/novakit-a40ff3d5900f.bin'))
    """
    named, contents = named_files(tool, params, folder)
    call = call_of(tool, named)
    if not contents:
        return call
    notes = [
        f"# {path.as_posix()}: the file that was sent, {len(content):,} bytes" for path, content in contents.items()
    ]
    return "\n".join(["from pathlib import Path", "", *notes, call])


def call_of_kept(tool: Tool, params: Mapping[str, Any]) -> str:
    """Return the call that makes the same job, from the parameters in the history.

    The history keeps only a digest of an upload or a very long text. The call has a placeholder path in its place: until you put
    a file name there, the call fails locally, and nothing is sent or billed.

    Args:
        tool: the job's tool.
        params: the parameters as the history has them.

    Returns:
        Lines of Python. A comment describes each placeholder.

    Example:
        >>> from novakit_widgets import Tool
        >>> print(call_of_kept(Tool.STT, {"file": f"(20000 characters, sha256 {'0' * 64})", "language": "en"}))
        from pathlib import Path
        <BLANKLINE>
        # name-the-file-of-file: the history does not keep the content of 'file'; put the file name here
        nk.transcribe(Path('name-the-file-of-file'), language='en')
    """
    missing = {
        name: Path(f"name-the-file-of-{name if name.isidentifier() else number}")
        for number, (name, value) in enumerate(params.items(), start=1)
        if lacks(value)
    }
    if not missing:
        return call_of(tool, params)
    table = PARAMETERS[tool]
    named = {name: path if name in table and table[name].url else _TextOf(path) for name, path in missing.items()}
    notes = [
        f"# {path.as_posix()}: the history does not keep the content of {name!r}; put the file name here"
        for name, path in missing.items()
    ]
    return "\n".join(["from pathlib import Path", "", *notes, call_of(tool, {**params, **named})])


@dataclass(frozen=True, slots=True)
class _TextOf:
    """A file's text, as code that reads it."""

    path: PurePath

    def __repr__(self) -> str:
        return f"{_source(self.path)}.read_text(encoding='utf-8')"


def _source(value: Any) -> str:
    return f"Path({value.as_posix()!r})" if isinstance(value, PurePath) else repr(value)


def main_parameter(tool: Tool) -> str:
    """Return the parameter that a short form takes positionally: the prompt, the text or the file.

    Example:
        >>> from novakit_widgets import Tool
        >>> main_parameter(Tool.VIDEO), main_parameter(Tool.TTS)
        ('prompt', 'input')
    """
    return tool.facts.main_parameter


def _fits(tool: Tool, name: str) -> bool:
    """Return whether a parameter can be a keyword argument of a short form."""
    return name.isidentifier() and not keyword.iskeyword(name) and name_problem(tool, name) is None
