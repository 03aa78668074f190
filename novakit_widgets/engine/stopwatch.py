"""The duration of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..model.job import Job
    from ..model.rate_limit import RateLimit
    from ..runtime.clock import Clock

__all__ = ["Stopwatch"]

_DAY = 86_400.0  # seconds; a longer duration means that the two clocks differ


class Stopwatch:
    """Counts the seconds from the start of a job to its end, or to the end of its watch.

    Args:
        clock: see `Clock`.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began: float | None = None
        self._stopped: float | None = None

    @property
    def seconds(self) -> float | None:
        """The seconds so far; ``None`` before the start."""
        if self._began is None:
            return None
        return max(0.0, (self._clock.monotonic() if self._stopped is None else self._stopped) - self._began)

    def start(self) -> None:
        """Start counting at 0."""
        self._began, self._stopped = self._clock.monotonic(), None

    def stop(self) -> None:
        """Stop counting."""
        self._stopped = self._clock.monotonic()

    def go_on(self) -> None:
        """Continue as if it had not been stopped."""
        self._stopped = None

    def reset(self) -> None:
        """Return to the state before the start."""
        self._began = None

    def began_with(self, job: Job, limit: RateLimit | None = None) -> None:
        """Count from the time at which the service accepted the job, if that is plausible by this machine's clock.

        Args:
            job: as the service knows it.
            limit: tells how the clocks of the service and of this machine differ.
        """
        ahead = 0.0 if limit is None else limit.ahead
        age = 0.0 if job.created_at is None else (self._clock.now() - job.created_at).total_seconds() - ahead
        if self._began is not None and 0.0 < age < _DAY:
            self._began = min(self._began, self._clock.monotonic() - age)
