"""Who wants to know that a job has ended, besides whoever waits for it."""

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
    """Have something called when any job of this process has ended.

    Args:
        listener: called on the loop that the job was watched on, with the job's client and the job; quick.

    Returns:
        What ends the listening.

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
    """Tell all listeners of a job that has ended. The fault of one is shown, and costs neither the job nor the others."""
    for listener in _listeners:
        with job_loop.complaints("A listener for ended jobs failed"):
            listener(client, job)
