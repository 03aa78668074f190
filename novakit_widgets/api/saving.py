"""Saving a job's media from a blocking call: what `Job.save` and `Media.save` do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..runtime.loop import run_blocking
from .client import default_client
from .downloads import save, save_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..model.job import Job
    from ..model.media import Media
    from .client import NovaKitClient

__all__ = ["save_job", "save_media"]


def save_job(
    job: Job, path: str | Path, *, client: NovaKitClient | None, on_progress: Callable[[int, int | None], None] | None
) -> list[Path]:
    """Save the media of a job; see `Job.save`."""
    caller = default_client(client)
    return run_blocking(lambda: save_all(caller, job, path, on_progress=on_progress))


def save_media(
    media: Media,
    path: str | Path,
    *,
    client: NovaKitClient | None,
    on_progress: Callable[[int, int | None], None] | None,
) -> Path:
    """Save one of them; see `Media.save`."""
    caller = default_client(client)
    return run_blocking(lambda: save(caller, media.url, path, kind=media.kind, on_progress=on_progress))
