"""Track open connections, so that a fault can break one."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

__all__ = ["Connections"]


class Connections:
    """The open connections by client address."""

    def __init__(self) -> None:
        self._transports: dict[tuple[str, int], asyncio.Transport] = {}
        self._ended = False

    def protocol(self) -> type[H11Protocol]:
        """Return a subclass of uvicorn's HTTP protocol that records each connection here.

        ``uvicorn.Config(http=…)`` takes a protocol class. With ASGI alone an application can't break its
        connection.
        """
        transports = self._transports
        refused = self.refused

        class NotingProtocol(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
                super().connection_made(transport)
                if refused():
                    transport.abort()
                if self.client is not None:
                    transports[self.client] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                if self.client is not None:
                    transports.pop(self.client, None)
                super().connection_lost(exc)

        return NotingProtocol

    def refused(self) -> bool:
        """Whether new connections are refused."""
        return self._ended

    def refuse(self) -> None:
        """Refuse new connections: uvicorn does not close those that it has accepted but not seen yet when it ends."""
        self._ended = True

    def abort(self) -> None:
        """Break all connections, such as those of clients that do not read their answers."""
        for transport in list(self._transports.values()):
            transport.abort()

    def reset(self, client: tuple[str, int]) -> None:
        """Break a connection with a TCP reset. Unsent data is lost."""
        transport = self._transports.get(client)
        if transport is None:
            return  # the client has closed it already
        sock: Any = transport.get_extra_info("socket")
        # A linger time of 0 makes the kernel send RST instead of FIN.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    def close(self, client: tuple[str, int]) -> None:
        """Close a connection after all written data has been sent."""
        transport = self._transports.get(client)
        if transport is not None:
            transport.close()
