"""Measure the requests for watching a job, and the delay until its end is noticed.

The alternatives: the vendor guide's loop (long polls with pauses of 5 s), and asking every 0.5 s. For one job all run against the
same sandbox at the same time, each with a key of its own; for many, each on a sandbox of its own, so that none is slowed down by
another's storm.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import httpx

from novakit_widgets.api.client import NovaKitClient
from novakit_widgets.engine.tracker import JobTracker, Watch, tracker_of
from novakit_widgets.model.tools import Tool
from novakit_widgets.sandbox import Sandbox

from ..kernels import kernel
from ..report import Report, percentile

__all__ = ["run"]

Noticed = dict[str, float]
Contender = Callable[[str, str, int], Awaitable[Noticed]]
_PARAMS = {"prompt": "A lighthouse", "duration_seconds": 1}


async def _tracker(key: str, url: str, count: int) -> Noticed:
    client = NovaKitClient(key, url)
    tracker = JobTracker(client)
    noticed: Noticed = {}
    watches: dict[str, Watch] = {}
    over = asyncio.Event()

    def hear(job_id: str) -> None:
        if watches[job_id].job.ended and job_id not in noticed:
            noticed[job_id] = time.monotonic()
            if len(noticed) == count:
                over.set()

    for _ in range(count):
        job = await client.submit(Tool.VIDEO.endpoint, _PARAMS)
        assert job.id is not None
        watches[job.id] = tracker.watch(job, timeout=600.0, on_change=partial(hear, job.id))
    await over.wait()
    await tracker.aclose()
    await client.aclose()
    return noticed


async def _widgets(key: str, url: str, count: int) -> Noticed:
    from novakit_widgets import JobWidget  # a contender of its own: the others don't need ipywidgets

    client = NovaKitClient(key, url)
    noticed: Noticed = {}
    over = asyncio.Event()

    def hear(change: Mapping[str, Any]) -> None:
        job = change["owner"].job
        if job is not None and job.ended:
            noticed[job.id] = time.monotonic()
            if len(noticed) == count:
                over.set()

    widgets = [JobWidget(Tool.VIDEO, _PARAMS, client=client, embed="link") for _ in range(count)]
    for widget in widgets:
        widget.observe(hear, "status")
    await over.wait()
    await asyncio.gather(*widgets)
    for widget in widgets:
        widget.close()
    await tracker_of(client).aclose()
    await client.aclose()
    return noticed


def _each(watch_one: Callable[[httpx.AsyncClient, str], Awaitable[None]]) -> Contender:
    """Make a contender that watches each job on its own, as a pasted loop does."""

    async def contender(key: str, url: str, count: int) -> Noticed:
        noticed: Noticed = {}
        headers = {"Authorization": f"Bearer {key}"}
        limits = httpx.Limits(max_connections=count + 1, max_keepalive_connections=count + 1)
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60.0, limits=limits) as http:

            async def one() -> None:
                answer = await http.post(Tool.VIDEO.endpoint, params={"async": "true"}, json=_PARAMS)
                job_id = answer.json()["id"]
                await watch_one(http, job_id)
                noticed[job_id] = time.monotonic()

            await asyncio.gather(*(one() for _ in range(count)))
        return noticed

    return contender


async def _guide(http: httpx.AsyncClient, job_id: str) -> None:
    while True:
        answer = await http.get(f"jobs/{job_id}", params={"poll": "true"})
        if answer.is_success and answer.json()["status"] in ("completed", "failed", "cancelled"):
            return
        await asyncio.sleep(5.0)


async def _half_second(http: httpx.AsyncClient, job_id: str) -> None:
    while True:
        answer = await http.get(f"jobs/{job_id}")
        if answer.is_success and answer.json()["status"] in ("completed", "failed", "cancelled"):
            return
        await asyncio.sleep(0.5)


_CARDS = f"""
import asyncio, json, time
import novakit_widgets as nk

async def noticed(count):
    cards, at = [nk.JobWidget("video", {_PARAMS!r}, embed="link") for _ in range(count)], {{}}
    def hear(change):
        job = change["owner"].job
        if job is not None and job.ended:
            at.setdefault(job.id, time.monotonic())
    for card in cards:
        card.observe(hear, "status")
    display(*cards)
    await asyncio.gather(*cards)
    return at
