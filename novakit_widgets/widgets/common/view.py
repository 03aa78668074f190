"""What a card says about a run: words and numbers, before any HTML."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

from ...engine.state import Phase
from ...errors import NotFoundError, RateLimitError, SubmissionUncertainError
from ...model.job import Job, JobStatus
from ...model.parsing import readable
from ...model.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...engine.run import JobRun
    from ...errors import NovaKitError

__all__ = ["Action", "Samples", "View"]

Action = Literal["start", "cancel", "watch", "again", "anew", "look", "save", ""]
Tone = Literal["waiting", "running", "good", "bad", "quiet"]

_LEAST_RISE = 5.0  # percent of progress to have seen before a remaining time is worth showing
_LEAST_SECONDS = 2.0  # and for how long; also the least remaining time that is worth showing
_KEPT_SAMPLES = 12
_TITLE_LENGTH = 140  # characters of a prompt that a card shows; all of it is in its tooltip
_TOOLTIP_LENGTH = 4_000


class Samples:
    """A job's progress over time, and the remaining time that follows from it."""

    def __init__(self) -> None:
        self._kept: deque[tuple[float, float]] = deque(maxlen=_KEPT_SAMPLES)

    def add(self, seconds: float | None, percent: float | None) -> None:
        """Take in how far the job was after so many seconds; what is unknown is left out."""
        if seconds is None or percent is None or (self._kept and percent <= self._kept[-1][1]):
            return
        self._kept.append((seconds, percent))

    def remaining(self, now: float | None) -> float | None:
        """Estimate the seconds to go from the job's own pace; ``None`` while that says little.

        Args:
            now: seconds since the job began.
        """
        if now is None or len(self._kept) < 2:  # a pace needs two points
            return None
        (first_at, first), (last_at, last) = self._kept[0], self._kept[-1]
        if last - first < _LEAST_RISE or last_at - first_at < _LEAST_SECONDS:
            return None
        pace = (last - first) / (last_at - first_at)
        left = (100.0 - last) / pace - (now - last_at)
        return left if left >= _LEAST_SECONDS else None


@dataclass(frozen=True, slots=True)
class View:
    """All that a card says.

    Attributes:
        tool: the tool's value, for the icon; ``""`` while unknown.
        label: such as ``"Video"``.
        prompt: the prompt, shortened.
        full_prompt: the prompt, for the tooltip.
        status: in words.
        tone: what colour the status has.
        percent: 0 to 100; ``None`` while unknown.
        moving: whether the bar shows that it is alive.
        times: elapsed and remaining time in words.
        message: what went wrong and what to do; ``""`` when nothing did.
        action: what the button does; ``""`` for no button.
        busy: whether the button waits for an answer.
    """

    tool: str
    label: str
    prompt: str
    full_prompt: str
    status: str
    tone: Tone
    percent: float | None
    moving: bool
    times: str
    message: str
    action: Action
    busy: bool

    @classmethod
    def of(cls, run: JobRun, samples: Samples, *, note: str = "") -> View:
        """Describe a run as it is now.

        Args:
            run: what is shown.
            samples: its progress so far.
            note: what else there is to say when nothing is wrong.
        """
        job = run.job
        tool = run.tool or (None if job is None else job.tool)
        status, tone = status_of(run)
        full_prompt = prompt_of(run.params)
        return cls(
            tool=str(tool or ""),
            label=label_of(tool),
            prompt=shortened(full_prompt, _TITLE_LENGTH),
            full_prompt=shortened(full_prompt, _TOOLTIP_LENGTH),
            status=status,
            tone=tone,
            percent=percent_of(run),
            moving=run.phase in (Phase.SUBMITTING, Phase.WATCHING),
            times=_times(run, samples),
            message=readable(" ".join(part for part in (_message(run), note or run.note) if part)),
            action=_action(run),
            busy=run.cancelling,
        )


def label_of(tool: Tool | str | None) -> str:
    """Return a tool's name for people."""
    known = Tool.known(tool)
    return known.facts.label if known is not None else str(tool or "Job")


def prompt_of(params: Mapping[str, Any]) -> str:
    """Return the words that a job was asked for with, for people; ``""`` where there are none."""
    for name in ("prompt", "input", "file", "image"):
        value = params.get(name)
        if isinstance(value, str) and value:
            return readable(_file_name(value) if name in ("file", "image") else value)
    return ""


def _file_name(source: str) -> str:
    """Return what a file is called: the end of its address, which itself can be long and stands among the parameters."""
    if not source.startswith(("http://", "https://")):
        return "an uploaded file"
    try:
        name = unquote(PurePosixPath(urlsplit(source).path).name)
    except ValueError:
        name = ""
    return name or source


