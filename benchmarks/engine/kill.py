"""Kill a submitting process at random moments, before, during and after the POST, and count what is lost."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from ..beside import load
from ..report import Report

__all__ = ["run"]


def run(*, times: int = 200, batches: int = 20, seed: int = 7) -> Report:
    """Kill, recover, count.

    Args:
        times: how often, what submits one job after the other.
        batches: how many batches of 30, each of which is killed three times; two of its items each are equal.
        seed: of the moments.
    """
    report = Report(f"kill: SIGKILL {times} times at random moments", ("what", "value"))
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        toll = load("support/killing").kill(times, Path(folder), seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        batch = load("support/killing").kill_batches(batches, Path(folder), seed=seed)
    report.add("kills", toll.kills)
    report.add("jobs of the service", toll.jobs)
    report.add("submissions cut off, whose job was found again", toll.recovered)
    report.add("submissions cut off that had never arrived", toll.never_started)
    report.add("batches", batch.batches)
    report.add("their items, two of each", batch.items)
    report.add("kills in mid-batch", batch.cut)
    report.add("seconds", time.monotonic() - began)
    for what, count in (
        ("jobs that the history lacks", toll.unknown),
        ("jobs doubled", toll.doubled),
        ("submissions unclear", toll.unclear),
        ("jobs without a result", toll.unfinished),
        ("items of batches without a job", batch.missing),
        ("items of batches doubled", batch.doubled),
        ("items of batches not completed", batch.unfinished),
    ):
        report.add(what, count)
        report.goal(what, count, 0)
    return report
