"""What time and chance are made of."""

from __future__ import annotations

import asyncio
import random as random_module
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from .answers import utc_now

__all__ = ["Clockwork"]


@dataclass(frozen=True, slots=True)
class Clockwork:
    """The clocks, the sleep and the dice of whoever is given it, so that tests need not wait for them."""

    now: Callable[[], datetime] = utc_now
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random_module.random
