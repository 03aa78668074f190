"""Keeping API keys out of texts and logs."""

from __future__ import annotations

import logging
import re

__all__ = ["KEY", "RedactingFilter", "guard_logs", "redact"]

# Documented: "sk_" and 64 hex digits.
KEY = re.compile(r"sk_[0-9a-fA-F]{64}")
# A filter works on its own logger only, not on that logger's children, so each that httpcore uses is named.
_LOGGERS = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))


def redact(text: str) -> str:
    """Take every API key out of a text.

    Example:
        >>> redact("Bearer sk_" + "a" * 64)
        'Bearer sk_…'
    """
    return KEY.sub("sk_…", text)


class RedactingFilter(logging.Filter):
    """Takes API keys out of log records, such as one that a service echoes in a header."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without a key."""
        message = record.getMessage()
        if KEY.search(message):
            record.msg, record.args = redact(message), None
        return True


_filter = RedactingFilter()


def guard_logs() -> None:
    """Have the records of httpx and httpcore filtered; doing so again changes nothing."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_filter)
