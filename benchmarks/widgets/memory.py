"""Measure the memory of a running job and the time to make it, each contender in a process of its own.

The alternatives are a card for each job, a thread for each with the vendor guide's loop, and a task for each with the same loop.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import psutil

from novakit_widgets import settings
from novakit_widgets.model.tools import Tool

from ..report import Report
from ..served import served

__all__ = ["run"]

_SECONDS = 600.0  # that a job takes: longer than any of this
_PATIENCE = 120.0  # seconds for all of them to be submitted
_WARM = 3  # jobs that are made before anything is counted
Live = Callable[[], int]
Make = Callable[[int, int], Live]
"""Makes so many, numbered from a number on, and returns what tells how many of them are at the service."""


def _params(number: int) -> dict[str, Any]:
    return {"prompt": f"A lighthouse, number {number}", "duration_seconds": 1}


def _cards(begin: int, count: int) -> Live:
    from novakit_widgets import JobWidget

    cards = [JobWidget(Tool.VIDEO.endpoint, _params(begin + number)) for number in range(count)]
    return lambda: sum(card.job_id is not None for card in cards)


def _board(begin: int, count: int) -> Live:
    from novakit_widgets import batch

    board = batch(Tool.VIDEO, [_params(begin + number) for number in range(count)], max_running=count)
    return lambda: sum(job is not None and job.id is not None for job in board)


def _threads(begin: int, count: int) -> Live:
    import requests

    url, headers = settings.base_url().value, {"Authorization": f"Bearer {settings.api_key().value.reveal()}"}
    started: list[str] = []

    def one(number: int) -> None:
        with requests.Session() as session:
            session.headers.update(headers)
            asked = session.post(f"{url}/{Tool.VIDEO.endpoint}?async=true", json=_params(number), timeout=60)
            job_id = asked.json()["id"]
            started.append(job_id)
            while session.get(f"{url}/jobs/{job_id}?poll=true", timeout=60).json()["status"] in (
                "pending",
                "processing",
            ):
                time.sleep(5)

    for number in range(count):
        threading.Thread(target=one, args=(begin + number,), daemon=True).start()
    return lambda: len(started)


def _tasks(begin: int, count: int) -> Live:
    import httpx

    headers = {"Authorization": f"Bearer {settings.api_key().value.reveal()}"}
    limits = httpx.Limits(max_connections=None)
    http = httpx.AsyncClient(base_url=settings.base_url().value, headers=headers, timeout=60.0, limits=limits)
    started: list[str] = []

    async def one(number: int) -> None:
        asked = await http.post(Tool.VIDEO.endpoint, params={"async": "true"}, json=_params(number))
        job_id = asked.json()["id"]
        started.append(job_id)
        while True:
            answer = await http.get(f"jobs/{job_id}", params={"poll": "true"})
            if answer.json()["status"] not in ("pending", "processing"):
                return
            await asyncio.sleep(5.0)

    tasks = [asyncio.get_running_loop().create_task(one(begin + number)) for number in range(count)]
    return lambda: len(started) if tasks else 0


_CONTENDERS: Mapping[str, Make] = {
    "JobBoard": _board,
    "JobWidget, a card for each": _cards,
    "a task a job, the guide's loop": _tasks,
    "a thread a job, the guide's loop": _threads,
}


async def _count(make: Make, count: int) -> dict[str, float]:
    process = psutil.Process()
    await _until(make(0, _WARM), _WARM)
    gc.collect()
    before, began = process.memory_info().rss, time.perf_counter()
    live = make(_WARM, count)
    made = time.perf_counter() - began
    reached = await _until(live, count)
    gc.collect()
    grown = process.memory_info().rss - before
    return {"made_ms": 1000 * made / count, "kilobytes": grown / 1e3 / count, "live": reached}


async def _until(live: Live, count: int) -> int:
    until = time.monotonic() + _PATIENCE
    while live() < count and time.monotonic() < until:  # noqa: ASYNC110 # what counts is many kinds of thing
        await asyncio.sleep(0.2)
    await asyncio.sleep(1.0)  # the answers are taken in, the long polls begin
    return live()


def run(*, count: int = 1000) -> Report:
    """Measure all contenders, one after the other.

    Args:
        count: jobs of each.
    """
    report = Report(
        f"memory: {count:,} jobs that run at once",
        ("who", "at the service", "kB a job", "ratio", "to make one, ms"),
    )
    base = 0.0
    for name in _CONTENDERS:
        with (
            tempfile.TemporaryDirectory() as folder,
            served(durations={"video": _SECONDS}, limits="off", quotas="off", media="canned", seed=1) as sandbox,
        ):
            options = {"api_key": sandbox.api_key, "base_url": sandbox.base_url, "history": f"{folder}/history.sqlite3"}
            command = [sys.executable, "-m", "benchmarks.widgets.memory", name, str(count), json.dumps(options)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 # ours
            told = json.loads(done.stdout.splitlines()[-1])
        base = base or told["kilobytes"]
        report.add(name, told["live"], told["kilobytes"], told["kilobytes"] / base, told["made_ms"])
        if name == "JobBoard":
            report.goal("memory of a job on a board", told["kilobytes"], 60, " kB")
            report.goal("making a job on a board", told["made_ms"], 1, " ms")
    return report


def main() -> None:
    """Measure one contender in this process."""
    name, count, options = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
    settings.configure(**options, limits={})
    asyncio.run(_alone(_CONTENDERS[name], count))


async def _alone(make: Make, count: int) -> None:
    print(json.dumps(await _count(make, count)), flush=True)
    os._exit(0)  # neither threads nor jobs are waited for


if __name__ == "__main__":
    main()
