"""What a board shows of its jobs, as plain values without HTML."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ...batches.queue import ItemState
from ...model.parsing import readable
from ..common.labels import label_of, shortened
from ..common.status import percent_of, status_of
from ..common.times import clock_time, duration, took

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...api.embedding import Kept
    from ...batches.queue import JobQueue, QueueItem
    from ...model.tools import Tool
    from ..common.status import Color

__all__ = [
    "FAILED",
    "Row",
    "Totals",
    "ended_counts",
    "prompt_and_title",
    "remarks",
    "said_of_all",
    "status_with_reason",
    "thumbnail_of",
    "times_of",
    "title_of",
]

_PROMPT_LENGTH = 90  # characters of a prompt in a row
_MOST_BYTES = 260  # of the prompt, and of its tooltip, as they are sent; the job's details have all of it
_ESCAPED = frozenset("<>&\"'\\")
_URL_LENGTH = 300  # of a thumbnail; signed URLs can be longer than the rest of the row

# Ended without a result, and not cancelled.
FAILED = frozenset({ItemState.FAILED, ItemState.REFUSED, ItemState.UNCERTAIN, ItemState.LEFT})
_WITHOUT_RESULT = (
    (ItemState.FAILED, "failed"),
    (ItemState.REFUSED, "not submitted"),
    (ItemState.UNCERTAIN, "answer lost"),
    (ItemState.LEFT, "not watched"),
    (ItemState.CANCELLED, "cancelled"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """What a row of the table shows.

    Attributes:
        number: the place's number, from 0 as in ``board[0]``.
        tool: the tool's value, for the icon.
        prompt: the prompt, shortened.
        title: more of the prompt for the tooltip; ``""`` if it was not shortened.
        status: the status in the words of the page.
        color: the color of the status.
        percent: 0 to 100 while the job runs; ``None`` if it is unknown.
        times: how long the job has taken.
        why: what the job waits for; ``""`` for nothing.
        thumbnail: the URL of the job's image; ``""`` for none.
    """

    number: int
    tool: str
    prompt: str
    title: str
    status: str
    color: Color
    percent: float | None
    times: str
    why: str
    thumbnail: str

    @classmethod
    def of(cls, place: QueueItem, *, now: datetime, prompt: tuple[str, str], thumbnail: str) -> Row:
        """Describe a place's present state.

        Args:
            place: the place.
            now: the present moment, with time zone.
            prompt: the result of `prompt_and_title`.
            thumbnail: the URL of the job's image.
        """
        run, state = place.run, place.state
        status, color, why = status_with_reason(place, now=now)
        running = state is ItemState.RUNNING
        return cls(
            number=place.number,
            tool=str(place.tool),
            prompt=prompt[0],
            title=prompt[1],
            status=status,
            color=color,
            percent=percent_of(run) if running else None,
            times=times_of(place),
            why=why,
            thumbnail=thumbnail,
        )


def prompt_and_title(text: str) -> tuple[str, str]:
    """Return a row's prompt, and more of it for the tooltip if it was shortened.

    Both have a maximum number of bytes, because a table of a hundred rows is sent whole.

    Example:
        >>> prompt_and_title("A lighthouse"), len(prompt_and_title("waves " * 200)[1])
        (('A lighthouse', ''), 261)
    """
    clean = readable(text)
    prompt = _clipped(shortened(clean, _PROMPT_LENGTH))
    return prompt, "" if prompt == clean else _clipped(clean)


def _clipped(text: str) -> str:
    """Shorten a text to the maximum number of bytes after escaping for HTML and JSON."""
    size = 0
    for index, character in enumerate(text):
        escaped = character in _ESCAPED or character < " "
        size += 6 if escaped else len(character.encode())
        if size > _MOST_BYTES:
            return text[:index].rstrip() + "…"
    return text


def status_with_reason(place: QueueItem, *, now: datetime) -> tuple[str, Color, str]:
    """Return a place's status, its color, and what it waits for."""
    state = place.state
    if state is ItemState.CANCELLED:
        return "Cancelled", "quiet", ""
    if state is not ItemState.WAITING:
        return (*status_of(place.run), "")
    when = clock_time(place.starts_at, now=now)
    return (f"Queued · starts {when}" if when else "Queued", "waiting", place.reason)


def remarks(queue: JobQueue) -> list[str]:
    """Return remarks on a queue as a whole."""
    found = []
    found.extend(said_of_all(queue.items))
    if queue.not_cancelled:
        found.append(
            f"{queue.not_cancelled:,} could not be cancelled: still running and may be billed. Cancel all tries again."
        )
    return found


def said_of_all(places: Sequence[QueueItem]) -> list[str]:
    """Return what there is to say of the jobs' parameters, once for all jobs."""
    return [*dict.fromkeys(place.run.passed_on for place in places if place.run.passed_on), *_equal_jobs(places)]


