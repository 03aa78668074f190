"""When a key may submit: the documented limits of each tool, and the requests that polling leaves.

Sliding windows, not leaky buckets such as aiolimiter's: a bucket of 5 an hour lets 5 through at once and one more each 12
minutes, which is 10 in the first hour, and the service refuses 5 of them.

The service counts a POST when it arrives, which is after we sent it and before we have the answer. So our window for it begins
with the answer: however slow the network, the requests arrive as far apart as the service demands. That costs the time of one
answer in each window.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from ..config import settings
from ..errors import APIError, NovaKitError, RateLimitError
from ..model.rate_limit import DEFAULT_LIMIT, DEFAULT_RETRY_AFTER, LIMIT_WINDOW
from ..model.tools import HOUR, MINUTE, TOOL_LIMITS, Tool
from ..runtime.clock import Clock
from ..runtime.registry import of_account
from ..runtime.sliding_window import SlidingWindow
from .budget import POLLING_SHARE
from .fair_share import FairShare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..model.rate_limit import RateLimit

__all__ = ["Allowance", "Slot", "allowance_of", "limit_of"]

_MARGIN = 1.0  # seconds; a service that counts in whole seconds may see a longer window
_SLOW_ANSWER = 5.0  # seconds that an answer may have taken whose request time alone is known
_SUBMITTING = "submitting"  # the kind of requests beside polling
_UNITS = {MINUTE: "a minute", HOUR: "an hour"}


def limit_of(tool: Tool) -> str:
    """Return a tool's documented limit in words.

    Example:
        >>> limit_of(Tool.VIDEO), limit_of(Tool.TTS)
        ('5 in an hour', '20 in a minute')
    """
    count, seconds = TOOL_LIMITS[tool]
    return f"{count} in {_UNITS[seconds]}"


class Slot:
    """One generation's place in the allowance: taken before its POST, then either counted or given back."""

    __slots__ = ("_allowance", "_open", "tool")

    def __init__(self, allowance: Allowance, tool: Tool) -> None:
        self._allowance = allowance
        self._open = True
        self.tool = tool

    def again(self, seconds: float, error: NovaKitError) -> None:
        """Note that the POST was refused and is sent again after some seconds."""
        self._allowance.refused(self.tool, error, seconds=seconds)
        self._allowance.add_request()

    def counted(self) -> None:
        """Note that the service accepted it, or may have."""
        if self._open:
            self._open = False
            self._allowance.settle(self.tool, counts=True)

    def released(self, error: NovaKitError | None = None) -> None:
        """Note that the service started nothing."""
        if self._open:
            self._open = False
            if error is not None:
                self._allowance.refused(self.tool, error)
            self._allowance.settle(self.tool, counts=False)


