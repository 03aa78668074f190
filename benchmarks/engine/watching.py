"""Watch 1 to 1,000 jobs of a minute: requests, delay until an end is noticed, processor time and the event loop's lag.

Each contender is a process of its own, one after the other, beside one sandbox whose limits are lifted, so that no contender is
refused. Its clock runs faster: requests and processor time are given for a minute of the service's, delays in real milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import requests

from novakit_widgets import settings
from novakit_widgets.api.client import NovaKitClient
from novakit_widgets.engine.run import JobRun
from novakit_widgets.model.tools import Tool
from novakit_widgets.sandbox import Sandbox

from ..report import Report, percentile

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["run"]

_PARAMS = {"prompt": "A lighthouse", "duration_seconds": 1}
_OVER = ("completed", "failed", "cancelled")
_GUIDE_PAUSE = 5.0  # seconds between its long polls
_TICK = 0.01  # seconds that the loop is asked to sleep, to see how late it wakes
_MOST_REQUESTS = 100.0  # a second: who would send more leaves no room to measure in


async def _ours(url: str, key: str, count: int) -> dict[str, float]:
    client = NovaKitClient(key, url)
    noticed: dict[str, float] = {}
    runs = [JobRun(Tool.VIDEO, {**_PARAMS, "seed": number}, client=client) for number in range(count)]

    async def one(run: JobRun) -> None:
        job = await run.wait()
        noticed[str(job.id)] = time.monotonic()

    await asyncio.gather(*map(one, runs))
    await client.aclose()
    return noticed


def _each(poll: bool, pause: float) -> Callable[[str, str, int], Coroutine[Any, Any, dict[str, float]]]:
    async def contender(url: str, key: str, count: int) -> dict[str, float]:
        noticed: dict[str, float] = {}
        limits = httpx.Limits(max_connections=count + 1, max_keepalive_connections=count + 1)
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=120.0, limits=limits) as http:

            async def one(number: int) -> None:
                answer = await http.post(
                    Tool.VIDEO.endpoint, params={"async": "true"}, json={**_PARAMS, "seed": number}
                )
                job_id = answer.json()["id"]
                while True:
                    answer = await http.get(f"jobs/{job_id}", params={"poll": "true"} if poll else {})
                    if answer.is_success and answer.json()["status"] in _OVER:
                        break
                    await asyncio.sleep(pause / settings.speed().value)
                noticed[job_id] = time.monotonic()

            await asyncio.gather(*map(one, range(count)))
        return noticed

    return contender


async def _threads(url: str, key: str, count: int) -> dict[str, float]:
    noticed: dict[str, float] = {}
    pause = _GUIDE_PAUSE / settings.speed().value

    def one(number: int) -> None:
        with requests.Session() as http:
            http.headers["Authorization"] = f"Bearer {key}"
            body: Any = {**_PARAMS, "seed": number}
            answer = http.post(f"{url}/{Tool.VIDEO.endpoint}", params={"async": "true"}, json=body, timeout=120)
            job_id = answer.json()["id"]
            while True:
                answer = http.get(f"{url}/jobs/{job_id}", params={"poll": "true"}, timeout=120)
                if answer.ok and answer.json()["status"] in _OVER:
                    break
                time.sleep(pause)
            noticed[job_id] = time.monotonic()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    return noticed


_CONTENDERS: dict[str, tuple[Callable[[str, str, int], Coroutine[Any, Any, dict[str, float]]], float]] = {
    # With the requests a second that each of its jobs costs, about.
    "JobTracker": (_ours, 0.0),
    "the guide's loop": (_each(poll=True, pause=_GUIDE_PAUSE), 0.03),
    "the guide's loop, a thread a job": (_threads, 0.03),
    "polling every 5 s": (_each(poll=False, pause=5.0), 0.2),
    "polling every 0.5 s": (_each(poll=False, pause=0.5), 2.0),
}


async def _measured(name: str, url: str, key: str, count: int) -> dict[str, Any]:
    late: list[float] = []

    async def tick() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(_TICK)
            late.append(time.monotonic() - began - _TICK)

    ticking = asyncio.ensure_future(tick())
    used = time.process_time()
    noticed = await _CONTENDERS[name][0](url, key, count)
    used = time.process_time() - used
    ticking.cancel()
    return {"noticed": noticed, "cpu": used, "lag": percentile(late, 0.99)}


def _one(report: Report, name: str, count: int, seconds: float, speed: float) -> tuple[float, float]:
    """Measure one contender; return its polling requests and its processor seconds in a minute of the service's."""
    with Sandbox(
        durations={"video": seconds}, speed=speed, limits="off", quotas="off", media="canned", plan="cli_team"
    ) as sandbox:
        command = [sys.executable, "-m", "benchmarks.engine.watching", name, sandbox.base_url, sandbox.api_key]
        ended = subprocess.run(  # noqa: S603 # ours
            [*command, str(count), str(speed)], check=True, capture_output=True, text=True, timeout=600
        )
        outcome = json.loads(ended.stdout)
        asked = [
            request for request in sandbox.requests if request.method == "GET" and request.path.startswith("/jobs")
        ]
        first = min(request.at for request in sandbox.requests)
        last = max(outcome["noticed"].values())
        ends = {job_id: job.ended_at for job_id, job in sandbox.jobs.items()}
        late = [at - end for job_id, at in outcome["noticed"].items() if (end := ends[job_id]) is not None]
    minutes = (last - first) * speed / 60.0
    rate, cpu = len(asked) / minutes, outcome["cpu"] / minutes
    report.add(
        name,
        count,
        rate,
        rate / count,
        1000 * percentile(late, 0.5),
        1000 * percentile(late, 0.99),
        cpu,
        100 * cpu / 60.0,
        1000 * outcome["lag"],
    )
    return rate, cpu


def run(seconds: float = 60.0, speed: float = 6.0) -> Report:
    """Measure, which takes some minutes.

    Args:
        seconds: of the service's that a job takes.
        speed: of the sandbox's clock.
    """
    report = Report(
        f"watching: 1 to 1,000 jobs of {seconds:g} s",
        (
            "contender",
            "jobs",
            "polling requests a minute",
            "a job",
            "noticed after, median ms",
            "p99 ms",
            "CPU s a minute",
            "% of a core",
            "loop lag p99, ms",
        ),
    )
    for count in (1, 10, 100, 1000):
        for name, (_, cost) in _CONTENDERS.items():
            if count * cost * speed > _MOST_REQUESTS * (2 if "thread" not in name else 1):
                report.notes.append(f"{name} with {count:,} jobs is left out: it would send too many requests a second")
                continue
            rate, cpu = _one(report, name, count, seconds, speed)
            if name == "JobTracker" and count in (1, 100):
                report.goal(f"polling requests a minute with {count} jobs", rate, 15 if count == 1 else 20)
            if name == "JobTracker" and count == 100:
                report.goal("CPU with 100 jobs", 100 * cpu / 60.0, 5, " % of a core")
    return report


if __name__ == "__main__":
    settings.configure(speed=float(sys.argv[5]), history="off")
    print(json.dumps(asyncio.run(_measured(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))))
