"""Lists the service's jobs, as many as fit into one answer.

A job repeats its parameters, files included, so a hundred jobs can be longer than the longest answer that is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..errors import UnreadableAnswerError

if TYPE_CHECKING:
    from ..model.job import Job
    from ..model.tools import Tool

__all__ = ["LIST_LIMIT", "Lists", "newest"]

LIST_LIMIT = 100  # documented: the most that GET /jobs returns
_SHORTER = (20, 5, 1)  # a file is about as long as the longest answer, so that one job with its file fits


class Lists(Protocol):
    """What listing needs of a `NovaKitClient`."""

    async def list(self, *, tool: Tool | str | None = None, limit: int | None = None) -> tuple[Job, ...]:
        """Return the newest jobs."""
        ...


async def newest(
    client: Lists, *, tool: Tool | str | None = None, limit: int = LIST_LIMIT
) -> tuple[tuple[Job, ...], int]:
    """Return the newest jobs; ask for fewer where so many are too long.

    Args:
        client: sends the request.
        tool: only this tool's jobs.
        limit: how many at most, 1 to 100.

    Returns:
        The jobs, and how many were asked for: a full list may leave out older ones.

    Raises:
        UnreadableAnswerError: one job is too long already, or the answer is no list of jobs.
        NovaKitError: the request failed.
    """
    while True:
        try:
            return await client.list(tool=tool, limit=limit), limit
        except UnreadableAnswerError as error:
            shorter = next((fewer for fewer in _SHORTER if fewer < limit), None)
            if not error.too_long or shorter is None:
                raise
            limit = shorter
