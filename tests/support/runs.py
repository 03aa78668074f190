"""Runs of one job, for tests."""

from __future__ import annotations

import asyncio

from novakit_widgets.engine.run import JobRun
from novakit_widgets.model.tools import Tool

FOREVER = 1_000_000.0  # a job that ends in no test: at this speed, a quarter of an hour


def image(client, **options):
    return JobRun(Tool.IMAGE, {"prompt": "A lighthouse"}, client=client, **options)


async def until(condition, seconds=30.0):
    """Wait for something that another task or the sandbox does."""

    async def holds():
        while not condition():
            await asyncio.sleep(0.001)

    await asyncio.wait_for(holds(), seconds)
