"""The service's list of jobs, as much of it as one answer can hold.

Jobs repeat what they were made of, files included. A hundred of them can be longer than an answer that is read, and stay so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..errors import UnreadableAnswerError

if TYPE_CHECKING:
    from ..model.job import Job
    from ..model.tools import Tool

__all__ = ["LIST_LIMIT", "Lists", "newest"]

LIST_LIMIT = 100  # documented: the most that GET /jobs returns
_SHORTER = (20, 5, 1)  # a file is about as long as an answer may be, so that one job with its own fits


class Lists(Protocol):
    """What it needs of a `NovaKitClient`."""

    async def list(self, *, tool: Tool | str | None = None, limit: int | None = None) -> tuple[Job, ...]:
        """Ask for the newest jobs."""
        ...


async def newest(
    client: Lists, *, tool: Tool | str | None = None, limit: int = LIST_LIMIT
) -> tuple[tuple[Job, ...], int]:
    """Ask for the newest jobs, and for fewer at once where so many are too long.

    Args:
        client: asks.
        tool: only this tool's.
        limit: how many at most, 1 to 100.

    Returns:
        The jobs, and how many had been asked for: a list that is full says nothing of what is older.

    Raises:
        UnreadableAnswerError: even one is too long, or it is no list of jobs.
        NovaKitError: the list can't be had.
    """
    while True:
        try:
            return await client.list(tool=tool, limit=limit), limit
        except UnreadableAnswerError as error:
            shorter = next((fewer for fewer in _SHORTER if fewer < limit), None)
            if not error.too_long or shorter is None:
                raise
            limit = shorter
