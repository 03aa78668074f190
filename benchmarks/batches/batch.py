"""Forty videos against the documented limit of five an hour: the time they take, and the least that the limits allow.

The alternatives are the vendor guide's own client, as people paste it: one prompt after the other, one thread a job, and one thread
a job that obeys Retry-After. All run against one sandbox whose clock is sped up, at the same time, each with a key of its own. The
guide's pauses are sped up as well.
"""

from __future__ import annotations

import asyncio
import math
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from novakit_widgets import settings
from novakit_widgets.api.client import NovaKitClient
from novakit_widgets.batches.queue import ItemState, JobQueue
from novakit_widgets.job_history.jobs import JobHistory
from novakit_widgets.model.tools import TOOL_LIMITS, Tool
from novakit_widgets.sandbox import Sandbox

from ..beside import load
from ..report import Report

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["run"]

_TOO_MANY = 429


# Ours first; of the others, how the guide's client is used.
_CONTENDERS: Mapping[str, Mapping[str, bool]] = {
    "JobQueue": {},
    "the guide's client, one after the other": {"threads": False, "obeys": False},
    "the guide's client, one thread a job": {"threads": True, "obeys": False},
    "one thread a job that obeys Retry-After": {"threads": True, "obeys": True},
}


@dataclass
class _Outcome:
    """One contender's number of videos and its seconds."""

    done: int
    seconds: float


def _params(who: str, number: int) -> Mapping[str, Any]:
    return {"prompt": f"{who} {number}", "duration_seconds": 1}


async def _queue(who: str, key: str, url: str, count: int, folder: Path) -> _Outcome:
    client = NovaKitClient(key, url)
    items = [(Tool.VIDEO, _params(who, number)) for number in range(count)]
    began = time.monotonic()
    queue = JobQueue(items, client=client, history=JobHistory(folder / "history.sqlite3"))
    await queue.wait()
    seconds = time.monotonic() - began
    await queue.client.aclose()
    return _Outcome(queue.count(ItemState.COMPLETED), seconds)


def _guide_client(url: str, speed: float) -> ModuleType:
    """Import the guide's client unchanged, except that its pauses are sped up as the service is."""
    os.environ.update(NOVAKIT_BASE_URL=url, NOVAKIT_API_KEY="")  # it reads them when it is imported
    guide = load("sandbox/guide_client")
    guide.time = SimpleNamespace(time=time.time, sleep=lambda seconds: time.sleep(seconds / speed))  # type: ignore[attr-defined]
    return guide


def _guide(guide: ModuleType, who: str, key: str, count: int, *, threads: bool, obeys: bool) -> _Outcome:
    client = guide.NovaKitAsyncClient(key)
    began = time.monotonic()
    with ThreadPoolExecutor(count if threads else 1) as pool:
        done = sum(pool.map(lambda number: _one(client, _params(who, number), obeys=obeys), range(count)))
    return _Outcome(done, time.monotonic() - began)


def _one(client: Any, params: Mapping[str, Any], *, obeys: bool) -> bool:
    """Make one video with the guide's client, and say whether there is one."""
    import requests

    while True:
        try:
            client.run(Tool.VIDEO.endpoint, params)
        except requests.HTTPError as error:
            if not obeys or error.response is None or error.response.status_code != _TOO_MANY:
                return False
            time.sleep(float(error.response.headers["Retry-After"]))
        except (RuntimeError, TimeoutError, requests.ConnectionError):
            return False
        else:
            return True


def _forced(sandbox: Sandbox, who: str, count: int, speed: float) -> float:
    """Return the seconds that the limits and the jobs themselves force: whole stretches, and the longest of the last jobs."""
    at_once, stretch = TOOL_LIMITS[Tool.VIDEO]
    stretches = math.ceil(count / at_once) - 1
    jobs = [job for job in sandbox.jobs.values() if str(job.params["prompt"]).startswith(f"{who} ")]
    return stretches * stretch / speed + max(job.seconds for job in jobs[stretches * at_once :])


def run(*, count: int = 40, speed: float = 360.0) -> Report:
    """Measure; at 360 times the speed forty videos take 70 seconds.

    Args:
        count: videos.
        speed: how fast the sandbox's clock runs.
    """
    report = Report(
        f"batch: {count} videos against 5 an hour, at {speed:g} times the speed",
        ("who", "done", "seconds", "forced by the limits", "ratio", "POSTs", "answers 429"),
    )
    settings.configure(speed=speed)
    names = tuple(_CONTENDERS)

    async def measure(sandbox: Sandbox, folder: Path, keys: list[str]) -> list[_Outcome]:
        guide = _guide_client(sandbox.base_url, speed)
        others = [
            asyncio.create_task(asyncio.to_thread(_guide, guide, who, key, count, **_CONTENDERS[who]))
            for who, key in zip(names[1:], keys[1:], strict=True)
        ]
        ours = await _queue(names[0], keys[0], sandbox.base_url, count, folder)
        return [ours, *[await other for other in others]]

    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            Sandbox(speed=speed, seed=1, quotas="off", media="canned", limits="documented") as sandbox,
        ):
            keys = [sandbox.add_key(organisation=who) for who in names]
            outcomes = asyncio.run(measure(sandbox, Path(folder), keys))
            for who, key, outcome in zip(names, keys, outcomes, strict=True):
                _add(report, sandbox, who, key, outcome, count, speed)
    finally:
        settings.configure(speed=None)
    return report


def _add(report: Report, sandbox: Sandbox, who: str, key: str, outcome: _Outcome, count: int, speed: float) -> None:
    mine = [request for request in sandbox.requests if request.key == key[-4:]]
    refused = sum(request.status == _TOO_MANY for request in mine)
    posts = sum(request.method == "POST" for request in mine)
    forced = _forced(sandbox, who, count, speed) if outcome.done == count else None
    ratio = None if forced is None else outcome.seconds / forced
    report.add(who, outcome.done, outcome.seconds, forced, ratio, posts, refused)
    if _CONTENDERS[who] == {}:
        report.goal("videos missing", count - outcome.done, 0)
        report.goal("answers 429", refused, 0)
        report.goal("time over what the limits force", ratio or math.inf, 1.02)
