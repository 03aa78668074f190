"""A running sandbox: its thread, event loop, files and jobs."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from .app import Endpoints
from .connections import Connections
from .gate import Gate
from .library import Library
from .store import JobStore, Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .accounts import Accounts
    from .faults import FaultPlan
    from .limits import Limits
    from .script import Script
    from .store import SandboxJob

__all__ = ["Running", "Settings"]

_RENDERERS = 2  # threads
_PATIENCE = 10.0  # timeout of a start or a stop, in seconds
_STEPS = 5  # of the loop, in which a connection that was accepted at the very end becomes known


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a sandbox. They outlive a stop."""

    accounts: Accounts
    limits: Limits
    pace: Pace
    faults: FaultPlan
    hold_seconds: float
    sync_tools: frozenset[str]
    canned: bool
    about: Callable[[], dict[str, Any]]
    script: Script | None = None


class Running:
    """A sandbox that runs, or has run.

    Args:
        settings: the settings of the sandbox.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = tempfile.TemporaryDirectory(prefix="novakit-sandbox-")
        self._workers = ThreadPoolExecutor(_RENDERERS, thread_name_prefix="novakit-sandbox-media")
        self._thread = threading.Thread(target=self._serve, name="novakit-sandbox", daemon=True)
        self._ready = threading.Event()
        self._problem: BaseException | None = None
        self._socket: socket.socket | None = None
        self.library = Library(Path(self._folder.name), canned=settings.canned)
        self.store: JobStore
        self.gate: Gate
        self._server: _Uvicorn
        self._loop: asyncio.AbstractEventLoop

    def start(self, address: tuple[str, int]) -> None:
        """Start the server, and return when it accepts requests."""
        try:
            # Bound here, so that the caller gets the exception of a port in use.
            self._socket = _listen(address)
            host, port = self._socket.getsockname()[:2]
            self.library.origin = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            self._thread.start()
            if not self._ready.wait(_PATIENCE) or self._problem is not None:
                raise RuntimeError("The sandbox did not start.") from self._problem
        except BaseException:
            self._clean_up()
            raise

    def finish(self, jobs: Iterable[SandboxJob]) -> None:
        """End jobs at once."""
        for job in jobs:
            self._loop.call_soon_threadsafe(self.store.finish, job)

    def stop(self) -> None:
        """Stop the server and its jobs, and delete its files."""
        self._loop.call_soon_threadsafe(self._server.end)
        self._thread.join(_PATIENCE)
        self._clean_up()

    def _clean_up(self) -> None:
        self._workers.shutdown(wait=True, cancel_futures=True)
        if self._socket is not None:
            self._socket.close()
        self._folder.cleanup()

    def _serve(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as problem:
            # Raised by start(), in the caller's thread.
            self._problem = problem
            if self._ready.is_set():
                raise
        finally:
            self._ready.set()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        mine = self._settings
        connections = Connections()
        self.store = JobStore(mine.pace, self.library, self._workers, mine.script)
        endpoints = Endpoints(
            self.store,
            self.library,
            hold_seconds=mine.hold_seconds,
            sync_tools=mine.sync_tools,
            about=mine.about,
            clock=time.monotonic,
            script=mine.script,
        )
        self.gate = Gate(
            endpoints.application(),
            accounts=mine.accounts,
            limits=mine.limits,
            speed=mine.pace.speed,
            faults=mine.faults,
            connections=connections,
            closing=self.store.closing,
        )
        config = uvicorn.Config(
            self.gate,
            http=connections.protocol(),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=2,
        )
        self._server = _Uvicorn(config, self._ready, self.store, connections)
        await self._server.serve(sockets=[self._socket] if self._socket else None)
        await self.store.close()
        for _ in range(_STEPS):
            await asyncio.sleep(0)
        connections.abort()
        await asyncio.sleep(0)


class _Uvicorn(uvicorn.Server):
    """A uvicorn server that signals when it is ready, and releases held requests when it stops."""

    def __init__(
        self, config: uvicorn.Config, ready: threading.Event, store: JobStore, connections: Connections
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._store = store
        self._connections = connections
        self._ending: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._ready.set()

    def end(self) -> None:
        self.should_exit = True
        self._connections.refuse()
        self._ending = asyncio.get_running_loop().create_task(self._store.close())


def _listen(address: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    # asyncio sets TCP_NODELAY only on sockets with an explicit protocol; without it every answer on a kept connection
    # waits 40 ms for the client's delayed acknowledgement.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except BaseException:
        listening.close()
        raise
    return listening
