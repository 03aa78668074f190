"""A `Job` and a `Media` as the last line of a cell: plain HTML, made without a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from ...api.embedding import Kept
from ...model.parsing import readable
from ...model.tools import Tool
from ..common.labels import prompt_of, shortened
from ..common.shape import Shape, shape_of
from ..common.status import color_of_status, status_word
from ..common.style import PLAIN
from ..common.times import took
from . import html as card_html
from .plain import details_of, head_of, lines, media_of
from .widget import JobWidget

if TYPE_CHECKING:
    from ...model.job import Job
    from ...model.media import Media

__all__ = ["bundle_of_job", "bundle_of_media"]

_MOST = 12  # results that are shown
_TEXT_LENGTH = 10_000  # characters of a transcription or of an error


def bundle_of_job(job: Job) -> dict[str, str]:
    """Return the MIME bundle of a job: its prompt, status, results, facts and the call that makes it again.

    After ``nk.video(…).wait()`` the same cell has the card with the result, so that the job is one line of text.
    """
    if job.id is not None and any(card.job_id == job.id and card.in_this_cell for card in _cards()):
        return {"text/plain": repr(job)}
    params = job.params or {}
    prompt = prompt_of(params)
    kept = [Kept(media, media.mime) for media in job.media[:_MOST]]
    rows = [head_of(job.tool, prompt, status_word(job.status)), *media_of(kept, prompt, shape_of(job.tool, params))]
    if job.text is not None:
        text = readable(shortened(job.text, _TEXT_LENGTH) if len(job.text) > _TEXT_LENGTH else job.text)
        rows.append(Markup('<p class="nk-text" dir="auto">{}</p>').format(lines(text)))
    if job.error:
        rows.append(card_html.message(readable(shortened(job.error, _TEXT_LENGTH))))
    facts = [] if job.seconds is None else [took(job.seconds)]
    facts += [shortened(readable(job.model), 80)] if job.model else []
    facts += (
        [f"{job.actual_credits:g} credit{'' if job.actual_credits == 1 else 's'}"]
        if job.actual_credits is not None
        else []
    )
    facts += [f"{len(job.media) - _MOST:,} more in job.media"] if len(job.media) > _MOST else []
    rows.append(card_html.foot(facts, details_of(Tool.known(job.tool), job.id, params)))
    return {"text/html": _page(rows, color_of_status(job.status)), "text/plain": repr(job)}


def _cards() -> list[JobWidget]:
    from ipywidgets.widgets.widget import _instances  # there is no public list any more

    return [widget for widget in list(_instances.values()) if isinstance(widget, JobWidget)]


def bundle_of_media(media: Media) -> dict[str, str]:
    """Return the MIME bundle of one result: its player or its picture."""
    shape = Shape("picture", media.width, media.height) if media.width and media.height else Shape()
    rows = media_of([Kept(media, media.mime)], shortened(readable(media.caption or ""), 200), shape)
    return {"text/html": _page(rows, "good"), "text/plain": repr(media)}


def _page(rows: list[Markup], color: str) -> str:
    return str(Markup('<div class="novakit-plain nk-{}">{}{}</div>').format(color, PLAIN, Markup("").join(rows)))
