"""`nk.batch`: many jobs from prompts, dicts or the rows of a table. All items are checked before the first is submitted."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api.sources import is_source
from ..api.uploads import check_size, said
from ..errors import InvalidParameterError, boxed
from ..model.checks import check
from ..model.spelling import check_names
from ..model.tools import Tool
from ..widgets.common.code import main_parameter

if TYPE_CHECKING:
    from ..api.client import NovaKitClient
    from ..api.embedding import Embed
    from ..widgets.board.widget import JobBoard

__all__ = ["OURS", "batch", "is_missing", "parse_items"]

MOST_ITEMS = 10_000  # which also stops an endless generator
OURS = ("max_running", "client", "timeout", "embed", "reuse")  # parameters of the batch rather than of its jobs
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
    """Submit many jobs through a queue that respects the service's limits, and show them on one board.

    All items are checked before anything is submitted. Then jobs start as fast as the limits of the tool and the key allow; each
    waiting item shows when it will start. A failed job does not stop the others.

    Args:
        endpoint_or_tool: The tool, such as ``"video"``, or its endpoint ``"videos/generations"``.
        items: At most 10,000 prompts (for ``"tts"`` texts, for ``"stt"`` files) or dicts of parameters, in any iterable.
            Or a DataFrame: a row is an item, a column a parameter. Missing values (``None`` or NaN) are omitted.
        max_running: The most jobs that run at once, 100 by default. The service's limits apply as well.
        client: See `JobWidget`.
        timeout: Seconds to watch each job; by default 300 for video, 180 for music, and 120 otherwise.
        embed: See `JobWidget`. ``"auto"`` embeds up to 8 MB of all results together, and saves the rest in ``novakit-media/``.
        reuse: See `JobWidget`.
        **common: Parameters for all items. An item's own values take precedence.

    Returns:
        A `JobBoard`, which shows itself, runs in the background, and can be awaited.

    Raises:
        InvalidParameterError: An item is not valid. The message names its index, as in ``board[0]``, and the reason. Nothing was
            sent or billed.
        TypeError: A keyword is a likely misspelling.
        ConfigurationError: The key, the base URL, or an argument is missing or not valid.

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
        raise boxed(TypeError("batch() takes no autostart: JobBoard does. Nothing was sent or billed."))
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
    """Return the checked parameters of all items; see `batch`.

    Args:
        tool: The tool of all items.
        items: See `batch`.
        common: See `batch`.

    Raises:
        InvalidParameterError: There is no item, or one is not valid.

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
                f"There are more than {MOST_ITEMS:,} items. Nothing was sent or billed. Split them into several batches."
            )
        try:
            params = {**shared, **said(tool, _mapping(tool, item), missing=is_missing)}
            _check(tool, params)
        except InvalidParameterError as error:
            problems.append((number, error.message, error.parameter))
        except TypeError as error:  # a likely misspelling of a name
            problems.append((number, str(error), None))
        else:
            parsed.append(params)
    if problems:
        number, message, parameter = problems[0]
        raise InvalidParameterError(
            f"item {number}: {message}{_others([other for other, _, _ in problems[1:]])}", parameter=parameter
        )
    if not parsed:
        raise InvalidParameterError("There are no items. Nothing was sent or billed.")
    return parsed


def _rows(items: Iterable[Any]) -> Iterator[Any]:
    """Return an iterator over the items of a list, a generator or a table."""
    if isinstance(items, str | bytes | Path | Mapping) or not _holds_items(items):
        raise _not_items(items)
    if hasattr(items, "columns"):  # a table of pandas, polars or pyarrow
        items = _table_rows(items)
    return itertools.chain(items)


def _table_rows(table: Any) -> Iterable[Any]:
    """Return the rows of a table as dicts.

    Raises:
        InvalidParameterError: Two columns have the same name, so that a dict would have only one of them.
    """
    names = Counter(getattr(table, "column_names", table.columns))
    twice = [repr(name) for name, count in names.items() if count > 1]
    if twice:
        raise InvalidParameterError(
            f"The table has the column {' and '.join(twice)} more than once. Nothing was sent or billed. "
            "Rename or drop one of them."
        )
    for method, arguments in (("to_dicts", ()), ("to_pylist", ()), ("to_dict", ("records",))):
        if callable(as_dicts := getattr(table, method, None)):
            rows: Iterable[Any] = as_dicts(*arguments)
            return rows
    raise _not_items(table)


def _not_items(items: object) -> InvalidParameterError:
    return InvalidParameterError(
        f"items must be a list of prompts or dicts, or a table, not {type(items).__name__}. Nothing was sent or billed. "
        "Use nk.video, nk.image, … for a single job."
    )


def _holds_items(items: object) -> bool:
    return isinstance(items, Iterable) or hasattr(items, "columns")


def _mapping(tool: Tool, item: object) -> Mapping[str, Any]:
    """Return the parameters of one item."""
    if isinstance(item, Mapping):
        check_names(tool, item, called="batch()", ours=())
        return item
    if isinstance(item, str) or (tool is Tool.STT and is_source(item)):
        return {main_parameter(tool): item}
    # A missing value in a column or a list: the check reports the required parameter.
    if is_missing(item):
        return {}
    raise InvalidParameterError(
        f"an item must be text or a dict, not {type(item).__name__}. Nothing was sent or billed."
    )


def is_missing(value: object) -> bool:
    """Return whether a value is missing: None, NaN, or pandas' NaT and NA.

    Example:
        >>> is_missing(float("nan")), is_missing(0)
        (True, False)
    """
    if value is None:
        return True
    try:
        return bool(value != value)  # noqa: PLR0124 # only NaN is unequal to itself
    except (TypeError, ValueError):  # NA and arrays have no truth value
        return type(value).__name__ == "NAType"
    except ArithmeticError:  # a signalling NaN of decimal, which the check refuses
        return False


def _check(tool: Tool, params: Mapping[str, Any]) -> None:
    check(tool, params)
    check_size(tool, params)  # common and own parameters were measured separately before


def _others(numbers: list[int]) -> str:
    """Return a sentence that names the other items that are not valid."""
    if not numbers:
        return ""
    if len(numbers) == 1:
        return f" Item {numbers[0]} is refused as well."
    named = ", ".join(map(str, numbers[:_NAMED]))
    more = f" and {len(numbers) - _NAMED:,} more" if len(numbers) > _NAMED else ""
    return f" Items {named}{more} are refused as well."
