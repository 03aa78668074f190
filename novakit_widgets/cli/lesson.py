"""The commands for recordings: execute a notebook and record its jobs, and list what a recording has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..errors import NovaKitError
from ..lessons import lesson as lessons
from ..lessons.partial import recover
from ..lessons.summary import lines
from .demo import DemoError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["execute_and_record", "show"]

_SECONDS = 900  # of a cell; a batch of videos takes minutes
_BEGIN = "import novakit_widgets as _novakit_widgets\n_novakit_recording = _novakit_widgets.record({path!r})"
_END = "_ = await _novakit_recording.aclose(wait={seconds})"


def execute_and_record(notebook: Path, target: Path) -> list[str]:
    """Execute a notebook in its folder, with its own settings, and record the jobs of its kernel. The notebook is not changed.

    Args:
        notebook: the notebook.
        target: the recording to make; one that exists is replaced.

    Returns:
        Why the notebook stopped early; empty if it ran to its end. What it had done until then is recorded, too.

    Raises:
        DemoError: the notebook can't be read.
    """
    import nbformat

    from .execution import execute

    try:
        document = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    except FileNotFoundError:
        raise DemoError(f"there is no notebook {notebook}") from None
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, UnicodeDecodeError) as problem:
        raise DemoError(f"{notebook} can't be read as a notebook: {problem!s:.200}") from None
    target = target.absolute()
    begin = nbformat.v4.new_code_cell(_BEGIN.format(path=str(target)))  # type: ignore[no-untyped-call]
    end = nbformat.v4.new_code_cell(_END.format(seconds=_SECONDS - 60))  # type: ignore[no-untyped-call]
    document.cells = [begin, *document.cells, end]
    problems = execute(document, notebook.absolute().parent, dict(os.environ), cell_seconds=_SECONDS)
    if problems:
        recover(target)  # of a kernel that was killed
    return problems


def show(path: Path) -> str:
    """Return what a recording has, a line for each call.

    Raises:
        DemoError: it is no recording, or is damaged.
    """
    try:
        return "\n".join(lines(lessons.read(path)))
    except NovaKitError as problem:
        raise DemoError(problem.message.removesuffix(" Nothing was sent or billed.")) from None
