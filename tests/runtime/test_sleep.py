"""A laptop that sleeps: its clocks jump. Jobs on the loop of our own thread go on, and no timeout counts the sleep."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from novakit_widgets import Sandbox

# All clocks of this program are an hour ahead from the moment at which it reads a line. The watch ends after ten minutes.
PROGRAM = """
import sys, time
real, asleep = time.monotonic, 0.0
time.monotonic = lambda: real() + asleep
import novakit_widgets as nk

card = nk.image("A boat", timeout=600)
while card.job_id is None:
    time.sleep(0.01)
print(card.job_id, flush=True)
sys.stdin.readline()
asleep = 3600.0
print("awake", flush=True)
print(card.wait(600).status, flush=True)
"""


@pytest.mark.parametrize("ended", [True, False], ids=["ended meanwhile", "still running"])
def test_job_of_a_program_that_slept_is_completed(tmp_path, ended):
    """Whether the job ended during the sleep or some time after it."""
    with Sandbox(speed=1.0, limits="off", durations={"image": 100_000.0}) as sandbox:
        environment = {
            **os.environ,
            "NOVAKIT_API_KEY": sandbox.api_key,
            "NOVAKIT_BASE_URL": sandbox.base_url,
            "NOVAKIT_HISTORY": str(tmp_path / "history.sqlite3"),
        }
        with subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        ) as program:
            assert program.stdin is not None
            assert program.stdout is not None
            job_id = program.stdout.readline().strip()
            # While a long poll is held, or a list is asked for: a timer for the end of the watch is set.
            asked = watched(sandbox, 0)
            if ended:
                sandbox.finish(job_id)
            program.stdin.write("\n")
            program.stdin.flush()
            assert program.stdout.readline() == "awake\n"
            if not ended:
                watched(sandbox, asked)
                sandbox.finish(job_id)
            said, problems = program.communicate(timeout=100)
    assert (program.returncode, said, problems) == (0, "completed\n", "")


def watched(sandbox, before):
    """Wait until a question about a job has come, after so many; return how many there were."""
    while True:
        asked = sum(request.method == "GET" and "/jobs" in request.path for request in sandbox.requests)
        if asked > before:
            return asked
        time.sleep(0.01)
