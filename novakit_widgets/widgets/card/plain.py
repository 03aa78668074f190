"""A finished job as plain HTML, which needs no kernel and no widget state: what a saved notebook keeps.

The sanitiser of an untrusted notebook drops ``style``, ``role``, ``aria-*``, ``<style>`` and the ``src`` of ``<source>``. So the
address stands on the media tag itself, and the card reads well as headings, paragraphs and a table alone.
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
from ..common.view import label_of, prompt_of, shortened, took

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...api.embedding import Kept
    from ...engine.run import JobRun
    from ...model.media import Media
    from ...model.tools import Tool

__all__ = ["STYLE", "code_block", "details_table", "lines", "media_tag", "plain", "running", "shown_size", "summary"]

_PROMPT_LENGTH = 1_000  # characters that are read as a heading; all of them stand among the parameters
_SEARCH_LENGTH = 40  # characters of a prompt, which are enough to find it by
_VALUE_LENGTH = 10_000  # characters of one parameter; what is longer is an upload
_CODE_LENGTH = 50_000  # characters of a call: two of the longest documented texts, written with escapes
_ROOM = (640, 480)  # pixels for one result; several have half of that each
# The negative margin takes back JupyterLab's padding of HTML, so that the result is as wide as the card was. The class is named
# twice where JupyterLab's own rule, which sets tables to the right, names two.
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
    """Return a finished job in one line, for where no HTML is shown.

    Args:
        run: one whose job has ended.
    """
    job = run.job
    prompt = shortened(prompt_of(run.params), 60)
    facts = [label_of(run.tool), repr(prompt)]
    if job is not None:
        facts += [str(job.status), job.id or ""]
    return "NovaKit " + " ".join(fact for fact in facts if fact)


def running(run: JobRun) -> Markup:
    """Return what a saved notebook says of a job whose end it did not see.

    Args:
        run: one that has not ended.
    """
    prompt = shortened(prompt_of(run.params), _PROMPT_LENGTH)
    known = f"nk.attach({run.job_id!r})" if run.job_id else f"nk.history({_search(run.params)})"
    return Markup(
        '<p><strong>{}</strong> <span dir="auto">{}</span></p>'
        "<p>It had not ended when this was saved: <code>{}</code> finds it.</p>"
    ).format(label_of(run.tool), prompt, known)


def _search(params: Mapping[str, Any]) -> str:
    """Return the argument that has the history find a job by its first words; ``""`` where it has none, such as a file's."""
    said = [params.get(name) for name in ("prompt", "input")]  # what the history looks through
    words: list[str] = []
    for word in redact(" ".join(text for text in said if isinstance(text, str))).split():
        if words and len(" ".join([*words, word])) > _SEARCH_LENGTH:
            break
        words.append(word[:_SEARCH_LENGTH])  # the beginning of a word is found too, an ellipsis would not be
    return f"search={' '.join(words)!r}" if words else ""


