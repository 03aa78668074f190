"""Many jobs at once: from prompts, dicts or the rows of a table to what is submitted. All are checked before one is sent."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api.sources import is_source
from ..api.uploads import check_size, said
from ..errors import InvalidParameterError
from ..model.checks import check
from ..model.spelling import check_names
from ..model.tools import Tool
from ..widgets.common.code import main_parameter

if TYPE_CHECKING:
    from ..api.client import NovaKitClient
    from ..api.embedding import Embed
    from ..widgets.board.widget import JobBoard

__all__ = ["OURS", "batch", "is_missing", "parse_items"]

MOST_ITEMS = 10_000  # also what ends a generator that has no end
OURS = ("max_running", "client", "timeout", "embed", "reuse")  # what a batch takes for itself
_NAMED = 5  # further items that an error names


def batch(
    endpoint_or_tool: Tool | str,
    items: Iterable[Any],
    *,
    max_running: int | None = None,
    client: NovaKitClient | None = None,
    timeout: float | None = None,
    embed: Embed | None = None,
    reuse: bool | None = None,
    **common: Any,
) -> JobBoard:
    """Make many: a queue that keeps to the service's limits, on one board.

    All items are checked before anything is submitted. Then they start one after the other, as fast as the limits of the tool
    and of the key allow; each that waits says when it will start. One that fails does not keep the others from going on.

    Args:
        endpoint_or_tool: such as ``"video"`` or ``"videos/generations"``.
        items: prompts (for ``"tts"`` the text, for ``"stt"`` the file), dicts of parameters, or a mixture; any iterable, such as
            a generator, of at most 10,000. Or a DataFrame: a row is an item, a column a parameter. A value that is ``None`` or
            NaN counts as not said.
        max_running: how many of them may run at once, 100 where it is left out; the limits decide besides.
        client: speaks to the service; where it is left out, one is made from the settings.
        timeout: seconds to watch each; the default is the tool's (video 300, music 180, else 120).
        embed: where the finished media go: ``"auto"`` puts up to 8 MB of all together into the notebook, and what is more into
            ``novakit-media/`` beside it; see `JobWidget` for the others.
        reuse: as for `JobWidget`: take jobs of the history that asked for the same, instead of paying again.
        **common: parameters for all of them; an item's own values win.

    Returns:
        A `JobBoard`, which shows itself, runs in the background, and can be awaited.

    Raises:
        InvalidParameterError: an item is of no use; the message says which, counted from 0 as in ``board[0]``, and why. Nothing
            was sent or billed.
        TypeError: a keyword is nearly a documented one.
        ConfigurationError: there is no usable key, base URL, time-out, embed or ``max_running``.

    Example:
        >>> board = batch("image", ["A lighthouse", {"prompt": "A boat", "seed": 7}], size="512x512")
        >>> [str(job.status) for job in board.wait()]
        ['completed', 'completed']
        >>> batch("video", ["A sunset", "A sunrise"], fps=29)
        Traceback (most recent call last):
        ...
        novakit_widgets.errors.InvalidParameterError: item 0: video: fps must be 30 or 60, got 29. Nothing was sent or billed. \
