"""Waiting for a job: with await, with wait() in a cell, and in a plain script; and all cells sent at once."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from generations import on_both_ends, on_the_newest, on_the_oldest
from kernel import variables_for

_CALL = 'nk.image("A lighthouse", size="512x512")'


def asked_for(sandbox, job_id):
    """Return how often something has begun to wait for a job: each asks for it, beside the list that all share."""
    return sum(request.path == f"/jobs/{job_id}" and "poll" not in request.query for request in sandbox.requests)


def told_by_a_script(source, environ, sandbox, folder):
    """Run a plain script, with warnings as errors, and return what it has printed."""
    script = folder / "script.py"
    script.write_text(textwrap.dedent(source), encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-W", "error", script],
        env=variables_for(folder, {"NOVAKIT_SANDBOX_URL": sandbox.origin, **environ.variables}),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def test_every_way_of_waiting_gives_the_same_job(kernel, sandbox, tmp_path, environ):
    """One job that runs, waited for with await and wait() in a cell, and with wait() in a plain script, is equal."""
    sandbox.next_duration(1_000_000.0)
    kernel.ok(f"video = {_CALL}")
    job_id = kernel.job_id("video")
    source = f"""
        import novakit_widgets as nk
        nk.use_sandbox()
        job = nk.attach({job_id!r}).wait()
        print(repr(job))
        print(sorted(job.raw.items()))
    """
    with ThreadPoolExecutor() as pool:
        script = pool.submit(told_by_a_script, source, environ, sandbox, tmp_path)
        asked = partial(asked_for, sandbox, job_id)
        kernel.until(lambda: asked() >= 1, what="the script waits, too")
        waits = kernel.send(
            f"blocked = nk.attach({job_id!r}).wait(); job = await video; assert blocked == job, (blocked, job)"
        )
        kernel.until(lambda: asked() >= 2, what="the cell waits, too")
        assert sandbox.finish(job_id) == 1
        kernel.finish(waits)
        told = script.result()
    assert waits.status == "ok", waits.content
    assert told == kernel.ok("print(repr(job)); print(sorted(job.raw.items()))").text


@on_the_newest
def test_a_plain_script_submits_waits_and_saves(sandbox, tmp_path, environ):
    """Without a kernel, a job is made, waited for twice, and its result saved."""
    sandbox.next_duration(10.0)
    told = told_by_a_script(
        f"""
        import novakit_widgets as nk
        nk.use_sandbox()
        widget = {_CALL}
        assert widget.wait() == widget.wait()
        print(widget.save(".")[0])
    """,
        environ,
        sandbox,
        tmp_path,
    )
    assert (tmp_path / told.strip()).read_bytes().startswith(b"\x89PNG")


def test_run_all_with_waits_runs_every_cell(kernel, sandbox):
    """All cells are sent at once; with three waits among them, each runs, in order."""
    sandbox.next_duration(6.0, 6.0, 6.0)
    cells = [
        kernel.send(code)
        for code in (
            "order = []; order.append(0)",
            f"order.append({_CALL}.wait().status and 1)",
            "order.append(2)",
            f"order.append({_CALL}.wait().status and 3)",
            "import asyncio; await asyncio.sleep(0.05); order.append(4)",
            "order.append(5)",
            f"order.append({_CALL}.wait().status and 6)",
            "order.append(7); print(order)",
        )
    ]
    kernel.finish(*cells)
    assert [cell.status for cell in cells] == ["ok"] * 8
    counts = [cell.content["execution_count"] for cell in cells]
    assert counts == list(range(counts[0], counts[0] + 8))
    assert cells[-1].text.strip() == str(list(range(8)))
    assert kernel.troubles() == ""


@pytest.mark.parametrize("attempt", range(2))
def test_the_first_wait_of_a_kernel_with_other_work_ready(start, sandbox, attempt):
    """The first nested run happens in a step of the unpatched loop, which must not run dry of the handles it has counted."""
    kernel = start()
    sandbox.next_duration(4.0)
    cells = [
        kernel.send(code)
        for code in (
            """
            import asyncio
            loop = asyncio.get_running_loop()
            ran = []
            async def busy():
                while True:
                    ran.append(1)
                    await asyncio.sleep(0)
            tasks = [asyncio.create_task(busy()) for _ in range(5)]
            """,
            f"for _ in range(50): loop.call_soon(ran.append, 2)\n{_CALL}.wait(); print('waited')",
            "await asyncio.sleep(0.01); [task.cancel() for task in tasks]; print(ran.count(2), len(ran) > 100)",
            "print('last')",
        )
    ]
    kernel.finish(*cells)
    assert [cell.text.strip() for cell in cells] == ["", "waited", "50 True", "last"]
    assert kernel.troubles() == ""


@on_both_ends
def test_a_wait_inside_a_wait(kernel, sandbox):
    """A nested run inside a nested run: a callback waits while a cell waits."""
    sandbox.next_duration(20.0, 10.0)
    cell = kernel.ok(f"""
        import asyncio
        outer, inner = {_CALL}, []
        asyncio.get_running_loop().call_later(0.2, lambda: inner.append(str({_CALL}.wait().status)))
        print(outer.wait().status, *inner)
    """)
    assert cell.text.split() == ["completed", "completed"]
    assert kernel.troubles() == ""


@on_the_newest
def test_a_wait_that_takes_too_long_leaves_the_job(kernel, sandbox):
    """The time-out of the blocking is told with the job id; the card goes on to the end."""
    sandbox.next_duration(20.0)
    cell = kernel.ok(f"widget = {_CALL}; widget")
    ended = kernel.run("widget.wait(0.3)")
    assert ended.error == "JobTimeoutError"
    kernel.card(cell).says("Done")
    assert kernel.value("widget.wait().status") == "completed"


@on_the_oldest
def test_the_archived_nest_asyncio_is_warned_of(start, sandbox):
    """With it in place already, wait() still works here, and says what can happen and what to write instead."""
    kernel = start()
    kernel.ok("import nest_asyncio; nest_asyncio.apply()")  # ipykernel 6 brings it
    sandbox.next_duration(4.0)
    cell = kernel.ok(f"print({_CALL}.wait().status)")
    assert cell.text.strip() == "completed"
    assert "RuntimeWarning" in cell.stderr
    assert "await job" in cell.stderr


@on_the_newest
def test_without_a_wait_asyncio_is_left_alone(kernel, sandbox):
    """Only wait() brings nest-asyncio2 in, since it changes asyncio for the whole process."""
    sandbox.next_duration(4.0, 4.0)
    told = "import asyncio, sys; print(hasattr(asyncio, '_nest_asyncio2'), hasattr(asyncio, '_nest_patched'))"
    kernel.ok(f"await {_CALL}")
    assert kernel.ok(told).text.split() == ["False", "False"]
    kernel.ok(f"{_CALL}.wait()")
    assert kernel.ok(told).text.split() == ["True", "True"]
