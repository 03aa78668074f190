"""An equal job: one that this kernel or the history submitted with the same parameters within the last day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from ..model.job import JobStatus
from ..runtime.clock import utc_now

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["WITHIN", "EqualJob"]

WITHIN = timedelta(days=1)  # an older one is not mentioned
_WITHOUT_RESULT = frozenset({JobStatus.FAILED, JobStatus.CANCELLED})


@dataclass(eq=False, slots=True)
class EqualJob:
    """One job with the same parameters. Its owner keeps it up to date.

    Attributes:
        begun_at: when it was submitted.
        job_id: the service's id; ``None`` before the answer, and for a result that was answered at once.
        status: the newest known; ``""`` before the answer.
        refused: whether no job came of it.
    """

    begun_at: datetime
    job_id: str | None = None
    status: str = ""
    refused: bool = False

    @property
    def counts(self) -> bool:
        """Whether it runs or has a result; failed, cancelled and refused ones do not count."""
        return not self.refused and self.status not in _WITHOUT_RESULT

    @property
    def note(self) -> str:
        """The sentence that mentions it, with the call that shows it; ``""`` if it does not count."""
        if not self.counts:
            return ""
        begun = self.begun_at.astimezone()
        when = f"{'' if begun.date() == utc_now().astimezone().date() else 'yesterday '}at {begun:%H:%M}"
        done = self.status == JobStatus.COMPLETED
        said = f"You generated the same {when}" if done else f"You submitted the same {when}, and that job still runs"
        shows = f"nk.attach({self.job_id!r})" if self.job_id is not None else "reuse=True"
        return f"{said}; {shows} shows {'that' if done else 'it'} at no cost."