def shortened(text: str, length: int) -> str:
    """Return a text on one line, with an ellipsis where it is longer than ``length`` characters."""
    line = " ".join(text[: length * 8].split())
    return line if len(line) <= length and len(text) <= length * 8 else line[: length - 1].rstrip() + "…"


def duration(seconds: float) -> str:
    """Write a length of time.

    Example:
        >>> duration(7.4), duration(75), duration(3700)
        ('0:07', '1:15', '1:01:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def took(seconds: float) -> str:
    """Write how long something took in the end.

    Example:
        >>> took(0.4), took(75)
        ('under 1 s', '1:15')
    """
    return duration(seconds) if seconds >= 1 else "under 1 s"


def status_of(run: JobRun) -> tuple[str, Tone]:
    """Return where a run is in words, and the tone of its colour."""
    if run.phase is Phase.NEW:
        return "not started", "quiet"
    if run.cancelling:
        return "cancelling", "waiting"
    if run.trouble is not None and not run.settled:
        if isinstance(run.trouble, SubmissionUncertainError):
            return "looking for it", "waiting"
        return ("waiting for the rate limit" if isinstance(run.trouble, RateLimitError) else "reconnecting"), "waiting"
    if run.phase is Phase.SUBMITTING:
        return ("looking for it" if run.job_id else "submitting"), "waiting"
    if run.phase is Phase.LEFT:
        unknown = isinstance(run.error, NotFoundError)
        return ("not found", "bad") if unknown else ("not being watched", "waiting")
    if run.phase is Phase.UNCERTAIN:
        return "answer lost", "bad"
    if run.job is None:
        return "not started", "bad"
    return _word(run.job)


def _word(job: Job) -> tuple[str, Tone]:
    words: Mapping[str, tuple[str, Tone]] = {
        JobStatus.PENDING: ("waiting for its turn", "waiting"),
        JobStatus.PROCESSING: ("being made", "running"),
        JobStatus.COMPLETED: ("done", "good"),
        JobStatus.FAILED: ("failed", "bad"),
        JobStatus.CANCELLED: ("cancelled", "quiet"),
    }
    # A status that the documentation does not know is shown as it is.
    return words.get(job.status, (shortened(str(job.status), 40), "running"))


def percent_of(run: JobRun) -> float | None:
    """Return how far a run is, 0 to 100; ``None`` while that is unknown."""
    if run.job is None:
        return None
    return 100.0 if run.job.status == JobStatus.COMPLETED else run.job.progress


def _times(run: JobRun, samples: Samples) -> str:
    elapsed = run.elapsed
    if elapsed is None:
        return ""
    if run.phase in (Phase.REFUSED, Phase.UNCERTAIN):
        return ""  # how long we tried says nothing about a job
    if run.settled:
        return took(elapsed) if run.phase is Phase.ENDED else f"{duration(elapsed)} so far"
    left = samples.remaining(elapsed)
    if left is not None:
        return f"{duration(elapsed)} · about {duration(left)} left"
    usual = run.typical_seconds
    if usual is not None and run.phase is Phase.WATCHING and elapsed < usual[0]:
        return f"{duration(elapsed)} · usually {usual[0]:.0f} to {usual[1]:.0f} s"
    return duration(elapsed)


def _message(run: JobRun) -> str:
    if run.error is not None:
        return run.error.message
    return "" if run.trouble is None else _passing(run.trouble)


def _passing(trouble: NovaKitError) -> str:
    """Say what goes wrong at the moment, and that nobody has to do anything about it."""
    if isinstance(trouble, SubmissionUncertainError):
        return "The answer to the submission was lost. The service's list is asked for the job; nothing is submitted twice."
    if isinstance(trouble, RateLimitError):
        when = "soon" if trouble.retry_after is None else f"after {duration(trouble.retry_after)}"
        what = "The job goes on, and is asked for again" if trouble.job_id else "It goes on by itself"
        return f"NovaKit asks for a pause: too many requests with this key (429). {what} {when}."
    return f"{trouble.message.removesuffix('Try again later.').rstrip()} It is tried again by itself."


def _action(run: JobRun) -> Action:
    if run.phase is Phase.NEW:
        return "start"
    if run.phase in (Phase.SUBMITTING, Phase.WATCHING):
        return "cancel"
    if run.phase is Phase.LEFT:
        return "watch"
    if run.phase is Phase.UNCERTAIN:
        return "look"
    if run.reused:
        return "anew"
    if run.phase is Phase.REFUSED:
        return "again"
    if run.job is not None and run.job.ended and run.job.status != JobStatus.COMPLETED:
        return "again" if run.tool is not None else ""
    return "save" if run.job is not None and (run.job.media or run.job.text is not None) else ""