Item 1 is refused as well.
    """
    tool = Tool.of(endpoint_or_tool)
    if "autostart" in common:
        raise TypeError("batch() takes no autostart: JobBoard does. Nothing was sent or billed.")
    check_names(tool, common, called="batch()", ours=OURS)
    parsed = parse_items(tool, items, common)
    from ..widgets.board.widget import JobBoard

    return JobBoard(
        [(tool, params) for params in parsed],
        max_running=max_running,
        client=client,
        timeout=timeout,
        embed=embed,
        reuse=reuse,
    )


def parse_items(tool: Tool, items: Iterable[Any], common: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Turn what a user gave into parameters, and check all of them.

    Args:
        tool: what makes them.
        items: as for `batch`.
        common: parameters for all of them; an item's own values win.

    Raises:
        InvalidParameterError: there is no item, or one is of no use.

    Example:
        >>> parse_items(Tool.TTS, ["Hello", {"input": "Bye", "speed": float("nan")}], {"voice": "echo"})
        [{'voice': 'echo', 'input': 'Hello'}, {'voice': 'echo', 'input': 'Bye'}]
    """
    shared = said(tool, common or {}, missing=is_missing)
    parsed: list[dict[str, Any]] = []
    problems: list[tuple[int, str, str | None]] = []
    for number, item in enumerate(_rows(items)):
        if number >= MOST_ITEMS:
            raise InvalidParameterError(
                f"There are more than {MOST_ITEMS:,} items. Nothing was sent or billed. Make several batches of them."
            )
        try:
            params = {**shared, **said(tool, _mapping(tool, item), missing=is_missing)}
            _check(tool, params)
        except InvalidParameterError as error:
            problems.append((number, error.message, error.parameter))
        except TypeError as error:  # a slip in a name
            problems.append((number, str(error), None))
        else:
            parsed.append(params)
    if problems:
        number, message, parameter = problems[0]
        raise InvalidParameterError(
            f"item {number}: {message}{_others([other for other, _, _ in problems[1:]])}", parameter=parameter
        )
    if not parsed:
        raise InvalidParameterError("There is no item, so there is nothing to make. Nothing was sent or billed.")
    return parsed


def _rows(items: Iterable[Any]) -> Iterator[Any]:
    """Yield the items of whatever holds them."""
    if isinstance(items, str | bytes | Path | Mapping) or not _holds_items(items):
        raise InvalidParameterError(
            f"items is a list of prompts or dicts, or a table, not {type(items).__name__}. Nothing was sent or billed. "
            "For a single one there are nk.video, nk.image, …"
        )
    if hasattr(items, "columns"):  # a table; its rows are what pandas and polars give them out as
        as_dicts = getattr(items, "to_dicts", None)
        items = as_dicts() if callable(as_dicts) else items.to_dict("records")  # type: ignore[attr-defined]  # pandas
    return itertools.chain(items)


def _holds_items(items: object) -> bool:
    return isinstance(items, Iterable) or (hasattr(items, "columns") and hasattr(items, "to_dict"))


def _mapping(tool: Tool, item: object) -> Mapping[str, Any]:
    """Turn one item into parameters."""
    if isinstance(item, Mapping):
        check_names(tool, item, called="batch()", ours=())
        return item
    if isinstance(item, str) or (tool is Tool.STT and is_source(item)):
        return {main_parameter(tool): item}
    # Where a column has a hole, or a list a None: the required parameter is what is missing.
    if is_missing(item):
        return {}
    raise InvalidParameterError(
        f"it is neither text nor a dict, but {type(item).__name__}. Nothing was sent or billed."
    )


def is_missing(value: object) -> bool:
    """Whether a value says nothing: None, NaN, pandas' NaT and NA.

    Example:
        >>> is_missing(float("nan")), is_missing(0)
        (True, False)
    """
    if value is None:
        return True
    try:
        return bool(value != value)  # noqa: PLR0124 # NaN alone is not itself
    except (TypeError, ValueError):  # NA says neither yes nor no; an array says both
        return type(value).__name__ == "NAType"
    except ArithmeticError:  # a signalling NaN of decimal, which is refused when it is checked
        return False


def _check(tool: Tool, params: Mapping[str, Any]) -> None:
    check(tool, params)
    check_size(tool, params)  # what is common and the item's own were weighed apart


def _others(numbers: list[int]) -> str:
    """Say which other items are refused."""
    if not numbers:
        return ""
    if len(numbers) == 1:
        return f" Item {numbers[0]} is refused as well."
    named = ", ".join(map(str, numbers[:_NAMED]))
    more = f" and {len(numbers) - _NAMED:,} more" if len(numbers) > _NAMED else ""
    return f" Items {named}{more} are refused as well."
