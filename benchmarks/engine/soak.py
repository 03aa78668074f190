"""Run many jobs with many faults, and count what is lost, doubled or left over: memory, tasks, sockets, files, widgets.

Twenty jobs at a time of all tools, with real cards, a history and downloads. The sandbox is another process.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from novakit_widgets import JobWidget, settings
from novakit_widgets.api.client import NovaKitClient
from novakit_widgets.api.downloads import save_all
from novakit_widgets.engine.reconcile import look_up_all
from novakit_widgets.engine.tracker import tracker_of
from novakit_widgets.errors import NovaKitError, SubmissionUncertainError
from novakit_widgets.job_history.jobs import JobHistory, default_history
from novakit_widgets.model.tools import Tool

from ..report import Report
from ..served import Served, served

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["run"]

_SPEED = 6.0  # a video takes 5 to 20 s
_EVERY = 5  # seconds between the points that are kept for a figure
_LEAST_MINUTES = 3.0  # the second minute and the last one are to be different ones
_PARAMS: Mapping[Tool, Mapping[str, Any]] = {
    Tool.VIDEO: {"prompt": "soak {}", "duration_seconds": 1},
    Tool.MUSIC: {"prompt": "soak {}", "duration_seconds": 2},
    Tool.IMAGE: {"prompt": "soak {}", "size": "512x512"},
    Tool.IMAGE_EDIT: {"prompt": "soak {}", "image": "https://example.org/a.png"},
    Tool.TTS: {"input": "soak {}"},
    Tool.STT: {"file": "https://example.org/soak-{}.mp3"},
}


@dataclass
class _Soak:
    """The counts of one run."""

    client: NovaKitClient
    history: JobHistory
    folder: Path
    until: float
    outcomes: Counter[str] = field(default_factory=Counter)
    downloads: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=itertools.count)
    blocks: list[tuple[float, float]] = field(default_factory=list)
    unsure: asyncio.Event = field(default_factory=asyncio.Event)

    async def worker(self) -> None:
        """Make one job after the other."""
        while time.monotonic() < self.until:
            await self.one(next(self.numbers))

    async def one(self, number: int) -> None:
        tool = list(Tool)[number % len(Tool)]
        params = {
            name: value.format(number) if isinstance(value, str) else value for name, value in _PARAMS[tool].items()
        }
        if number % 20 == 7 and "prompt" in params:
            params["prompt"] += ": fail please"
        widget = JobWidget(tool.endpoint, params, client=self.client)
        if number % 20 == 13:
            asyncio.get_running_loop().call_later(1.0, widget.cancel)
        try:
            job = await widget
            self.outcomes[str(job.status)] += 1
            if job.media:
                await self.save(job)
        except NovaKitError as error:
            self.outcomes[type(error).__name__] += 1
            if isinstance(error, SubmissionUncertainError):
                self.unsure.set()
        except Exception as error:  # noqa: BLE001 # what is counted here must never happen
            self.problems.append(repr(error))
        finally:
            widget.close()

    async def save(self, job: Any) -> None:
        try:
            files = await save_all(self.client, job, self.folder)
        except NovaKitError as error:
            self.downloads[type(error).__name__] += 1
        else:
            self.downloads["saved"] += 1
            for file in files:
                file.unlink()

    async def recover(self) -> None:
        """Recover at once, as a user would later: by then the service's list would no longer show these jobs."""
        while True:
            await self.unsure.wait()
            self.unsure.clear()
            await look_up_all(self.client, self.history)

    async def watch_memory(self, process: psutil.Process) -> None:
        began = time.monotonic()
        while True:
            at = time.monotonic() - began
            self.memory.append((at, process.memory_info().rss / 1e6))
            # Not gc.get_objects: a list of them all, each second, would be most of what is measured.
            self.blocks.append((at, float(sys.getallocatedblocks())))
            await asyncio.sleep(1.0)


def _median(samples: Sequence[tuple[float, float]], begin: float, end: float) -> float:
    """Return the median of what was measured in a time."""
    return statistics.median(value for at, value in samples if begin <= at < end)


def _fit(samples: Sequence[tuple[float, float]], begin: float, end: float) -> tuple[float, float]:
    """Return the slope, each second, of the straight line through what was measured in a time, and its height in the middle."""
    inside = [(at, value) for at, value in samples if begin <= at < end]
    slope, _ = statistics.linear_regression(*zip(*inside, strict=True))
    return slope, statistics.fmean(value for _, value in inside)


@dataclass(frozen=True, slots=True)
class _Held:
    """The resources that a process holds."""

    tasks: int
    sockets: int
    files: int
    handles: int
    widgets: int

    @classmethod
    def now(cls, process: psutil.Process) -> _Held:
        from ipywidgets.widgets.widget import _instances

        if sys.platform == "win32":
            handles = process.num_handles()
        else:
            handles = process.num_fds()
        return cls(
            len(asyncio.all_tasks()),
            len(process.net_connections(kind="inet")),
            len(process.open_files()),
            handles,
            len(_instances),
        )


