"""Past jobs as plain HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from ...job_history.rows import DISMISSED, INTENT, UNCERTAIN, UNSENT
from ...model.tools import Tool
from ..common.code import call_of_kept
from ..common.labels import label_of, prompt_of, shortened
from ..common.status import status_word

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ...job_history.jobs import HistoryEntry

__all__ = ["label_of_status", "line_of", "table", "unresolved"]

_URL_LENGTH = 600  # characters of a picture's address; signed ones can be longer than all else
_CODE_LENGTH = 1_000  # characters of a call in a row; the button shows longer ones
_PROMPT_LENGTH = 70  # characters of a prompt in a row
_STAGES: Mapping[str, str] = {  # of a submission without a job
    INTENT: "Submitting",
    UNSENT: "Not submitted",
    UNCERTAIN: "Answer lost",
    DISMISSED: "Discarded",
}


def table(entries: Sequence[HistoryEntry], lost: Collection[str] = (), *, nothing: str = "No jobs yet.") -> Markup:
    """Return jobs as a table of plain HTML, newest first.

    Args:
        entries: the rows.
        lost: the intents whose answer was lost.
        nothing: the text that is shown instead of an empty table.
    """
    row = Markup('<tr><td>{}</td><td>{}</td><td dir="auto">{}</td><td>{}</td><td>{}</td><td><code>{}</code></td></tr>')
    rows = [
        row.format(
            f"{entry.begun_at.astimezone():%d %b %Y %H:%M}",
            label_of(entry.tool),
            _thumbnail(entry) + _prompt(entry) + _code(entry),
            _state(entry, lost),
            "" if entry.job is None or entry.job.actual_credits is None else f"{entry.job.actual_credits:g}",
            (entry.job and entry.job.id) or "",
        )
        for entry in entries
    ]
    if not rows:
        return Markup("<p>{}</p>").format(nothing)
    return Markup(
        '<table class="novakit-history"><thead><tr>'
        "<th>Submitted</th><th>Tool</th><th>Prompt</th><th>Status</th><th>Credits</th><th>Job id</th></tr></thead>"
        "<tbody>{}</tbody></table>"
    ).format(Markup("").join(rows))


def _thumbnail(entry: HistoryEntry) -> Markup:
    """Return a small picture of an image, which the page loads when the row is visible; nothing for another result."""
    media = () if entry.job is None else entry.job.media
    if not media or media[0].kind != "image" or len(media[0].url) > _URL_LENGTH:
        return Markup("")
    return Markup('<img class="nk-thumb" src="{}" alt="" loading="lazy" width="40" height="40">').format(media[0].url)


def _code(entry: HistoryEntry) -> Markup:
    """Return the call that makes the job again, folded."""
    tool = Tool.known(entry.tool)
    code = "" if tool is None else call_of_kept(tool, entry.params)
    if not code or len(code) > _CODE_LENGTH:
        return Markup("")
    return Markup("<details><summary>Copy code</summary><pre>{}</pre></details>").format(code)


def _prompt(entry: HistoryEntry) -> Markup:
    """Return the prompt with its star and its note."""
    star = Markup('<span title="starred">★</span> ') if entry.star else Markup("")
    note = Markup("<br><em>{}</em>").format(entry.note) if entry.note else Markup("")
    return star + shortened(prompt_of(entry.params), _PROMPT_LENGTH) + note


def unresolved(count: int) -> Markup:
    """Return how many submissions are unresolved; nothing if there are none."""
    if not count:
        return Markup("")
    several = "s" if count > 1 else ""
    return Markup("<p>{} unresolved submission{}: <code>nk.recover()</code> looks {} up, at no cost.</p>").format(
        count, several, "them" if several else "it"
    )


def _state(entry: HistoryEntry, lost: Collection[str]) -> str:
    if entry.job is not None:
        return status_word(entry.job.status)
    return _STAGES[UNCERTAIN] if entry.intent in lost else label_of_status(entry.stage)


def label_of_status(status: str) -> str:
    """Return the label of a job's status, or of the stage of a submission without a job."""
    return _STAGES.get(status) or status_word(status)


def line_of(entry: HistoryEntry, lost: Collection[str]) -> str:
    """Return an entry in one line of text."""
    prompt = shortened(prompt_of(entry.params), 50)
    return f"{entry.begun_at.astimezone():%d %b %H:%M} {label_of(entry.tool)}: {prompt} ({_state(entry, lost)})"
