"""The sandbox's JSON: what a client may send, and how it is answered."""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.responses import JSONResponse

__all__ = ["JSONAnswer", "decoded"]


class JSONAnswer(JSONResponse):
    """An answer in ASCII: half of a surrogate pair, as JavaScript cuts an emoji, has no UTF-8, and would break every list."""

    def render(self, content: Any) -> bytes:
        """Write it."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def decoded(body: bytes) -> Any:
    """Read a body; one that is no JSON is given back as it is, and ``None`` is an empty one.

    NaN and Infinity, which Python's own reader would take, are no JSON, and a number that no float can hold could not be answered.

    Example:
        >>> decoded(b'{"fps": 30}'), decoded(b'{"fps": NaN}'), decoded(b'{"fps": 1e999}')
        ({'fps': 30}, b'{"fps": NaN}', b'{"fps": 1e999}')
    """
    if not body:
        return None
    try:
        return json.loads(body, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        return body


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
