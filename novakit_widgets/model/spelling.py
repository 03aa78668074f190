"""Likely misspellings of parameter names, and the names that other services use."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import boxed
from .checks import check_keys
from .other_names import ADVICE, OTHER_NAMES
from .parameters import KEYWORDS, PARAMETERS

if TYPE_CHECKING:
    from .tools import Tool

__all__ = ["check_names", "name_problem", "passed_on"]

_SHORT_NAME = 4  # letters; in a shorter name one other letter makes another word
_MOST_NAMED, _LONGEST = 5, 40  # unknown names in a sentence, and characters of each
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def check_names(
    tool: Tool, params: Mapping[str, Any], *, called: str | None = None, ours: Collection[str] = KEYWORDS
) -> None:
    """Refuse likely misspellings of documented parameters and of this package's keywords, and names that other services use.

    Args:
        tool: the tool that the parameters are for.
        params: keywords of a call. Any other unknown name is passed on, since the service may know it.
        called: what the user called; by default a function of the tool's name.
        ours: the keywords that this function takes for itself.

    Raises:
        TypeError: a name is misspelt, or another service's.
        InvalidParameterError: a name is not a string.

    Example:
        >>> from novakit_widgets import Tool
        >>> check_names(Tool.VIDEO, {"aspect_ration": "1:1"})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        TypeError: video() got an unknown keyword 'aspect_ration': did you mean 'aspect_ratio'? ...
        >>> check_names(Tool.TTS, {"auto_start": False}, called="speech()")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        TypeError: speech() got an unknown keyword 'auto_start': did you mean 'autostart'? ...
    """
    check_keys(tool, params)
    wrong = {name: advice for name in params if (advice := name_problem(tool, name, ours)) is not None}
    if wrong:
        named = " It also got ".join(f"an unknown keyword {name!r}{advice}" for name, advice in wrong.items())
        raw = ", ".join(f"{name!r}: …" for name in wrong)
        raise boxed(
            TypeError(
                f"{called or f'{tool}()'} got {named} Nothing was sent or billed. To send "
                f"{'it as it is' if len(wrong) == 1 else 'them as they are'}, use JobWidget({tool.endpoint!r}, {{{raw}}})."
            )
        )


def name_problem(tool: Tool, name: str, ours: Collection[str] = KEYWORDS) -> str | None:
    """Return what to write instead of a name, for the end of a sentence; ``None`` where the name may be the service's.

    Args:
        tool: the tool that the parameter is for.
        name: the name of a parameter.
        ours: the keywords of the called function.

    Example:
        >>> from novakit_widgets import Tool
        >>> name_problem(Tool.VIDEO, "duration")
        ": did you mean 'duration_seconds'?"
    """
    if name in PARAMETERS[tool]:
        return None
    snake = _CAMEL.sub("_", name).lower().replace("-", "_")
    if snake in OTHER_NAMES[tool]:
        return f": did you mean {OTHER_NAMES[tool][snake]!r}?"
    if snake in ADVICE[tool]:
        return ADVICE[tool][snake]
    known = [*PARAMETERS[tool], *ours]
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.8)
    meant = close[0] if close else next((other for other in known if _one_slip(name.lower(), other)), None)
    if meant is not None and meant != name:
        return f": did you mean {meant!r}?"
    if name == "wait":
        return ": to wait for the result, append .wait() to the call."
    return ", which the service does not take." if name in KEYWORDS else None


def passed_on(tool: Tool, names: Iterable[str]) -> str:
    """Return a sentence that names the parameters that the documentation does not have; ``""`` if it has all of them.

    Args:
        tool: the tool that the parameters are for.
        names: of the parameters that are sent.

    Example:
        >>> from novakit_widgets import Tool
        >>> passed_on(Tool.VIDEO, {"prompt": "A sunset", "camera": "low"})
        'camera is not a documented parameter of video: it was passed on as it is.'
    """
    table = PARAMETERS[tool]
    unknown = [name for name in names if name not in table]
    if not unknown:
        return ""
    named = ", ".join(name[:_LONGEST] for name in unknown[:_MOST_NAMED])
    more = f" and {len(unknown) - _MOST_NAMED:,} more" if len(unknown) > _MOST_NAMED else ""
    if len(unknown) == 1:
        return f"{named} is not a documented parameter of {tool}: it was passed on as it is."
    return f"{named}{more} are not documented parameters of {tool}: they were passed on as they are."


def _one_slip(name: str, other: str) -> bool:
    """Whether two short names differ in one letter, or in the order of two neighbours; the first letter is the same."""
    if len(name) != len(other) or len(name) < _SHORT_NAME or name[0] != other[0]:
        return False
    wrong = [place for place, pair in enumerate(zip(name, other, strict=True)) if pair[0] != pair[1]]
    return len(wrong) == 1 or (len(wrong) == 2 and sorted(name) == sorted(other) and wrong[1] == wrong[0] + 1)
