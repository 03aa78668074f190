"""NovaKit jobs in a notebook: submit, watch, cancel, play and keep generated video, music, images and speech.

Example:
    >>> import novakit_widgets as nk
    >>> nk.video("A sunset over mountains", duration_seconds=5)  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .runtime import hooks

if TYPE_CHECKING:
    from .api.client import NovaKitClient
    from .config.settings import configure
    from .engine.tracker import JobTracker
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
    from .job_history.jobs import HistoryEntry, HistoryWarning, JobHistory
    from .model.job import Job, JobStatus
    from .model.media import Media
    from .model.tools import Tool
    from .notebook.batch import batch
    from .notebook.record import Recording, record
    from .notebook.recover import Recovery, recover
    from .notebook.replay import Replay, replay
    from .notebook.report import report
    from .notebook.sandbox import use_sandbox
    from .notebook.short_forms import attach, edit_image, image, music, speech, transcribe, video
    from .notebook.sweep import sweep
    from .sandbox import Sandbox
    from .widgets.board.sweep import JobSweep
    from .widgets.board.widget import JobBoard
    from .widgets.card.widget import JobWidget
    from .widgets.explorer.widget import PromptExplorer, explore
    from .widgets.history.widget import history
    from .widgets.login import login
    from .widgets.quota.widget import quota

__version__ = "0.1.0"

# Where each name lives. A name is imported when it is first used, so importing the package costs next to nothing.
_HOMES = {
    ".notebook.batch": ("batch",),
    ".api.client": ("NovaKitClient",),
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
    ".model.job": ("Job", "JobStatus"),
    ".model.tools": ("Tool",),
    ".model.media": ("Media",),
    ".job_history.jobs": ("HistoryEntry", "HistoryWarning", "JobHistory"),
    ".notebook.record": ("Recording", "record"),
    ".notebook.recover": ("Recovery", "recover"),
    ".notebook.replay": ("Replay", "replay"),
    ".notebook.report": ("report",),
    ".notebook.sandbox": ("use_sandbox",),
    ".sandbox": ("Sandbox",),
    ".config.settings": ("configure",),
    ".notebook.short_forms": ("attach", "edit_image", "image", "music", "speech", "transcribe", "video"),
    ".notebook.sweep": ("sweep",),
    ".engine.tracker": ("JobTracker",),
    ".widgets.board.widget": ("JobBoard",),
    ".widgets.explorer.widget": ("PromptExplorer", "explore"),
    ".widgets.history.widget": ("history",),
    ".widgets.card.widget": ("JobWidget",),
    ".widgets.login": ("login",),
    ".widgets.quota.widget": ("quota",),
    ".widgets.board.sweep": ("JobSweep",),
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
    "Recording",
    "Recovery",
    "Replay",
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
    "record",
    "recover",
    "replay",
    "report",
    "speech",
    "sweep",
    "transcribe",
    "use_sandbox",
    "video",
]


def _saving(name: str) -> Any:
    return getattr(importlib.import_module(".api.saving", __name__), name)


def _showing(name: str) -> Any:
    return getattr(importlib.import_module(".widgets.card.value", __name__), name)


# What jobs and media do beyond being data. Imported at the first use.
hooks.register("save_job", lambda: _saving("save_job"))
hooks.register("save_media", lambda: _saving("save_media"))
hooks.register("show_job", lambda: _showing("bundle_of_job"))
hooks.register("show_media", lambda: _showing("bundle_of_media"))


def __getattr__(name: str) -> Any:
    if name == "settings":  # a module, for `settings.describe()`
        return importlib.import_module(".config.settings", __name__)
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
    from .notebook.magic import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Take ``%%novakit`` away: what ``%unload_ext novakit_widgets`` calls."""
    from .notebook.magic import unload

    unload(shell)
