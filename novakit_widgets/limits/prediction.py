"""When a job will end, predicted from its progress. Pure functions: they are given the time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SAMPLES", "Prediction", "expected_end", "predict", "reliable"]

SAMPLES = 10  # progress samples that count; the slopes between all pairs of them are 45
_DEVIATIONS = 1.4826  # a normal distribution's standard deviation, in median absolute deviations
_NOISE = 0.1  # of a job's length: progress that deviates by more from a straight line says nothing about the end
_GUESS = 0.15  # of the time left: the uncertainty of a line through two points; less with more
_FAR = 30.0  # percent between samples that tell of the pace by themselves
_PATIENCE = 0.2  # of a window, 12 s: a job that is later than predicted by more has progress that says nothing
_YOUNG = (
    0.25  # of a window, 15 s, which is two lists of the smallest plan: a job without progress for longer may have none
)
_OUTCOMES = 4  # predictions that have been tested; with fewer, they are trusted
_RECENT = 2.0  # windows: how far back outcomes count


@dataclass(frozen=True, slots=True)
class Prediction:
    """When a job will end.

    Attributes:
        end: by the clock of the samples, in seconds.
        spread: its standard deviation, in seconds.
    """

    end: float
    spread: float


def predict(samples: Iterable[tuple[float, float]], *, window: float) -> Prediction | None:
    """Predict the end of a job by a robust line through its progress (Theil and Sen: the median of all slopes).

    A time at 0 %, such as in a queue, does not count; neither do single samples that are far off.

    Args:
        samples: seconds and percent, oldest first, beginning with the job's own beginning where that is known.
        window: the length of the rate limit's window, in seconds: the scale of what is near.

    Returns:
        ``None`` where the progress says nothing: missing, constant, jumping, backwards.

    Example:
        >>> predict([(0.0, 0.0), (10.0, 25.0), (20.0, 50.0)], window=60.0)
        Prediction(end=40.0, spread=1.5)
        >>> predict([(0.0, 0.0), (10.0, 0.0)], window=60.0) is None
        True
    """
    points = list(samples)
    begun = max((number for number, (_, percent) in enumerate(points) if percent <= 0.0), default=0)
    points = points[begun:][-SAMPLES:]
    if len(points) > 2 and points[0][1] <= 0.0 and points[-1][1] - points[1][1] >= _FAR:
        del points[0]  # nobody knows how long it waited at 0 %
    slopes = [((b - a) / (to - at), (to - at) ** 2) for (at, a), (to, b) in combinations(points, 2) if to > at]
    if not slopes or (slope := _weighted_median(slopes)) <= 0.0:
        return None
    start = median(percent - slope * at for at, percent in points)
    off = median(abs(percent - slope * at - start) for at, percent in points)
    end = (100.0 - start) / slope
    left = max(0.0, end - points[-1][0])
    spread = _DEVIATIONS * off / slope
    if spread > max(window * _NOISE, (end - points[0][0]) * _NOISE):
        return None
    return Prediction(end, max(spread, _GUESS * left / (len(points) - 1)))


def _weighted_median(values: list[tuple[float, float]]) -> float:
    """Return the median of values with weights: noise disturbs the slope between distant samples less."""
    values.sort()
    half = sum(weight for _, weight in values) / 2.0
    for value, weight in values:
        half -= weight
        if half <= 0.0:
            return value
    return values[-1][0]


def expected_end(
    prediction: Prediction | None, *, now: float, added_at: float, typical: tuple[float, float], window: float
) -> float | None:
    """Return when a job is expected to end; ``None`` where nothing says so.

    Args:
        prediction: from its progress.
        now: the present.
        added_at: when the watching began.
        typical: how long the tool's jobs usually take, from and to, in seconds: a new job is not expected to end before.
        window: the length of the rate limit's window, in seconds.
    """
    if prediction is not None:
        late = now > prediction.end + max(3.0 * prediction.spread, _PATIENCE * window)
        return None if late else prediction.end
    return added_at + typical[0] if now < added_at + min(_YOUNG * window, typical[0]) else None


def reliable(outcomes: Iterable[tuple[float, bool]], *, now: float, window: float) -> bool:
    """Return whether predictions have been right lately, or are too few to tell.

    Args:
        outcomes: when a prediction was tested, and whether it was right.
        now: the present.
        window: the length of the rate limit's window, in seconds.

    Example:
        >>> reliable([(1.0, True), (2.0, False), (3.0, False), (4.0, False)], now=5.0, window=60.0)
        False
    """
    recent = [right for at, right in outcomes if at > now - _RECENT * window]
    return len(recent) < _OUTCOMES or 2 * sum(recent) >= len(recent)
