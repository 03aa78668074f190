"""Estimating the credits and the duration of a job from similar ones in the history."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from ..model.canonical import canonical
from ..model.job import JobStatus
from ..model.parameters import PARAMETERS
from ..model.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..model.job import Job
    from .rows import HistoryEntry

__all__ = ["Estimate", "estimate", "estimates"]

# Parameters that do not change what a job costs.
_WORDS = frozenset({"prompt", "negative_prompt", "input", "reference_text", "seed", "voice", "style", "operation"})


@dataclass(frozen=True, slots=True)
class Estimate:
    """The medians of similar jobs.

    Attributes:
        jobs: The number of jobs.
        credits: The median of the billed credits; ``None`` if unknown.
        seconds: The median time from creation to completion; ``None`` if unknown.
    """

    jobs: int
    credits: float | None
    seconds: float | None


def estimate(entries: Iterable[HistoryEntry], tool: Tool, params: Mapping[str, Any]) -> Estimate | None:
    """Return the medians of completed jobs with equal parameters, ignoring texts, seeds and sources.

    Args:
        entries: Rows of the history.
        tool: The tool.
        params: The service's parameters.

    Returns:
        The estimate; ``None`` without such jobs.

    Example:
        >>> estimate([], Tool.VIDEO, {"prompt": "A sunset"}) is None
        True
    """
    return estimates(entries, tool, [params])[0]


def estimates(entries: Iterable[HistoryEntry], tool: Tool, items: Iterable[Mapping[str, Any]]) -> list[Estimate | None]:
    """Return the `estimate` of each of several jobs.

    Args:
        entries: See `estimate`.
        tool: See `estimate`.
        items: The parameters of each job.
    """
    by_size: dict[str, list[Job]] = {}
    for entry in entries:
        job = entry.job
        if job is not None and job.status == JobStatus.COMPLETED and Tool.known(entry.tool) is tool:
            by_size.setdefault(_size(tool, entry.params), []).append(job)
    found = {size: _median(jobs) for size, jobs in by_size.items()}
    return [found.get(_size(tool, params)) for params in items]


def _median(jobs: Sequence[Job]) -> Estimate:
    billed = [job.actual_credits for job in jobs if job.actual_credits is not None]
    took = [
        (job.completed_at - job.created_at).total_seconds()
        for job in jobs
        if job.completed_at is not None and job.created_at is not None
    ]
    return Estimate(len(jobs), median(billed) if billed else None, median(took) if took else None)


def _size(tool: Tool, params: Mapping[str, Any]) -> str:
    table = PARAMETERS[tool]
    counts = {
        name: value for name, value in params.items() if name not in _WORDS and not (name in table and table[name].url)
    }
    return canonical(tool, counts)
