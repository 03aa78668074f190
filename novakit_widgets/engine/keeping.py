"""Save the result of a run, and the user's note and star."""

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
    """What saving and annotating need of a `JobRun`."""

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
    """Save the result into the folder of `configure(save_to=…)`. A failure is shown in the run's note.

    Args:
        run: a completed run.
        folder: the folder, which is created if necessary.
    """
    job = run.result()
    try:
        folder.mkdir(parents=True, exist_ok=True)  # a name with a dot would be taken for a file
        run.saved = tuple(await save_all(run.client, job, folder))
        if job.id is not None:
            await run.history.off_loop(run.history.saved, job.id, run.saved, base_url=run.client.base_url)
    except (NovaKitError, OSError) as error:
        run.mention(f"Not saved in {folder}: {error}")
    else:
        run.mention(f"Saved as {', '.join(file.name for file in run.saved)} in {folder}")


async def annotate(run: KeptRun, *, note: str | None = None, star: bool | None = None) -> bool:
    """Write the user's note and star to the job's row in the history. ``None`` leaves them unchanged.

    Args:
        run: the run.
        note: the note.
        star: whether the user starred the job.

    Returns:
        Whether the history has the job.
    """
    intent = "" if run.submission is None else run.submission.intent
    if not intent and run.job_id is not None:
        row = await run.history.off_loop(run.history.find, run.job_id, base_url=run.client.base_url)
        intent = "" if row is None else row.intent
    if intent:
        await run.history.off_loop(run.history.annotate, intent, note=note, star=star)
    return bool(intent)
