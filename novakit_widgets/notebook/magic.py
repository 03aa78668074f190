"""``%%novakit video``: the cell is the prompt, the line has the options. ``%load_ext novakit_widgets`` loads it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher
from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from ..config import settings
from ..errors import ConfigurationError, InvalidParameterError
from ..model.parameters import PARAMETERS
from ..model.tools import Tool
from .magic_line import OURS, help_of, option_of, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from ..model.parameters import Parameter
    from ..widgets.card.widget import JobWidget

__all__ = ["NovaKitMagics", "complete", "load", "unload"]


@magics_class
class NovaKitMagics(Magics):
    """The magic ``novakit``, for a line and for a cell."""

    @no_var_expand  # dollars and braces in a prompt are not expanded
    @line_cell_magic
    def novakit(self, line: str, cell: str | None = None) -> JobWidget | None:
        """Generate with NovaKit: the cell is the prompt, the line has the options.

            %%novakit video --duration-seconds 5 --aspect-ratio 1:1
            A sunset over mountains

            %novakit image --size 512x512 A lighthouse in a storm

        Tools: video, music, image, image_edit (edit_image), tts (speech), stt (transcribe). Each has the service's own
        parameters as options; Tab completes them, and ``%novakit video --help`` explains them. ``name=value`` sends any
        parameter, also an undocumented one. Further options:

            --as NAME       also assign the card to this variable
            --wait          wait until the job has ended
            --timeout SEC   seconds to watch the job
            --embed WHERE   auto, inline, file or link
            --reuse         take an equal job of the history instead of paying again

        On a line, write options and ``name=value`` before the prompt, and ``--`` before a prompt that begins like an option.
        Braces and dollars are sent as they are: to insert a variable, use nk.image(f"…").

        The card shows itself and the job runs in the background, as with nk.video(…).
        """
        tool, params, ours = parse(line, cell)
        if ours.pop("help", False):
            print(help_of(tool))  # noqa: T201 # what was asked for
            return None
        name, waits = ours.pop("as", None), ours.pop("wait", False)
        if name is not None and not name.isidentifier():
            raise UsageError(f"--as must be a variable name, got {name!r}. Nothing was sent or billed.")
        from ..widgets.card.widget import JobWidget

        try:
            widget = JobWidget(tool, params, **ours)
        except ConfigurationError as error:
            raise UsageError(error.message) from None
        if name is not None and self.shell is not None:
            self.shell.user_ns[name] = widget
        if waits:
            widget.wait()  # it shows itself
            return None
        return widget


def complete(text: str) -> list[str]:
    """Return the completions of the last word of a magic's line: tools, options, and documented values.

    Args:
        text: The line up to the cursor, from ``%novakit`` or ``%%novakit`` on.

    Example:
        >>> complete("%%novakit video --aspect-ratio 1")
        ['16:9', '1:1']
        >>> complete("%%novakit music --out")
        ['--output-format']
    """
    found = re.match(r"\s*%%?novakit\s+(.*)", text, re.DOTALL)
    if found is None:
        return []
    words = found[1].split()
    last = "" if not words or found[1][-1:].isspace() else words.pop()
    if not words:
        return [name for name in (*Tool, "edit_image", "speech", "transcribe") if name.startswith(last)]
    try:
        table = PARAMETERS[Tool.of(words[0])]
    except InvalidParameterError:
        return []
    return [word for word in _words_for(table, words, last) if word.startswith(last)]


def _words_for(table: Mapping[str, Parameter], words: Sequence[str], last: str) -> Iterator[str]:
    name, equals, _ = last.partition("=")
    before = words[-1] if words[-1].startswith("--") else ""
    of_option = {option_of(parameter.name): parameter for parameter in table.values() if parameter.kind is not bool}
    if equals:
        values = table[name.removeprefix("--").replace("-", "_")].choices if _is_known(table, name) else ()
        yield from (f"{name}={value}" for value in values)
    elif before in of_option:
        yield from map(str, of_option[before].choices)
    elif before == "--embed":
        yield from ("auto", "inline", "file", "link")
    else:
        yield from (option_of(parameter.name) for parameter in table.values() if not parameter.required)
        yield from (option_of(f"no_{parameter.name}") for parameter in table.values() if parameter.kind is bool)
        yield from (f"--{ours}" for ours in OURS)


def _is_known(table: Mapping[str, Parameter], name: str) -> bool:
    return name.removeprefix("--").replace("-", "_") in table


@context_matcher()  # type: ignore[untyped-decorator]
def _matcher(context: CompletionContext) -> SimpleMatcherResult:
    """Complete the line of the magic; return no completions elsewhere."""
    text = context.text_until_cursor
    found = complete(text)
    last = "" if not text or text[-1].isspace() else text.split()[-1]
    known = len(last) - len(context.token)  # of the last word, IPython replaces only this token
    completions = [SimpleCompletion(text=word[known:], type="option") for word in found] if known >= 0 else []
    # Every key but `completions` is optional, though the TypedDict requires it.
    return {"completions": completions, "suppress": bool(completions)}  # type: ignore[typeddict-item]


def load(shell: InteractiveShell) -> None:
    """Add the magic to a shell, its completion, and the settings to ``%config``.

    Args:
        shell: IPython's shell.
    """
    settings.register(shell)
    shell.register_magics(NovaKitMagics)
    if shell.Completer is not None and _matcher not in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.append(_matcher)


def unload(shell: InteractiveShell) -> None:
    """Remove the magic and its completion from a shell.

    Args:
        shell: IPython's shell.
    """
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("novakit", None)
    if shell.Completer is not None and _matcher in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(_matcher)