def _equal_jobs(places: Sequence[QueueItem]) -> list[str]:
    count = sum(place.run.equal is not None for place in places)
    if not count:
        return []
    these = "This job" if len(places) == 1 else f"{count:,} of these {len(places):,} jobs"
    run = "runs" if count == 1 else "run"
    made = "was" if count == 1 else "were"
    return [f"{these} already {run} or {made} made within a day; reuse=True shows such jobs at no cost."]


def times_of(place: QueueItem) -> str:
    """Return how long a place's job has taken; ``""`` before it is submitted."""
    run = place.run
    elapsed = run.elapsed
    if elapsed is None or place.state is ItemState.WAITING:
        return ""
    return took(elapsed) if run.settled else duration(elapsed)


def title_of(tools: Sequence[Tool], count: int) -> str:
    """Return the title of a board.

    Args:
        tools: its tools, each once.
        count: the number of its jobs.

    Example:
        >>> from novakit_widgets import Tool
        >>> title_of([Tool.IMAGE], 12), title_of([Tool.IMAGE, Tool.MUSIC], 3), title_of([Tool.MUSIC], 1)
        ('12 images', '3 jobs', 'Music')
    """
    if len(tools) != 1:
        return f"{count:,} jobs"
    return label_of(tools[0]) if count == 1 else f"{count:,} {tools[0].facts.plural}"


def thumbnail_of(kept: Sequence[Kept]) -> str:
    """Return the URL of a result's image; ``""`` if there is none or it is too long for a row."""
    url = kept[0].media.url if kept and kept[0].media.kind == "image" else ""
    return url if len(url) <= _URL_LENGTH else ""


@dataclass(frozen=True, slots=True)
class Totals:
    """The progress of a queue.

    Attributes:
        states: the number of places in each state.
        count: the number of places.
        percent: the progress of all jobs together; a job that has ended counts as 100.
        next_start: when the next queued job starts, in words; ``""`` if unknown.
        why: what that job waits for.
        settled: whether all jobs have ended.
        held: why nothing is submitted at present; ``""`` otherwise.
    """

    states: Mapping[ItemState, int]
    count: int
    percent: float
    next_start: str
    why: str
    settled: bool
    held: str

    @classmethod
    def of(cls, queue: JobQueue, *, now: datetime) -> Totals:
        """Describe a queue's present state.

        Args:
            queue: the queue.
            now: the present moment, with time zone.
        """
        states = dict.fromkeys(ItemState, 0)
        done, first = 0.0, None
        for place in queue.items:
            state = place.state
            states[state] += 1
            if state is ItemState.WAITING:
                first = first or place
            elif state is ItemState.RUNNING:
                done += percent_of(place.run) or 0.0
            else:
                done += 100.0
        waits = first is not None and queue.held is None
        return cls(
            states=states,
            count=len(queue.items),
            percent=done / max(1, len(queue.items)),
            next_start=clock_time(first.starts_at, now=now) if waits and first is not None else "",
            why=first.reason if waits and first is not None else "",
            settled=queue.settled,
            held="" if queue.held is None else queue.held.message,
        )

    @property
    def done(self) -> int:
        """The number of completed jobs."""
        return self.states[ItemState.COMPLETED]

    @property
    def failed(self) -> int:
        """The number of jobs that have ended without a result and were not cancelled."""
        return sum(self.states[state] for state in FAILED)

    @property
    def color(self) -> Color:
        """The color of the board's bar."""
        if self.held:
            return "waiting"
        if self.settled:
            return "bad" if self.failed else "good" if self.done else "quiet"
        return "running" if self.states[ItemState.RUNNING] else "waiting"

    def summary(self) -> str:
        """Return the progress in one line.

        Example:
            >>> states = {**dict.fromkeys(ItemState, 0), ItemState.COMPLETED: 12, ItemState.WAITING: 28}
            >>> Totals(states, 40, 30.0, "about 14:05", "5 videos an hour", False, "").summary()
            '12 of 40 done · 28 queued, next starts about 14:05 (5 videos an hour)'
        """
        parts = [f"{self.done:,} of {self.count:,} done"]
        if self.states[ItemState.RUNNING]:
            parts.append(f"{self.states[ItemState.RUNNING]:,} generating")
        if self.states[ItemState.WAITING]:
            parts.append(f"{self.states[ItemState.WAITING]:,} queued{self._next()}")
        return " · ".join([*parts, *ended_counts(self.states)])

    def _next(self) -> str:
        if self.held:
            return ", on hold"
        if not self.next_start:
            return ""
        return f", next starts {self.next_start}" + (f" ({self.why})" if self.why else "")


def ended_counts(states: Mapping[ItemState, int]) -> list[str]:
    """Return how many jobs have ended without a result, by state."""
    return [f"{states[state]:,} {word}" for state, word in _WITHOUT_RESULT if states.get(state)]