async def _soak(sandbox: Served, folder: Path, minutes: float, at_a_time: int) -> tuple[_Soak, _Held, _Held, int]:
    process = psutil.Process()
    loop = asyncio.get_running_loop()
    client, history = NovaKitClient(sandbox.api_key, sandbox.base_url), default_history()
    soak = _Soak(client, history, folder, time.monotonic() + 60.0 * minutes)
    loop.set_exception_handler(lambda _loop, context: soak.problems.append(str(context)))
    await client.quota()
    await client.aclose()
    before = _Held.now(process)
    besides = (asyncio.create_task(soak.watch_memory(process)), asyncio.create_task(soak.recover()))
    await asyncio.gather(*(soak.worker() for _ in range(at_a_time)))
    for task in besides:
        task.cancel()
    await tracker_of(client).aclose()
    unclear = len((await look_up_all(client, history)).unclear)
    await client.aclose()
    for _ in range(50):  # what was said to end needs some steps, and the last rows of the history some time, to be gone
        await asyncio.sleep(0.1)
        if len(asyncio.all_tasks()) <= before.tasks:
            break
    return soak, before, _Held.now(process), unclear


def run(*, minutes: float = 10.0, at_a_time: int = 20, faults: float = 0.05, seed: int = 1) -> Report:
    """Soak, and count.

    Args:
        minutes: for how long; at least 3.
        at_a_time: jobs.
        faults: the share of requests that go wrong.
        seed: of the faults and the durations.

    Raises:
        ValueError: that is too short for a comparison.
    """
    if minutes < _LEAST_MINUTES:
        raise ValueError(f"A soak takes {_LEAST_MINUTES:g} minutes at least, not {minutes:g}.")
    report = Report(f"soak: {at_a_time} jobs at a time for {minutes:g} min, {faults:.0%} faults", ("what", "value"))
    with (
        tempfile.TemporaryDirectory() as temporary,
        served(
            faults=faults, speed=_SPEED, seed=seed, plan="cli_team", limits="requests", quotas="off", media="canned"
        ) as sandbox,
    ):
        path = Path(temporary) / "history.sqlite3"
        settings.configure(api_key=sandbox.api_key, base_url=sandbox.base_url, speed=_SPEED, history=str(path))
        soak, before, after, unclear = asyncio.run(_soak(sandbox, Path(temporary), minutes, at_a_time))
        account = sandbox.account()
        known = Counter(entry.job.id for entry in soak.history.entries(limit=1_000_000) if entry.job is not None)
    _count(report, soak, account, known, unclear)
    minute = [(60.0 * number, 60.0 * (number + 1)) for number in range(int(minutes))]
    report.add("memory by the minute, MB", " ".join(f"{_median(soak.memory, *times):.1f}" for times in minute))
    first, last = (_median(soak.memory, *minute[number]) for number in (1, -1))
    report.add("memory in the second minute, MB", first)
    report.add("memory in the last minute, MB", last)
    slope, height = _fit(soak.memory, 30.0 * minutes, 60.0 * minutes)
    report.add("memory in the second half, a straight line: MB a minute", 60.0 * slope)
    report.add("that is, % a minute", 6000.0 * slope / height)
    blocks = [_median(soak.blocks, *minute[number]) for number in (1, -1)]
    report.add("Python's blocks of memory in the second minute", round(blocks[0]))
    report.add("Python's blocks of memory in the last minute", round(blocks[1]))
    report.goal("growth of the number of blocks", 100.0 * (blocks[1] / blocks[0] - 1.0), 5.0, " %")
    report.goal("growth of the memory", 100.0 * (last / first - 1.0), 5.0, " %")
    report.curves["memory, MB"] = [(round(at, 1), round(value, 2)) for at, value in soak.memory[::_EVERY]]
    report.curves["Python's blocks of memory"] = [(round(at, 1), value) for at, value in soak.blocks[::_EVERY]]
    for name in ("tasks", "sockets", "files", "handles", "widgets"):
        left = getattr(after, name) - getattr(before, name)
        report.add(f"{name} left", left)
        report.goal(f"{name} left", left, 0)
    report.add("threads at the end", threading.active_count())
    return report


def _count(
    report: Report, soak: _Soak, account: Mapping[str, Any], known: Mapping[str | None, int], unclear: int
) -> None:
    jobs = account["jobs"]
    asked = Counter(json.dumps(job["params"], sort_keys=True) for job in jobs)
    lost = sum(1 for job in jobs if job["id"] not in known)
    twice = sum(count - 1 for count in (*known.values(), *asked.values()))
    report.add("jobs of the service", len(jobs))
    report.add("requests (the last 20,000 are kept)", account["requests"])
    report.add("faults", account["faults"])
    for name, count in sorted(soak.outcomes.items()):
        report.add(f"ended as {name}", count)
    for name, count in sorted(soak.downloads.items()):
        report.add(f"download: {name}", count)
    for what, count in (("lost", lost), ("doubled", twice), ("unclear to the end", unclear)):
        report.add(f"jobs {what}", count)
        report.goal(f"jobs {what}", count, 0)
    report.add("undocumented errors", len(soak.problems))
    report.goal("undocumented errors", len(soak.problems), 0)
    report.notes.extend(sorted(set(soak.problems))[:5])
