"""What is different between two sets of parameters: what made the one result another than the other."""

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
_LONGEST = 2_000  # characters of a text that is compared word by word: it takes quadratic time


@dataclass(frozen=True, slots=True)
class Difference:
    """One parameter that two sets don't agree on.

    Attributes:
        name: the parameter's.
        before: its value in the one; ``None`` where it was left out.
        after: its value in the other.
    """

    name: str
    before: Any
    after: Any


def differences(tool: Tool, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Find in which parameters two sets ask for something else. A default is the same as nothing.

    Args:
        tool: whose defaults hold.
        before: the one set, by the service's names.
        after: the other.

    Returns:
        In the order of the tool's own table, then what is not in it.

    Example:
        >>> from novakit_widgets import Tool
        >>> differences(Tool.VIDEO, {"prompt": "A sunset", "fps": 30}, {"prompt": "A sunset", "seed": 7})
        (Difference(name='seed', before=None, after=7),)
    """
    return tuple(Difference(name, before.get(name), after.get(name)) for name in differing_names(tool, (before, after)))


def differing_names(tool: Tool, sets: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the parameters that are not the same in all of the sets.

    Args:
        tool: whose defaults hold.
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
    """Split a text into pieces, each with whether the other text has it not.

    Args:
        before: the other text.
        after: the one that is split.

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
