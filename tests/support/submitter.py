"""A process that submits one job after the other, as a kernel would, until it is killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from novakit_widgets import NovaKitClient, Tool
from novakit_widgets.engine.submit import submit
from novakit_widgets.job_history.jobs import JobHistory


async def main() -> None:
    """Submit, and never stop."""
    url, key, path, name = sys.argv[1:5]
    client, history = NovaKitClient(key, url), JobHistory(Path(path))
    await client.quota()  # the first request pays for the imports
    print("ready", flush=True)  # noqa: T201 # the parent reads it
    for number in range(10_000):
        await submit(client, Tool.IMAGE, {"prompt": f"{name} {number}"}, history=history)


if __name__ == "__main__":
    asyncio.run(main())
