"""The first nested run of a loop, which happens in a step of the loop's own that nest-asyncio2 has not changed yet."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading

import pytest

from novakit_widgets.runtime import loop as job_loop

# One handle of a step runs nested, and others stand behind it in the same step.
_SCRIPT = """
    import asyncio, contextlib
    from novakit_widgets.runtime import loop as job_loop

    {before}

    async def kernel():
        loop = asyncio.get_running_loop()
        ran, results = [], []

        def cell(number):
            results.append(job_loop.run_blocking(asyncio.sleep(0.01, number)))

        for number in range({cells}):
            loop.call_soon(cell, number)
            for _ in range({others}):
                loop.call_soon(ran.append, number)
        while len(results) < {cells}:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)  # for what should not come
        print(results, len(ran))

    asyncio.run(kernel())
"""


def told_by(cells, others, before=""):
    """Run a loop with other work behind each nested run, in a process of its own since asyncio is changed for all of it."""
    return subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            textwrap.dedent(_SCRIPT).format(cells=cells, others=others, before=before),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "COVERAGE_PROCESS_START": ""},
    )


@pytest.mark.parametrize(("cells", "others"), [(1, 0), (1, 1), (1, 50), (3, 20)])
def test_the_first_nested_run_leaves_the_loop_alive(cells, others):
    """Whatever else was ready in that step is done, once, and the loop goes on."""
    ended = told_by(cells, others)
    assert ended.returncode == 0, ended.stderr
    # Nested runs nest further: the last one to begin is the first to end.
    results, ran = ended.stdout.rsplit(maxsplit=1)
    assert sorted(results.strip("[]").split(", ")) == [str(number) for number in range(cells)]
    assert int(ran) == cells * others
    assert ended.stderr == ""


def test_the_loop_would_die_otherwise():
    """Without the places that are filled up, asyncio's own step runs dry: the day it does not, they can go."""
    ended = told_by(1, 50, before="job_loop._ready_kept = lambda loop: contextlib.nullcontext()")
    assert ended.returncode != 0
    assert "pop from an empty deque" in ended.stderr


async def test_a_task_of_another_threads_loop_is_waited_for():
    """Work is done on its own loop while this one waits, and what it raises comes here."""
    home, where = asyncio.get_running_loop(), []

    async def work():
        where.append((asyncio.get_running_loop() is home, threading.current_thread() is threading.main_thread()))

    async def fails():
        raise ValueError("x")

    await job_loop.run_on(home, work)
    await asyncio.to_thread(lambda: asyncio.run(job_loop.run_on(home, work)))
    assert where == [(True, True)] * 2
    with pytest.raises(ValueError, match="x"):
        await asyncio.to_thread(lambda: asyncio.run(job_loop.run_on(home, fails)))


async def test_a_loop_that_has_ended_is_not_waited_for():
    """Nobody would ever do it there, so nobody waits for it."""
    ended, done = asyncio.new_event_loop(), []
    ended.close()

    async def work():
        done.append(1)

    await job_loop.run_on(ended, work)
    assert done == []
