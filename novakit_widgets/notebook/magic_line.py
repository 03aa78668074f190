"""Parsing the line of the magic: a tool, options as in a shell, and a prompt. Mistakes are refused before anything is billed."""

from __future__ import annotations

import argparse
import difflib
import itertools
import json
import re
import shlex
from typing import TYPE_CHECKING, Any, NoReturn

from IPython.core.error import UsageError

from ..api.embedding import check_embed
from ..errors import ConfigurationError, InvalidParameterError
from ..model.parameters import PARAMETERS, Parameter
from ..model.spelling import check_names
from ..model.tools import Tool, tool_names
from ..widgets.common.code import main_parameter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["OURS", "help_of", "option_of", "parse"]

_PAIR = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_WORD = re.compile(
    r"""\s*((?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+)(?=\s|$)""", re.DOTALL
)  # a word of a shell's line
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""", re.DOTALL)  # a whole prompt in quotes, as in a shell
OURS = {  # options of the magic rather than of the service
    "as": "NAME: also assign the card to this variable",
    "wait": "wait until the job has ended",
    "timeout": "SECONDS to watch the job",
    "embed": "auto, inline, file or link",
    "reuse": "take an equal job of the history instead of paying again",
    "help": "show these options, and do nothing",
}


class _Parser(argparse.ArgumentParser):
    """Raises an error that IPython shows in one line, instead of ending the kernel."""

    def error(self, message: str) -> NoReturn:
        end = "" if message.endswith("?") else "."
        raise UsageError(
            f"{message}{end} Nothing was sent or billed. %novakit {self.prog.split()[-1]} --help shows the options."
        )


class _Once(argparse.Action):
    """Stores a value, and refuses a second one."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option_string: Any = None) -> None:
        if hasattr(namespace, self.dest):
            parser.error(f"{option_string} is set twice")
        setattr(namespace, self.dest, values)


