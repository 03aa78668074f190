"""A board's media: fetched as each job ends, a few at a time. A failed download affects no other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ...api import downloads
from ...api.embedding import Embed, Kept, Room, keep
from ...errors import MediaError, MediaExpiredError, NovaKitError
from ...runtime import loop as job_loop
from ...runtime.paths import expanded
from ..common.kernel import notebook_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ...api.client import NovaKitClient
    from ...batches.queue import QueueItem
    from ...model.job import Job

__all__ = ["Keeper", "save_places"]

AT_A_TIME = 4  # downloads: more would share the same bandwidth


class Keeper:
    """Fetches the media of a board's jobs and puts them where ``embed`` says.

    Args:
        client: the client.
        embed: where the media go; with ``"auto"`` and ``"inline"`` all jobs share the size limit of the notebook.

    Attributes:
        kept: the media that have been fetched, by the place's number.
    """

    def __init__(self, client: NovaKitClient, embed: Embed) -> None:
        self._client = client
        self._embed = embed
        self._room = Room.of(embed)
        self._requested: dict[int, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns: asyncio.Semaphore | None = None
        self.kept: dict[int, tuple[Kept, ...]] = {}

    def take(self, number: int, job: Job) -> None:
        """Fetch the media of a finished job, once. Call this on the job loop."""
        requested = self._requested.get(number)
        if requested is job or requested == job:
            return
        self._requested[number] = job
        if self._turns is None:
            self._turns = asyncio.Semaphore(AT_A_TIME)
        task = job_loop.spawn(self._keep(number, job, self._turns))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait until all media have been fetched."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def _keep(self, number: int, job: Job, turns: asyncio.Semaphore) -> None:
        async with turns:
            folder = notebook_folder()
            kept = await keep(self._client, job, self._embed, folder=folder, room=self._room)
            if job.id is not None and any(isinstance(one.error, MediaExpiredError) for one in kept):
                kept = await self._fetch_renewed(job.id, kept, folder)
        self.kept[number] = kept

    async def _fetch_renewed(self, job_id: str, kept: tuple[Kept, ...], folder: Path) -> tuple[Kept, ...]:
        """Ask the service for new URLs: those of a recovered batch have expired."""
        try:
            fresh = await self._client.get(job_id)
        except NovaKitError:
            return kept
        if not fresh.media or fresh.media == tuple(one.media for one in kept):
            return kept
        for one in kept:
            self._room.left += len(one.content or b"")
        return await keep(self._client, fresh, self._embed, folder=folder, room=self._room)


async def save_places(
    client: NovaKitClient, places: Sequence[QueueItem], folder: Path, *, count: int
) -> dict[int, list[Path]]:
    """Save the results of finished jobs, a few at a time. Each run records its saved files, also if others fail.

    Args:
        client: the client.
        places: the jobs; those with neither media nor text are skipped.
        folder: the folder, which is created if needed.
        count: the number of all places, which sets the width of the numbers in file names.

    Returns:
        The files, by the place's number.

    Raises:
        MediaError: Some files can't be fetched or written. The others were saved.
        OSError: The folder can't be created.
    """
    folder = expanded(folder)
    folder.mkdir(parents=True, exist_ok=True)
    turns = asyncio.Semaphore(AT_A_TIME)
    files: dict[int, list[Path]] = {}
    problems: dict[int, Exception] = {}

    async def save(place: QueueItem, job: Job) -> None:
        async with turns:
            try:
                before = f"{place.number:0{len(str(count - 1))}}-"
                files[place.number] = await downloads.save_all(client, job, folder, before=before)
                place.run.saved = tuple(files[place.number])
                if job.id is not None:
                    history = place.run.history
                    await asyncio.to_thread(
                        history.saved, job.id, files[place.number], base_url=place.run.client.base_url
                    )
            except (NovaKitError, OSError) as error:
                problems[place.number] = error

    await asyncio.gather(
        *(
            save(place, job)
            for place in places
            if (job := place.run.job) is not None and (job.media or job.text is not None)
        )
    )
    if problems:
        number, first = min(problems.items())
        count = sum(map(len, files.values()))
        others = f" {len(problems) - 1} more could not be saved." if len(problems) > 1 else ""
        raise MediaError(
            f"The result of job {number} could not be saved: {first}{others} "
            f"{count} other files are in {folder}. Saving again costs nothing."
        )
    return dict(sorted(files.items()))
