"""What is lost when the process that submits is killed at random moments: before, during and after the POST."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from .beside import load
from .report import Report

__all__ = ["run"]


def run(*, times: int = 200, seed: int = 7) -> Report:
    """Kill, recover, count.

    Args:
        times: how often.
        seed: of the moments.
    """
    report = Report(f"kill: SIGKILL {times} times at random moments", ("what", "value"))
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        toll = load("history/killing").kill(times, Path(folder), seed=seed)
    report.add("kills", toll.kills)
    report.add("jobs of the service", toll.jobs)
    report.add("submissions cut off, whose job was found again", toll.recovered)
    report.add("submissions cut off that had never arrived", toll.never_started)
    report.add("seconds", time.monotonic() - began)
    for what, count in (
        ("jobs that the history lacks", toll.unknown),
        ("jobs doubled", toll.doubled),
        ("submissions unclear", toll.unclear),
        ("jobs without a result", toll.unfinished),
    ):
        report.add(what, count)
        report.goal(what, count, 0)
    return report
