"""`nk.sweep`: all combinations of several parameters' values. All are checked before the first is submitted."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api.uploads import own, said
from ..batches.grid import Axis, Grid
from ..errors import InvalidParameterError
from ..model.canonical import canonical
from ..model.encoding import value_problem
from ..model.parameters import PARAMETERS
from ..model.spelling import check_names
from ..model.tools import Tool
from .batch import MOST_ITEMS, OURS, is_missing, parse_items

if TYPE_CHECKING:
    from ..api.client import NovaKitClient
    from ..api.embedding import Embed
    from ..widgets.board.sweep import JobSweep

__all__ = ["grid_of", "sweep"]


def grid_of(tool: Tool, params: Mapping[str, Any]) -> Grid:
    """Return the grid of those parameters that have several values.

    Args:
        tool: The tool. A parameter that takes a list varies when it is a list of lists.
        params: The parameters, by the service's names.

    Raises:
        InvalidParameterError: No parameter varies, or one has no value, duplicate or too many values, or one that can't be sent.
    """
    axes = []
    for name, given in params.items():
        values = _several(tool, name, given)
        if values is not None:
            axes.append(_axis(tool, name, values))
    if not axes:
        raise InvalidParameterError(
            f"{tool}: no parameter varies. Set at least one to a list, such as seed=[1, 2, 3]. Nothing was sent or billed."
        )
    return Grid(tuple(axes))


def _several(tool: Tool, name: str, given: Any) -> tuple[Any, ...] | None:
    """Return the values of a parameter that varies; ``None`` for a single value."""
    if isinstance(given, str | bytes | bytearray | memoryview | Path | Mapping) or not isinstance(given, Iterable):
        return None
    if getattr(given, "shape", None) == ():
        return None  # a numpy scalar, which claims to be iterable
    # Copied one by one: a generator may reuse one dict for all values.
    values = tuple(own(tool, name, value) for value in itertools.islice(given, MOST_ITEMS + 1))
    known = PARAMETERS[tool].get(name)
    takes_lists = known is not None and known.kind is list
    if takes_lists and not any(isinstance(value, list | tuple) for value in values):
        return None
    return values


def _axis(tool: Tool, name: str, values: Sequence[Any]) -> Axis:
    """Return the axis of a parameter: its values as they are sent, and their labels."""
    if not values:
        raise _refusal(tool, name, "the list is empty")
    if len(values) > MOST_ITEMS:
        raise _refusal(tool, name, f"there are more than {MOST_ITEMS:,} values")
    # Converted first, since 1 and numpy's 1, or two files with the same bytes, are the same job.
    sent = tuple(_sent(tool, name, value) for value in values)
    seen: set[str] = set()
    for value, plain in zip(values, sent, strict=True):
        written = canonical(tool, {name: plain})
        if written in seen:
            what = "the default" if plain is None else repr(str(value.name if isinstance(value, Path) else value)[:40])
            raise _refusal(tool, name, f"{what} is given twice")
        seen.add(written)
    return Axis(name, _labels(tool, name, values, sent), sent)


def _sent(tool: Tool, name: str, value: Any) -> Any:
    """Return a value as it is sent; ``None`` for the service's default."""
    plain = said(tool, {name: value}, missing=is_missing).get(name)
    problem = value_problem(plain)  # such as a row of a numpy array
    if problem is not None:
        raise _refusal(tool, name, problem)
    return plain


def _labels(tool: Tool, name: str, values: Sequence[Any], sent: Sequence[Any]) -> tuple[Any, ...]:
    """Return labels that distinguish the values, also after a restart: a file's name, or its number."""
    takes_files = name in PARAMETERS[tool] and PARAMETERS[tool][name].url
    names = Counter(value.name for value in values if isinstance(value, Path))
    labels = []
    for number, (value, plain) in enumerate(zip(values, sent, strict=True), start=1):
        if isinstance(value, Path):
            labels.append(value.name if names[value.name] == 1 else value.as_posix())
        elif takes_files and plain is not None and not isinstance(value, str):
            labels.append(f"{name} {number}")
        else:
            labels.append(plain)
    return tuple(labels)


def _refusal(tool: Tool, name: str, problem: str) -> InvalidParameterError:
    return InvalidParameterError(f"{tool}: {name}: {problem}. Nothing was sent or billed.", parameter=name)


def sweep(
    endpoint_or_tool: Tool | str,
    *,
    confirm: bool = True,
    max_running: int | None = None,
    client: NovaKitClient | None = None,
    timeout: float | None = None,
    embed: Embed | None = None,
    reuse: bool | None = None,
    **params: Any,
) -> JobSweep:
    """Generate all combinations of the parameters that are lists, on a board that is a labelled table.

    The number of jobs and their share of the quota are shown first. Nothing is submitted until you press the button, or call
    `JobSweep.start`.

    Args:
        endpoint_or_tool: See `batch`.
        confirm: Whether to ask before submitting.
        max_running: See `batch`.
        client: See `batch`.
        timeout: See `batch`.
        embed: See `batch`.
        reuse: See `batch`.
        **params: The service's parameters. One that is a list, a range or another iterable varies: the last of them along the
            columns, the others down the rows. ``None`` in a list is the service's default. A parameter that takes a list varies
            when it is a list of lists.

    Returns:
        A `JobSweep`, which shows itself, and is a sequence of jobs, row by row.

    Raises:
        InvalidParameterError: No parameter varies, or the service does not accept a value. Nothing was sent or billed.
        TypeError: A keyword is a likely misspelling.
        ConfigurationError: The key, the base URL, or an argument is missing or not valid.

    Example:
        >>> table = sweep("image", prompt=["A lighthouse", "A boat"], seed=[1, 2, 3], size="512x512", confirm=False)
        >>> [job.params["seed"] for job in table.wait()]
        [1, 2, 3, 1, 2, 3]
    """
    tool = Tool.of(endpoint_or_tool)
    check_names(tool, params, called="sweep()", ours=("confirm", *OURS))
    grid = grid_of(tool, params)
    if len(grid) > MOST_ITEMS:
        raise InvalidParameterError(
            f"{tool}: there are {len(grid):,} combinations, at most {MOST_ITEMS:,} can be submitted. Nothing was sent or billed."
        )
    varying = {axis.name for axis in grid.axes}
    fixed = {name: value for name, value in params.items() if name not in varying}
    parsed = parse_items(tool, grid.combinations(), fixed)
    from ..widgets.board.sweep import JobSweep

    return JobSweep(
        tool,
        parsed,
        grid,
        confirm=confirm,
        max_running=max_running,
        client=client,
        timeout=timeout,
        embed=embed,
        reuse=reuse,
    )
