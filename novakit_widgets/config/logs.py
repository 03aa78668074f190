"""The package's logger, ``novakit_widgets``: silent until you give it a handler, and without secrets.

Each step of a job is one line: submission and answer at ``INFO``, retries and polling at ``DEBUG``, what went wrong at
``WARNING``. The newest warnings are kept for `novakit_widgets.report`.
"""

from __future__ import annotations

import logging
import warnings
from collections import deque
from datetime import datetime, timezone

from ..runtime import loop as job_loop
from .redaction import RedactingFilter

__all__ = ["log", "recent", "warn", "warn_in_script"]

_KEPT = 50  # records
_LONGEST = 500  # characters of each


class _Recorder(logging.Handler):
    """Keeps the newest warnings and errors, in one line each."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: deque[str] = deque(maxlen=_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record; it has passed the logger's filter, so it has no secrets."""
        when = datetime.fromtimestamp(record.created, timezone.utc)
        last = (record.exc_text or "").strip().rpartition("\n")[2]
        text = " ".join(f"{record.levelname} {record.getMessage()} {last}".split())
        self.lines.append(f"{when:%Y-%m-%d %H:%M:%S} UTC {text[:_LONGEST]}")


_recorder = _Recorder()
log = logging.getLogger("novakit_widgets")
log.addFilter(RedactingFilter())
log.addHandler(logging.NullHandler())
log.addHandler(_recorder)


def recent() -> list[str]:
    """Return the newest warnings and errors, oldest first."""
    return list(_recorder.lines)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn the user and log it. Never raises, also where warnings are errors: it must not cost a job that was just paid for.

    Args:
        message: what happened, and what to do.
        category: the warning's class.
    """
    log.warning("%s", message)
    try:
        warnings.warn(message, category, stacklevel=3)
    except Warning:
        return  # the log has it


def warn_in_script(*remarks: str) -> None:
    """Log each remark once, and warn of it in a script. In a kernel a card on the page shows it.

    Args:
        remarks: the sentences; ``""`` for nothing.
    """
    for remark in dict.fromkeys(filter(None, remarks)):
        if job_loop.is_ours():
            warn(remark)
        else:
            log.warning("%s", remark)
