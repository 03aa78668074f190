"""The exceptions of this package. Each says whether the job still runs and what was billed.

The names of the first four are the vendor's own.

    NovaKitError                      message, status_code, response, job_id
    ├── APIError                      the service answered with an error  retry_after
    │   ├── AuthenticationError       401: the key is missing, wrong or revoked
    │   ├── QuotaExceededError        402: the quota is exceeded
    │   ├── PermissionDeniedError     403: a scope, a feature or a model tier is missing
    │   ├── NotFoundError             404: no such job, for this key
    │   ├── RateLimitError            429: too many requests
    │   └── UnreadableAnswerError     an answer that is not JSON, too large, or of another kind
    ├── NovaKitConnectionError        no answer at all  (also a ConnectionError)
    ├── ConfigurationError            refused here, nothing was sent  (also a ValueError)
    │   ├── MissingKeyError
    │   ├── InvalidKeyError
    │   ├── InvalidBaseURLError
    │   └── InvalidParameterError     parameter
    ├── SubmissionUncertainError      the answer was lost: there may be a job  candidates
    ├── JobError                      an error of one job, such as one that has not ended yet
    │   ├── JobFailedError            the job failed
    │   ├── JobCancelledError         the job was cancelled
    │   ├── JobTimeoutError           watching stopped; the job still runs  (also a TimeoutError)
    │   └── JobNotStartedError        the job was never submitted
    ├── LoopStandsStillError          a thread waits for an event loop that is blocked  (also a TimeoutError)
    └── MediaError                    a result that can't be downloaded, or has another type
        └── MediaExpiredError         the URL has expired
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
    """The part of a `Job` that errors use, typed here because this module imports no other."""

    @property
    def id(self) -> str | None:
        """The service's id."""
        ...

    @property
    def status(self) -> str:
        """The status when the error was raised."""
        ...

    @property
    def error(self) -> str | None:
        """Why it failed, in the service's words."""
        ...


class NovaKitError(Exception):
    """Base class of all exceptions of this package.

    Args:
        message: what happened, what it means for the job and the bill, and what to do.
        status_code: the HTTP status, where there was an answer.
        response: the decoded body of the answer, where it could be read.
        job_id: the id of the job, where there is one.

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
        retry_after: seconds to wait, where the service sends them (429 and 503).
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
    """401: the key is missing, wrong or revoked. Running jobs go on."""


class QuotaExceededError(APIError):
    """402: the quota is exceeded; nothing was started. ``response`` has the service's figures."""


class PermissionDeniedError(APIError):
    """403: the key lacks a scope, or the plan a feature or a model tier."""


class NotFoundError(APIError):
    """404: the service does not know the job, or not for this key."""


class RateLimitError(APIError):
    """429: too many requests; nothing was started. ``retry_after`` has the seconds to wait."""


class UnreadableAnswerError(APIError):
    """An answer that is not JSON, too large, or of an unexpected shape.

    Attributes:
        too_long: whether the answer was too long to be read.
    """

    too_long = False


class NovaKitConnectionError(NovaKitError, ConnectionError):
    """No answer: a network error, a proxy error, or a timeout.

    Args:
        reached: whether the request may have reached the service; ``False`` if it was certainly not sent.
    """

    def __init__(self, message: str, *, reached: bool = True, job_id: str | None = None) -> None:
        super().__init__(message, job_id=job_id)
        self.reached = reached


class ConfigurationError(NovaKitError, ValueError):
    """Refused before anything was sent or billed."""


class MissingKeyError(ConfigurationError):
    """No API key is configured."""


class InvalidKeyError(ConfigurationError):
    """The API key has the wrong format."""


class InvalidBaseURLError(ConfigurationError):
    """The base URL is invalid, or a key must not be sent to it."""


class InvalidParameterError(ConfigurationError):
    """A parameter that the service's documentation forbids, or that can't be sent.

    Args:
        parameter: the name of the parameter.
    """

    def __init__(self, message: str, *, parameter: str | None = None) -> None:
        super().__init__(message)
        self.parameter = parameter


class SubmissionUncertainError(NovaKitError):
    """The answer to a submission was lost: the job may run and be billed, or not exist.

    Args:
        candidates: jobs of the service that may be the lost one, newest first.
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
    """Base class for errors of one job.

    Args:
        job: the latest known snapshot, where there is one.
    """

    def __init__(self, message: str, *, job_id: str | None = None, job: JobSnapshot | None = None) -> None:
        super().__init__(message, job_id=job_id if job is None else job.id)
        self.job = job


class JobFailedError(JobError):
    """The job failed; ``job.error`` has the service's reason."""


class JobCancelledError(JobError):
    """The job was cancelled, from here or from elsewhere."""


class JobTimeoutError(JobError, TimeoutError):
    """Watching stopped. The job still runs and will be billed; attach to it with ``job_id``."""


class JobNotStartedError(JobError):
    """The job was never submitted, so nothing was billed."""


class LoopStandsStillError(NovaKitError, TimeoutError):
    """A thread waits for an event loop that is blocked. No job ends: they go on when the loop does."""


class MediaError(NovaKitError):
    """A result that can't be downloaded, or whose content has another type."""


class MediaExpiredError(MediaError):
    """The URL of the result has expired."""
