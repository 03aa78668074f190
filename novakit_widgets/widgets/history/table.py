"""The past jobs as plain HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from ...job_history.rows import INTENT
from ..common.view import label_of, prompt_of, shortened

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ...job_history.jobs import HistoryEntry

__all__ = ["STAGES", "line_of", "table", "unresolved"]

_PROMPT_LENGTH = 70  # characters of a prompt in a row
_NOT_KNOWN = "not known whether it was started"
STAGES = {INTENT: "submitting"}  # what a stage is called where its name says too little
_STYLE = Markup("""<style>
.novakit-history { border-collapse: collapse; line-height: 1.4; margin: 6px 0; }
.novakit-history th, .novakit-history td { text-align: left; vertical-align: top; padding: 3px 14px 3px 0; }
.novakit-history tbody tr { border-top: 1px solid var(--jp-border-color3, #ddd); }
</style>""")


def table(entries: Sequence[HistoryEntry], lost: Collection[str] = (), *, nothing: str = "No jobs yet.") -> Markup:
    """Return jobs as a table of plain HTML, newest first.

    Args:
        entries: the rows.
        lost: the intents of those of which nobody knows whether they were started.
        nothing: what is said in place of a table without rows.
    """
    row = Markup('<tr><td>{}</td><td>{}</td><td dir="auto">{}</td><td>{}</td><td>{}</td><td><code>{}</code></td></tr>')
    rows = [
        row.format(
            f"{entry.begun_at.astimezone():%d %b %Y %H:%M}",
            label_of(entry.tool),
            _words(entry),
            _state(entry, lost),
            "" if entry.job is None or entry.job.actual_credits is None else f"{entry.job.actual_credits:g}",
            (entry.job and entry.job.id) or "",
        )
        for entry in entries
    ]
    if not rows:
        return Markup("<p>{}</p>").format(nothing)
    return _STYLE + Markup(
        '<table class="novakit-history"><thead><tr>'
        "<th>begun</th><th>tool</th><th>prompt</th><th>status</th><th>credits</th><th>job id</th></tr></thead>"
        "<tbody>{}</tbody></table>"
    ).format(Markup("").join(rows))


def _words(entry: HistoryEntry) -> Markup:
    """Return the prompt, with the user's mark before it and the user's words below."""
    star = Markup('<span title="starred">★</span> ') if entry.star else Markup("")
    note = Markup("<br><em>{}</em>").format(entry.note) if entry.note else Markup("")
    return star + shortened(prompt_of(entry.params), _PROMPT_LENGTH) + note


def unresolved(count: int) -> Markup:
    """Say how many submissions nobody knows the end of; nothing where there are none."""
    if not count:
        return Markup("")
    several = "s" if count > 1 else ""
    return Markup("<p>{} submission{} unresolved: <code>nk.recover()</code> looks {} up, at no cost.</p>").format(
        count, several, "them" if several else "it"
    )


def _state(entry: HistoryEntry, lost: Collection[str]) -> str:
    if entry.job is not None:
        return str(entry.job.status)
    return _NOT_KNOWN if entry.intent in lost else STAGES.get(entry.stage, entry.stage)


def line_of(entry: HistoryEntry, lost: Collection[str]) -> str:
    """Return a row in one line of text."""
    words = shortened(prompt_of(entry.params), 50)
    return f"{entry.begun_at.astimezone():%d %b %H:%M} {label_of(entry.tool)}: {words} ({_state(entry, lost)})"
