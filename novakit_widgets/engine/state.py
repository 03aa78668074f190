"""Where a run is, and who has a say in it."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..errors import NovaKitError

__all__ = ["SETTLED", "Manager", "Phase"]


class Phase(str, Enum):
    """Where a run is; a job's own status is the service's word."""

    NEW = "new"  # nothing was sent yet
    SUBMITTING = "submitting"  # the first answer about it is on its way
    WATCHING = "watching"  # there is a job, and we ask about it
    ENDED = "ended"  # the job is completed, failed or cancelled
    LEFT = "left"  # we stopped asking, but the job goes on
    REFUSED = "refused"  # there is no job, and none was billed
    UNCERTAIN = "uncertain"  # there may be a job

    __str__ = str.__str__


# Nothing more happens in these by itself.
SETTLED = frozenset({Phase.ENDED, Phase.LEFT, Phase.REFUSED, Phase.UNCERTAIN})


class Manager(Protocol):
    """Who decides when a run is submitted, and sends its cancellation: a queue."""

    def begin(self) -> None:
        """Let its turn come: somebody waits for the run."""
        ...

    def takes_back(self, error: NovaKitError) -> bool:
        """Whether a refused run waits for another turn."""
        ...

    def delete(self) -> None:
        """Cancel its job when there is room for the request."""
        ...
