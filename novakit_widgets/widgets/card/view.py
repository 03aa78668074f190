"""What a card shows of a run, as plain values without HTML."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ...engine.state import Phase
from ...errors import NotFoundError, RateLimitError, SubmissionUncertainError
from ...model.job import JobStatus
from ...model.parsing import readable
from ..common.labels import label_of, prompt_of, shortened
from ..common.shape import Shape, shape_of
from ..common.status import percent_of, status_of
from ..common.times import duration, took

if TYPE_CHECKING:
    from ...engine.run import JobRun
    from ...errors import NovaKitError
    from ..common.status import Color

__all__ = ["Action", "Samples", "View", "facts_of"]

Action = Literal["start", "cancel", "watch", "again", "anew", "look", "save", ""]

_LEAST_RISE = 5.0  # percent of progress before a remaining time is shown
_LEAST_SECONDS = 2.0  # of observed progress before a remaining time is shown; also the shortest one that is shown
_KEPT_SAMPLES = 12
_TITLE_LENGTH = 140  # characters of a prompt on a card; its tooltip has more
_TOOLTIP_LENGTH = 4_000
_MODEL_LENGTH = 80  # characters of a model's name


class Samples:
    """A job's progress over time, and the remaining time estimated from it."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=_KEPT_SAMPLES)

    def add(self, seconds: float | None, percent: float | None) -> None:
        """Record the progress after so many seconds; unknown values and repeated progress are ignored."""
        if seconds is None or percent is None or (self._samples and percent <= self._samples[-1][1]):
            return
        self._samples.append((seconds, percent))

    def remaining(self, now: float | None) -> float | None:
        """Estimate the remaining seconds from the job's own rate; ``None`` if there are too few samples.

        Args:
            now: seconds since the job began.
        """
        if now is None or len(self._samples) < 2:  # a rate needs two samples
            return None
        (first_at, first), (last_at, last) = self._samples[0], self._samples[-1]
        if last - first < _LEAST_RISE or last_at - first_at < _LEAST_SECONDS:
            return None
        rate = (last - first) / (last_at - first_at)
        left = (100.0 - last) / rate - (now - last_at)
        return left if left >= _LEAST_SECONDS else None


@dataclass(frozen=True, slots=True)
class View:
    """Everything that a card shows.

    Attributes:
        tool: the tool's value, for the icon; ``""`` if it is unknown.
        label: the tool's label, such as ``"Video"``.
        prompt: the prompt, shortened.
        full_prompt: the prompt for the tooltip.
        status: the status in the words of the page.
        color: the color of the status.
        percent: 0 to 100; ``None`` if it is unknown.
        moving: whether the bar is animated.
        times: the elapsed and the remaining time.
        shape: the place that is kept free for the result; ``None`` if there will be none, or it is there.
        done: whether the job is done and its result is there.
        message: what went wrong and what to do; ``""`` for nothing.
        action: what the button does; ``""`` for no button.
        busy: whether the button is disabled because its action is under way.
        equal: the id of an equal job that the card can show; ``""`` for none.
    """

    tool: str
    label: str
    prompt: str
    full_prompt: str
    status: str
    color: Color
    percent: float | None
    moving: bool
    times: str
    shape: Shape | None
    done: bool
    message: str
    action: Action
    busy: bool
    equal: str = ""

    @classmethod
    def of(cls, run: JobRun, samples: Samples, *, note: str = "", fetching: bool = False) -> View:
        """Describe a run's present state.

        Args:
            run: the run to show.
            samples: its progress so far.
            note: a message that is shown when there is no error.
            fetching: whether the result of the finished job is not there yet.
        """
        job = run.job
        tool = run.tool or (None if job is None else job.tool)
        status, color = status_of(run)
        full_prompt = prompt_of(run.params)
        equal = run.equal
        notes = (_message(run), (not fetching and note) or run.note, run.remarks)
        moving = run.phase in (Phase.SUBMITTING, Phase.WATCHING)
        done = run.phase is Phase.ENDED and run.error is None and not fetching
        return cls(
            tool=str(tool or ""),
            label=label_of(tool),
            prompt=shortened(full_prompt, _TITLE_LENGTH),
            full_prompt=shortened(full_prompt, _TOOLTIP_LENGTH),
            status=status,
            color=color,
            percent=percent_of(run),
            moving=moving,
            times=note if fetching and note else _times(run, samples),
            shape=shape_of(tool, run.params) if moving or (fetching and run.error is None) else None,
            done=done,
            message=readable(" ".join(part for part in notes if part)),
            action=_action(run),
            busy=run.cancelling,
            equal="" if equal is None else equal.job_id or "",
        )


def _times(run: JobRun, samples: Samples) -> str:
    elapsed = run.elapsed
    if elapsed is None:
        return ""
    if run.phase in (Phase.REFUSED, Phase.UNCERTAIN):
        return ""  # the time spent trying is no time of a job
    if run.settled:
        return took(elapsed) if run.phase is Phase.ENDED else f"{duration(elapsed)} so far"
    left = samples.remaining(elapsed)
    if left is not None:
        return f"{duration(elapsed)} · about {duration(left)} left"
    usual = run.typical_seconds
    if usual is not None and run.phase is Phase.WATCHING and elapsed < usual[0]:
        return f"{duration(elapsed)} · usually {usual[0]:.0f} to {usual[1]:.0f} s"
    return duration(elapsed)


def facts_of(run: JobRun) -> list[str]:
    """Return what a job that has ended took: duration, model and cost."""
    job = run.job
    facts = [] if run.elapsed is None else [took(run.elapsed)]
    if job is not None and job.model:
        facts.append(shortened(readable(job.model), _MODEL_LENGTH))
    if job is not None and job.actual_credits is not None:
        facts.append(f"{job.actual_credits:g} credit{'' if job.actual_credits == 1 else 's'}")
    return facts


def _message(run: JobRun) -> str:
    if run.error is not None:
        return run.error.message
    return "" if run.trouble is None else _temporary_problem(run.trouble)


def _temporary_problem(trouble: NovaKitError) -> str:
    """Describe a problem that needs no action by the user."""
    if isinstance(trouble, SubmissionUncertainError):
        return (
            "The answer to the submission was lost. Looking for the job in NovaKit's list; nothing is submitted twice."
        )
    if isinstance(trouble, RateLimitError):
        when = "soon" if trouble.retry_after is None else f"in {duration(trouble.retry_after)}"
        job = " The job goes on." if trouble.job_id else ""
        return f"Too many requests with this key (429).{job} Retrying automatically {when}."
    return f"{trouble.message.removesuffix('Try again later.').rstrip()} Retrying automatically."


def _action(run: JobRun) -> Action:
    if run.phase is Phase.NEW:
        return "start"
    if run.phase in (Phase.SUBMITTING, Phase.WATCHING):
        return "cancel"
    if run.phase is Phase.LEFT:
        unknown = run.job is None and isinstance(run.error, NotFoundError)
        return "" if unknown else "watch"
    if run.phase is Phase.UNCERTAIN:
        return "look"
    if run.reused:
        return "anew"
    if run.phase is Phase.REFUSED:
        return "again"
    if run.job is not None and run.job.ended and run.job.status != JobStatus.COMPLETED:
        return "again" if run.tool is not None else ""
    return "save" if run.job is not None and (run.job.media or run.job.text is not None) else ""
