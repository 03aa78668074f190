"""A loop of its own for a test, on which nothing is left."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from novakit_widgets.engine.tracker import tracker_of
from novakit_widgets.runtime import loop as job_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from novakit_widgets import NovaKitClient
    from novakit_widgets.batches.queue import JobQueue

_T = TypeVar("_T")


def owning(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine as a program that owns its process: its loop is the job loop."""

    async def whole() -> _T:
        with job_loop.use(asyncio.get_running_loop()):
            return await main

    return asyncio.run(whole())


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

    return owning(whole())


async def leave(queue: JobQueue) -> None:
    """End a queue as its kernel's end does, with what it has told the disk; and close its client's connections."""
    tasks = [task for task in queue._tasks.values() if not task.done()]
    for task in tasks:
        task.cancel()
    tasks += queue.on_the_way()
    if tasks:
        await asyncio.wait(tasks)
    while queue._memory.writing:
        await asyncio.wait(list(queue._memory.writing))
    await tracker_of(queue.client).aclose()
    await queue.client.aclose()
