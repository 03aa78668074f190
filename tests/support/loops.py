"""A loop of its own for a test, on which nothing is left."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from novakit_widgets.engine.tracker import tracker_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from novakit_widgets import NovaKitClient

_T = TypeVar("_T")


def go(main: Callable[[], Coroutine[Any, Any, _T]], client: NovaKitClient) -> _T:
    """Run ``main``, for a minute at most, end what it has left, and close the client's connections."""

    async def whole() -> _T:
        try:
            return await asyncio.wait_for(main(), 60)
        finally:
            await tracker_of(client).aclose()
            # A card may still be fetching its result. It is not broken off while it connects: nobody would close that.
            if others := asyncio.all_tasks() - {asyncio.current_task()}:
                _, left = await asyncio.wait(others, timeout=5)
                for task in left:
                    task.cancel()
                await asyncio.gather(*left, return_exceptions=True)
            await client.aclose()

    return asyncio.run(whole())
