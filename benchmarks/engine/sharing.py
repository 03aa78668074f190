"""Twenty kernels on one key of the smallest plan: when each notices the end of its job, and how many requests are refused.

Each kernel is a process of its own that submits one job of a minute and watches it; they begin within some seconds of each other,
as a class does. All times are the service's seconds: the sandbox's clock runs faster. One row is the most that kernels of one
machine could gain by sharing what they are told, through a file for example: one tracker that watches all the jobs. In the last two
rows each kernel has two jobs.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, Any

import httpx

from novakit_widgets import settings
from novakit_widgets.api.client import NovaKitClient
from novakit_widgets.batches.queue import JobQueue
from novakit_widgets.engine.tracker import tracker_of
from novakit_widgets.errors import RateLimitError
from novakit_widgets.job_history.jobs import JobHistory
from novakit_widgets.model.tools import Tool
from novakit_widgets.sandbox import Sandbox

from ..report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["run"]

_PARAMS = {"prompt": "A lighthouse", "duration_seconds": 1}
_SECONDS = 60.0  # that a job takes
_SPREAD = 5.0  # seconds in which all begin
_SMALL_PLAN = 30  # documented: its requests a minute
_TOO_MANY = 429
_BATCH = 2  # jobs of a kernel's batch


async def _tracker(url: str, key: str, jobs: int) -> list[float]:
    client = NovaKitClient(key, url)

    async def one() -> float:
        began = time.monotonic()
        while True:
            try:
                job = await client.submit(Tool.VIDEO.endpoint, _PARAMS)
            except RateLimitError as error:
                await asyncio.sleep(error.retry_after or 0.0)
            else:
                break
        over = asyncio.Event()
        watch = tracker_of(client).watch(job, timeout=600.0, on_change=lambda: over.set() if watch.over else None)
        await over.wait()
        return time.monotonic() - began

    took = await asyncio.gather(*(one() for _ in range(jobs)))
    await client.aclose()
    return took


async def _guide(url: str, key: str, _jobs: int) -> list[float]:
    began = time.monotonic()
    pause = 5.0 / settings.speed().value
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60.0) as http:
        while True:
            answer = await http.post(Tool.VIDEO.endpoint, params={"async": "true"}, json=_PARAMS)
            if answer.is_success:
                break
            await asyncio.sleep(pause)
        job_id = answer.json()["id"]
        while True:
            answer = await http.get(f"jobs/{job_id}", params={"poll": "true"})
            if answer.is_success and answer.json()["status"] in ("completed", "failed", "cancelled"):
                return [time.monotonic() - began]
            await asyncio.sleep(pause)


async def _batch(url: str, key: str, _jobs: int) -> list[float]:
    began = time.monotonic()
    client = NovaKitClient(key, url)
    items = [(Tool.VIDEO, {**_PARAMS, "seed": number}) for number in range(_BATCH)]
    queue = JobQueue(items, client=client, history=JobHistory(None))
    took = [time.monotonic() - began async for place in queue.settled_items() if place.run.result().ended]
    await queue.client.aclose()
    return took


async def _guides(url: str, key: str, jobs: int) -> list[float]:
    took = await asyncio.gather(*(_guide(url, key, jobs) for _ in range(_BATCH)))
    return [seconds for each in took for seconds in each]


_TOGETHER = "one tracker for all"
_OURS = "JobTracker"
_OURS_OF_BATCHES = "JobQueue, two jobs each"
_CONTENDERS: dict[str, Callable[[str, str, int], Coroutine[Any, Any, list[float]]]] = {
    _OURS: _tracker,
    "the guide's loop": _guide,
    _TOGETHER: _tracker,
    _OURS_OF_BATCHES: _batch,
    "the guide's loop, two jobs each": _guides,
}


def _kernel(name: str, url: str, key: str, speed: float, jobs: int) -> None:
    """Act as one kernel: report ready, start on a signal, and report how long each job took."""
    settings.configure(speed=speed)
    print("ready", flush=True)
    wait = float(sys.stdin.readline())
    time.sleep(wait)
    took = asyncio.run(_CONTENDERS[name](url, key, jobs))
    print(json.dumps([seconds * speed for seconds in took]), flush=True)


def _one(name: str, kernels: int, speed: float, seed: int) -> tuple[list[float], int, int]:
    """Run all kernels at once; return their times, the requests, and how many of them were refused."""
    chance = random.Random(seed)  # noqa: S311 # when students press the button
    with (
        Sandbox(durations={"video": _SECONDS}, speed=speed, limits="requests", quotas="off", media="canned") as sandbox,
        ExitStack() as stack,
    ):
        together = name == _TOGETHER
        told = [sandbox.base_url, sandbox.api_key, str(speed), str(kernels if together else 1)]
        command = [sys.executable, "-m", "benchmarks.engine.sharing", name, *told]
        processes = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 # ours
            )
            for _ in range(1 if together else kernels)
        ]
        pipes = [(process.stdin, process.stdout) for process in processes]
        times: list[float] = []
        for _, out in pipes:
            assert out is not None
            out.readline()
        for into, _ in pipes:
            assert into is not None
            into.write(f"{chance.random() * _SPREAD / speed}\n")
            into.flush()
        for _, out in pipes:
            assert out is not None
            times += json.loads(out.readline())
        asked = [request.status for request in sandbox.requests if not request.path.startswith("/media")]
    return times, len(asked), asked.count(_TOO_MANY)


def run(kernels: int = 20, speed: float = 6.0, rounds: int = 3) -> Report:
    """Run it some times, and report.

    Args:
        kernels: on one key.
        speed: of the sandbox's clock.
        rounds: of each contender.
    """
    report = Report(
        f"sharing: {kernels} kernels on one key with {_SMALL_PLAN} requests a minute, a job of {_SECONDS:g} s each",
        ("contender", "jobs noticed", "median, s", "slowest, s", "slowest / median", "requests", "ratio", "refused, %"),
    )
    baseline = 0.0
    for name in _CONTENDERS:
        times: list[float] = []
        ratios: list[float] = []
        requests = refused = 0
        for seed in range(rounds):
            took, asked, turned_away = _one(name, kernels, speed, seed)
            times += took
            ratios.append(max(took) / median(took))
            requests, refused = requests + asked, refused + turned_away
        share = 100 * refused / requests
        if name in (_OURS, _OURS_OF_BATCHES):
            baseline = requests
            report.goal(f"slowest over median, {name}", max(ratios), 2)
            report.goal(f"refused requests, {name}", share, 2, " %")
        row = (name, len(times), median(times), max(times), max(ratios), requests / rounds, requests / baseline, share)
        report.add(*row)
    report.notes.append(
        "times from the submission to the notice of the end, in the service's seconds; requests for one round"
    )
    return report


if __name__ == "__main__":
    _kernel(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), int(sys.argv[5]))
