"""What this process keeps for each account (key and base URL), such as its polling budget. All can be forgotten at once."""

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
    """Forget what belongs to the process that this one was forked from, where its tasks wait for it."""
    global _lock
    _accounts.clear()
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


def of_account(
    account: str, kind: Hashable, make: Callable[[], _T], *, still_fits: Callable[[_T], bool] | None = None
) -> _T:
    """Return an account's one thing of a kind; it is made when it is first asked for. Thread-safe.

    Args:
        account: opaque fingerprint; see `NovaKitClient.account`.
        kind: of the thing, such as its class.
        make: makes it.
        still_fits: whether the present one may stay, where it depends on settings; otherwise it is made anew.

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
    """Give an account another thing of a kind, and return the one before it; ``None`` where there was none.

    Args:
        account: as for `of_account`.
        kind: as for `of_account`.
        thing: the new one.
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
