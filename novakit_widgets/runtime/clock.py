"""What time and chance are made of."""

from __future__ import annotations

import asyncio
import random as random_module
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Clockwork", "utc_now"]


def utc_now() -> datetime:
    """Return the present moment with time zone."""
    return datetime.now(timezone.utc)


@dataclass(frozen=True, slots=True)
class Clockwork:
    """The clocks, the sleep and the dice of whoever is given it, so that tests need not wait for them."""

    now: Callable[[], datetime] = utc_now
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random_module.random
