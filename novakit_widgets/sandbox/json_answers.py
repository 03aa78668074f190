"""JSON requests and answers of the sandbox."""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.responses import JSONResponse

__all__ = ["JSONAnswer", "decoded"]


class JSONAnswer(JSONResponse):
    """A JSON answer in ASCII: UTF-8 can't encode half of a surrogate pair, which would break every list."""

    def render(self, content: Any) -> bytes:
        """Encode the content."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def decoded(body: bytes) -> Any:
    """Decode a body; return it unchanged if it is not JSON, and ``None`` if it is empty.

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
