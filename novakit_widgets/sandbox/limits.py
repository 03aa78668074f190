"""Rate limits: the documented numbers, and the sliding windows that enforce them.

A key has two numbers: requests a minute, and a burst. The documentation does not say how they combine, so the
sandbox does what satisfies both: **at most `burst` requests in any `burst / requests a minute` minutes**. So a key may
send its whole burst at once, and its long-run average is the documented number. Where both are the same
(the free plan) this is a plain sliding window of one minute.

A refused request does not count, so that a client that keeps trying is let in again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
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
    """The rate limits of a key, in the sandbox's seconds (divided by its speed).

    Attributes:
        requests_per_minute: requests of any kind a minute, by plan.
        burst: requests at once, by plan.
        tools: generations by tool, as ``(how many, in how many seconds)``; an omitted tool has no limit.

    Example:
        >>> Limits().tools["video"]
        (5, 3600.0)
        >>> without_tool_limits = Limits(tools={})
    """

    requests_per_minute: Mapping[str, int] = field(default_factory=lambda: MappingProxyType(dict(_REQUESTS)))
    burst: Mapping[str, int] = field(default_factory=lambda: MappingProxyType(dict(_BURST)))
    tools: Mapping[str, tuple[int, float]] = field(default_factory=_tool_limits)

    def __post_init__(self) -> None:
        """Refuse limits that no request could satisfy."""
        counts = [*self.requests_per_minute.values(), *self.burst.values(), *(n for n, _ in self.tools.values())]
        if any(count < 1 for count in counts) or any(not seconds > 0 for _, seconds in self.tools.values()):
            raise ConfigurationError(
                "A limit is at least 1 in a time above 0 seconds; leave a tool out to lift its limit."
            )

    @classmethod
    def off(cls) -> Limits:
        """Return limits that are never reached; the headers still have a number."""
        return cls(dict.fromkeys(_REQUESTS, _UNLIMITED), dict.fromkeys(_BURST, _UNLIMITED), {})

    @classmethod
    def requests_only(cls) -> Limits:
        """Return the documented requests a minute without limits of tools."""
        return cls(tools={})

    @classmethod
    def of(cls, limits: str | Limits) -> Limits:
        """Find limits by name.

        Args:
            limits: ``"documented"``, ``"requests"`` (no limits of tools), ``"off"``, or a Limits.

        Raises:
            ConfigurationError: there are no limits of this name.
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
            raise ConfigurationError(f"limits is 'documented', 'requests', 'off' or a Limits, not {limits!r}.")
        return made()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request is allowed, and the values of the headers.

    Attributes:
        limit: requests a minute.
        remaining: requests that are left.
        reset: seconds until more are left.
        retry_after: seconds until a refused request may be repeated; ``None`` if it is allowed.
    """

    limit: int
    remaining: int
    reset: float
    retry_after: float | None = None

    @property
    def retry_header(self) -> int:
        """Whole seconds for ``Retry-After``, rounded up, so that a client that waits is let in."""
        return max(1, math.ceil(self.retry_after or 0.0))


class KeyLimiter:
    """The sliding windows of one key.

    Args:
        limits: the rate limits.
        plan: the plan of the key.
        speed: how much faster than real time the windows pass.
    """

    def __init__(self, limits: Limits, plan: str, speed: float) -> None:
        self._limit = limits.requests_per_minute[plan]
        burst = max(limits.burst[plan], self._limit)
        self._minute = SlidingWindow(self._limit, _MINUTE / speed)
        self._burst = SlidingWindow(burst, burst / self._limit * _MINUTE / speed)
        self._tools = {tool: SlidingWindow(count, seconds / speed) for tool, (count, seconds) in limits.tools.items()}

    def look(self, now: float) -> Verdict:
        """Return the values of the headers, without counting a request."""
        left = min(
            self._limit - self._minute.used(now),
            self._burst.count - self._burst.used(now),
        )
        return Verdict(self._limit, max(0, left), self._minute.oldest_leaves(now))

    def request(self, now: float) -> Verdict:
        """Count one request if it is allowed."""
        wait = self._burst.wait(now)
        if wait > 0:
            return Verdict(self._limit, 0, wait, wait)
        self._minute.add(now)
        self._burst.add(now)
        return self.look(now)

    def generation(self, tool: str, now: float) -> float:
        """Count one generation of a tool if it is allowed.

        Returns:
            0.0 if it is allowed, otherwise the seconds until it may be repeated.
        """
        window = self._tools.get(tool)
        if window is None:
            return 0.0
        wait = window.wait(now)
        if wait <= 0:
            window.add(now)
        return max(0.0, wait)
