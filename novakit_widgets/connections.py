"""The connections of each event loop: opened for its first request, and closed when none needs them any more.

Beside `client`, the only module that imports httpx.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from . import settings
from .redaction import guard_logs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

__all__ = ["CONNECT_SECONDS", "READ_SECONDS", "Connections"]

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
# A proxy would look for this machine's sandbox on its own machine.
_WITHOUT_PROXY = ("all://127.0.0.1", "all://localhost", "all://[::1]")
_MAX_REDIRECTS = 5  # of media; calls with a key follow none


@dataclass(slots=True)
class _Pair:
    """One loop's two clients, and how many requests are under way with them."""

    api: httpx.AsyncClient
    media: httpx.AsyncClient  # never has the key
    requests: int = 0
    given_up: bool = False

    async def close_unless_needed(self) -> None:
        if self.given_up and not self.requests:
            try:
                await self.api.aclose()
            finally:
                await self.media.aclose()


class Connections:
    """Lends each event loop the connections that it has.

    Args:
        base_url: whom the API's connections go to.
        transport: a httpx transport to use instead of the network's.
    """

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport | None) -> None:
        self._base_url = base_url
        self._transport = transport
        self._pairs: dict[asyncio.AbstractEventLoop, _Pair] = {}

    def __len__(self) -> int:
        return len(self._pairs)

    @asynccontextmanager
    async def api(self) -> AsyncIterator[httpx.AsyncClient]:
        """Lend the running loop's connections to the API, for one request."""
        async with self._lent() as pair:
            yield pair.api

    @asynccontextmanager
    async def media(self) -> AsyncIterator[httpx.AsyncClient]:
        """Lend the running loop's connections to wherever media are, for one request. No key goes along."""
        async with self._lent() as pair:
            yield pair.media

    async def aclose(self) -> None:
        """Close those of the running loop, those in use as soon as the last of their requests has ended.

        A request whose connections were closed under it would lose its answer; and one that was just connecting would leave a
        connection that nobody closes.
        """
        pair = self._pairs.pop(asyncio.get_running_loop(), None)
        if pair is not None:
            pair.given_up = True
            await pair.close_unless_needed()

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[_Pair]:
        pair = self.of_this_loop()
        pair.requests += 1
        try:
            yield pair
        finally:
            pair.requests -= 1
            await pair.close_unless_needed()

    def of_this_loop(self) -> _Pair:
        """Return the running loop's clients, and make them where there are none yet."""
        loop = asyncio.get_running_loop()
        if loop not in self._pairs:
            import httpx

            guard_logs()

            # From a copy, because other threads have loops of their own and come here too.
            for other in [loop for loop in list(self._pairs) if loop.is_closed()]:
                self._pairs.pop(other, None)
            timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS)
            limits = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=60.0)
            self._pairs[loop] = _Pair(
                httpx.AsyncClient(
                    transport=self._transport,
                    timeout=timeout,
                    limits=limits,
                    follow_redirects=False,
                    # A proxy would see the key unencrypted, too.
                    trust_env=not settings.is_loopback(urlsplit(self._base_url).hostname or ""),
                ),
                httpx.AsyncClient(
                    transport=self._transport,
                    timeout=timeout,
                    follow_redirects=True,
                    max_redirects=_MAX_REDIRECTS,
                    mounts=dict.fromkeys(_WITHOUT_PROXY),
                ),
            )
        return self._pairs[loop]
