"""Keeping API keys out of texts and logs."""

from __future__ import annotations

import logging
import re

__all__ = ["KEY", "RedactingFilter", "guard_logs", "redact", "redact_bytes"]

# Documented: "sk_" and 64 hex digits.
KEY = re.compile(r"sk_[0-9a-fA-F]{64}")
_KEY_IN_BYTES = re.compile(KEY.pattern.encode())
# A filter works on its own logger only, not on that logger's children, so each that httpcore uses is named.
_LOGGERS = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))


def redact(text: str) -> str:
    """Take every API key out of a text.

    Example:
        >>> redact("Bearer sk_" + "a" * 64)
        'Bearer sk_…'
    """
    return KEY.sub("sk_…", text)


def redact_bytes(content: bytes) -> bytes:
    """Take every API key out of bytes, which need not be text.

    Example:
        >>> redact_bytes(b"Bearer sk_" + b"a" * 64) == "Bearer sk_…".encode()
        True
    """
    return _KEY_IN_BYTES.sub("sk_…".encode(), content)


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
