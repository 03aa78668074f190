"""The connections of one client: opened at the first need, for the job loop, and closed when nobody needs them any more."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ..runtime import loop as job_loop
from ..runtime.loop_thread import at_exit
from .connect import HttpClients

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

__all__ = ["Connections"]


class _Lent:
    """The connections of one loop, and how many use them at the moment."""

    def __init__(self, clients: HttpClients, loop: asyncio.AbstractEventLoop) -> None:
        self.clients = clients
        self.loop = loop
        self.borrowers = 0

    async def aclose(self) -> None:
        _open.discard(self)
        await self.clients.aclose()


# Those that are to be closed before Python ends. Those of a process that this one was forked from stay, and are not touched:
# they are the parent's.
_open: set[_Lent] = set()


class Connections:
    """Lends a client its connections. Its length is 1 while they are open.

    Args:
        base_url: of the API.
        transport: a httpx transport to use instead of the network's.
    """

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport | None) -> None:
        self._base_url = base_url
        self._transport = transport
        self._lent: _Lent | None = None

    def __len__(self) -> int:
        return int(self._lent is not None)

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[HttpClients]:
        """Lend the connections, which stay open for as long as that. On the job loop."""
        loop = asyncio.get_running_loop()
        lent = self._lent
        if lent is None or lent.loop is not loop:
            lent = self._lent = _Lent(HttpClients(self._base_url, self._transport), loop)
            _open.add(lent)
            # Close the connections of a client that was never closed.
            weakref.finalize(self, _close_soon, lent).atexit = False
        lent.borrowers += 1
        try:
            yield lent.clients
        finally:
            lent.borrowers -= 1
            if not lent.borrowers and self._lent is not lent:
                await lent.aclose()  # which `aclose` has left to us

    async def aclose(self) -> None:
        """Close them: at once, or when the last who needs them has done. The next to need some gets others."""
        lent, self._lent = self._lent, None
        if lent is not None and not lent.borrowers and lent.loop is asyncio.get_running_loop():
            await lent.aclose()


def _close_soon(lent: _Lent) -> None:
    """Close what belonged to a client that is no more, on its loop."""
    if lent in _open and lent.loop.is_running():
        with contextlib.suppress(RuntimeError):  # closed at this moment
            lent.loop.call_soon_threadsafe(lambda: job_loop.spawn(lent.aclose()))


async def _close_all() -> None:
    loop = asyncio.get_running_loop()
    for lent in [lent for lent in _open if lent.loop is loop]:
        await lent.aclose()


at_exit(close=_close_all)
