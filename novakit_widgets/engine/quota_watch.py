"""Keeps the quota of an account up to date: asks again when jobs have ended, but not too often."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..config import settings
from ..errors import NovaKitError
from ..model.quota import Quota
from ..runtime import loop as job_loop
from ..runtime.clock import Clock
from ..runtime.registry import of_account
from . import signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..api.client import NovaKitClient

__all__ = ["QuotaWatch", "watch_of"]

_LEAST_SECONDS = 10.0  # between two requests, in the service's time: many jobs of a batch end at once


class QuotaWatch:
    """The newest answer of ``GET /quota`` for one client's account.

    Args:
        client: sends the requests.
        quota: an answer that is already there; ``None`` without one.
        clock: see `Clock`.

    Attributes:
        quota: the newest answer; ``None`` before there is one.
        asked_at: when that came, with time zone.
        trouble: why the quota is not up to date; ``""`` if it is.
    """

    def __init__(
        self,
        client: NovaKitClient,
        quota: Quota | None = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or Clock()
        self.quota = quota
        self.asked_at = self._clock.now()
        self.trouble = ""
        self.client = client
        self._listeners: list[Callable[[], None]] = []
        self._asked: float | None = None if quota is None else self._clock.monotonic()
        self._asking_on: asyncio.AbstractEventLoop | None = None
        self._stop: Callable[[], None] | None = None

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call a listener on the loop after each answer or failure; return a function that ends that."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)
            if not self._listeners:
                self.leave()

        return stop

    def follow(self) -> None:
        """Ask again whenever a job of the account has ended, until no listener is left."""
        if self._stop is None:
            account = self.client.account
            self._stop = signals.listen(lambda client, _job: self.ask_soon() if client.account == account else None)

    def leave(self) -> None:
        """Stop asking automatically."""
        if self._stop is not None:
            self._stop()
            self._stop = None

    def refresh(self) -> None:
        """Ask now: a script waits for the answer, anywhere else it is asked for in the background. From any thread."""
        if job_loop.running() is None and job_loop.is_ours():
            job_loop.run_blocking(self._ask)
        else:
            job_loop.hand_over(lambda: self._ask_after(0.0))

    def ask_soon(self) -> None:
        """Ask as soon as the last request is long enough ago; several calls send one request. On the loop."""
        since = None if self._asked is None else self._clock.monotonic() - self._asked
        self._ask_after(0.0 if since is None else max(0.0, _LEAST_SECONDS / settings.speed().value - since))

    def _ask_after(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if self._asking_on is loop:
            return  # the question that is waiting will be answered for this one too
        self._asking_on = loop  # in a forked child, the parent's question is none of ours
        loop.call_later(seconds, lambda: job_loop.spawn(self._ask()))

    async def _ask(self) -> None:
        self._asking_on = None
        self._asked = self._clock.monotonic()
        try:
            self.quota = Quota.from_json(await self.client.quota())
        except NovaKitError as error:
            self.trouble = error.message
        else:
            self.trouble = ""
            self.asked_at = self._clock.now()
        for listener in list(self._listeners):
            listener()


def watch_of(client: NovaKitClient) -> QuotaWatch:
    """Return the watch that all forms of an account share, so that they send one request.

    Args:
        client: sends the requests from now on, for all with the same key and base URL.
    """
    watch = of_account(client.account, QuotaWatch, lambda: QuotaWatch(client))
    watch.client = client
    return watch
