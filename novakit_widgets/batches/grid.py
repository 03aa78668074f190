"""The table of a sweep: all combinations of some parameters' values."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Axis", "Grid"]


@dataclass(frozen=True, slots=True)
class Axis:
    """One parameter that varies.

    Attributes:
        name: the parameter's.
        values: what it takes, in order, as a label says it and the history keeps it: a file is its name, ``None`` the service's
            default.
        sent: the same as the service takes it; empty where that is `values`, or is no more to be sent.
    """

    name: str
    values: tuple[Any, ...]
    sent: tuple[Any, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Grid:
    """The table of all combinations: the last parameter goes along the columns, the others down the rows.

    A single parameter goes down the rows.

    Attributes:
        axes: what varies, in the order in which it was given.

    Example:
        >>> grid = Grid((Axis("prompt", ("A", "B")), Axis("seed", (1, 2, 3))))
        >>> len(grid), grid.rows[1], grid.columns[2], grid.combinations()[5]
        (6, ('B',), (3,), {'prompt': 'B', 'seed': 3})
    """

    axes: tuple[Axis, ...]

    def __len__(self) -> int:
        return math.prod(len(axis.values) for axis in self.axes)

    @classmethod
    def from_json(cls, axes: object, *, count: int) -> Grid | None:
        """Read what `to_json` wrote; ``None`` where it is no table of so many.

        Args:
            axes: of a batch in the history.
            count: how many jobs the batch has.
        """
        try:
            grid = cls(tuple(Axis(str(name), tuple(values)) for name, values in axes))  # type: ignore[attr-defined]
        except (TypeError, ValueError):
            return None
        return grid if grid.axes and len(grid) == count else None

    def to_json(self) -> list[list[Any]]:
        """Return what JSON can hold of it."""
        return [[axis.name, list(axis.values)] for axis in self.axes]

    @property
    def down(self) -> tuple[Axis, ...]:
        """What goes down the rows."""
        return self.axes[:-1] or self.axes

    @property
    def across(self) -> Axis | None:
        """What goes along the columns; ``None`` where there is one column."""
        return self.axes[-1] if len(self.axes) > 1 else None

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """The values of each row, in the order of `down`."""
        return list(itertools.product(*(axis.values for axis in self.down)))

    @property
    def columns(self) -> list[tuple[Any, ...]]:
        """The value of each column; nothing for the only one."""
        return [()] if self.across is None else [(value,) for value in self.across.values]

    def combinations(self) -> list[dict[str, Any]]:
        """Return the parameters of each job, row by row; what is ``None`` is left out."""
        names = [axis.name for axis in self.axes]
        return [
            {name: value for name, value in zip(names, values, strict=True) if value is not None}
            for values in itertools.product(*(axis.sent or axis.values for axis in self.axes))
        ]
