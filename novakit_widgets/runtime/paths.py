"""Paths that a user gives."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import ConfigurationError

__all__ = ["NoHomeError", "expanded"]


class NoHomeError(ConfigurationError):
    """A path begins with a directory that doesn't exist: the home of an unknown user, or the working directory."""


def expanded(path: str | os.PathLike[str]) -> Path:
    """Replace a leading ``~`` or ``~user`` by the home directory.

    Args:
        path: any path.

    Raises:
        NoHomeError: there is no such home directory.

    Example:
        >>> expanded("results/a.mp4").as_posix()
        'results/a.mp4'
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise NoHomeError(
            f"{os.fspath(path)!r} names a home directory that does not exist. Use a path without '~'."
        ) from None