"""
_CONTENDERS: tuple[tuple[str, Contender], ...] = (
    ("JobTracker", _tracker),
    ("the guide's loop", _each(_guide)),
    ("polling every 0.5 s", _each(_half_second)),
)


async def _one_job(report: Report, seconds: float) -> None:
    """One job, all contenders at once. Asking every 0.5 s would meet the limit of 30 a minute, so that is lifted."""
    with Sandbox(durations={"video": seconds}, limits="off", quotas="off", media="canned") as sandbox:
        keys = [sandbox.add_key() for _ in _CONTENDERS]
        outcomes = await asyncio.gather(
            *(contender(key, sandbox.base_url, 1) for key, (_, contender) in zip(keys, _CONTENDERS, strict=True))
        )
        ours = 0
        for key, (name, _), noticed in zip(keys, _CONTENDERS, outcomes, strict=True):
            requests = sum(1 for request in sandbox.requests if request.key == key[-4:])
            ours = ours or requests
            report.add(name, 1, requests, requests / ours, _late(sandbox, noticed, 0.5), _late(sandbox, noticed, 0.99))
        report.goal(f"requests for one job of {seconds:g} s, submit included", ours, 16)


async def _many_jobs(report: Report, seconds: float, count: int) -> None:
    """A hundred jobs, one contender after the other."""
    ours = 0
    for name, contender in _CONTENDERS:
        with Sandbox(durations={"video": seconds}, limits="off", quotas="off", media="canned") as sandbox:
            noticed = await contender(sandbox.api_key, sandbox.base_url, count)
            requests = len(sandbox.requests)
            ours = ours or requests
            report.add(
                name, count, requests, requests / ours, _late(sandbox, noticed, 0.5), _late(sandbox, noticed, 0.99)
            )
    report.goal(f"requests for {count} jobs of {seconds:g} s", ours, 20 * seconds / 60 + 2 * count)


async def _notice(report: Report, rounds: int) -> None:
    """Measure the delay of each end, for up to four short jobs at a time and all contenders at once."""
    contenders = (*_CONTENDERS, ("JobWidget.status", _widgets))
    for count in (1, 2, 4):
        late: dict[str, list[float]] = {name: [] for name, _ in contenders}
        with _short() as sandbox:
            keys = [sandbox.add_key() for _ in contenders]
            for _ in range(rounds):
                outcomes = await asyncio.gather(
                    *(contend(key, sandbox.base_url, count) for key, (_, contend) in zip(keys, contenders, strict=True))
                )
                for (name, _), noticed in zip(contenders, outcomes, strict=True):
                    late[name] += _lateness(sandbox, noticed)
            for key, (name, _) in zip(keys, contenders, strict=True):
                requests = sum(1 for request in sandbox.requests if request.key == key[-4:])
                _add_noticed(report, name, count, requests, late[name], is_ours=name.startswith("Job"))


def _in_a_kernel(report: Report, rounds: int) -> None:
    """The same in a kernel of its own, with cards that are shown; its clock is that of the whole machine."""
    for count in (1, 4):
        late: list[float] = []
        with (
            _short() as sandbox,
            kernel(NOVAKIT_API_KEY=sandbox.api_key, NOVAKIT_BASE_URL=sandbox.base_url) as running,
        ):
            running.run(_CARDS)
            for _ in range(rounds):
                late += _lateness(sandbox, running.ask(f"print(json.dumps(await noticed({count})))"))
            _add_noticed(report, "a card in a kernel", count, len(sandbox.requests), late, is_ours=True)


def _short() -> Sandbox:
    return Sandbox(durations={"video": (2.0, 4.0)}, limits="off", quotas="off", media="canned", seed=1)


def _add_noticed(report: Report, name: str, count: int, requests: int, late: list[float], *, is_ours: bool) -> None:
    median = 1000 * percentile(late, 0.5)
    report.add(f"{name}, jobs of 2-4 s", count, requests, None, median, 1000 * percentile(late, 0.99))
    if is_ours:
        report.goal(f"median time until {name} tells, {count} jobs", median, 20, " ms")


def _lateness(sandbox: Sandbox, noticed: Noticed) -> list[float]:
    ends = {job_id: job.ended_at for job_id, job in sandbox.jobs.items()}
    return [at - end for job_id, at in noticed.items() if (end := ends[job_id]) is not None]


def _late(sandbox: Sandbox, noticed: Noticed, share: float) -> float:
    return 1000 * percentile(_lateness(sandbox, noticed), share)


def run(*, seconds: float = 60.0, count: int = 100, rounds: int = 8) -> Report:
    """Measure, which takes about as long as four jobs and a few minutes more.

    Args:
        seconds: how long a job takes.
        count: how many make many.
        rounds: how often the short jobs are repeated.
    """
    report = Report(
        f"polling: jobs of {seconds:g} s",
        ("who", "jobs", "requests", "ratio", "noticed after, median ms", "p99 ms"),
    )

    async def measure() -> None:
        await _one_job(report, seconds)
        await _many_jobs(report, seconds, count)
        await _notice(report, rounds)

    asyncio.run(measure())
    _in_a_kernel(report, rounds)
    return report
