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
from ..common.labels import label_of, prompt_of, shortened
from ..common.status import status_word
from ..common.times import date_and_time, took

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...api.embedding import Kept
    from ...engine.run import JobRun
    from ...model.media import Media
    from ...model.tools import Tool

__all__ = ["STYLE", "code_block", "details_table", "lines", "media_tag", "plain", "running", "shown_size", "summary"]

_PROMPT_LENGTH = 1_000  # characters in the heading; the parameters have all of it
_SEARCH_LENGTH = 40  # characters of a prompt that identify it in the history
_VALUE_LENGTH = 10_000  # characters of one parameter; longer ones are uploads
_CODE_LENGTH = 50_000  # characters of a call: two of the longest documented texts, with escapes
_SIZE = (640, 480)  # pixels of a single result; each of several has half of that
# The negative margin undoes JupyterLab's padding of HTML, so that the result is as wide as the card was. The doubled class
# outranks JupyterLab's own rule, which aligns tables to the right.
STYLE = Markup("""<style>
.novakit-plain { border: 1px solid var(--jp-border-color2, #bdbdbd); border-radius: 6px; padding: 10px 12px; margin: 4px 2px;
  max-width: 720px; box-sizing: border-box; color: var(--jp-ui-font-color1, inherit); }
.jp-RenderedHTMLCommon > .novakit-plain { margin-right: -18px; }
.novakit-plain p { margin: 0 0 8px; overflow-wrap: anywhere; }
.novakit-plain video, .novakit-plain img { max-width: 100%; height: auto; border-radius: 4px; display: inline-block; }
.novakit-plain audio { width: 100%; }
.novakit-plain .nk-facts, .novakit-plain summary { color: var(--jp-ui-font-color2, inherit); }
.novakit-plain td { white-space: pre-wrap; }
.novakit-plain table { border-collapse: collapse; margin: 6px 0; }
.novakit-plain.novakit-plain th, .novakit-plain.novakit-plain td { text-align: left; vertical-align: top;
  padding: 2px 10px 2px 0; overflow-wrap: anywhere; }
.novakit-plain pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 6px 0 0; }
</style>""")
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
    rows = [
        Markup('<p><strong>{label}</strong> <span dir="auto">{prompt}</span></p>').format(
            label=label_of(run.tool or job.tool), prompt=shortened(prompt, _PROMPT_LENGTH)
        )
    ]
    rows.extend(_media(kept, prompt))
    if job.text is not None:
        rows.append(Markup('<p dir="auto">{}</p>').format(lines(job.text)))
    elif job.status == JobStatus.COMPLETED and not kept:
        rows.append(Markup("<pre>{}</pre>").format(readable(shortened(str(job.output), _VALUE_LENGTH))))
    if run.error is not None:
        rows.append(Markup('<p dir="auto">{}</p>').format(readable(run.error.message)))
    if note:
        rows.append(Markup('<p dir="auto">{}</p>').format(readable(note)))
    rows.append(Markup('<p class="nk-facts">{}</p>').format(" · ".join(_facts(run))))
    rows.append(_details(run))
    return Markup('<div class="novakit-plain">{}{}</div>').format(STYLE, _BLANK.join(rows))


def _media(kept: Sequence[Kept], prompt: str) -> list[Markup]:
    # The note tells what could not be fetched; an empty player would add nothing.
    fetched = [one for one in kept if one.error is None]
    if not fetched:
        return []
    shown = [media_tag(one, prompt, alone=len(fetched) == 1) for one in fetched]
    rows = [Markup("<p>{}</p>").format(Markup(" ").join(shown))]
    if any(one.content is None and one.path is None for one in fetched):
        rows.append(Markup("<p>Shown from a temporary address of the service: save it to keep it.</p>"))
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


def _facts(run: JobRun) -> list[str]:
    job = run.job
    assert job is not None
    facts = [status_word(job.status)]
    if run.elapsed is not None:
        facts[0] += f" {'in' if job.status == JobStatus.COMPLETED else 'after'} {took(run.elapsed)}"
    if job.model:
        facts.append(job.model)
    moment = job.completed_at or job.created_at
    if moment is not None:
        facts.append(date_and_time(moment))
    if job.actual_credits is not None:
        facts.append(f"{job.actual_credits:g} credit{'' if job.actual_credits == 1 else 's'}")
    return facts


def _details(run: JobRun) -> Markup:
    """Return the job's id, its parameters and the call that makes it again."""
    job = run.job
    assert job is not None
    facts = {**({"job id": job.id} if job.id else {}), **run.params}
    again = _BLANK if run.tool is None else code_block(run.tool, run.params)
    return Markup("<details><summary>Parameters and code</summary>{}{}</details>").format(details_table(facts), again)


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
