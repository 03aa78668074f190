"""The line of Python that asks for the same job again."""

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
    """Write the call that makes the same job.

    Args:
        tool: what makes it.
        params: the service's own parameters; a file as a `pathlib.Path`.

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
        written = ", ".join(f"{key!r}: {_written(value)}" for key, value in params.items())
        return f"nk.JobWidget({tool.endpoint!r}, {{{written}}})"
    others = [f"{key}={_written(value)}" for key, value in params.items() if key != first]
    said = [_written(params[first])] if first in params else []
    return f"nk.{name}({', '.join([*said, *others])})"


def call_with_files(tool: Tool, params: Mapping[str, Any], folder: Path) -> str:
    """Write the call that makes the same job, with a file's name in place of what was sent from this machine.

    Args:
        tool: what makes it.
        params: the service's own parameters.
        folder: where such files would be; nothing is written.

    Returns:
        Lines of Python. A comment says what belongs into each file.

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
    """Write the call that makes the same job, from what the history keeps of it: of an upload or a very long text, its digest only.

    In its place stands a file that is to be named. Until it is, the call fails here, and nothing is sent or billed.

    Args:
        tool: what makes it.
        params: the parameters as a row of the history has them.

    Returns:
        Lines of Python. A comment says what is to be named.

    Example:
        >>> from novakit_widgets import Tool
        >>> print(call_of_kept(Tool.STT, {"file": f"(20000 characters, sha256 {'0' * 64})", "language": "en"}))
        from pathlib import Path
        <BLANKLINE>
        # name-the-file-of-file: the history does not keep what was sent as 'file'; put the name of the file here
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
        f"# {path.as_posix()}: the history does not keep what was sent as {name!r}; put the name of the file here"
        for name, path in missing.items()
    ]
    return "\n".join(["from pathlib import Path", "", *notes, call_of(tool, {**params, **named})])


@dataclass(frozen=True, slots=True)
class _TextOf:
    """What stands in a file, as code that reads it."""

    path: PurePath

    def __repr__(self) -> str:
        return f"{_written(self.path)}.read_text(encoding='utf-8')"


def _written(value: Any) -> str:
    return f"Path({value.as_posix()!r})" if isinstance(value, PurePath) else repr(value)


def main_parameter(tool: Tool) -> str:
    """Return the parameter that a tool can be given without its name: the words, the text or the file.

    Example:
        >>> from novakit_widgets import Tool
        >>> main_parameter(Tool.VIDEO), main_parameter(Tool.TTS)
        ('prompt', 'input')
    """
    return tool.facts.main_parameter


def _fits(tool: Tool, name: str) -> bool:
    """Whether a parameter can be a keyword of a short form."""
    return name.isidentifier() and not keyword.iskeyword(name) and name_problem(tool, name) is None
