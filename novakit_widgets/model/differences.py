"""Compare sets of parameters: which values differ between two results."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .canonical import same
from .parameters import PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .tools import Tool

__all__ = ["Difference", "differences", "differing_names", "words"]

_WORD = re.compile(r"\s+|\S+")
_LONGEST = 2_000  # characters; a longer text is not compared word by word, which takes quadratic time


@dataclass(frozen=True, slots=True)
class Difference:
    """One parameter that differs between two sets.

    Attributes:
        name: the parameter's name.
        before: the value in the first set; ``None`` where it was omitted.
        after: the value in the second set.
    """

    name: str
    before: Any
    after: Any


def differences(tool: Tool, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return the parameters that differ between two sets. A default equals an omitted parameter.

    Args:
        tool: the tool whose defaults apply.
        before: the first set, by the service's names.
        after: the second set.

    Returns:
        In the order of the tool's table, followed by undocumented parameters.

    Example:
        >>> from novakit_widgets import Tool
        >>> differences(Tool.VIDEO, {"prompt": "A sunset", "fps": 30}, {"prompt": "A sunset", "seed": 7})
        (Difference(name='seed', before=None, after=7),)
    """
    return tuple(Difference(name, before.get(name), after.get(name)) for name in differing_names(tool, (before, after)))


def differing_names(tool: Tool, sets: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the names of the parameters that differ between any of the sets.

    Args:
        tool: the tool whose defaults apply.
        sets: two or more, by the service's names.

    Example:
        >>> from novakit_widgets import Tool
        >>> differing_names(Tool.IMAGE, [{"prompt": "A", "seed": 1}, {"prompt": "A", "seed": 2}, {"prompt": "B", "seed": 2}])
        ('prompt', 'seed')
    """
    names = [*PARAMETERS[tool], *(name for params in sets for name in params)]
    return tuple(
        name
        for name in dict.fromkeys(names)
        if any(not same(tool, {name: sets[0].get(name)}, {name: other.get(name)}) for other in sets[1:])
    )


def words(before: str, after: str) -> list[tuple[str, bool]]:
    """Split a text into pieces, each with whether it differs from the other text.

    Args:
        before: the other text.
        after: the text that is split.

    Returns:
        The pieces of ``after``, which together are all of it.

    Example:
        >>> words("A red boat", "A green boat")
        [('A ', False), ('green', True), (' boat', False)]
    """
    if max(len(before), len(after)) > _LONGEST:
        return [(after, before != after)]
    old, new = _WORD.findall(before), _WORD.findall(after)
    steps = difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes()
    pieces = [("".join(new[start:end]), step != "equal") for step, _, _, start, end in steps]
    return [piece for piece in pieces if piece[0]]
