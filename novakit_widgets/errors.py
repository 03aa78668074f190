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

import linecache
import re
import sys
import sysconfig
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

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

_Raised = TypeVar("_Raised", bound=BaseException)

# Text in a line of code that may be a key: one of NovaKit's, or any in a line that is about keys.
_KEY = re.compile(r"sk_\w+")
_MAY_HAVE_A_KEY = re.compile(r"(?i)key|token|secret|password|configure|NovaKitClient|environ")
_TEXT = re.compile(r"""[rbf]*("[^"]*"?|'[^']*'?)""")
_NOT_THE_USERS = tuple(
    {*map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib")), str(Path(__file__).parent)}
)


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

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows: the message and the user's own code. ``%tb`` shows the whole traceback."""
        return _box(self)


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


# How IPython and its kernel show an expected error. They ask the exception itself, by `_render_traceback_`.


def boxed(error: _Raised) -> _Raised:
    """Let IPython show an exception of Python's own as it shows a `NovaKitError`, and return it.

    Args:
        error: an expected one, such as a `TypeError` for a misspelt keyword.
    """
    # Not its own method: an exception that refers to itself is not freed at once.
    error._render_traceback_ = lambda: _box(sys.exc_info()[1] or sys.last_value)  # type: ignore[attr-defined]
    return error


def interrupted(error: _Raised, message: str) -> _Raised:
    """Give the exception of an interrupted wait a message, unless it has one.

    The exception stays the one that asyncio made: its timeouts accept no subclass.

    Args:
        error: a `CancelledError` or `KeyboardInterrupt`.
        message: what was interrupted, and what goes on.
    """
    if not error.args:
        error.args = (message,)
    return boxed(error)


def _box(error: BaseException | None) -> list[str]:
    """Return the short form of an error that IPython has just caught, otherwise its whole traceback."""
    assert error is not None  # for the type checker: it is being shown
    shell: Any = sys.modules["IPython"].get_ipython()
    traces = getattr(shell, "InteractiveTB", None)
    # `%tb`, `%debug` and others show it later, when nothing is being handled any more.
    if traces is not None and (sys.exc_info()[1] is not error or getattr(traces, "mode", "") == "Verbose"):
        whole: list[str] = traces.structured_traceback(type(error), error, error.__traceback__)
        return whole
    red, plain = ("", "") if str(getattr(shell, "colors", "")).lower() == "nocolor" else ("\x1b[31m", "\x1b[0m")
    notes = getattr(error, "__notes__", ())
    said = [f"{red}{type(error).__name__}{plain}: {error}", *map(str, notes)]
    return [*said, "", *_own_code(error, shell), "Run %tb for the whole traceback."]


def _own_code(error: BaseException, shell: Any) -> list[str]:
    """Return the lines of the user's own code that led to an error, the cell's first."""
    shown = []
    for frame, number in traceback.walk_tb(error.__traceback__):
        name = frame.f_code.co_filename
        label = _cell(shell, name)
        if label is None and (name.startswith("<") or name.startswith(_NOT_THE_USERS)):
            continue
        code = _KEY.sub("sk_…", linecache.getline(name, number).strip())
        if isinstance(error, InvalidKeyError) or _MAY_HAVE_A_KEY.search(code):
            code = _TEXT.sub("'…'", code)
        shown += [f"{label or Path(name).name}, line {number}", *([f"----> {number} {code}"] if code else []), ""]
    return shown


def _cell(shell: Any, filename: str) -> str | None:
    """Return what IPython calls the cell that was compiled under a name, such as ``Cell In[3]``; ``None`` for a file."""
    named = getattr(getattr(shell, "compile", None), "format_code_name", lambda _: None)(filename)
    if named is not None:
        return " ".join(named)
    return "Cell" if filename.startswith("<ipython-input-") else None
