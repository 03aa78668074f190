"""All combinations of some parameters' values, as a table: from lists to jobs. All are checked before one is sent."""

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
    """Take those parameters that were given several values.

    Args:
        tool: what the parameters are for: one that takes a list varies where it is given a list of lists.
        params: by the service's names.

    Raises:
        InvalidParameterError: nothing varies, or a parameter has no value, the same one twice, too many, or one that can't be
            sent.
    """
    axes = []
    for name, given in params.items():
        values = _several(tool, name, given)
        if values is not None:
            axes.append(_axis(tool, name, values))
    if not axes:
        raise InvalidParameterError(
            f"{tool}: nothing varies. Give at least one parameter a list, such as seed=[1, 2, 3]. Nothing was sent or billed."
        )
    return Grid(tuple(axes))


def _several(tool: Tool, name: str, given: Any) -> tuple[Any, ...] | None:
    """Return the values that a parameter was given; ``None`` where it is one value."""
    if isinstance(given, str | bytes | bytearray | memoryview | Path | Mapping) or not isinstance(given, Iterable):
        return None
    if getattr(given, "shape", None) == ():
        return None  # a scalar of numpy's, which says that it can be iterated over
    # Copied one by one: a generator may fill the same dict anew for each.
    values = tuple(own(tool, name, value) for value in itertools.islice(given, MOST_ITEMS + 1))
    known = PARAMETERS[tool].get(name)
    takes_lists = known is not None and known.kind is list
    if takes_lists and not any(isinstance(value, list | tuple) for value in values):
        return None
    return values


def _axis(tool: Tool, name: str, values: Sequence[Any]) -> Axis:
    """Take a parameter's values, once each: as the service takes them, and as a label says them."""
    if not values:
        raise _refusal(tool, name, "it has no value")
    if len(values) > MOST_ITEMS:
        raise _refusal(tool, name, f"it has more than {MOST_ITEMS:,} values")
    # Converted here already, since 1 and numpy's 1, or two files with the same bytes, are the same job.
    sent = tuple(_sent(tool, name, value) for value in values)
    seen: set[str] = set()
    for value, plain in zip(values, sent, strict=True):
        written = canonical(tool, {name: plain})
        if written in seen:
            what = "the default" if plain is None else repr(str(value.name if isinstance(value, Path) else value)[:40])
            raise _refusal(tool, name, f"{what} is there twice")
        seen.add(written)
    return Axis(name, _labels(tool, name, values, sent), sent)


def _sent(tool: Tool, name: str, value: Any) -> Any:
    """Return a value as the service takes it; ``None`` for the service's default."""
    plain = said(tool, {name: value}, missing=is_missing).get(name)
    problem = value_problem(plain)  # such as a row of a table of numpy's
    if problem is not None:
        raise _refusal(tool, name, problem)
    return plain


def _labels(tool: Tool, name: str, values: Sequence[Any], sent: Sequence[Any]) -> tuple[Any, ...]:
    """Return what tells the values apart, also when only the history has them: a file's name, or its number."""
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
    """Make all combinations of what is given as lists, on a board that is a labelled table.

    How many there are, and what they take of the quota, is shown first; nothing is submitted before somebody presses the button
    there, or calls `JobSweep.start`.

    Args:
        endpoint_or_tool: such as ``"image"`` or ``"images/generations"``.
        confirm: whether to ask first.
        max_running: as for `batch`.
        client: speaks to the service; where it is left out, one is made from the settings.
        timeout: seconds to watch each; the default is the tool's.
        embed: as for `batch`.
        reuse: as for `batch`.
        **params: the service's own. One that is given a list (or a range, or anything else that holds several values) varies: the
            last of them along the columns, the others down the rows. ``None`` in a list is the service's default. A parameter
            that takes a list itself varies where it is given a list of lists.

    Returns:
        A `JobSweep`, which shows itself, and is a sequence of jobs, row by row.

    Raises:
        InvalidParameterError: nothing varies, or the documentation forbids a value. Nothing was sent or billed.
        TypeError: a keyword is nearly a documented one.
        ConfigurationError: there is no usable key, base URL, time-out, embed or ``max_running``.

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
            f"{tool}: these are {len(grid):,} combinations, at most {MOST_ITEMS:,} can be made at once. Nothing was sent or billed."
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