class _OnceEither(argparse.BooleanOptionalAction):
    """Accepts ``--name`` or ``--no-name``, but not both."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option_string: Any = None) -> None:
        if hasattr(namespace, self.dest):
            parser.error(f"use either {' or '.join(self.option_strings)}, once")
        super().__call__(parser, namespace, values, option_string)


def _value_of(parameter: Parameter) -> Any:
    """Return a function that parses a parameter's value."""

    def read(text: str) -> Any:
        if parameter.kind is str:
            return text
        if parameter.kind is list and not text.lstrip().startswith("["):
            return text.split(",")
        try:
            value = json.loads(text.lower() if parameter.kind is bool else text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be {_SORTS[parameter.kind]}, got {text!r}") from None
        return value

    return read


_SORTS: Mapping[type, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a JSON object",
    list: "a JSON list or words separated by commas",
}


def _parser_of(tool: Tool) -> _Parser:
    """Return the parser of a tool's options, made from its documented parameters."""
    parser = _Parser(
        prog=f"%%novakit {tool}",
        description="The cell, or the rest of the line, is the prompt. Parameters you omit are not sent.",
        argument_default=argparse.SUPPRESS,
        add_help=False,
        allow_abbrev=False,
        epilog="Write other parameters as name=value; they are sent as they are.",
    )
    parser.add_argument("words", nargs="*", help="the prompt, if there is no cell; or name=value")
    for parameter in PARAMETERS[tool].values():
        if parameter.name == main_parameter(tool):
            continue
        options: dict[str, Any] = {"dest": parameter.name, "help": _explained(parameter).replace("%", "%%")}
        if parameter.kind is bool:
            parser.add_argument(option_of(parameter.name), action=_OnceEither, **options)
        else:
            name = parameter.unit or parameter.kind.__name__
            options |= {"type": _value_of(parameter), "metavar": name.upper()}
            parser.add_argument(option_of(parameter.name), action=_Once, **options)
    parser.add_argument("--as", dest="_as", action=_Once, metavar="NAME", help=OURS["as"])
    parser.add_argument("--wait", dest="_wait", action="store_true", help=OURS["wait"])
    parser.add_argument("--timeout", dest="_timeout", action=_Once, type=float, metavar="SECONDS", help=OURS["timeout"])
    parser.add_argument("--embed", dest="_embed", action=_Once, metavar="WHERE", help=OURS["embed"])
    parser.add_argument("--reuse", dest="_reuse", action=_OnceEither, help=OURS["reuse"])
    parser.add_argument("--help", dest="_help", action="store_true", help=OURS["help"])
    return parser


def _explained(parameter: Parameter) -> str:
    values = ", ".join(map(str, parameter.choices))
    default = "" if parameter.default is None else f"Default: {parameter.default}."
    return " ".join(part for part in (parameter.help, f"One of {values}." * bool(values), default) if part)


def help_of(tool: Tool) -> str:
    """Return the help text of a tool's options."""
    return _parser_of(tool).format_help()


def option_of(name: str) -> str:
    """Return the option for a parameter.

    Example:
        >>> option_of("aspect_ratio")
        '--aspect-ratio'
    """
    return "--" + name.replace("_", "-")


def parse(line: str, cell: str | None = None) -> tuple[Tool, dict[str, Any], dict[str, Any]]:
    r"""Parse the line of the magic, and the cell below it.

    Args:
        line: A tool and options, such as ``"video --duration-seconds 5 seed=7"``.
        cell: The prompt. Without a cell, the prompt is the line from the first word on that is not an option.

    Returns:
        The tool, the parameters to send, and the magic's own options, such as ``wait`` and ``timeout``.

    Raises:
        UsageError: The line is not valid. Nothing was sent or billed.

    Example:
        >>> parse("video --duration-seconds 5 seed=7", "A sunset\n")
        (<Tool.VIDEO: 'video'>, {'prompt': 'A sunset', 'duration_seconds': 5, 'seed': 7}, {})
    """
    name, after = [*line.split(None, 1), "", ""][:2]
    if not name or name.startswith("-"):
        raise UsageError(
            f"Name a tool: %%novakit TOOL [options], where TOOL is one of {tool_names()}. "
            "%novakit TOOL --help shows its options."
        )
    try:
        tool = Tool.of(name)
    except InvalidParameterError as error:
        raise UsageError(error.message) from None
    parser = _parser_of(tool)
    if cell is None:
        words, text = _before_prompt(after, parser)
    else:
        words, text = _words_of(after), cell.strip()
        _refuse_truth(words, parser)
    said, rest = _pairs(tool, words)
    found, unknown = parser.parse_known_intermixed_args(rest)
    if unknown:
        _refuse_unknown(unknown[0], parser)
    options = vars(found)
    left: list[str] = options.pop("words", [])
    ours = {name[1:]: options.pop(name) for name in list(options) if name.startswith("_")}
    if left:
        parser.error(f"unknown option {' '.join(left)!r}: with %%novakit the prompt is the cell")
    if twice := sorted(options.keys() & said):
        parser.error(f"{twice[0]} is set twice, as {option_of(twice[0])} and as {twice[0]}=…")
    main = main_parameter(tool)
    if text and main in said:
        parser.error(f"{main} is set twice: as {main}=… and as {'the cell' if cell is not None else 'the words'}")
    prompt = {main: text} if text else {}
    try:
        check_names(tool, said, called="%novakit", ours=[f"--{name}" for name in OURS])
        check_embed(ours.get("embed"))
    except (TypeError, ConfigurationError) as error:
        raise UsageError(str(error)) from None
    return tool, {**prompt, **options, **said}, ours


def _words_of(text: str) -> list[str]:
    """Split a line into words as a shell does."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{text!r} can't be parsed ({error}). Nothing was sent or billed.") from None


def _before_prompt(text: str, parser: _Parser) -> tuple[list[str], str]:
    """Split a line into its options and ``name=value``, and the prompt, which begins with the first other word.

    Args:
        text: The line after the tool.
        parser: The parser of the tool's options.
    """
    options = parser._option_string_actions  # noqa: SLF001 # argparse has no public way
    words: list[str] = []
    at, takes_value = 0, False
    while (found := _WORD.match(text, at)) is not None:
        (word,) = _words_of(found[1])
        if word == "--" and not takes_value:
            at = found.end()
            break
        if not takes_value and not word.startswith("--") and _PAIR.fullmatch(word) is None:
            _refuse_truth([*words[-1:], word], parser)
            _refuse_other_dashes(word, parser)
            break
        words.append(word)
        at = found.end()
        option = None if takes_value else options.get(word)
        takes_value = option is not None and option.nargs != 0
    prompt = text[at:].strip()
    for word in prompt.split():
        if word.partition("=")[0] in options:
            parser.error(f"{word!r} comes after the beginning of the prompt: write options before it")
    return words, prompt[1:-1] if _QUOTED.fullmatch(prompt) else prompt


def _refuse_truth(words: Sequence[str], parser: _Parser) -> None:
    """Refuse ``--loop true``: a flag takes no value, so the word would begin the prompt."""
    options = parser._option_string_actions  # noqa: SLF001 # argparse has no public way
    for flag, word in itertools.pairwise(words):
        action = options.get(flag)
        if action is not None and action.nargs == 0 and word.lower() in ("true", "false"):
            parser.error(
                f"{flag} takes no value, got {word!r}. Write {' or '.join(action.option_strings)} alone; "
                f"write -- before a prompt that begins with {word!r}"
            )


def _refuse_other_dashes(word: str, parser: _Parser) -> None:
    """Refuse ``-seed``, ``—seed`` and ``aspect-ratio=1:1`` as the first word of a prompt: an option is meant."""
    bare = word.lstrip("-\N{EN DASH}\N{EM DASH}")  # editors turn two dashes into one long dash
    name = f"--{bare.partition('=')[0]}"
    if name in parser._option_string_actions and (bare != word or "=" in word):  # noqa: SLF001
        parser.error(f"unknown option {word!r}. Write {name}, or write -- before a prompt that begins like this")


def _refuse_unknown(word: str, parser: _Parser) -> NoReturn:
    """Refuse an unknown option, and suggest a similar one."""
    name = word.partition("=")[0]
    close = difflib.get_close_matches(name.lower().replace("_", "-"), parser._option_string_actions, n=1, cutoff=0.75)  # noqa: SLF001
    parser.error(f"unknown option {name!r}{f': did you mean {close[0]}?' if close else ''}")


def _pairs(tool: Tool, words: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Split words into ``name=value`` and others. A value that is not JSON is text, unless it begins like JSON."""
    said: dict[str, Any] = {}
    rest: list[str] = []
    for word in words:
        found = _PAIR.fullmatch(word)
        if found is None:
            rest.append(word)
            continue
        name, text = found.groups()
        if name in OURS:
            raise UsageError(
                f"{name!r} is an option, not a parameter of the service. Write --{name}. Nothing was sent or billed."
            )
        if name in said:
            raise UsageError(f"{name} is set twice. Nothing was sent or billed.")
        known = PARAMETERS[tool].get(name)
        try:
            said[name] = json.loads(text) if known is None else _value_of(known)(text)
        except ValueError:
            if text.startswith(("[", "{")):
                raise UsageError(
                    f"{name}: {text!r} is not valid JSON. Write it without spaces, or in quotes as in "
                    f"'{name}=[\"a\", 2]'; write -- before a prompt that begins like this. Nothing was sent or billed."
                ) from None
            said[name] = text
        except argparse.ArgumentTypeError as error:
            raise UsageError(f"{name}: {error}. Nothing was sent or billed.") from None
    return said, rest
