"""A process that works on a batch, or goes on with that of a killed one, as a kernel would, until it is killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from novakit_widgets import NovaKitClient, Tool, settings
from novakit_widgets.batches.queue import JobQueue
from novakit_widgets.job_history.jobs import JobHistory
from novakit_widgets.notebook.recover import recover_all
from novakit_widgets.runtime.clock import Clock


async def nap(_seconds: float) -> None:
    """Wait for no time: a killed process's request has arrived or never will."""
    await asyncio.sleep(0.01)


async def go_on(client: NovaKitClient, history: JobHistory) -> list[JobQueue]:
    """Bring back the batches of dead processes."""
    outcome = await recover_all(client, history, clock=Clock(sleep=nap))
    return [JobQueue.restored(record, client=client, history=history) for record in outcome.batches]


async def main() -> None:
    """Go on with what there is, or begin so many; and stay when it is done."""
    url, key, path, name, speed, count = sys.argv[1:7]
    settings.configure(speed=float(speed))
    client, history = NovaKitClient(key, url), JobHistory(Path(path))
    await client.quota()  # the first request pays for the imports
    queues = await go_on(client, history)
    print("ready", flush=True)  # noqa: T201 # the parent reads it
    if int(count):
        # Two of each: equal ones must not get the same job.
        items = [(Tool.IMAGE, {"prompt": f"{name} {number // 2}"}) for number in range(int(count))]
        queues = [JobQueue(items, client=client, history=history)]
    for queue in queues:
        queue.resume()
        await queue.wait()
    await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main())
