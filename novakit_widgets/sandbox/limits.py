"""Rate limits: the documented numbers, and the sliding windows that hold them.

A key has two numbers: requests a minute, and a burst. The documentation does not say how they go together, so the
sandbox picks what fits both: **at most `burst` requests in any `burst / requests a minute` minutes**. So a key may
send its whole burst at once, and its long-run average is the documented number. Where both are the same
(the free plan) this is a plain sliding window of one minute.

A request that was refused does not count: a client that keeps knocking is not locked out for ever.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..model.tools import TOOL_LIMITS
from ..runtime.sliding_window import SlidingWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["KeyLimiter", "Limits", "SlidingWindow", "Verdict"]

_MINUTE = 60.0
_UNLIMITED = 1_000_000

# Documented, as requests a minute and burst.
_REQUESTS = {"free": 30, "pro": 60, "business": 120, "cli_pro": 120, "cli_team": 300}
_BURST = {"free": 30, "pro": 120, "business": 300, "cli_pro": 300, "cli_team": 600}


def _tool_limits() -> Mapping[str, tuple[int, float]]:
    return MappingProxyType({tool.value: limit for tool, limit in TOOL_LIMITS.items()})


@dataclass(frozen=True, slots=True)
class Limits:
    """What a key may do in which time, in the sandbox's own seconds (its speed divides them).

    Attributes:
        requests_per_minute: requests of any kind in a minute, by plan.
        burst: requests at once, by plan.
        tools: generations by tool, as ``(how many, in how many seconds)``; a tool left out has no limit.

    Example:
        >>> Limits().tools["video"]
        (5, 3600.0)
        >>> without_tool_limits = Limits(tools={})
    """

    requests_per_minute: Mapping[str, int] = field(default_factory=lambda: MappingProxyType(dict(_REQUESTS)))
    burst: Mapping[str, int] = field(default_factory=lambda: MappingProxyType(dict(_BURST)))
    tools: Mapping[str, tuple[int, float]] = field(default_factory=_tool_limits)

    def __post_init__(self) -> None:
        """Refuse numbers that nothing could pass."""
        counts = [*self.requests_per_minute.values(), *self.burst.values(), *(n for n, _ in self.tools.values())]
        if any(count < 1 for count in counts) or any(not seconds > 0 for _, seconds in self.tools.values()):
            raise ValueError("A limit is at least 1 in a time above 0 seconds; leave a tool out to lift its limit.")

    @classmethod
    def off(cls) -> Limits:
        """Return limits so high that nothing reaches them; the headers still say a number."""
        return cls(dict.fromkeys(_REQUESTS, _UNLIMITED), dict.fromkeys(_BURST, _UNLIMITED), {})

    @classmethod
    def requests_only(cls) -> Limits:
        """Return the documented requests a minute without the limits of each tool."""
        return cls(tools={})

    @classmethod
    def of(cls, limits: str | Limits) -> Limits:
        """Find limits by name.

        Args:
            limits: ``"documented"``, ``"requests"`` (no limits for each tool), ``"off"``, or a Limits.

        Raises:
            ValueError: it is none of these.
        """
        if isinstance(limits, Limits):
            return limits
        makers: dict[str, Callable[[], Limits]] = {
            "documented": cls,
            "requests": cls.requests_only,
            "off": cls.off,
        }
        made = makers.get(limits)
        if made is None:
            raise ValueError(f"limits is 'documented', 'requests', 'off' or a Limits, not {limits!r}.")
        return made()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may pass, and what the headers say.

    Attributes:
        limit: requests a minute.
        remaining: what is left of them.
        reset: seconds until more is left.
        retry_after: seconds until a refused request may come again; ``None`` when it may pass.
    """

    limit: int
    remaining: int
    reset: float
    retry_after: float | None = None

    @property
    def retry_header(self) -> int:
        """Whole seconds for ``Retry-After``: rounded up, so that who obeys is let in."""
        return max(1, math.ceil(self.retry_after or 0.0))


class KeyLimiter:
    """The windows of one key.

    Args:
        limits: the numbers.
        plan: the key's plan.
        speed: how much faster than real time the windows pass.
    """

    def __init__(self, limits: Limits, plan: str, speed: float) -> None:
        self._limit = limits.requests_per_minute[plan]
        burst = max(limits.burst[plan], self._limit)
        self._minute = SlidingWindow(self._limit, _MINUTE / speed)
        self._burst = SlidingWindow(burst, burst / self._limit * _MINUTE / speed)
        self._tools = {tool: SlidingWindow(count, seconds / speed) for tool, (count, seconds) in limits.tools.items()}

    def look(self, now: float) -> Verdict:
        """Return what the headers say, without counting anything."""
        left = min(
            self._limit - self._minute.used(now),
            self._burst.count - self._burst.used(now),
        )
        return Verdict(self._limit, max(0, left), self._minute.oldest_leaves(now))

    def request(self, now: float) -> Verdict:
        """Count one request, if it may pass."""
        wait = self._burst.wait(now)
        if wait > 0:
            return Verdict(self._limit, 0, wait, wait)
        self._minute.add(now)
        self._burst.add(now)
        return self.look(now)

    def generation(self, tool: str, now: float) -> float:
        """Count one generation of a tool, if it may pass.

        Returns:
            0.0, or the seconds until it may come again.
        """
        window = self._tools.get(tool)
        if window is None:
            return 0.0
        wait = window.wait(now)
        if wait <= 0:
            window.add(now)
        return max(0.0, wait)
