"""What of a run is kept: its result's files, and the user's words about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..api.downloads import save_all
from ..errors import NovaKitError

if TYPE_CHECKING:
    from pathlib import Path

    from ..api.client import NovaKitClient
    from ..job_history.jobs import JobHistory
    from ..model.job import Job
    from .submit import Submission

__all__ = ["KeptRun", "annotate", "save_result"]


class KeptRun(Protocol):
    """What keeping needs of a run."""

    client: NovaKitClient
    history: JobHistory
    saved: tuple[Path, ...]
    submission: Submission | None

    @property
    def job_id(self) -> str | None:
        """The service's id."""
        ...

    def result(self) -> Job:
        """Return the completed job."""
        ...

    def mention(self, note: str) -> None:
        """Show a note."""
        ...


async def save_result(run: KeptRun, folder: Path) -> None:
    """Save the result where every result is to be saved. That it failed is told; the job is done all the same.

    Args:
        run: its job is completed.
        folder: is made.
    """
    job = run.result()
    try:
        folder.mkdir(parents=True, exist_ok=True)  # its name may have a dot, and would be taken for a file's
        run.saved = tuple(await save_all(run.client, job, folder))
        if job.id is not None:
            await run.history.off_loop(run.history.saved, job.id, run.saved, base_url=run.client.base_url)
    except (NovaKitError, OSError) as error:
        run.mention(f"Not saved in {folder}: {error}")
    else:
        run.mention(f"Saved as {', '.join(file.name for file in run.saved)} in {folder}")


async def annotate(run: KeptRun, *, note: str | None = None, star: bool | None = None) -> bool:
    """Keep the user's words or mark with the job's row in the history; what is ``None`` stays as it is.

    Args:
        run: whose.
        note: the words.
        star: whether it is marked.

    Returns:
        Whether there is such a row.
    """
    intent = "" if run.submission is None else run.submission.intent
    if not intent and run.job_id is not None:
        row = await run.history.off_loop(run.history.find, run.job_id, base_url=run.client.base_url)
        intent = "" if row is None else row.intent
    if intent:
        await run.history.off_loop(run.history.annotate, intent, note=note, star=star)
    return bool(intent)
