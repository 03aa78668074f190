"""How often we poll: what to ask next, and when. Pure functions: they are given the time, and ask nobody."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from ..model.rate_limit import LIMIT_WINDOW
from ..runtime.backoff import backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Kind", "Pace", "Question", "Schedule", "Situation", "Watched"]

POLLS_A_WINDOW = 2  # documented: a request is held for up to 30 s, half a window
MOST_HELD = 8  # jobs that are held all the time: each takes a connection; with the smallest plan the budget allows four
MOST_CONNECTIONS = 32  # requests held at once: of a client's hundred connections, so that the others find one
AIM = 0.2  # of a window, 12 s before the expected end: well within the 30 s for which a request is held
LEAD = 0.4  # of that, 5 s, where requests are scarce: the later, the better is the prediction
_CLOSE = 0.5  # seconds before a list: too close to rely on it
CROWD = 3.0  # ends due for each request that can be held; with more, lists alone notice them sooner on average


@dataclass(frozen=True, slots=True)
class Pace:
    """The lengths of the waits between requests, all in seconds.

    Attributes:
        first: before the first progress snapshot, and again after a job was added.
        factor: by which each interval is longer than the one before.
        most: the longest interval between two snapshots of the progress.
        least: the shortest interval between two lists.
        window: the service's rate-limit window.
        retry_first: the upper bound of the first wait after a failure; it doubles.
        retry_most: the upper bound of all waits after failures.
        unheld: a long poll answered faster than this, with the job still running, was not held.

    Example:
        >>> Pace().after(2.0), Pace().after(9.0)
        (3.0, 10.0)
    """

    first: float = 2.0
    factor: float = 1.5
    most: float = 10.0
    least: float = 1.0
    window: float = LIMIT_WINDOW
    retry_first: float = 1.0
    retry_most: float = 30.0
    unheld: float = 1.0

    @classmethod
    def at(cls, speed: float) -> Pace:
        """Return the pace for a service whose clock runs ``speed`` times faster: a sandbox's.

        Args:
            speed: 1 for the service itself.
        """
        least = 0.1  # seconds; nobody sees a bar move more often
        real = cls()
        return cls(
            first=max(least, real.first / speed),
            most=max(least, real.most / speed),
            least=max(least, real.least / speed),
            window=real.window / speed,
            retry_first=max(least, real.retry_first / speed),
            retry_most=max(1.0, real.retry_most / speed),
        )

    def after(self, interval: float) -> float:
        """Return the interval that follows ``interval``."""
        return min(self.most, interval * self.factor)

    def retry(self, failures: int, random: Callable[[], float]) -> float:
        """Return the seconds to wait after failures in a row; see `backoff`."""
        return backoff(failures, first=self.retry_first, longest=self.retry_most, random=random)


class Kind(Enum):
    """What is asked next."""

    LIST = "list"  # one request that tells of all jobs
    HOLD = "hold"  # a request for one job that the service answers when the job ends, or after half a window
    WAIT = "wait"  # nothing, until something changes


@dataclass(frozen=True, slots=True)
class Watched:
    """A job as the schedule sees it.

    Attributes:
        job_id: its id.
        added_at: when the watching began.
        end: when it is expected to end; ``None`` where nothing says so.
        spread: the standard deviation of that, in seconds.
        held: whether a held request for it is under way.
        heard: whether the service has told of it since the watching began.
    """

    job_id: str
    added_at: float
    end: float | None = None
    spread: float = 0.0
    held: bool = False
    heard: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the schedule decides by. Times are those of one clock, in seconds.

    Attributes:
        now: the present.
        jobs: that are watched.
        places: polling requests that one window has room for.
        used: when the polling requests of the last window were sent, oldest first.
        listed_at: when the last list was asked for.
        listing: whether a list is under way.
        progress_due: when a list is due for the progress alone.
        holds: whether the service holds requests.
        lists: whether the key may list jobs.
        crowded: whether others use the key, so that only the most important requests should be sent.
        reliable: whether predictions have been right lately.
    """

    now: float
    jobs: Sequence[Watched]
    places: int
    used: Sequence[float] = ()
    listed_at: float = -math.inf
    listing: bool = False
    progress_due: float = math.inf
    holds: bool = True
    lists: bool = True
    crowded: bool = False
    reliable: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask, and when.

    Attributes:
        kind: of the request.
        at: when; not before ``now``.
        job_id: for which job; ``""`` for a list.
        progress: whether it is for the progress alone, so that it gives way to the others.
    """

    kind: Kind
    at: float
    job_id: str = ""
    progress: bool = False


@dataclass(frozen=True, slots=True)
class Schedule:
    """The policy: what to ask next, and when. The same situation gives the same decision.

    Lists have half of the polling requests, and those that are held the rest. So no end is noticed later than two windows over
    the places. A held request is aimed at each job that is expected to end soon, nearest first, because it tells of the end at
    once. Where more ends are due than that serves, or nothing can be predicted, lists have all: no end is noticed later than
    one window over the places. A few jobs are held all the time.

    Args:
        pace: the lengths of waits.

    Example:
        >>> jobs = [Watched(f"job_{number}", added_at=0.0, end=35.0 + 9 * number) for number in range(6)]
        >>> schedule = Schedule(Pace())
        >>> question = schedule.decide(Situation(now=20.0, jobs=jobs, places=15, listed_at=18.0))
        >>> question.kind.name, question.job_id, question.at
        ('HOLD', 'job_0', 23.0)
        >>> question = schedule.decide(Situation(now=20.0, jobs=jobs, places=15, listed_at=14.0))
        >>> question.kind.name, question.at
        ('LIST', 22.0)
    """

    pace: Pace

    def decide(self, now: Situation) -> Question:
        """Return what to ask next; to be asked again after each answer, and when a job comes or goes."""
        if not now.jobs:
            return Question(Kind.WAIT, math.inf)
        if self.few(now):
            return self._few(now)
        if now.crowded:
            # One request must do for all jobs.
            return self._list(now, self.pace.most)
        return self._many(now)

    def few(self, now: Situation) -> bool:
        """Return whether each job has a held request of its own all the time."""
        if not now.holds:
            return False
        if now.crowded:
            return len(now.jobs) == 1  # it tells the most
        most = min(MOST_HELD, max(1.0, (now.places - self.pace.window / self.pace.most) / POLLS_A_WINDOW))
        if len(now.jobs) > most or now.places <= POLLS_A_WINDOW:
            return False
        waiting = [job for job in now.jobs if not job.held]
        if len(now.jobs) == 1 and not now.jobs[0].heard:
            return len(now.used) < now.places
        return len(waiting) <= self._spare(now, self._half(now))

    def _snapshots(self, now: Situation) -> float:
        """Return the interval between two snapshots of the progress where each job is held, in seconds."""
        return max(self.pace.most, self.pace.window / max(1, now.places - POLLS_A_WINDOW * len(now.jobs)))

    def spare(self, now: Situation) -> int:
        """Return how many requests for single jobs may be sent at the moment without putting a list off."""
        return self._spare(now, self._interval(now))

    def _spare(self, now: Situation, interval: float) -> int:
        room = now.places - len(now.used)
        at = max(now.now, now.listed_at + interval)
        lists, left = 0, 0  # lists before this moment, and requests that have left its window
        while at < now.now + self.pace.window and room > 0:
            while left < len(now.used) and now.used[left] + self.pace.window <= at:
                left += 1
            room = min(room, now.places - 1 - lists - (len(now.used) - left))
            lists, at = lists + 1, at + interval
        return max(0, room)

    def _few(self, now: Situation) -> Question:
        for job in now.jobs:
            if not job.held:
                return Question(Kind.HOLD, now.now, job.job_id)
        if now.crowded or now.listing or not now.lists:
            return Question(Kind.WAIT, math.inf)
        # An early snapshot must leave places for each job's next held request, or for the jobs that follow a single one.
        after = replace(now, used=(*now.used, now.now), listed_at=now.now)
        keep = max(len(now.jobs), now.places // 4 if len(now.jobs) == 1 else 0)
        early = self._spare(after, self._half(now)) >= keep
        at = now.progress_due if early else max(now.progress_due, now.listed_at + self._snapshots(now))
        return Question(Kind.LIST, max(now.now, at), progress=True)

    def _list(self, now: Situation, interval: float) -> Question:
        if now.listing:
            return Question(Kind.WAIT, math.inf)
        first = min(job.added_at for job in now.jobs) + self.pace.first
        return Question(Kind.LIST, max(now.now, now.listed_at + interval, first))

    def _many(self, now: Situation) -> Question:
        if not now.lists:
            return self._list(now, self.pace.window / now.places)  # a round that asks for a single job
        half, interval = self._half(now), self._interval(now)
        listing = self._list(now, interval)
        latest = now.listed_at + half
        if interval < half and listing.at < latest and now.used and not self._spare(now, half):
            # Held requests from before use the places: a list that is early now must not put a later one off.
            listing = replace(listing, at=max(listing.at, min(latest, now.used[0] + self.pace.window)))
        if not now.holds or interval * now.places <= self.pace.window:
            return listing
        aimed = self._aimed(now, max(now.now, now.listed_at + interval), interval)
        return aimed if aimed.at <= listing.at else listing

    def _whole(self, now: Situation) -> float:
        """Return the interval between lists that have all polling requests, in seconds."""
        return max(self.pace.least, self.pace.window / now.places)

    def _half(self, now: Situation) -> float:
        """Return the interval between lists that have half of the requests, or as many as the progress needs, in seconds."""
        return max(self._whole(now), min(self.pace.most, 2.0 * self.pace.window / now.places))

    def _interval(self, now: Situation) -> float:
        """Return the interval between two lists, in seconds."""
        half = self._half(now)
        if not now.holds:
            return half if len(now.jobs) <= MOST_HELD else self._whole(now)
        others = max(1.0, now.places - self.pace.window / half)
        blind = sum(POLLS_A_WINDOW for job in now.jobs if job.end is None)
        due = sum(1 for job in now.jobs if job.end is not None and job.end <= now.now + self.pace.window)
        crowd = blind > others or blind + due > CROWD * others
        return self._whole(now) if crowd or not now.reliable else half

    def _aimed(self, now: Situation, next_list: float, interval: float) -> Question:
        """Return the next request that is aimed at one job.

        Args:
            now: the situation.
            next_list: when the next list is due.
            interval: between two lists.
        """
        waiting = [job for job in now.jobs if not job.held]
        if len(now.jobs) - len(waiting) >= MOST_CONNECTIONS:
            return Question(Kind.WAIT, math.inf)
        spare = self._spare(now, interval)
        free_at = now.now if spare > 0 or not now.used else now.used[0] + self.pace.window
        # With fewer requests than ends, those ends are left to the lists that come just after one.
        due = [job for job in waiting if job.end is not None and job.end <= now.now + 0.7 * self.pace.window]
        late = {job.job_id: _late(job, next_list, interval) for job in due}
        scarce = len(due) > spare
        enough = sorted(late.values(), reverse=True)[max(spare, 1) - 1] if scarce else 0.0
        aim = AIM * self.pace.window
        best = (math.inf, math.inf, "")
        for job in waiting:
            if late.get(job.job_id, math.inf) < enough:
                continue
            at, end = now.now, math.inf
            if job.end is not None:
                end = job.end
                at = end - (min(aim, max(3.0 * job.spread, LEAD * aim)) if scarce else aim)
            best = min(best, (max(at, free_at, now.now), end, job.job_id))
        at, _, job_id = best
        return Question(Kind.HOLD, at, job_id) if job_id else Question(Kind.WAIT, at)


def _late(job: Watched, next_list: float, interval: float) -> float:
    """Return how late the lists may be expected to notice a job's end, in seconds."""
    assert job.end is not None  # for the type checker
    late = (next_list - job.end) % interval
    # The less is known of the end, the nearer to the average.
    blur = min(1.0, 4.0 * job.spread / interval) if late > max(job.spread, _CLOSE) else 1.0
    return late + blur * (interval / 2.0 - late)
