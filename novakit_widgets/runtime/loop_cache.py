"""What belongs to the job loop, such as the one painter of all cards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from . import loop as job_loop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["LoopLocal"]

_T = TypeVar("_T")


class LoopLocal(Generic[_T]):
    """One thing of the job loop, made at the first need; where the job loop is another, as in a forked child, it is made anew.

    Args:
        make: makes it.

    Example:
        >>> numbers = LoopLocal(list)
        >>> numbers.get() is numbers.get()
        True
    """

    def __init__(self, make: Callable[[], _T]) -> None:
        self._make = make
        self._kept: tuple[asyncio.AbstractEventLoop, _T] | None = None

    def get(self) -> _T:
        """Return it."""
        loop = job_loop.get()
        if self._kept is None or self._kept[0] is not loop:
            self._kept = (loop, self._make())
        return self._kept[1]
