"""What belongs to one event loop, and goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Hashable

__all__ = ["belonging"]

_T = TypeVar("_T")
_ATTRIBUTE = "_novakit_widgets"


def belonging(loop: asyncio.AbstractEventLoop, key: Hashable, make: Callable[[], _T]) -> _T:
    """Return the one thing of a kind that a loop has, made when it is first asked for.

    It is kept with the loop itself: timers, tasks and events hold their loop, and a dictionary with weak keys would let no loop
    go whose value holds it. A plain script has a loop for each time that it waits.

    Args:
        loop: whose.
        key: of what kind.
        make: makes it.

    Example:
        >>> import asyncio
        >>> loop = asyncio.new_event_loop()
        >>> belonging(loop, "numbers", list) is belonging(loop, "numbers", list)
        True
        >>> loop.close()
    """
    kept: dict[Hashable, _T] = vars(loop).setdefault(_ATTRIBUTE, {})
    if key not in kept:
        kept[key] = make()
    return kept[key]
