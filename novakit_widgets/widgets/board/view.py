"""What a board says about its jobs: words and numbers, before any HTML."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ...batches.queue import PlaceState
from ...model.parsing import readable
from ..common.view import duration, percent_of, shortened, status_of, took

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...api.embedding import Kept
    from ...batches.queue import JobQueue, Place
    from ..common.view import Tone

__all__ = [
    "FAILED",
    "Row",
    "Totals",
    "clock_time",
    "prompt_and_title",
    "remarks",
    "thumbnail_of",
    "times_of",
    "words_of",
]

_PROMPT_LENGTH = 90  # characters of a prompt in a row
_MOST_BYTES = 260  # of it, and of its tooltip, as they are sent; all of the prompt is in the job's details
_ESCAPED = frozenset("<>&\"'\\")
_URL_LENGTH = 300  # of a thumbnail; signed addresses can be longer than all the rest of their row
_SOON = 45.0  # seconds within which a time by the minute says nothing

# Ended without a result, though nobody cancelled them.
FAILED = frozenset({PlaceState.FAILED, PlaceState.REFUSED, PlaceState.UNCERTAIN, PlaceState.LEFT})


@dataclass(frozen=True, slots=True)
class Row:
    """What one line of the table says.

    Attributes:
        number: the place's, from 0 as in ``board[0]``.
        tool: its value, for the icon.
        prompt: shortened.
        title: more of it, where it was shortened; otherwise ``""``.
        status: in words.
        tone: what colour the status has.
        percent: 0 to 100 while it runs and tells.
        times: how long it has taken, or took.
        why: what it waits for.
        thumbnail: the address of its picture; ``""`` where there is none.
    """

    number: int
    tool: str
    prompt: str
    title: str
    status: str
    tone: Tone
    percent: float | None
    times: str
    why: str
    thumbnail: str

    @classmethod
    def of(cls, place: Place, *, now: datetime, worded: tuple[str, str], thumbnail: str) -> Row:
        """Describe a place as it is now.

        Args:
            place: what is shown.
            now: the present moment, with time zone.
            worded: its prompt; see `prompt_and_title`.
            thumbnail: the address of its picture.
        """
        run, state = place.run, place.state
        status, tone, why = words_of(place, now=now)
        running = state is PlaceState.RUNNING
        return cls(
            number=place.number,
            tool=str(place.tool),
            prompt=worded[0],
            title=worded[1],
            status=status,
            tone=tone,
            percent=percent_of(run) if running else None,
            times=times_of(place),
            why=why,
            thumbnail=thumbnail,
        )


def prompt_and_title(text: str) -> tuple[str, str]:
    """Return what a row shows of a prompt, and more of it for its tooltip where that is not all.

    Both are bounded by the bytes that they are sent as, since a table of a hundred rows is sent as a whole.

    Example:
        >>> prompt_and_title("A lighthouse"), len(prompt_and_title("waves " * 200)[1])
        (('A lighthouse', ''), 261)
    """
    clean = readable(text)
    prompt = _clipped(shortened(clean, _PROMPT_LENGTH))
    return prompt, "" if prompt == clean else _clipped(clean)


def _clipped(text: str) -> str:
    """Shorten a text to the most bytes that it may have once it is escaped, for HTML and for JSON."""
    size = 0
    for index, character in enumerate(text):
        escaped = character in _ESCAPED or character < " "
        size += 6 if escaped else len(character.encode())
        if size > _MOST_BYTES:
            return text[:index].rstrip() + "…"
    return text


def words_of(place: Place, *, now: datetime) -> tuple[str, Tone, str]:
    """Return where a place is in words, the tone of its colour, and what it waits for."""
    state = place.state
    if state is PlaceState.CANCELLED:
        return "cancelled", "quiet", ""
    if state is not PlaceState.WAITING:
        return (*status_of(place.run), "")
    when = clock_time(place.starts_at, now=now)
    return (f"starts {when}" if when else "waiting", "waiting", place.reason)


def clock_time(moment: datetime | None, *, now: datetime) -> str:
    """Write when something will be, about; ``""`` for nobody knows.

    Example:
        >>> from datetime import timedelta, timezone
        >>> noon = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
        >>> clock_time(noon + timedelta(seconds=5), now=noon)
        'soon'
    """
    if moment is None:
        return ""
    if (moment - now).total_seconds() < _SOON:
        return "soon"
    here = moment.astimezone()
    return f"about {here:%H:%M}" if here.date() == now.astimezone().date() else f"about {here:%d %b %H:%M}"


def remarks(queue: JobQueue) -> list[str]:
    """Return what is to be said of a queue's jobs together, beside how far they are."""
    said = []
    if queue.made_before:
        said.append(f"{queue.made_before:,} of these you made today; reuse=True shows them at no cost.")
    if queue.not_cancelled:
        said.append(
            f"{queue.not_cancelled:,} could not be cancelled: running still, to be billed perhaps. Cancel all tries again."
        )
    return said


