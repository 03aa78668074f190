"""A finished job as plain HTML, which a saved notebook keeps: it needs no kernel and no widget state.

The sanitiser of an untrusted notebook drops ``style``, ``role``, ``aria-*``, ``<style>`` and the ``src`` of ``<source>``. So the
media tag itself has the ``src``, and the card is readable as plain headings, paragraphs and tables.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from markupsafe import Markup

from ...api.embedding import FOLDER
from ...config.redaction import redact
from ...model.job import JobStatus
from ...model.parsing import readable
from ..common.code import call_with_files
from ..common.icons import icon
from ..common.labels import label_of, prompt_of, shortened
from ..common.shape import Shape, shape_of
from ..common.status import status_of, status_word
from ..common.style import PLAIN
from ..common.times import date_and_time
from . import html as card_html
from .view import facts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...api.embedding import Kept
    from ...engine.run import JobRun
    from ...model.media import Media
    from ...model.tools import Tool

__all__ = [
    "code_block",
    "details_of",
    "details_table",
    "foot_of",
    "head_of",
    "lines",
    "media_of",
    "media_tag",
    "plain",
    "running",
    "shown_size",
    "summary",
]

_PROMPT_LENGTH = 1_000  # characters in the heading; the parameters have all of it
_SEARCH_LENGTH = 40  # characters of a prompt that identify it in the history
_VALUE_LENGTH = 10_000  # characters of one parameter; longer ones are uploads
_CODE_LENGTH = 50_000  # characters of a call: two of the longest documented texts, with escapes
_SIZE = (640, 480)  # pixels of a single result; each of several has half of that
_BLANK = Markup("")


def summary(run: JobRun) -> str:
    """Return a job in one line of text, for front ends without HTML."""
    job = run.job
    prompt = shortened(prompt_of(run.params), 60)
    facts = [label_of(run.tool), repr(prompt)]
    if job is not None:
        facts += [status_word(job.status), job.id or ""]
    return "NovaKit " + " ".join(fact for fact in facts if fact)


def running(run: JobRun) -> Markup:
    """Return the HTML that a saved notebook shows for a job that was still running."""
    prompt = shortened(prompt_of(run.params), _PROMPT_LENGTH)
    known = f"nk.attach({run.job_id!r})" if run.job_id else f"nk.history({_search(run.params)})"
    return Markup(
        '<p><strong>{}</strong> <span dir="auto">{}</span></p>'
        "<p>Still running when this was saved: <code>{}</code> finds it.</p>"
    ).format(label_of(run.tool), prompt, known)


def _search(params: Mapping[str, Any]) -> str:
    """Return the argument with which `nk.history` finds a job by its first words; ``""`` if it has no text."""
    texts = [params.get(name) for name in ("prompt", "input")]  # the history searches these
    words: list[str] = []
    for word in redact(" ".join(text for text in texts if isinstance(text, str))).split():
        if words and len(" ".join([*words, word])) > _SEARCH_LENGTH:
            break
        words.append(word[:_SEARCH_LENGTH])  # the history finds the beginning of a word, not an ellipsis
    return f"search={' '.join(words)!r}" if words else ""


def plain(run: JobRun, kept: Sequence[Kept], *, note: str = "") -> Markup:
    """Return a finished job as plain HTML.

    Args:
        run: the run; its job has ended.
        kept: its media.
        note: a remark, such as why a file could not be saved.
    """
    job = run.job
    assert job is not None
    prompt = prompt_of(run.params)
    tool = run.tool or job.tool
    status, color = status_of(run)
    rows = [head_of(tool, prompt, status)]
    rows.extend(media_of(kept, prompt, shape_of(tool, run.params)))
    if job.text is not None:
        rows.append(Markup('<p class="nk-text" dir="auto">{}</p>').format(lines(job.text)))
    elif job.status == JobStatus.COMPLETED and not kept:
        text = readable(shortened(str(job.output), _VALUE_LENGTH))
        rows.append(Markup('<p class="nk-text" dir="auto">{}</p>').format(lines(text)))
    rows += [
        card_html.message(readable(text)) for text in ("" if run.error is None else run.error.message, note) if text
    ]
    rows.append(foot_of(run, kept))
    return Markup('<div class="novakit-plain nk-{}">{}{}</div>').format(color, PLAIN, _BLANK.join(rows))


def head_of(tool: Tool | str | None, prompt: str, status: str) -> Markup:
    """Return the first line: the tool, the prompt and the status."""
    return Markup(
        '<p class="nk-head">{icon}<strong class="nk-title" dir="auto"><span class="nk-hidden">{label}: </span>{prompt}</strong> '
        '<span class="nk-pill">{status}</span></p>'
    ).format(
        icon=icon(str(tool or "")),
        label=label_of(tool),
        prompt=shortened(prompt, _PROMPT_LENGTH) or label_of(tool),
        status=status,
    )


def media_of(kept: Sequence[Kept], prompt: str, shape: Shape) -> list[Markup]:
    """Return the results.

    Args:
        kept: the media.
        prompt: the alternative text.
        shape: the requested shape.
    """
    # The note tells what could not be fetched; an empty player would add nothing.
    fetched = [one for one in kept if one.error is None]
    alone = len(fetched) == 1
    pictures = [media_tag(one, prompt, alone=alone) for one in fetched if one.media.kind != "audio"]
    shape = shape if shape.kind == "picture" else Shape()
    rows = [card_html.stage(shape, pictures)] if pictures else []
    rows += [
        Markup('<div class="nk-sound">{}</div>').format(media_tag(one, prompt, alone=alone))
        for one in fetched
        if one.media.kind == "audio"
    ]
    if any(one.content is None and one.path is None for one in fetched):
        rows.append(card_html.message("Shown from a temporary address of the service: save it to keep it."))
    return rows


def media_tag(kept: Kept, prompt: str, *, alone: bool, lazy: bool = False) -> Markup:
    """Return the tag that plays or shows a result.

    Args:
        kept: the media.
        prompt: the alternative text.
        alone: whether it is the only result.
        lazy: whether it is loaded only when it is visible or played.
    """
    source = _source(kept)
    title = shortened(prompt, 200)
    preload = "none" if lazy else "metadata"
    if kept.media.kind == "audio":
        return Markup('<audio controls preload="{}" title="{}" src="{}"></audio>').format(preload, title, source)
    width, height = shown_size(kept.media, alone=alone)
    # With both, the page reserves the space until the media are loaded, and nothing jumps.
    size = Markup(' width="{}"').format(width) + (Markup(' height="{}"').format(height) if height else _BLANK)
    if kept.media.kind == "image":
        size += Markup(' loading="lazy"') if lazy else _BLANK
        return Markup('<img src="{}" alt="{}"{}>').format(source, title or "the result", size)
    return Markup('<video controls preload="{}" title="{}" src="{}"{}></video>').format(preload, title, source, size)


def shown_size(media: Media, *, alone: bool = True) -> tuple[int, int | None]:
    """Return the displayed width and height in pixels; the height is ``None`` if the aspect ratio is unknown.

    Args:
        media: the media.
        alone: whether it is the only result.
    """
    wide, high = _SIZE if alone else (_SIZE[0] // 2, _SIZE[1] // 2)
    if not media.width or not media.height:
        return wide, None
    scale = min(wide / media.width, high / media.height)
    return round(media.width * scale), round(media.height * scale)


def _source(kept: Kept) -> str:
    if kept.content is not None:
        return f"data:{kept.mime};base64,{base64.b64encode(kept.content).decode('ascii')}"
    if kept.path is not None:
        # Relative to the notebook, so that both can be moved together.
        return quote(f"{kept.path.parent.name}/{kept.path.name}")
    return kept.media.url


def foot_of(run: JobRun, kept: Sequence[Kept]) -> Markup:
    """Return the last line of a job that has ended: its facts, the call that makes it again, and its files.

    Args:
        run: the run; its job has ended.
        kept: its media.
    """
    job = run.job
    assert job is not None
    moment = job.completed_at or job.created_at
    finished = "" if moment is None else date_and_time(moment)
    # A result inside the notebook has no second copy for a link: its player's own menu downloads it.
    files = [_source(one) for one in kept if one.content is None and one.error is None]
    links = [
        Markup('<a href="{}" download>Download{}</a>').format(file, f" {number}" if len(files) > 1 else "")
        for number, file in enumerate(files, start=1)
    ]
    return card_html.foot(facts_of(run), details_of(run.tool, job.id, run.params, finished), *links, finished=finished)


def details_of(tool: Tool | None, job_id: str | None, params: Mapping[str, Any], finished: str = "") -> Markup:
    """Return the call that makes a job again, its id and its parameters.

    Args:
        tool: the job's tool.
        job_id: its id.
        params: its parameters.
        finished: when it ended.
    """
    facts = {**({"job id": job_id} if job_id else {}), **({"finished": finished} if finished else {}), **params}
    again = _BLANK if tool is None else code_block(tool, params)
    return Markup("<details><summary>{}</summary>{}{}</details>").format(
        "Parameters" if tool is None else "Copy code", again, details_table(facts)
    )


def code_block(tool: Tool, params: Mapping[str, Any]) -> Markup:
    """Return the call that makes the same job, unless it is too long.

    Args:
        tool: the job's tool.
        params: the job's parameters.
    """
    code = call_with_files(tool, params, Path(FOLDER))
    if len(code) > _CODE_LENGTH:
        return Markup("<p>The call is too long to show: {} characters.</p>").format(f"{len(code):,}")
    return Markup("<pre>{}</pre>").format(code)


def lines(text: str) -> Markup:
    """Return a text with its line breaks, also in an untrusted notebook; `pre` would break words there."""
    return Markup("<br>").join(text.splitlines())


def details_table(facts: Mapping[str, Any]) -> Markup:
    """Return a table of names and values."""
    rows = _BLANK.join(
        Markup('<tr><th scope="row">{}</th><td dir="auto">{}</td></tr>').format(readable(str(name)), _value(value))
        for name, value in facts.items()
    )
    return Markup("<table>{}</table>").format(rows)


def _value(value: Any) -> Markup:
    """Return a parameter's value; of an upload, its type and length."""
    text = readable(str(value))
    if text.startswith("data:") and len(text) > _PROMPT_LENGTH:
        head = text.partition(",")[0].removeprefix("data:").removesuffix(";base64")
        return Markup("({}, sent as {} characters)").format(shortened(head, 40), f"{len(text):,}")
    if len(text) > _VALUE_LENGTH:
        return lines(f"{text[:_VALUE_LENGTH]}… ({len(text):,} characters in all)")
    return lines(text)
