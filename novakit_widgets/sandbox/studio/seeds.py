"""Randomness that belongs to a prompt."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

__all__ = ["generator"]


def generator(*parts: Any) -> np.random.Generator:
    """Return a random generator that is the same for the same parts.

    Example:
        >>> bool(generator("A sunset", 7).random() == generator("A sunset", 7).random())
        True
    """
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))
