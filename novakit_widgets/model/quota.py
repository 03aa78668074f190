"""Quotas: the answer of ``GET /quota``, and how much a job uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import parsing
from .frozen import FrozenDict
from .parameters import PARAMETERS

if TYPE_CHECKING:
    from datetime import datetime

    from .tools import Tool

__all__ = ["CREDITS", "Bucket", "Quota", "bucket_of", "units_of"]

CREDITS = "credits"
_RESETS = ("reset_at", "resets_at", "reset", "period_end", "resetAt", "periodEnd")


@dataclass(frozen=True, slots=True)
class Bucket:
    """One quota of a plan.

    Attributes:
        name: the service's name, such as ``"video_seconds"``.
        remaining: what is left; ``None`` where it is unlimited, or not in the plan.
        limit: the quota of a whole period; ``None`` if unknown.
        resets_at: when the quota resets, with time zone; ``None`` if unknown.
    """

    name: str
    remaining: float | None = None
    limit: float | None = None
    resets_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """The quotas of a plan.

    Attributes:
        plan: the plan's name; ``""`` if unknown.
        entitled: whether the plan is active; ``None`` if unknown.
        period_end: when the quotas reset, with time zone.
        buckets: by name, in the service's order.

    Example:
        >>> quota = Quota.from_json({"plan": {"name": "Free"}, "quotas": {"credits": {"remaining": 12}, "tts_chars": None}})
        >>> quota.plan, quota.buckets["credits"].remaining, quota.buckets["tts_chars"].remaining
        ('Free', 12.0, None)
    """

    plan: str = ""
    entitled: bool | None = None
    period_end: datetime | None = None
    buckets: Mapping[str, Bucket] = field(default_factory=dict)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Quota:
        """Parse the answer of ``GET /quota``. Unexpected fields are ignored.

        Args:
            body: the answer.
        """
        plan, quotas = _object(body.get("plan")), _object(body.get("quotas"))
        end = parsing.time(plan.get("period_end"))
        entitled = plan.get("entitled")
        return cls(
            plan=parsing.text(plan.get("name")) or parsing.text(plan.get("code")) or "",
            entitled=entitled if isinstance(entitled, bool) else None,
            period_end=end,
            buckets=FrozenDict(
                {
                    name: _bucket(name, said, end)
                    for name, said in ((parsing.readable(str(key)), value) for key, value in quotas.items())
                }
            ),
        )


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _bucket(name: str, said: object, end: datetime | None) -> Bucket:
    fields = _object(said)
    remaining, limit = parsing.number(fields.get("remaining")), parsing.number(fields.get("limit"))
    used = parsing.number(fields.get("used"))
    if limit is None and remaining is not None and used is not None:
        limit = parsing.number(remaining + used)  # the sum of two very large numbers is infinite
    resets = next((moment for key in _RESETS if (moment := parsing.time(fields.get(key))) is not None), end)
    return Bucket(name, remaining, limit, None if remaining is None else resets)


def bucket_of(tool: Tool) -> str:
    """Return the bucket that a tool's jobs use, besides ``"credits"``."""
    return tool.facts.bucket


def units_of(tool: Tool, params: Mapping[str, Any]) -> float | None:
    """Return how many units of its bucket a job uses; ``None`` where the parameters don't tell.

    Args:
        tool: the job's tool.
        params: parameters by the service's names.

    Example:
        >>> from novakit_widgets import Tool
        >>> units_of(Tool.VIDEO, {"prompt": "A sunset"}), units_of(Tool.TTS, {"input": "Good morning"})
        (5.0, 12.0)
    """
    name = tool.facts.units_from
    if name is None:
        return 1.0
    parameter = PARAMETERS[tool][name]
    if parameter.url:
        return None  # the length of a sound is only known to the service
    given = params.get(name, parameter.default)
    return float(len(str(given or ""))) if parameter.kind is str else parsing.number(given)
