"""A read-only dictionary that is plain data: it can be pickled, copied and written as JSON."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

__all__ = ["FrozenDict"]

_K = TypeVar("_K")
_V = TypeVar("_V")


class FrozenDict(dict[_K, _V]):
    """A dictionary whose items can't be set or removed. `types.MappingProxyType` is neither JSON nor can it be pickled.

    ``dict(frozen)`` and ``frozen | other`` return an ordinary dictionary.

    Example:
        >>> import json
        >>> frozen = FrozenDict(seed=7)
        >>> json.dumps(frozen), frozen | {"fps": 60}
        ('{"seed": 7}', {'seed': 7, 'fps': 60})
        >>> frozen["seed"] = 8
        Traceback (most recent call last):
        ...
        TypeError: FrozenDict is read-only; dict(...) makes a copy that can be changed
    """

    __slots__ = ()

    def _refuse(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise TypeError("FrozenDict is read-only; dict(...) makes a copy that can be changed")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        # By default pickle and copy would set the items one by one.
        return FrozenDict, (dict(self),)
