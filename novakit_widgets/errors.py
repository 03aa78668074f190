"""Everything that this package raises, and whether the job still runs when it does.

The names of the first four are the vendor's own.

    NovaKitError                      message, status_code, response, job_id
    ├── APIError                      the service answered with an error  retry_after
    │   ├── AuthenticationError       401: the key is missing, wrong or revoked
    │   ├── QuotaExceededError        402: the plan has not enough left
    │   ├── PermissionDeniedError     403: a scope, a feature or a model tier is missing
    │   ├── NotFoundError             404: no such job, for this key
    │   ├── RateLimitError            429: too many requests
    │   └── UnreadableAnswerError     an answer that is no JSON, too large, or not what was asked for
    ├── NovaKitConnectionError        no answer at all  (also a ConnectionError)
    ├── ConfigurationError            refused here, nothing was sent  (also a ValueError)
    │   ├── MissingKeyError
    │   ├── InvalidKeyError
    │   ├── InvalidBaseURLError
    │   └── InvalidParameterError     parameter
    ├── SubmissionUncertainError      the answer was lost: there may be a job  candidates
    ├── JobError                      about one job, such as that it has not ended yet
    │   ├── JobFailedError            the service gave up on it
    │   ├── JobCancelledError         somebody cancelled it
    │   ├── JobTimeoutError           we stopped watching, it still runs  (also a TimeoutError)
    │   └── JobNotStartedError        it was never submitted
    ├── LoopStandsStillError          a thread waits for a loop that does not turn  (also a TimeoutError)
    └── MediaError                    a result that can't be fetched or is not what it says
        └── MediaExpiredError         its URL is no longer served
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "APIError",
    "AuthenticationError",
    "ConfigurationError",
    "InvalidBaseURLError",
    "InvalidKeyError",
    "InvalidParameterError",
    "JobCancelledError",
    "JobError",
    "JobFailedError",
    "JobNotStartedError",
    "JobTimeoutError",
    "LoopStandsStillError",
    "MediaError",
    "MediaExpiredError",
    "MissingKeyError",
    "NotFoundError",
    "NovaKitConnectionError",
    "NovaKitError",
    "PermissionDeniedError",
    "QuotaExceededError",
    "RateLimitError",
    "SubmissionUncertainError",
    "UnreadableAnswerError",
]


class JobSnapshot(Protocol):
    """What an error tells of its job: a `Job`, typed so that this module imports nothing of the package."""

    @property
    def id(self) -> str | None:
        """The service's id."""
        ...

    @property
    def status(self) -> str:
        """Its status when the error was raised."""
        ...

    @property
    def error(self) -> str | None:
        """Why it failed, in the service's words."""
        ...


class NovaKitError(Exception):
    """Anything that goes wrong between a notebook and NovaKit.

    Args:
        message: what happened, what it means for the job, and what to do.
        status_code: the HTTP status, where there was an answer.
        response: the answer's decoded body, where it could be read.
        job_id: the job it is about, where there is one.

    Example:
        >>> error = NovaKitError("Something went wrong.", status_code=500)
        >>> error.message, error.status_code
        ('Something went wrong.', 500)
    """

    def __init__(
        self,
        message: str,
        status_code: int | None = None,
        response: Any = None,
        *,
        job_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = status_code
        self.response = response
        self.job_id = job_id


class APIError(NovaKitError):
    """The service answered with an error.

    Args:
        retry_after: seconds to wait, where the service said so (429 and 503).
    """

    def __init__(
        self,
        message: str,
        status_code: int | None = None,
        response: Any = None,
        *,
        job_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, status_code, response, job_id=job_id)
        self.retry_after = retry_after


class AuthenticationError(APIError):
    """401: the key is missing, wrong or revoked. A job that was running still runs."""


class QuotaExceededError(APIError):
    """402: the plan has not enough left; nothing was started. ``response`` has the service's figures."""


class PermissionDeniedError(APIError):
    """403: the key lacks a scope, or the plan a feature or a model tier."""


class NotFoundError(APIError):
    """404: the service does not know it, or not for this key."""


class RateLimitError(APIError):
    """429: too many requests; nothing was started. ``retry_after`` says when to come back."""


class UnreadableAnswerError(APIError):
    """An answer that is no JSON, too large, or not of the shape that was asked for.

    Attributes:
        too_long: whether it was not read because of its length.
    """

    too_long = False


class NovaKitConnectionError(NovaKitError, ConnectionError):
    """No answer: the network, a proxy, or a time-out.

    Args:
        reached: whether the request may have reached the service. ``False`` means certainly not.
    """

    def __init__(self, message: str, *, reached: bool = True, job_id: str | None = None) -> None:
        super().__init__(message, job_id=job_id)
        self.reached = reached


class ConfigurationError(NovaKitError, ValueError):
    """Refused before anything was sent or billed."""


class MissingKeyError(ConfigurationError):
    """There is no API key anywhere we look."""


class InvalidKeyError(ConfigurationError):
    """The API key has not the form of one."""


class InvalidBaseURLError(ConfigurationError):
    """The base URL is no address that a key may be sent to."""


class InvalidParameterError(ConfigurationError):
    """A parameter that the service documents as wrong.

    Args:
        parameter: its name.
    """

    def __init__(self, message: str, *, parameter: str | None = None) -> None:
        super().__init__(message)
        self.parameter = parameter


class SubmissionUncertainError(NovaKitError):
    """The answer to a submission was lost: the job may run and be billed, or not exist.

    Args:
        candidates: jobs of the service that could be it, newest first.
    """

    def __init__(
        self,
        message: str,
        status_code: int | None = None,
        response: Any = None,
        *,
        candidates: Sequence[JobSnapshot] = (),
    ) -> None:
        super().__init__(message, status_code, response)
        self.candidates = tuple(candidates)


class JobError(NovaKitError):
    """About one job.

    Args:
        job: its last known snapshot, where there is one.
    """

    def __init__(self, message: str, *, job_id: str | None = None, job: JobSnapshot | None = None) -> None:
        super().__init__(message, job_id=job_id if job is None else job.id)
        self.job = job


class JobFailedError(JobError):
    """The service gave up on the job; ``job.error`` says why, in its words."""


class JobCancelledError(JobError):
    """The job was cancelled, here or elsewhere."""


class JobTimeoutError(JobError, TimeoutError):
    """We stopped watching. The job still runs and will be billed; ``job_id`` picks it up again."""


class JobNotStartedError(JobError):
    """The job was never submitted, so nothing was billed."""


class LoopStandsStillError(NovaKitError, TimeoutError):
    """A thread waits for the main thread's event loop, which does not turn. That ends no job: they go on as soon as it does."""


class MediaError(NovaKitError):
    """A result that can't be fetched, or that is not what it says it is."""


class MediaExpiredError(MediaError):
    """The result's URL is no longer served."""
