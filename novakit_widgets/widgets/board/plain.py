"""A finished board as plain HTML, which a saved notebook keeps. See `novakit_widgets.widgets.card.plain`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ...batches.queue import PlaceState
from ...model.parsing import readable
from ..card.plain import STYLE as CARD_STYLE
from ..card.plain import media_tag
from ..common.labels import label_of, prompt_of, shortened
from ..common.status import status_of
from ..common.times import date_and_time, took
from .grid import MOST_CELLS, plain_grid
from .grid import STYLE as GRID_STYLE
from .view import ended_counts, times_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...api.embedding import Kept
    from ...batches.grid import Grid
    from ...batches.queue import Place

__all__ = ["plain_board", "records", "summary"]

_PROMPT_LENGTH = 300
_TEXT_LENGTH = 10_000
_OPEN_ROWS = 40  # up to so many jobs, the table is unfolded
_BLANK = Markup("")
_STYLE = (
    CARD_STYLE
    + GRID_STYLE
    + Markup("""<style>
.novakit-plain.novakit-plain-board { max-width: 960px; }
.novakit-plain-board .nk-results { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 10px; }
.novakit-plain-board .nk-results video, .novakit-plain-board .nk-results img { width: 100%; display: block; }
.novakit-plain-board table { width: 100%; table-layout: fixed; }
.novakit-plain-board tbody tr { border-top: 1px solid var(--jp-border-color3, #ddd); }
.novakit-plain-board caption { text-align: left; color: var(--jp-ui-font-color2, inherit); padding: 4px 0; }
.novakit-plain-board .nk-n { width: 3em; } .novakit-plain-board .nk-s { width: 9em; }
.novakit-plain-board .nk-t { width: 6.5em; white-space: nowrap; }
.novakit-plain-board .nk-c { width: 4.5em; } .novakit-plain-board .nk-id { width: 14em; }
@media (max-width: 720px) { .novakit-plain-board .nk-id, .novakit-plain-board .nk-c { display: none; }
  .novakit-plain-board .nk-n { width: 2em; } .novakit-plain-board .nk-s { width: 6em; }
  .novakit-plain-board .nk-t { width: 6em; } }
</style>""")
)
_OURS = ("number", "tool", "status", "seconds", "credits", "job_id", "urls", "text", "files", "error")


def summary(progress: str) -> str:
    """Return a board in one line of text, for front ends without HTML."""
    return f"NovaKit jobs: {progress}"


def plain_board(places: Sequence[Place], kept: Mapping[int, Sequence[Kept]], grid: Grid | None = None) -> Markup:
    """Return a finished board as plain HTML.

    Args:
        places: the jobs, by number; all have ended.
        kept: their media, by number.
        grid: the labels of a sweep's table.
    """
    if grid is not None and len(places) <= MOST_CELLS:
        parts = [_head(places), plain_grid(grid, places, kept), *_missing(kept), _table(places, folded=True)]
    else:
        parts = [_head(places), *_media(places, kept), *_texts(places, kept), _table(places)]
    return Markup('<div class="novakit-plain novakit-plain-board">{}{}</div>').format(_STYLE, _BLANK.join(parts))


def _head(places: Sequence[Place]) -> Markup:
    tools = " and ".join(label_of(tool) for tool in sorted({place.tool for place in places}, key=str))
    jobs = [place.run.job for place in places if place.run.job is not None]
    facts = []
    begun = [job.created_at for job in jobs if job.created_at is not None]
    ended = [job.completed_at for job in jobs if job.completed_at is not None]
    if begun and ended and max(ended) >= min(begun):
        facts += [
            f"in {took((max(ended) - min(begun)).total_seconds())}",
            date_and_time(max(ended)),
        ]
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
    counts = [f"{states[PlaceState.COMPLETED]:,} of {len(places):,} done", *ended_counts(states)]
    lines = [Markup("<p><strong>{}</strong> {}</p>").format(tools, " · ".join(counts))]
    lines += [Markup('<p class="nk-facts">{}</p>').format(" · ".join(facts))] if facts else []
    lines += [Markup('<p class="nk-facts" dir="auto">All with {}</p>').format(", ".join(common))] if common else []
    return _BLANK.join(lines)


def _media(places: Sequence[Place], kept: Mapping[int, Sequence[Kept]]) -> list[Markup]:
    # A block for each result: without the grid's style, which the sanitiser drops, a line may break between a number and its
    # image, and the number would be beside the previous image. A non-breaking space does not prevent that.
    shown = [
        Markup('<div class="nk-result"><strong>{}</strong> {}</div>').format(
            place.number, media_tag(one, f"{place.number}: {prompt_of(place.params)}", alone=False)
        )
        for place in places
        for one in kept.get(place.number, ())
    ]
    if not shown:
        return []
    return [Markup('<div class="nk-results">{}</div>').format(_BLANK.join(shown)), *_missing(kept)]


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


def _texts(places: Sequence[Place], kept: Mapping[int, Sequence[Kept]]) -> list[Markup]:
    """Return the text results."""
    shown = []
    for place in places:
        job = place.run.job
        if place.state is not PlaceState.COMPLETED or job is None or kept.get(place.number):
            continue
        text = job.text if job.text is not None else str(job.output)
        shown.append(
            Markup('<p dir="auto"><strong>{}</strong> {}</p>').format(
                place.number, readable(shortened(text, _TEXT_LENGTH))
            )
        )
    return shown


def _table(places: Sequence[Place], *, folded: bool = False) -> Markup:
    row = Markup(
        '<tr><th scope="row">{}</th><td dir="auto">{}{}</td><td>{}</td><td>{}</td>'
        '<td class="nk-c">{}</td><td class="nk-id">{}</td></tr>'
    )
    rows = _BLANK.join(
        row.format(
            place.number,
            shortened(prompt_of(place.params), _PROMPT_LENGTH),
            _reason(place),
            "Cancelled" if place.state is PlaceState.CANCELLED else status_of(place.run)[0],
            times_of(place),
            _credits(place),
            place.run.job_id or "",
        )
        for place in places
    )
    return Markup(
        "<details{}><summary>All {:,} jobs</summary><table><caption>The jobs by number</caption><thead><tr>"
        '<th scope="col" class="nk-n">No.</th><th scope="col">Prompt</th><th scope="col" class="nk-s">Status</th>'
        '<th scope="col" class="nk-t">Time</th><th scope="col" class="nk-c">Credits</th><th scope="col" class="nk-id">Job id</th>'
        "</tr></thead><tbody>{}</tbody></table></details>"
    ).format(_BLANK if folded or len(places) > _OPEN_ROWS else Markup(" open"), len(places), rows)


def _reason(place: Place) -> Markup:
    """Return why a job has no result, on its own line."""
    error = place.run.error
    if error is None or place.state is PlaceState.CANCELLED:
        return _BLANK
    return Markup("<br>{}").format(readable(error.message))


def _credits(place: Place) -> str:
    job = place.run.job
    return "" if job is None or job.actual_credits is None else f"{job.actual_credits:g}"


def records(places: Sequence[Place]) -> list[dict[str, Any]]:
    """Return a flat dict for each place, by number."""
    return [_record(place) for place in places]


def _record(place: Place) -> dict[str, Any]:
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
