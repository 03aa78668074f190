"""What each event loop has for itself, such as connections: opened at its first need, closed when nobody needs it any more."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

__all__ = ["PerLoop"]


class _Closable(Protocol):
    async def aclose(self) -> None: ...


_T = TypeVar("_T", bound=_Closable)


@dataclass(slots=True)
class _Lent(Generic[_T]):
    """What a loop has, and how many need it at the moment."""

    thing: _T
    borrowers: int = 0


class PerLoop(Generic[_T]):
    """Lends each event loop a thing of its own. Its length is the number of loops that have one.

    It is kept here, and not with the loop as a `belonging` is, so that whoever is forgotten takes it along.

    Args:
        make: opens one for the running loop.

    Example:
        >>> class Connection:
        ...     async def aclose(self):
        ...         print("closed")
        >>> async def main():
        ...     connections = PerLoop(Connection)
        ...     async with connections.lent():
        ...         await connections.aclose()
        ...         print("still open")
        >>> asyncio.run(main())
        still open
        closed
    """

    def __init__(self, make: Callable[[], _T]) -> None:
        self._make = make
        self._of: dict[asyncio.AbstractEventLoop, _Lent[_T]] = {}

    def __len__(self) -> int:
        return len(self._of)

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[_T]:
        """Lend the running loop's, which stays open for as long as that."""
        loop = asyncio.get_running_loop()
        lent = self._of_loop(loop)
        lent.borrowers += 1
        try:
            yield lent.thing
        finally:
            lent.borrowers -= 1
            if not lent.borrowers and self._of.get(loop) is not lent:
                await lent.thing.aclose()  # which `aclose` has left to us

    async def aclose(self) -> None:
        """Close the running loop's: at once, or when the last who needs it has done. The next to need one gets another."""
        lent = self._of.pop(asyncio.get_running_loop(), None)
        if lent is not None and not lent.borrowers:
            await lent.thing.aclose()

    def _of_loop(self, loop: asyncio.AbstractEventLoop) -> _Lent[_T]:
        if loop not in self._of:
            # From a copy, because other threads have loops of their own and come here too.
            for other in [loop for loop in list(self._of) if loop.is_closed()]:
                self._of.pop(other, None)
            self._of[loop] = _Lent(self._make())
        return self._of[loop]
