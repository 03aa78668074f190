"""Kill what submits jobs, at random moments, and count what is lost."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from batcher import go_on
from loops import leave, owning

from novakit_widgets import NovaKitClient, settings
from novakit_widgets.batches.queue import ItemState
from novakit_widgets.engine.reconcile import look_up_all
from novakit_widgets.job_history.jobs import JobHistory
from novakit_widgets.model.job import JobStatus
from novakit_widgets.runtime.clock import Clock
from novakit_widgets.sandbox import Sandbox


@dataclass
class Toll:
    """What a number of kills cost.

    Attributes:
        kills: how often a process was killed.
        jobs: how many jobs the service has.
        unknown: how many of them the history lacks.
        doubled: how many stand in it, or were submitted, more than once.
        recovered: how many were found again by looking them up.
        never_started: how many submissions turned out never to have arrived.
        unclear: how many could not be told.
        unfinished: how many jobs have no result.
    """

    kills: int = 0
    jobs: int = 0
    unknown: int = 0
    doubled: int = 0
    recovered: int = 0
    never_started: int = 0
    unclear: int = 0
    unfinished: int = 0


async def _nap(_seconds: float) -> None:
    """Wait for no time: a killed process's request has arrived or never will."""
    await asyncio.sleep(0.01)


def kill(times: int, folder: Path, *, jobs: int = 0, seed: int = 7) -> Toll:
    """Kill a submitting process so many times, recover after each, and count.

    Args:
        times: how often.
        folder: for the history.
        jobs: how many the service is to have made at least: until then the killing goes on, later and later for a slow machine.
        seed: of the moments.
    """
    luck, toll = random.Random(seed), Toll()
    path = folder / "history.sqlite3"
    submitter = Path(__file__).with_name("submitter.py")
    with Sandbox(speed=300.0, limits="off", quotas="off", media="canned", seed=seed) as sandbox:
        history, client = JobHistory(path), NovaKitClient(sandbox.api_key, sandbox.base_url)
        for number in itertools.count():
            if number >= times and len(sandbox.jobs) >= jobs:
                break
            process = subprocess.Popen(
                [sys.executable, submitter, sandbox.base_url, sandbox.api_key, path, f"kill {number}"],
                stdout=subprocess.PIPE,
            )
            process.stdout.readline()
            time.sleep(luck.uniform(0.0, 0.1) * (1 + number // times))  # a real process, at a real moment
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
            toll.kills += 1
            outcome = owning(_recover(client, history))
            toll.recovered += len(outcome.found)
            toll.never_started += len(outcome.unsent)
            toll.unclear += len(outcome.unclear)
        known = [entry.job.id for entry in history.entries(limit=100_000) if entry.job is not None]
        toll.jobs = len(sandbox.jobs)
        toll.unknown = len(sandbox.jobs.keys() - set(known))
        toll.doubled = sum(count - 1 for count in Counter(known).values())
        prompts = Counter(job.params["prompt"] for job in sandbox.jobs.values())
        toll.doubled += sum(count - 1 for count in prompts.values())
        toll.unfinished = owning(_unfinished(client, known))
    return toll


@dataclass
class BatchToll:
    """What a number of kills in mid-batch cost.

    Attributes:
        kills: how often a process was killed.
        batches: how many batches were begun.
        items: how many items they had.
        doubled: how many jobs are there more than once.
        missing: how many items are no job.
        unfinished: how many places or jobs are not completed in the end.
        cut: how many kills came in mid-batch.
    """

    kills: int = 0
    batches: int = 0
    items: int = 0
    doubled: int = 0
    missing: int = 0
    unfinished: int = 0
    cut: int = 0


def kill_batches(batches: int, folder: Path, *, kills: int = 3, count: int = 30, seed: int = 7) -> BatchToll:
    """Kill the processes that work on each batch several times in turn, finish it, and count. Two items each ask for the same.

    Args:
        batches: how many.
        folder: for the history.
        kills: how often for each.
        count: items of each.
        seed: of the moments.
    """
    luck, toll, speed = random.Random(seed), BatchToll(), 300.0
    path = folder / "history.sqlite3"
    wanted: Counter[str] = Counter()
    batcher = Path(__file__).with_name("batcher.py")
    settings.configure(speed=speed)
    with Sandbox(speed=speed, quotas="off", media="canned", seed=seed, plan="cli_team") as sandbox:
        history, client = JobHistory(path), NovaKitClient(sandbox.api_key, sandbox.base_url)
        for number in range(batches):
            command = [sys.executable, batcher, sandbox.base_url, sandbox.api_key, path, f"batch {number}", str(speed)]
            for nth in range(kills):
                # The first begins the batch, the others go on with it.
                process = subprocess.Popen([*command, str(0 if nth else count)], stdout=subprocess.PIPE)
                process.stdout.readline()
                if toll.kills:
                    time.sleep(luck.uniform(0.0, 0.3))
                while not (toll.kills or _open(path)):
                    time.sleep(0.001)  # however slow the machine is, one batch has begun
                process.send_signal(signal.SIGKILL)
                process.wait()
                process.stdout.close()
                toll.kills += 1
                toll.cut += _open(path)
                if not nth and _open(path):  # else it was killed before it had begun
                    toll.batches += 1
                    wanted.update(f"batch {number} {item // 2}" for item in range(count))
            queues = owning(_finish(client, history))
            toll.unfinished += sum(place.state is not ItemState.COMPLETED for queue in queues for place in queue.items)
        prompts = Counter(job.params["prompt"] for job in sandbox.jobs.values())
        toll.unfinished += sum(job.status is not JobStatus.COMPLETED for job in sandbox.jobs.values())
        toll.items = wanted.total()
        toll.doubled = (prompts - wanted).total()
        toll.missing = (wanted - prompts).total()
    settings.configure(speed=None)
    return toll


def _open(path):
    """Count the batches that are not at their end."""
    database = sqlite3.connect(path)
    (count,) = database.execute("SELECT count(*) FROM batches WHERE closed = 0").fetchone()
    database.close()
    return count


async def _finish(client, history):
    """Bring back what there is and let it end."""
    queues = await go_on(client, history)
    for queue in queues:
        queue.resume()
        await queue.wait()
        await leave(queue)
    return queues


async def _recover(client, history):
    try:
        return await look_up_all(client, history, clock=Clock(sleep=_nap))
    finally:
        await client.aclose()


async def _unfinished(client, job_ids):
    """Count the jobs that do not come to a result."""
    try:
        count = 0
        for job_id in job_ids:
            job = await client.get(job_id, poll=True)
            count += not job.media
        return count
    finally:
        await client.aclose()


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as temporary:
        print(kill(int(sys.argv[1]), Path(temporary)))  # noqa: T201 # run by hand, this is its output
