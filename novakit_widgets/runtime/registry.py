"""Objects that exist once for each account (key and base URL) in this process, such as its polling budget."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["forget_all", "of_account", "replace"]

_T = TypeVar("_T")

_accounts: dict[str, dict[Hashable, Any]] = {}
_lock = threading.RLock()  # making one thing may ask for another


def _in_child() -> None:
    """Forget the objects of the parent process, whose tasks run there."""
    global _lock
    _accounts.clear()
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


def of_account(
    account: str, kind: Hashable, make: Callable[[], _T], *, still_fits: Callable[[_T], bool] | None = None
) -> _T:
    """Return the account's object of a kind, and create it at the first call. Thread-safe.

    Args:
        account: opaque fingerprint; see `NovaKitClient.account`.
        kind: the kind of the object, such as its class.
        make: creates the object.
        still_fits: returns whether the object still fits the settings; otherwise it is created anew.

    Example:
        >>> of_account("somebody", "numbers", list) is of_account("somebody", "numbers", list)
        True
        >>> forget_all()
    """
    with _lock:
        kept: dict[Hashable, _T] = _accounts.setdefault(account, {})
        if kind not in kept or (still_fits is not None and not still_fits(kept[kind])):
            kept[kind] = make()
        return kept[kind]


def replace(account: str, kind: Hashable, thing: _T) -> _T | None:
    """Set the account's object of a kind, and return the previous one; ``None`` if there was none.

    Args:
        account: see `of_account`.
        kind: see `of_account`.
        thing: the new object.
    """
    with _lock:
        kept: dict[Hashable, _T] = _accounts.setdefault(account, {})
        before = kept.get(kind)
        kept[kind] = thing
        return before


def forget_all() -> None:
    """Forget everything of all accounts, as a new process would. For tests."""
    with _lock:
        _accounts.clear()
