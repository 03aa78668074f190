"""NovaKit jobs in a notebook: submit, watch, cancel, play and keep generated video, music, images and speech.

Example:
    >>> import novakit_widgets as nk
    >>> nk.video("A sunset over mountains", duration_seconds=5)  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .batching import batch
    from .client import NovaKitClient
    from .errors import (
        APIError,
        AuthenticationError,
        ConfigurationError,
        InvalidBaseURLError,
        InvalidKeyError,
        InvalidParameterError,
        JobCancelledError,
        JobError,
        JobFailedError,
        JobNotStartedError,
        JobTimeoutError,
        LoopStandsStillError,
        MediaError,
        MediaExpiredError,
        MissingKeyError,
        NotFoundError,
        NovaKitConnectionError,
        NovaKitError,
        PermissionDeniedError,
        QuotaExceededError,
        RateLimitError,
        SubmissionUncertainError,
        UnreadableAnswerError,
    )
    from .jobhistory import HistoryEntry, HistoryWarning, JobHistory
    from .jobs import Job, JobStatus, Tool
    from .media import Media
    from .recovery import Recovery, recover
    from .sandbox import Sandbox, use_sandbox
    from .settings import configure
    from .shortforms import attach, edit_image, image, music, speech, transcribe, video
    from .sweeping import sweep
    from .tracking import JobTracker
    from .widgets.board import JobBoard
    from .widgets.explorer import PromptExplorer, explore
    from .widgets.history import history
    from .widgets.job import JobWidget
    from .widgets.login import login
    from .widgets.quota import quota
    from .widgets.sweep import JobSweep

__version__ = "0.1.0"

# Where each name lives. A name is imported when it is first used, so importing the package costs next to nothing.
_HOMES = {
    ".batching": ("batch",),
    ".client": ("NovaKitClient",),
    ".errors": (
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
    ),
    ".jobs": ("Job", "JobStatus", "Tool"),
    ".media": ("Media",),
    ".jobhistory": ("HistoryEntry", "HistoryWarning", "JobHistory"),
    ".recovery": ("Recovery", "recover"),
    ".sandbox": ("Sandbox", "use_sandbox"),
    ".settings": ("configure",),
    ".shortforms": ("attach", "edit_image", "image", "music", "speech", "transcribe", "video"),
    ".sweeping": ("sweep",),
    ".tracking": ("JobTracker",),
    ".widgets.board": ("JobBoard",),
    ".widgets.explorer": ("PromptExplorer", "explore"),
    ".widgets.history": ("history",),
    ".widgets.job": ("JobWidget",),
    ".widgets.login": ("login",),
    ".widgets.quota": ("quota",),
    ".widgets.sweep": ("JobSweep",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "APIError",
    "AuthenticationError",
    "ConfigurationError",
    "HistoryEntry",
    "HistoryWarning",
    "InvalidBaseURLError",
    "InvalidKeyError",
    "InvalidParameterError",
    "Job",
    "JobBoard",
    "JobCancelledError",
    "JobError",
    "JobFailedError",
    "JobHistory",
    "JobNotStartedError",
    "JobStatus",
    "JobSweep",
    "JobTimeoutError",
    "JobTracker",
    "JobWidget",
    "LoopStandsStillError",
    "Media",
    "MediaError",
    "MediaExpiredError",
    "MissingKeyError",
    "NotFoundError",
    "NovaKitClient",
    "NovaKitConnectionError",
    "NovaKitError",
    "PermissionDeniedError",
    "PromptExplorer",
    "QuotaExceededError",
    "RateLimitError",
    "Recovery",
    "Sandbox",
    "SubmissionUncertainError",
    "Tool",
    "UnreadableAnswerError",
    "attach",
    "batch",
    "configure",
    "edit_image",
    "explore",
    "history",
    "image",
    "login",
    "music",
    "quota",
    "recover",
    "speech",
    "sweep",
    "transcribe",
    "use_sandbox",
    "video",
]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        value = getattr(importlib.import_module(_HOME_OF[name], __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    # What a user may want, without what this module itself is made of.
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})


def load_ipython_extension(shell: Any) -> None:
    """Bring ``%%novakit``: what ``%load_ext novakit_widgets`` calls."""
    from .magic import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Take ``%%novakit`` away: what ``%unload_ext novakit_widgets`` calls."""
    from .magic import unload

    unload(shell)
