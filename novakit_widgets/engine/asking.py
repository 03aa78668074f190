"""The requests of a tracker: what the service can do, and what its refusals mean. Knows no watches."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol, TypeVar

from ..api.listing import LIST_LIMIT
from ..errors import APIError, AuthenticationError, ConfigurationError, NovaKitError, UnreadableAnswerError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ..limits.budget import PollingBudget
    from ..limits.schedule import Pace
    from ..model.job import Job
    from ..model.rate_limit import RateLimit
    from ..runtime.clock import Clock

__all__ = ["Asking", "Asks", "is_final"]

# Of the 4xx, only these may be different the next time.
_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})

_T = TypeVar("_T")


class Asks(Protocol):
    """What the tracker needs of a `NovaKitClient`."""

    @property
    def rate_limit(self) -> RateLimit | None:
        """What the latest answer said of the key's requests a minute."""
        ...

    async def get(self, job_id: str, *, poll: bool = False, retry: bool = True) -> Job:
        """Ask for one job."""
        ...

    async def list(
        self, *, pending: bool | None = None, limit: int | None = None, retry: bool = True
    ) -> tuple[Job, ...]:
        """Ask for the newest jobs."""
        ...


class Asking:
    """Asks for one job or for the newest ones, and remembers for a while what the service can't do.

    The caller takes a place of the budget for each request before.

    Args:
        client: asks the service.
        budget: told what each answer says of the key's limit.
        pace: the lengths of waits.
        clock: see `Clock`.

    Attributes:
        listed_at: when the last list was asked for, or a single job instead of one.
    """

    def __init__(self, client: Asks, budget: PollingBudget, pace: Pace, clock: Clock) -> None:
        self.listed_at = float("-inf")
        self._client = client
        self._budget = budget
        self._pace = pace
        self._clock = clock
        self._unheld_until = float("-inf")
        self._unlisted_until = float("-inf")
        self._partial_until = float("-inf")

    @property
    def holds(self) -> bool:
        """Whether the service holds requests, as far as we know."""
        return self._clock.monotonic() >= self._unheld_until

    @property
    def lists(self) -> bool:
        """Whether the key may list jobs, and a list is short enough to be read, as far as we know."""
        return self._clock.monotonic() >= self._unlisted_until

    @property
    def whole(self) -> bool:
        """Whether the list of the newest jobs shows all that are watched, as far as we know."""
        return self._clock.monotonic() >= self._partial_until

    def observe(self) -> None:
        """Tell the budget what the last answer said of the key's limit."""
        self._budget.observe(self._client.rate_limit, wall=self._clock.now().timestamp())

    def turn(self) -> None:
        """Note that a list is asked for now, or a single job instead of one."""
        self.listed_at = self._clock.monotonic()

    def is_partial(self) -> None:
        """Note that others' newer jobs fill the list. The pending ones alone reach further back."""
        self._partial_until = self._clock.monotonic() + self._pace.window

    async def get(self, job_id: str) -> Job:
        """Ask for one job."""
        return await self._observed(self._client.get(job_id, retry=False))

    async def held(self, job_id: str) -> Job:
        """Ask for one job; the service answers when it ends, or after half a window."""
        asked = self._clock.monotonic()
        job = await self._observed(self._client.get(job_id, poll=True, retry=False))
        if not job.ended and self._clock.monotonic() - asked < self._pace.unheld:
            # Asked again at once, such a service would be asked hundreds of times a second.
            # At a sandbox's speed a window can be over before the first list of all jobs is due.
            self._unheld_until = self._clock.monotonic() + max(self._pace.window, 2 * self._pace.most)
        return job

    async def list(self, *, pending: bool | None) -> tuple[Job, ...]:
        """Ask for the newest jobs; none where the key may not, or where the list is too long."""
        self.turn()
        try:
            return await self._observed(self._client.list(pending=pending, limit=LIST_LIMIT, retry=False))
        except APIError as error:
            # Jobs carry their sources along, so that many may be too long together for what one answer may have.
            too_long = isinstance(error, UnreadableAnswerError) and error.too_long
            if isinstance(error, AuthenticationError) or not (too_long or is_final(error)):
                raise
            # As with a key that may read jobs one by one only: their progress then moves with each answer.
            self._unlisted_until = self._clock.monotonic() + self._pace.window
            return ()

    async def _observed(self, request: Awaitable[_T]) -> _T:
        try:
            return await request
        finally:
            self.observe()


def is_final(error: NovaKitError) -> bool:
    """Return whether asking again would bring the same answer."""
    if isinstance(error, ConfigurationError):
        return True  # such as an id that no request can have
    status = error.status_code
    return (
        status is not None
        and HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        and status not in _PASSING
    )
