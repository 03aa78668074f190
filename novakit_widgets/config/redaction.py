"""Keep API keys out of texts, logs and tracebacks."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterable
from typing import Any, TypeVar

__all__ = [
    "KEY",
    "RedactingFilter",
    "Secret",
    "guard_logs",
    "redact",
    "redact_all",
    "redact_anything_secret",
    "redact_bytes",
    "veiled",
]

# Documented: "sk_" and 64 hex digits.
KEY = re.compile(r"sk_[0-9a-fA-F]{64}")
_KEY_IN_BYTES = re.compile(KEY.pattern.encode())
_MASK = "sk_…"
_SHOWN = 4  # characters of a key that may be shown
# What a key may look like elsewhere: a gateway's, another vendor's, one with a typing error, one beside its name.
_SECRETS = (
    re.compile(r"(?i)\b(bearer|basic)\s+[^\s'\",;)\]}]+"),
    re.compile(
        r"(?i)\b((?:[\w-]*(?:api[_-]?key|authorization|password|secret|token))[\"']?\s*(?:=>|[:=])\s*(?:b(?=[\"']))?[\"']?)"
        r"(?!(?:bearer|basic)\b)[^\s'\",;)\]}]+"
    ),
    re.compile(r"\b(?!job_)([a-z]{2,6}[-_])(?=[\w-]*\d)(?:live_|test_|proj-)?[A-Za-z0-9]{16,}[\w-]*"),
    re.compile(r"()(?<![A-Za-z0-9])[0-9a-fA-F]{40,}(?![A-Za-z0-9])"),
)
# A filter works on its own logger only, not on that logger's children, so each that httpcore uses is named.
_LOGGERS = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))

T = TypeVar("T")


class Secret:
    """An API key that does not show itself: not in a repr, a log, a traceback or a pickle.

    Example:
        >>> Secret("sk_" + "0" * 60 + "beef")
        sk_…beef
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the key itself, for the one line that sends it."""
        return self._value

    def __repr__(self) -> str:
        return f"sk_…{self._value[-_SHOWN:]}"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> Any:
        raise TypeError("An API key can't be pickled or copied.")


def veiled(given: T, *, key: bool = True) -> T | Secret:
    """Wrap a text that may be a key, so that verbose tracebacks, which show arguments, don't show it.

    Args:
        given: any value; only texts are wrapped.
        key: whether it was given as the key. Other texts are wrapped only if they contain a key.

    Example:
        >>> veiled("sk_" + "0" * 60 + "beef"), veiled(None), veiled("off", key=False)
        (sk_…beef, None, 'off')
    """
    hides = isinstance(given, str) and (key or redact(given) != given)
    return Secret(given.strip()) if hides and isinstance(given, str) else given


def redact(text: str) -> str:
    """Replace every NovaKit API key in a text.

    Example:
        >>> redact("Bearer sk_" + "a" * 64)
        'Bearer sk_…'
    """
    return KEY.sub(_MASK, text)


def redact_all(values: Iterable[Any]) -> list[Any]:
    """Redact the texts among many values, such as those of a row; other values are returned unchanged.

    Example:
        >>> redact_all([1, "Bearer sk_" + "a" * 64])
        [1, 'Bearer sk_…']
    """
    return [KEY.sub(_MASK, value) if isinstance(value, str) else value for value in values]


def redact_anything_secret(text: str) -> str:
    """Replace whatever looks like a key, a token or a password, of NovaKit or of anybody else.

    For logs and bug reports, where losing a harmless text costs less than showing a secret.

    Example:
        >>> redact_anything_secret("Authorization: Bearer nk-classroom-7, and token=abc")
        'Authorization: Bearer …, and token=…'
        >>> redact_anything_secret("The job job_abc123 is done.")
        'The job job_abc123 is done.'
    """
    text = redact(text)
    text = _SECRETS[0].sub(r"\1 …", text)
    for pattern in _SECRETS[1:]:
        text = pattern.sub(r"\1…", text)
    return text


def redact_bytes(content: bytes) -> bytes:
    """Replace every NovaKit API key in bytes, which need not be text.

    Example:
        >>> redact_bytes(b"Bearer sk_" + b"a" * 64) == "Bearer sk_…".encode()
        True
    """
    return _KEY_IN_BYTES.sub(_MASK.encode(), content)


class RedactingFilter(logging.Filter):
    """Removes secrets from log records: from the message, its arguments, and the text of an exception."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without secrets."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 # a record that can't be formatted is not worth an exception in a job
            message = f"{record.msg} {record.args}"
            record.msg, record.args = message, None
        safe = redact_anything_secret(message)
        if safe != message:
            record.msg, record.args = safe, None
        if record.exc_info:
            # Handlers that look into the frames would find the key there.
            kind, error, trace = record.exc_info
            record.exc_text = redact_anything_secret("".join(traceback.format_exception(kind, error, trace)).rstrip())
            record.exc_info = None
        if record.stack_info:
            record.stack_info = redact_anything_secret(record.stack_info)
        return True


_filter = RedactingFilter()


def guard_logs() -> None:
    """Filter the records of httpx and httpcore; calling it again changes nothing."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_filter)
