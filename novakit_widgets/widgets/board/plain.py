"""A finished board as plain HTML, which a saved notebook keeps. See `novakit_widgets.widgets.card.plain`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ...batches.queue import ItemState
from ...model.parsing import readable
from ..card import html as card_html
from ..card.plain import code_block, media_tag
from ..common.icons import icon
from ..common.labels import label_of, prompt_of, shortened
from ..common.status import status_of
from ..common.style import PLAIN, PLAIN_BOARD
from ..common.times import date_and_time, took
from .grid import MOST_CELLS, plain_grid
from .view import FAILED, ended_counts, said_of_all, times_of, title_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...api.embedding import Kept
    from ...batches.grid import Grid
    from ...batches.queue import QueueItem

__all__ = ["plain_board", "records", "summary"]

_PROMPT_LENGTH = 300
_MOST_CODES = 100  # jobs with a call each
_MOST_FAILURES = 50  # jobs without a result that have a tile; the table has all
_TEXT_LENGTH = 10_000
_OPEN_ROWS = 40  # up to so many jobs, the table is unfolded
_BLANK = Markup("")
_OURS = ("number", "tool", "status", "seconds", "credits", "job_id", "urls", "text", "files", "error")


def summary(progress: str) -> str:
    """Return a board in one line of text, for front ends without HTML."""
    return f"NovaKit jobs: {progress}"


def plain_board(places: Sequence[QueueItem], kept: Mapping[int, Sequence[Kept]], grid: Grid | None = None) -> Markup:
    """Return a finished board as plain HTML.

    Args:
        places: the jobs, by number; all have ended.
        kept: their media, by number.
        grid: the labels of a sweep's table.
    """
    labelled = grid is not None and len(places) <= MOST_CELLS
    results = plain_grid(grid, places, kept) if grid is not None and labelled else _results(places, kept)
    parts = [_head(places), results, *_missing(kept), _table(places, folded=bool(results))]
    return Markup('<div class="novakit-plain novakit-plain-board">{}{}</div>').format(
        PLAIN + PLAIN_BOARD, _BLANK.join(parts)
    )


def _head(places: Sequence[QueueItem]) -> Markup:
    tools = sorted({place.tool for place in places}, key=str)
    jobs = [place.run.job for place in places if place.run.job is not None]
    facts = []
    begun = [job.created_at for job in jobs if job.created_at is not None]
    ended = [job.completed_at for job in jobs if job.completed_at is not None]
    if begun and ended and max(ended) >= min(begun):
        facts += [took((max(ended) - min(begun)).total_seconds()), date_and_time(max(ended))]
    costs = [job.actual_credits for job in jobs if job.actual_credits is not None]
    if costs:
        facts.append(f"{sum(costs):g} credits")
    first = places[0].params
    common = [
        f"{name} {shortened(readable(str(value)), 80)}"
        for name, value in first.items()
        if len(places) > 1 and all(name in place.params and place.params[name] == value for place in places)
    ]
    states = Counter(place.state for place in places)
    counts = [f"{states[ItemState.COMPLETED]:,} of {len(places):,} done", *ended_counts(states)]
    failed = any(states[state] for state in FAILED)
    line = Markup(
        '<p class="nk-head nk-{}">{}<strong class="nk-title"><span class="nk-hidden">{}: </span>{}</strong> '
        '<span class="nk-pill">{}</span></p>'
    ).format(
        "bad" if failed else "good" if states[ItemState.COMPLETED] else "quiet",
        icon(tools[0] if len(tools) == 1 else ""),
        " and ".join(map(label_of, tools)),
        title_of(tools, len(places)),
        " · ".join(counts),
    )
    facts += [f"All with {', '.join(common)}"] if common else []
    notes = [" · ".join(facts), *map(readable, said_of_all(places))]
    return line + _BLANK.join(Markup('<p class="nk-note" dir="auto">{}</p>').format(note) for note in notes if note)


def _results(places: Sequence[QueueItem], kept: Mapping[int, Sequence[Kept]]) -> Markup:
    """Return a tile for each result and for each job that has none, with its prompt."""
    tiles: list[Markup] = []
    failures = 0
    for place in places:
        tiles += [_tile(place, one, coded=len(places) <= _MOST_CODES) for one in kept.get(place.number, ())]
        if place.state in FAILED and failures < _MOST_FAILURES:
            failures += 1
            tiles.append(_failed_tile(place, coded=len(places) <= _MOST_CODES))
        elif place.state is ItemState.COMPLETED and place.run.job is not None and not kept.get(place.number):
            tiles.append(_text_tile(place))
    return Markup('<div class="nk-results">{}</div>').format(_BLANK.join(tiles)) if tiles else _BLANK


# A block for each result: without the style, which the sanitiser of an untrusted notebook drops, a line may break between a
# number and its image, and the number would be beside the previous image.
def _tile(place: QueueItem, kept: Kept, *, coded: bool) -> Markup:
    prompt = prompt_of(place.params)
    tag = media_tag(kept, f"{place.number}: {prompt}", alone=False)
    caption = _caption(place)
    if kept.media.kind == "audio":
        return Markup('<div class="nk-result nk-row">{}{}</div>').format(caption, tag)
    if kept.media.kind == "video":  # its own controls show it on the whole screen
        return Markup('<div class="nk-result nk-wide"><div class="nk-stage">{}</div>{}</div>').format(tag, caption)
    return Markup(
        '<details class="nk-result"><summary title="Show it large"><div class="nk-stage">{}</div>{}</summary>{}</details>'
    ).format(tag, caption, code_block(place.tool, place.params) if coded else _BLANK)


def _failed_tile(place: QueueItem, *, coded: bool) -> Markup:
    status = status_of(place.run)[0]
    error = _BLANK if place.run.error is None else card_html.message(readable(place.run.error.message))
    return Markup(
        '<details class="nk-result nk-failed nk-bad"><summary title="Show why"><div class="nk-stage"><span>{}</span></div>{}'
        "</summary>{}{}</details>"
    ).format(status, _caption(place), error, code_block(place.tool, place.params) if coded else _BLANK)


def _text_tile(place: QueueItem) -> Markup:
    job = place.run.job
    assert job is not None
    text = job.text if job.text is not None else str(job.output)
    return Markup('<div class="nk-result nk-row">{}<p dir="auto">{}</p></div>').format(
        _caption(place), readable(shortened(text, _TEXT_LENGTH))
    )


def _caption(place: QueueItem) -> Markup:
    prompt = shortened(prompt_of(place.params), _PROMPT_LENGTH)
    return Markup('<p class="nk-caption" dir="auto" title="{}"><strong>{}</strong> {}</p>').format(
        prompt, place.number, prompt
    )


def _missing(kept: Mapping[int, Sequence[Kept]]) -> list[Markup]:
    """Return remarks on media that are not in the notebook."""
    parts = []
    every = [one for number in kept for one in kept[number]]
    missing = sorted(number for number, those in kept.items() if any(one.error is not None for one in those))
    if any(one.content is None and one.path is None for one in every):
        parts.append(
            Markup("<p>Media that are not in the notebook are shown from a temporary address of the service.</p>")
        )
    if missing:
        reason = next(str(one.error) for one in kept[missing[0]] if one.error is not None)
        parts.append(
            Markup('<p dir="auto">Not fetched: {}. {}</p>').format(", ".join(map(str, missing)), readable(reason))
        )
    return parts


def _table(places: Sequence[QueueItem], *, folded: bool = False) -> Markup:
    row = Markup(
        '<tr><th scope="row">{}</th><td dir="auto">{}{}</td><td>{}</td><td>{}</td>'
        '<td class="nk-c">{}</td><td class="nk-id">{}</td></tr>'
    )
    rows = _BLANK.join(
        row.format(
            place.number,
            shortened(prompt_of(place.params), _PROMPT_LENGTH),
            _reason(place),
            "Cancelled" if place.state is ItemState.CANCELLED else status_of(place.run)[0],
            times_of(place),
            _credits(place),
            place.run.job_id or "",
        )
        for place in places
    )
    return Markup(
        '<details class="nk-all"{}><summary>All {:,} jobs</summary><table><caption>The jobs by number</caption><thead><tr>'
        '<th scope="col" class="nk-n">No.</th><th scope="col">Prompt</th><th scope="col" class="nk-s">Status</th>'
        '<th scope="col" class="nk-t">Time</th><th scope="col" class="nk-c">Credits</th><th scope="col" class="nk-id">Job id</th>'
        "</tr></thead><tbody>{}</tbody></table></details>"
    ).format(_BLANK if folded or len(places) > _OPEN_ROWS else Markup(" open"), len(places), rows)


def _reason(place: QueueItem) -> Markup:
    """Return why a job has no result, on its own line."""
    error = place.run.error
    if error is None or place.state is ItemState.CANCELLED:
        return _BLANK
    return Markup("<br>{}").format(readable(error.message))


def _credits(place: QueueItem) -> str:
    job = place.run.job
    return "" if job is None or job.actual_credits is None else f"{job.actual_credits:g}"


def records(places: Sequence[QueueItem]) -> list[dict[str, Any]]:
    """Return a flat dict for each place, by number."""
    return [_record(place) for place in places]


def _record(place: QueueItem) -> dict[str, Any]:
    run, job = place.run, place.run.job
    params = {f"parameter_{name}" if name in _OURS else name: value for name, value in place.params.items()}
    return {
        "number": place.number,
        "tool": str(place.tool),
        **params,
        "status": str(place.state) if job is None or not job.ended else str(job.status),
        "seconds": run.elapsed,
        "credits": None if job is None else job.actual_credits,
        "job_id": run.job_id,
        "urls": [] if job is None else [media.url for media in job.media],
        "text": None if job is None else job.text,
        "files": [str(file) for file in run.saved],
        "error": None if run.error is None else run.error.message,
    }
