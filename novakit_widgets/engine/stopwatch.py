"""How long a job has run, as far as we can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..model.job import Job
    from ..model.rate_limit import RateLimit
    from ..runtime.clock import Clock

__all__ = ["Stopwatch"]

_DAY = 86_400.0  # a job that seems to have run for longer is one that two clocks disagree about


class Stopwatch:
    """Counts from a job's beginning to its end, or to where we have left it.

    Args:
        clock: tells the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began: float | None = None
        self._stopped: float | None = None

    @property
    def seconds(self) -> float | None:
        """What it shows; ``None`` before the beginning."""
        if self._began is None:
            return None
        return max(0.0, (self._clock.monotonic() if self._stopped is None else self._stopped) - self._began)

    def start(self) -> None:
        """Count from now on."""
        self._began, self._stopped = self._clock.monotonic(), None

    def stop(self) -> None:
        """Show from now on what it shows now."""
        self._stopped = self._clock.monotonic()

    def go_on(self) -> None:
        """Count as if it had never been stopped."""
        self._stopped = None

    def reset(self) -> None:
        """Be as before the beginning."""
        self._began = None

    def began_with(self, job: Job, limit: RateLimit | None = None) -> None:
        """Count from a job's own beginning, where it is earlier and this machine's clock can be right about it.

        Args:
            job: as the service knows it.
            limit: tells how the clocks of the service and of this machine differ.
        """
        ahead = 0.0 if limit is None else limit.ahead
        age = 0.0 if job.created_at is None else (self._clock.now() - job.created_at).total_seconds() - ahead
        if self._began is not None and 0.0 < age < _DAY:
            self._began = min(self._began, self._clock.monotonic() - age)
