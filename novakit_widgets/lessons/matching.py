"""Which recorded call a call equals: parameters without addresses, and the nearest one where none is equal.

Addresses differ from run to run, and a recording must not hold those of the service. So the address of a recorded medium is
replaced by the digest of its bytes, and any other by the digest of the address.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..config.redaction import redact
from ..model.canonical import LONG
from ..model.differences import differences
from ..model.media import is_web_address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..model.tools import Tool
    from .contents import RecordedJob

__all__ = ["MEDIUM", "Addresses", "explain", "nearest", "with_digests"]

MEDIUM = "media:sha256:"
_ADDRESS = "address:sha256:"
_SHOWN = 60  # characters of a value in a message
_COMPARED = 500  # characters of two texts whose likeness is computed, which takes quadratic time
_LONGEST_URL = 8_192  # characters


class Addresses:
    """The addresses of media, and what stands for each in the parameters of a recording."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def add(self, url: str, name: str) -> None:
        """Let a name stand for an address."""
        self._names[url] = name

    def without(self, value: Any) -> Any:
        """Return parameters, or the value of one, without addresses and keys."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return {str(key): self.without(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.without(item) for item in value]
        return value

    def _text(self, text: str) -> str:
        if len(text) > LONG:
            return text  # an upload: canonical() replaces it by its digest
        known = self._names.get(text.strip())
        if known is not None:
            return known
        if len(text) <= _LONGEST_URL and is_web_address(text.strip()):
            return _ADDRESS + hashlib.sha256(text.strip().encode()).hexdigest()
        for url, name in self._names.items():
            if url in text:
                text = text.replace(url, name)
        return redact(text)


def with_digests(value: Any, digest_of: Callable[[str], str | None]) -> Any:
    """Replace names of media by the digest of their bytes.

    Args:
        value: parameters, or the value of one.
        digest_of: returns the digest for a name such as ``"media:job:3:0"``; ``None`` where there is none.
    """
    if isinstance(value, str):
        return _NAME.sub(lambda found: MEDIUM + (digest_of(found[0]) or "missing"), value)
    if isinstance(value, Mapping):
        return {key: with_digests(item, digest_of) for key, item in value.items()}
    if isinstance(value, list):
        return [with_digests(item, digest_of) for item in value]
    return value


_NAME = re.compile(r"media:job:\d+:\d+")


def nearest(tool: Tool, params: Mapping[str, Any], jobs: Sequence[RecordedJob]) -> RecordedJob | None:
    """Return the recorded call of a tool that differs in the fewest parameters; ``None`` where there is none of the tool.

    Args:
        tool: of the call.
        params: its parameters, without addresses.
        jobs: the recorded calls.
    """

    def distance(job: RecordedJob) -> tuple[int, float]:
        found = differences(tool, job.params, params)
        return len(found), sum(1 - _likeness(each.before, each.after) for each in found)

    return min((job for job in jobs if job.tool is tool), key=distance, default=None)


def explain(tool: Tool, params: Mapping[str, Any], jobs: Sequence[RecordedJob], *, name: str) -> str:
    """Say how a call differs from the recorded ones.

    Args:
        tool: of the call.
        params: its parameters, without addresses.
        jobs: the recorded calls.
        name: the file of the recording.
    """
    job = nearest(tool, params, jobs)
    if job is None:
        kinds = sorted({str(each.tool) for each in jobs})
        has = f"it has {', '.join(kinds)}" if kinds else "it has no jobs"
        return f"The recording {name} has no {tool} job; {has}"
    found = differences(tool, job.params, params)
    if not found:
        return f"The recording {name} has no such {tool} job"
    told = "; ".join(
        f"{each.name} is {_shown(each.after, each.before)}, recorded is {_shown(each.before, each.after)}"
        for each in found[:3]
    )
    more = f"; {len(found) - 3} more differ" if len(found) > 3 else ""
    return f"Not in the recording {name}. Compared with the nearest {tool} job, {told}{more}"


def _likeness(before: Any, after: Any) -> float:
    if isinstance(before, str) and isinstance(after, str):
        return difflib.SequenceMatcher(None, before[:_COMPARED], after[:_COMPARED], autojunk=False).ratio()
    return 0.0


def _shown(value: Any, other: Any) -> str:
    """Show a value; of a long text the part where it begins to differ from the other."""
    if value is None:
        return "not set"
    if not isinstance(value, str):
        text = repr(value)
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    if value.startswith(MEDIUM):
        return f"recorded media {value.removeprefix(MEDIUM)[:8]}…"
    if value.startswith(_ADDRESS):
        return f"another address ({value.removeprefix(_ADDRESS)[:8]}…)"
    begin = 0
    if isinstance(other, str) and len(value) > _SHOWN:
        same = next((at for at, (one, two) in enumerate(zip(value, other, strict=False)) if one != two), len(other))
        begin = max(0, same - 20)
    cut = value[begin : begin + _SHOWN]
    return f"{'…' if begin else ''}{cut!r}{'…' if begin + _SHOWN < len(value) else ''}"
