"""Time and randomness that can be injected."""

from __future__ import annotations

import asyncio
import random as random_module
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Clock", "utc_now"]


def utc_now() -> datetime:
    """Return the current time with its time zone."""
    return datetime.now(timezone.utc)


@dataclass(frozen=True, slots=True)
class Clock:
    """Injectable time and randomness, so that tests run on virtual time."""

    now: Callable[[], datetime] = utc_now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random_module.random