def times_of(place: Place) -> str:
    """Return how long a place's job has run or took; ``""`` before it has begun."""
    run = place.run
    elapsed = run.elapsed
    if elapsed is None or place.state is PlaceState.WAITING:
        return ""
    return took(elapsed) if run.settled else duration(elapsed)


def thumbnail_of(kept: Sequence[Kept]) -> str:
    """Return the address of a result's picture; ``""`` where there is none that fits into a row."""
    url = kept[0].media.url if kept and kept[0].media.kind == "image" else ""
    return url if len(url) <= _URL_LENGTH else ""


@dataclass(frozen=True, slots=True)
class Totals:
    """How far a queue is.

    Attributes:
        states: how many places are in which state.
        count: how many there are.
        percent: of all of them together; what has ended counts in full.
        next_start: when the next of those that wait will start, in words.
        why: what that waits for.
        settled: whether all have ended.
        held: why nothing is submitted at the moment; ``""`` otherwise.
        tone: the colour of the bar.
    """

    states: Mapping[PlaceState, int]
    count: int
    percent: float
    next_start: str
    why: str
    settled: bool
    held: str

    @classmethod
    def of(cls, queue: JobQueue, *, now: datetime) -> Totals:
        """Describe a queue as it is now.

        Args:
            queue: what is shown.
            now: the present moment, with time zone.
        """
        states = dict.fromkeys(PlaceState, 0)
        done, first = 0.0, None
        for place in queue.places:
            state = place.state
            states[state] += 1
            if state is PlaceState.WAITING:
                first = first or place
            elif state is PlaceState.RUNNING:
                done += percent_of(place.run) or 0.0
            else:
                done += 100.0
        waits = first is not None and queue.held is None
        return cls(
            states=states,
            count=len(queue.places),
            percent=done / max(1, len(queue.places)),
            next_start=clock_time(first.starts_at, now=now) if waits and first is not None else "",
            why=first.reason if waits and first is not None else "",
            settled=queue.settled,
            held="" if queue.held is None else queue.held.message,
        )

    def of_state(self, *states: PlaceState) -> int:
        """Return how many places are in one of some states."""
        return sum(self.states[state] for state in states)

    @property
    def done(self) -> int:
        """How many are completed."""
        return self.states[PlaceState.COMPLETED]

    @property
    def failed(self) -> int:
        """How many have ended without a result, though nobody cancelled them."""
        return self.of_state(*FAILED)

    @property
    def tone(self) -> Tone:
        """What colour the whole has."""
        if self.held:
            return "waiting"
        if self.settled:
            return "bad" if self.failed else "good" if self.done else "quiet"
        return "running" if self.states[PlaceState.RUNNING] else "waiting"

    def words(self) -> str:
        """Return all of it in a line.

        Example:
            >>> states = {**dict.fromkeys(PlaceState, 0), PlaceState.COMPLETED: 12, PlaceState.WAITING: 28}
            >>> Totals(states, 40, 30.0, "about 14:05", "5 videos an hour", False, "").words()
            '12 of 40 done · 28 waiting, the next starts about 14:05 (5 videos an hour)'
        """
        parts = [f"{self.done:,} of {self.count:,} done"]
        if self.states[PlaceState.RUNNING]:
            parts.append(f"{self.states[PlaceState.RUNNING]:,} running")
        if self.states[PlaceState.WAITING]:
            parts.append(f"{self.states[PlaceState.WAITING]:,} waiting{self._next()}")
        named = (
            (self.of_state(PlaceState.FAILED), "failed"),
            (self.of_state(PlaceState.REFUSED), "not started"),
            (self.of_state(PlaceState.UNCERTAIN), "with a lost answer"),
            (self.of_state(PlaceState.LEFT), "not being watched"),
            (self.of_state(PlaceState.CANCELLED), "cancelled"),
        )
        parts += [f"{number:,} {word}" for number, word in named if number]
        return " · ".join(parts)

    def _next(self) -> str:
        if self.held:
            return ", on hold"
        if not self.next_start:
            return ""
        return f", the next starts {self.next_start}" + (f" ({self.why})" if self.why else "")
