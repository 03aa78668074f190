"""Listeners for the ends of all jobs in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..runtime import loop as job_loop

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..api.client import NovaKitClient
    from ..model.job import Job

__all__ = ["listen", "tell"]

_listeners: list[Callable[[NovaKitClient, Job], None]] = []


def listen(listener: Callable[[NovaKitClient, Job], None]) -> Callable[[], None]:
    """Call a function whenever a job of this process has ended.

    Args:
        listener: a quick function, called on the job loop with the job's client and the job.

    Returns:
        A function that removes the listener.

    Example:
        >>> stop = listen(lambda client, job: print(job))
        >>> stop()
    """
    _listeners.append(listener)

    def stop() -> None:
        if listener in _listeners:
            _listeners.remove(listener)

    return stop


def tell(client: NovaKitClient, job: Job) -> None:
    """Call all listeners for an ended job. Their exceptions are reported and affect neither the job nor other listeners."""
    for listener in _listeners:
        with job_loop.complaints("A listener for ended jobs failed"):
            listener(client, job)