def plain(run: JobRun, kept: Sequence[Kept], *, note: str = "") -> Markup:
    """Return a finished job as plain HTML.

    Args:
        run: one whose job has ended.
        kept: its media, and where they are now.
        note: what else there is to say, such as why a file could not be saved.
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
    # What could not be fetched is told by the card's note; an empty player would only repeat it.
    there = [one for one in kept if one.error is None]
    if not there:
        return []
    shown = [media_tag(one, prompt, alone=len(there) == 1) for one in there]
    rows = [Markup("<p>{}</p>").format(Markup(" ").join(shown))]
    if any(one.content is None and one.path is None for one in there):
        rows.append(
            Markup("<p>It is shown from the service's own address, which is temporary: save it to keep it.</p>")
        )
    return rows


def media_tag(kept: Kept, prompt: str, *, alone: bool, lazy: bool = False) -> Markup:
    """Return the one tag that plays or shows a result.

    Args:
        kept: the media, and where they are now.
        prompt: what they were asked for with, for those who can't see them.
        alone: whether there are no others beside it.
        lazy: whether they are loaded only when somebody looks or listens.
    """
    source = _source(kept)
    title = shortened(prompt, 200)
    preload = "none" if lazy else "metadata"
    if kept.media.kind == "audio":
        return Markup('<audio controls preload="{}" title="{}" src="{}"></audio>').format(preload, title, source)
    width, height = shown_size(kept.media, alone=alone)
    # With both, a page keeps the place free until the media are there, and nothing jumps.
    size = Markup(' width="{}"').format(width) + (Markup(' height="{}"').format(height) if height else _BLANK)
    if kept.media.kind == "image":
        size += Markup(' loading="lazy"') if lazy else _BLANK
        return Markup('<img src="{}" alt="{}"{}>').format(source, title or "the result", size)
    return Markup('<video controls preload="{}" title="{}" src="{}"{}></video>').format(preload, title, source, size)


def shown_size(media: Media, *, alone: bool = True) -> tuple[int, int | None]:
    """Return the width and height that media are shown with, in pixels; the height is ``None`` where their shape is unknown.

    Args:
        media: what is shown.
        alone: whether there are no others beside it.
    """
    wide, high = _ROOM if alone else (_ROOM[0] // 2, _ROOM[1] // 2)
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
    facts = [str(job.status)]
    if run.elapsed is not None:
        facts[0] += f" after {took(run.elapsed)}" if job.status != JobStatus.COMPLETED else f" in {took(run.elapsed)}"
    if job.model:
        facts.append(job.model)
    moment = job.completed_at or job.created_at
    if moment is not None:
        facts.append(moment.strftime("%d %b %Y %H:%M UTC"))
    if job.actual_credits is not None:
        facts.append(f"{job.actual_credits:g} credit{'' if job.actual_credits == 1 else 's'}")
    return facts


def _details(run: JobRun) -> Markup:
    """Return what it takes to find the job again and to make it again."""
    job = run.job
    assert job is not None
    facts = {**({"job id": job.id} if job.id else {}), **run.params}
    again = _BLANK if run.tool is None else code_block(run.tool, run.params)
    return Markup("<details><summary>Parameters and code</summary>{}{}</details>").format(details_table(facts), again)


def code_block(tool: Tool, params: Mapping[str, Any]) -> Markup:
    """Return the call that makes the same job. It is all there or not at all: half of it would be no Python.

    Args:
        tool: what makes it.
        params: the service's own parameters.
    """
    code = call_with_files(tool, params, Path(FOLDER))
    if len(code) > _CODE_LENGTH:
        return Markup("<p>The call is too long to be written here: {} characters.</p>").format(f"{len(code):,}")
    return Markup("<pre>{}</pre>").format(code)


def lines(text: str) -> Markup:
    """Return a text with its line breaks, which an untrusted notebook keeps too; `pre` would break words there."""
    return Markup("<br>").join(text.splitlines())


def details_table(facts: Mapping[str, Any]) -> Markup:
    """Return names and values as a table."""
    rows = _BLANK.join(
        Markup('<tr><th scope="row">{}</th><td dir="auto">{}</td></tr>').format(readable(str(name)), _value(value))
        for name, value in facts.items()
    )
    return Markup("<table>{}</table>").format(rows)


def _value(value: Any) -> Markup:
    """Return a parameter as it is; of an upload, what it is."""
    text = readable(str(value))
    if text.startswith("data:") and len(text) > _PROMPT_LENGTH:
        head = text.partition(",")[0].removeprefix("data:").removesuffix(";base64")
        return Markup("({}, sent as {} characters)").format(shortened(head, 40), f"{len(text):,}")
    if len(text) > _VALUE_LENGTH:
        return lines(f"{text[:_VALUE_LENGTH]}… ({len(text):,} characters in all)")
    return lines(text)
