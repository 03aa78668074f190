"""The result of a card: its finished media are fetched, shown and saved."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ...api.embedding import keep, save_kept
from ...config import settings
from ...engine.state import Phase
from ...errors import NovaKitError
from ..common.closing import close_all
from ..common.kernel import notebook_folder
from ..common.labels import prompt_of, shortened
from ..common.shape import shape_of
from .plain import foot_of
from .player import players, text_block

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import ipywidgets
    from markupsafe import Markup

    from ...api.embedding import Embed, Kept
    from ...engine.run import JobRun

__all__ = ["CardResult"]

_RAW_LENGTH = 2_000  # characters of a result that has neither media nor text
_TITLE_LENGTH = 4_000  # characters of a prompt as alternative text


class CardResult:
    """The finished media of a run.

    Args:
        run: the run.
        embed: where its media go.
        box: the widget that shows them.
        changed: called when `note` or `kept` has changed.

    Attributes:
        note: what is under way or went wrong; ``""`` for nothing.
        kept: the media, once they have been fetched.
    """

    def __init__(self, run: JobRun, embed: Embed, box: ipywidgets.VBox, changed: Callable[[], None]) -> None:
        self._run = run
        self._embed = embed
        self._box = box
        self._changed = changed
        self._discarded = False
        self.note = ""
        self.kept: tuple[Kept, ...] | None = None
        self._fetched = False
        self._foot: Markup | None = None

    @property
    def fetching(self) -> bool:
        """Whether the job is done and its media are not there yet."""
        return self._run.phase is Phase.ENDED and self._run.error is None and not self._fetched

    @property
    def foot(self) -> Markup | None:
        """The last line of a job that has ended; ``None`` until its result is there."""
        if self._foot is None and self._run.phase is Phase.ENDED and not self.fetching:
            kept = [one for one in self.kept or () if one.path is None]  # a live page has no relative URLs
            self._foot = foot_of(self._run, kept)
        return self._foot

    def discard(self) -> None:
        """Close the widgets that show the result; one that is still being fetched is not shown."""
        self._discarded = True
        self._changed = lambda: None  # refers to the card, which must be freed as soon as it is closed
        close_all(self._box.children)
        self._box.children = ()

    async def prepare(self) -> None:
        """Fetch the finished media and show them; return when they have been saved too, if the run saves them."""
        if self._run.error is None:
            try:
                await self._fetch_and_show()
            except Exception as error:
                # The job is done nevertheless, and nobody sees an exception of a background task.
                self.note = (
                    f"The result can't be shown ({type(error).__name__}: {error}). job.save() and job.media have it."
                )
                self._fetched = True
                self._changed()
                raise
        if self._run.saving is not None:
            await asyncio.wait((self._run.saving,))  # so that the plain result says where it was saved

    async def _fetch_and_show(self) -> None:
        job = self._run.result()
        self.note = "Fetching the result." if job.media and self._embed != "link" and not self._run.note else ""
        kept = await keep(self._run.client, job, self._embed, folder=notebook_folder())
        if self._discarded:
            return  # the card was closed, or the job tried again: nobody would close these widgets
        self.kept = kept
        made = players(
            kept,
            title=shortened(prompt_of(self._run.params), _TITLE_LENGTH),
            shape=shape_of(self._run.tool or job.tool, self._run.params),
        )
        if job.text is not None:
            made.append(text_block(job.text))
        elif not kept:
            made.append(text_block(shortened(str(job.output), _RAW_LENGTH)))
        self.note = next((str(one.error) for one in kept if one.error is not None), "")
        self._box.children = made
        self._fetched = True
        self._changed()

    async def save(self, path: Path) -> list[Path]:
        """Save the media; see `JobWidget.save`."""
        return await save_kept(self._run.client, self._run.result(), self.kept, path)

    async def save_to_default_folder(self) -> None:
        """Save the media in the configured folder, or beside the notebook; `note` tells where, or why not."""
        try:
            folder = settings.save_to().value or notebook_folder()
            files = await self.save(folder)
        except (NovaKitError, OSError) as error:
            self.note = f"Not saved: {error}"
        else:
            self.note = f"Saved as {', '.join(file.name for file in files)} in {folder}"
        self._changed()