class Allowance:
    """The submissions of one key in all windows that limit them.

    Args:
        limits: how many generations in how many seconds; other tools have no limit.
        speed: how many times faster than real time the service's clock runs; above 1 for a sandbox.
        clock: see `Clock`.

    Attributes:
        limits: as given.
        speed: as given.
        fair: our share of the key's requests, while others use it as well.
        seeded: whether it knows what was submitted before it was created.
        born: when it was created.

    Example:
        >>> from novakit_widgets.runtime.clock import Clock
        >>> now = [0.0]
        >>> allowance = Allowance(clock=Clock(monotonic=lambda: now[0]))
        >>> for _ in range(5):
        ...     allowance.take(Tool.VIDEO).counted()
        >>> allowance.wait(Tool.VIDEO)
        3601.0
        >>> allowance.outlook(Tool.VIDEO, ahead=5)
        (7202.0, '5 videos an hour')
    """

    def __init__(
        self,
        limits: Mapping[Tool, tuple[int, float]] = TOOL_LIMITS,
        *,
        speed: float = 1.0,
        clock: Clock | None = None,
    ) -> None:
        self.limits = limits
        self.speed = speed
        self._clock = clock or Clock()
        self._tools = {
            tool: SlidingWindow(count, (seconds + _MARGIN) / speed) for tool, (count, seconds) in limits.items()
        }
        self._requests = SlidingWindow(_left_by_polling(DEFAULT_LIMIT), (LIMIT_WINDOW + _MARGIN) / speed)
        self.fair = FairShare(LIMIT_WINDOW / speed, clock=self._clock)
        self._under_way = dict.fromkeys(Tool, 0)
        self._paused: dict[Tool | None, float] = {}
        self._contested: dict[Tool, float] = {}
        self._listeners: set[Callable[[], None]] = set()
        self.seeded = False
        self.born = self._clock.now()

    # Asking

    def wait(self, tool: Tool) -> float:
        """Return the seconds until a generation may be submitted; 0.0 for at once.

        Answers that are on their way may shorten it, which `listen` reports.
        """
        return self.outlook(tool)[0]

    def request_wait(self) -> float:
        """Return the seconds until a request other than polling may be sent, such as a cancellation."""
        now = self._clock.monotonic()
        return max(self._requests.wait(now), self._paused.get(None, now) - now)

    def outlook(self, tool: Tool, *, ahead: int = 0) -> tuple[float, str]:
        """Estimate when a generation may be submitted, and name the limit that it waits for.

        Args:
            tool: of the generation.
            ahead: how many of the same tool come before it.

        Returns:
            Seconds from now, and the limit in words, ``""`` if it waits for none.
        """
        now = self._clock.monotonic()
        pause = max(self._paused.get(tool, now), self._paused.get(None, now)) - now
        requests = self._requests.wait(now, ahead=ahead)
        found = [
            (pause, "NovaKit asked for a pause"),
            (requests, f"{self._requests.count} requests a minute"),
            (self.fair.wait(_SUBMITTING, ahead=ahead), "others use the key too"),
        ]
        window = self._tools.get(tool)
        if window is not None:
            seconds = window.wait(now, under_way=self._under_way[tool], ahead=ahead)
            found.append((seconds, self.limit_of(tool)))
        seconds, words = max(found, key=lambda one: one[0])
        return seconds, words if seconds > 0 else ""

    def contested(self, tool: Tool) -> bool:
        """Whether others seem to submit with the same key, so that one at a time is better."""
        return self._clock.monotonic() < self._contested.get(tool, -math.inf)

    def limit_of(self, tool: Tool) -> str:
        """Return a tool's limit in words; ``""`` where there is none.

        Example:
            >>> Allowance().limit_of(Tool.IMAGE)
            '10 images a minute'
        """
        if tool not in self.limits:
            return ""
        count, seconds = self.limits[tool]
        return f"{count} {tool.facts.plural} {_UNITS.get(seconds, f'in {seconds:g} s')}"

    # Telling

    def take(self, tool: Tool) -> Slot:
        """Take a place for a generation, even if none is free."""
        self._under_way[tool] += 1
        self.add_request()
        self.fair.taken(_SUBMITTING)
        return Slot(self, tool)

    def add_request(self) -> None:
        """Count a request other than polling."""
        self._requests.add(self._clock.monotonic())

    def settle(self, tool: Tool, *, counts: bool) -> None:
        """Note the end of what `take` began; see `Slot`."""
        self._under_way[tool] -= 1
        if counts and tool in self._tools:
            self._tools[tool].add(self._clock.monotonic())
        self._tell()

    def refused(self, tool: Tool, error: NovaKitError, *, seconds: float | None = None) -> None:
        """Pause after a POST that was refused with a 429, or a 503 with Retry-After.

        Args:
            tool: of the POST.
            error: the refusal.
            seconds: how long to wait, where that is decided already.
        """
        asked = error.retry_after if isinstance(error, APIError) else None
        if isinstance(error, RateLimitError):
            pause = seconds or asked or DEFAULT_RETRY_AFTER
            stretch = self._tools[tool].seconds if tool in self._tools else LIMIT_WINDOW / self.speed
            self._contested[tool] = self._clock.monotonic() + pause + stretch
        elif error.status_code == HTTPStatus.SERVICE_UNAVAILABLE and asked is not None:
            pause = asked
        else:
            return
        # A tool's own limit is the narrower one, so the key's other tools may go on.
        self.pause(tool if isinstance(error, RateLimitError) and tool in self._tools else None, pause)

    def spread(self, error: RateLimitError) -> None:
        """Wait longer than a 429 asks for where others use the key, because all of them were told the same time."""
        later = self.fair.refused()
        if later > 0.0:
            self.pause(None, (DEFAULT_RETRY_AFTER if error.retry_after is None else error.retry_after) + later)

    def pause(self, tool: Tool | None, seconds: float) -> None:
        """Hold back a tool's submissions for some seconds; ``None`` for all tools."""
        self._paused[tool] = max(self._paused.get(tool, -math.inf), self._clock.monotonic() + seconds)
        self._tell()

    def observe(self, limit: RateLimit | None, *, wall: float) -> None:
        """Update the key's requests from the headers of an answer.

        Args:
            limit: the headers.
            wall: the present in unix seconds, to compare with the reset.
        """
        if limit is None:
            return
        self._requests.count = _left_by_polling(limit.limit)
        self.fair.observe(limit)
        if limit.remaining == 0 and limit.reset is not None:
            # A wrong clock must not stop us for longer than a window.
            self.pause(None, min(max(limit.reset - wall, 0.0), LIMIT_WINDOW / self.speed))

    def seed(self, begun: Iterable[tuple[Tool, datetime]], *, now: datetime) -> None:
        """Count earlier submissions of the history.

        Args:
            begun: the tool of each, and when its answer came.
            now: the present moment.
        """
        self.seeded = True
        moment = self._clock.monotonic()
        earlier: dict[Tool, list[float]] = {}
        for tool, at in begun:
            earlier.setdefault(tool, []).append(moment - max(0.0, (now - at).total_seconds()))
        for tool, moments in earlier.items():
            if tool in self._tools:
                self._tools[tool].add_earlier(moments)
        self._tell()

    @property
    def slow_answer(self) -> timedelta:
        """How long an answer may have taken whose time is not known."""
        return timedelta(seconds=_SLOW_ANSWER / self.speed)

    @property
    def longest(self) -> timedelta:
        """How far back a submission may still count."""
        return timedelta(seconds=max((window.seconds for window in self._tools.values()), default=0.0))

    # Listeners

    def listen(self, listener: Callable[[], None]) -> None:
        """Call a listener after each change, on the thread of the change."""
        self._listeners.add(listener)

    def ignore(self, listener: Callable[[], None]) -> None:
        """Stop calling a listener."""
        self._listeners.discard(listener)

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()


def _left_by_polling(limit: int) -> int:
    return max(1, limit - max(1, int(limit * POLLING_SHARE)))


def allowance_of(account: str) -> Allowance:
    """Return the account's allowance in this process, with the limits and the speed of the settings.

    Args:
        account: `NovaKitClient.account`.
    """
    speed, limits = settings.speed().value, settings.limits().value
    return of_account(
        account,
        Allowance,
        lambda: Allowance(limits, speed=speed),
        still_fits=lambda allowance: allowance.speed == speed and allowance.limits == limits,
    )
