"""Every fault of the sandbox on every endpoint, once and permanently: counts jobs lost or doubled, and tasks left."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

import stamina

from novakit_widgets import settings
from novakit_widgets.api.client import NovaKitClient
from novakit_widgets.sandbox import Sandbox

from ..beside import load
from ..report import Report

__all__ = ["run"]

_SPEED = 1000.0
_ATTEMPTS = 2  # without waits between them


def run() -> Report:
    """Try all of them; it takes about a minute."""
    matrix = load("support/faultmatrix")
    settings.configure(speed=_SPEED)
    stamina.set_testing(True, attempts=_ATTEMPTS)
    logging.getLogger("stamina").setLevel(logging.ERROR)  # hundreds of retries are what is asked for here
    began = time.monotonic()
    try:
        trials = asyncio.run(_try_all(matrix))
    finally:
        stamina.set_testing(False)
        settings.configure(speed=None)
    report = Report("faults: every fault on every endpoint, once and for good", ("what", "value"))
    report.add("kinds of fault", len(matrix.TABLE))
    report.add("endpoints and uses of them", len(matrix.ENDPOINTS))
    report.add("trials", len(trials))
    report.add("faults that happened", sum(trial.hits for trial in trials))
    report.add("jobs", sum(trial.jobs for trial in trials))
    report.add("seconds", time.monotonic() - began)
    wrong = [trial for trial in trials if trial.error is not trial.expected or not trial.hits]
    for what, count in (
        ("unexpected outcomes", len(wrong)),
        ("jobs lost", sum(trial.lost for trial in trials)),
        ("jobs doubled", sum(trial.doubled for trial in trials)),
        ("tasks leaked", sum(trial.tasks for trial in trials)),
    ):
        report.add(what, count)
        report.goal(what, count, 0)
    report.notes.extend(str(trial) for trial in trials if not trial.right)
    return report


async def _try_all(matrix: Any) -> list[Any]:
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(speed=_SPEED, seed=1, limits="off", quotas="off", media="canned") as sandbox,
    ):
        client = NovaKitClient(sandbox.api_key, sandbox.base_url)
        try:
            tries = matrix.Matrix(sandbox, client, Path(folder))
            return [trial for name in matrix.TABLE for trial in await tries.row(name)]
        finally:
            await client.aclose()
