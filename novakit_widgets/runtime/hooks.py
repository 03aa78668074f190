"""Methods of plain values that higher layers implement, such as saving a job. The package's ``__init__`` registers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["action", "register"]

_loaders: dict[str, Callable[[], Callable[..., Any]]] = {}


def register(name: str, load: Callable[[], Callable[..., Any]]) -> None:
    """Register an action.

    Args:
        name: the name of the action.
        load: imports and returns the function; called at each use, so that registering costs no import.

    Example:
        >>> register("double", lambda: lambda number: 2 * number)
        >>> action("double")(21)
        42
    """
    _loaders[name] = load


def action(name: str) -> Callable[..., Any]:
    """Return a registered action.

    Args:
        name: the name that it was registered with.
    """
    return _loaders[name]()
