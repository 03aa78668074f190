"""The demo without a browser: execute the notebook, save the result, and report on every job.

Some notebooks cancel a job or let one fail. Such a notebook lists in its metadata how its jobs are expected to end, in any
order; without the list all are expected to be completed::

    "novakit_widgets": {"jobs": ["video completed", "video cancelled", "image failed"]}
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import nbformat
from nbconvert import HTMLExporter

from ..api import downloads
from ..api.client import NovaKitClient
from ..errors import MediaError
from ..model.job import Job, JobStatus
from .execution import execute

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from .demo import Link

__all__ = ["JobLine", "Report", "run"]

_MEDIA_BYTES = 100_000_000  # far more than a notebook's media have
_MOST_JOBS = 100  # that the service lists
_METADATA = "novakit_widgets"


@dataclass(frozen=True, slots=True)
class JobLine:
    """The outcome of one job.

    Attributes:
        job: The job as the service lists it afterwards.
        media: The type and the size in bytes of each result.
        problem: Why a result could not be downloaded; ``""`` when all were.
    """

    job: Job
    media: tuple[tuple[str, int], ...]
    problem: str = ""

    def __str__(self) -> str:
        seconds = "" if self.job.seconds is None else f"{self.job.seconds:.1f} s"
        results = ", ".join(f"{mime} {size:,} bytes" for mime, size in self.media) or "-"
        return (
            f"{self.job.id}  {self.job.tool or '?':<10}  {self.job.status:<10}  {seconds:>6}  {self.problem or results}"
        )


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a notebook.

    Attributes:
        jobs: All jobs, in the order of their submission.
        seconds: How long the notebook took.
        notebook: The executed notebook.
        page: The same as HTML.
        problems: The differences from what was expected; empty for success.
    """

    jobs: tuple[JobLine, ...]
    seconds: float
    notebook: Path
    page: Path
    problems: tuple[str, ...]

    def __str__(self) -> str:
        ends = Counter(str(line.job.status) for line in self.jobs)
        counted = ", ".join(f"{number} {status}" for status, number in ends.most_common())
        verdict = "all as meant" if not self.problems else "NOT as meant:"
        return "\n".join(
            [
                *map(str, self.jobs),
                f"{len(self.jobs)} jobs in {self.seconds:.0f} s ({counted}): {verdict}",
                *(f"  {problem}" for problem in self.problems),
                f"Executed notebook: {self.notebook}",
                f"As a page:         {self.page}",
            ]
        )


def run(notebook: Path, folder: Path, link: Link) -> Report:
    """Execute a notebook on a sandbox of its own.

    Args:
        notebook: The notebook. It is not changed.
        folder: The folder of the kernel, the executed notebook and its HTML.
        link: The sandbox.
    """
    document = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    began = time.monotonic()
    problems = execute(document, folder, link.environment)
    seconds = time.monotonic() - began
    executed = folder / f"{notebook.stem}.executed.ipynb"
    nbformat.write(document, executed)  # type: ignore[no-untyped-call]
    page = executed.with_suffix(".html")
    exporter = HTMLExporter()  # type: ignore[no-untyped-call]
    html, _ = exporter.from_notebook_node(document, {"metadata": {"name": notebook.stem, "path": str(folder)}})
    page.write_text(html, encoding="utf-8")
    lines = asyncio.run(_look_at_jobs(link.environment))
    problems += [f"{line.job.id}: {line.problem}" for line in lines if line.problem]
    problems += _not_as_meant(document.metadata.get(_METADATA, {}).get("jobs"), [line.job for line in lines])
    return Report(tuple(lines), seconds, executed, page, tuple(problems))


async def _look_at_jobs(environment: Mapping[str, str]) -> list[JobLine]:
    """List the service's jobs, and download their results."""
    client = NovaKitClient(environment["NOVAKIT_API_KEY"], environment["NOVAKIT_BASE_URL"])
    try:
        jobs = await client.list(limit=_MOST_JOBS)
        return [await _look_at(client, job) for job in reversed(jobs)]
    finally:
        await client.aclose()


async def _look_at(client: NovaKitClient, job: Job) -> JobLine:
    media: list[tuple[str, int]] = []
    if job.text is not None:
        media.append(("text/plain", len(job.text.encode())))
    for one in job.media:
        try:
            fetched = await downloads.fetch(client, one.url, limit=_MEDIA_BYTES)
        except MediaError as error:
            return JobLine(job, tuple(media), error.message)
        if fetched is None:
            return JobLine(job, tuple(media), f"its result has more than {_MEDIA_BYTES / 1e6:.0f} MB")
        media.append((fetched[1], len(fetched[0])))
    nothing = job.status == JobStatus.COMPLETED and not media
    return JobLine(job, tuple(media), "completed, but there is no result" if nothing else "")


def _not_as_meant(meant: Any, jobs: Sequence[Job]) -> list[str]:
    """Return the differences between how the jobs ended and how they were expected to."""
    if meant is None:
        return [f"{job.id} is {job.status}" for job in jobs if job.status != JobStatus.COMPLETED]
    wanted, found = Counter(map(str, meant)), Counter(f"{job.tool} {job.status}" for job in jobs)
    return [
        f"{ending}: {found[ending]} instead of {wanted[ending]}"
        for ending in sorted({*wanted, *found})
        if found[ending] != wanted[ending]
    ]
