"""Where a finished job's media go: into the notebook, beside it, or nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..config import settings
from ..config.checks import Embed
from ..errors import ConfigurationError, MediaError
from . import downloads

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..model.job import Job
    from ..model.media import Media
    from .transfers import OpensMedia

__all__ = ["Embed", "Kept", "Room", "check_embed", "keep", "save_kept"]

EMBED_BYTES = 8_000_000  # more takes a notebook seconds to open and a browser hundreds of MB
INLINE_BYTES = 100_000_000  # what "inline" forces at most: the kernel's messages take 8 s for it
FOLDER = "novakit-media"


@dataclass(frozen=True, slots=True)
class Kept:
    """One of a result's media, and where it is now.

    Attributes:
        media: what it is and where the service keeps it.
        mime: its type, from its bytes where we have them.
        content: the bytes, for the notebook.
        path: the file beside the notebook.
        error: why there is neither, where that was not asked for.
    """

    media: Media
    mime: str
    content: bytes | None = None
    path: Path | None = None
    error: Exception | None = None


@dataclass(slots=True)
class Room:
    """How much may still go into the notebook, for one job or for several that share it.

    Attributes:
        left: bytes.

    Example:
        >>> room = Room(10)
        >>> room.take(8), room.take(8), room.left
        (True, False, 2)
    """

    left: int

    @classmethod
    def of(cls, embed: Embed) -> Room:
        """Return the initial room."""
        return cls(INLINE_BYTES if embed == "inline" else EMBED_BYTES)

    def take(self, size: int) -> bool:
        """Take some bytes, and return whether there was room for them."""
        if size > self.left:
            return False
        self.left -= size
        return True


async def save_kept(client: downloads.KnowsJobs, job: Job, kept: Sequence[Kept] | None, path: str | Path) -> list[Path]:
    """Save all media of a finished job. Media that were fetched already are not fetched again.

    Args:
        client: sends the requests.
        job: a completed job.
        kept: the media that were fetched; ``None`` if none were.
        path: see `downloads.save_all`.

    Returns:
        The files, in the result's order.

    Raises:
        MediaError: see `downloads.save_all`.
        OSError: a file can't be written.
    """
    return await downloads.save_all(
        client, job, path, held=[one.path if one.content is None else one.content for one in kept or ()]
    )


def check_embed(embed: str | None) -> Embed:
    """Return where finished media go: the argument, or the setting ``embed`` if it is ``None``.

    Raises:
        ConfigurationError: it is not one of ``auto``, ``inline``, ``file`` and ``link``.
    """
    return settings.embed(embed).value


async def keep(
    client: OpensMedia, job: Job, embed: Embed, *, folder: Path, room: Room | None = None
) -> tuple[Kept, ...]:
    """Fetch a finished job's media for the notebook. A failure is not raised but returned with the media.

    Args:
        client: sends the requests, without the key.
        job: a completed job.
        embed: where the media go; ``"auto"`` is inline up to 8 MB for all media of a job together, otherwise a file.
        folder: the folder of the notebook.
        room: the bytes that several jobs share; default: the job has all of them.
    """
    shared = Room.of(embed) if room is None else room
    kept: list[Kept] = []
    for index, media in enumerate(job.media):
        stem = f"{downloads.stem_of(job)}-{index + 1}"
        kept.append(await _keep_one(client, media, embed, folder, stem, shared))
    return tuple(kept)


async def _keep_one(client: OpensMedia, media: Media, embed: Embed, folder: Path, stem: str, room: Room) -> Kept:
    if embed == "link":
        return Kept(media, media.mime)
    try:
        if embed in ("auto", "inline"):
            fetched = await downloads.fetch(client, media.url, limit=room.left, kind=media.kind) if room.left else None
            # Others may have taken the room in the meantime.
            if fetched is not None and room.take(len(fetched[0])):
                return Kept(media, fetched[1], content=fetched[0])
            if embed == "inline":
                raise MediaError(f"It is larger than {INLINE_BYTES / 1e6:.0f} MB, too large to be put into a notebook.")
        path = _existing(folder / FOLDER, stem)
        if path is None:
            (folder / FOLDER).mkdir(parents=True, exist_ok=True)
            path = await downloads.save(client, media.url, folder / FOLDER, stem=stem, kind=media.kind)
        return Kept(media, media.mime, path=path)
    except (MediaError, ConfigurationError, OSError) as error:
        return Kept(media, media.mime, error=error)


def _existing(folder: Path, stem: str) -> Path | None:
    """Return the file that was saved for the same job earlier."""
    return next(iter(sorted(folder.glob(f"{stem}.*"))), None)
