"""Clicks, which may come on a thread of their own with a loop of its own."""

from __future__ import annotations

import pytest
from generations import on_both_ends, on_subshells, on_the_newest
from packaging.version import Version

FOREVER = 1_000_000.0  # only ever cancelled
_CALL = 'nk.image("A lighthouse", size="512x512")'


def test_a_click_while_idle(kernel, sandbox):
    """Cancel reaches the service at once; the next click, on the changed button, submits the same job again."""
    sandbox.next_duration(FOREVER, 10.0)
    card = kernel.card(kernel.ok(f"widget = {_CALL}; widget"))
    kernel.job_id("widget")
    card.press("Cancel")
    card.says("Cancelled", seconds=5.0)
    card.press("Try again")
    card.says("Done")
    card.press("Save")
    card.says("Saved as")
    first, second = (job.id for job in list(sandbox.jobs.values())[-2:])
    assert sandbox.jobs[first].status == "cancelled"
    assert sandbox.jobs[second].status == "completed"
    assert kernel.value("widget.job_id") == second
    assert kernel.troubles() == ""


def test_a_click_at_once(kernel, sandbox):
    """Cancel before the service has answered: the job is cancelled as soon as it has an id, or never submitted."""
    sandbox.next_duration(FOREVER)
    card = kernel.card(kernel.ok(f"widget = {_CALL}; widget"))
    card.press("Cancel")
    card.says("Cancelled")
    assert kernel.run("widget.wait()").error == "JobCancelledError"
    assert kernel.troubles() == ""


def test_a_click_while_a_cell_sleeps(kernel, sandbox):
    """With subshells, Cancel gets through while a cell runs `await asyncio.sleep`; without them, right after it."""
    sandbox.next_duration(FOREVER)
    card = kernel.card(kernel.ok(f"import asyncio; widget = {_CALL}; widget"))
    kernel.job_id("widget")
    sleeps = kernel.send("await asyncio.sleep(1.5)")
    kernel.listen(0.2)
    card.press("Cancel")
    card.says("Cancelled")
    assert sleeps.done is not kernel.has_subshells
    kernel.finish(sleeps)
    assert kernel.troubles() == ""


def test_a_click_while_a_cell_waits(kernel, sandbox, environ):
    """While a cell is in wait(), a click cancels the job and so ends the cell; where it can't, an interrupt lets it through."""
    gets_through = kernel.has_subshells and Version(environ.ipykernel) < Version("7.4")
    sandbox.next_duration(FOREVER)
    card = kernel.card(kernel.ok(f"widget = {_CALL}; widget"))
    kernel.job_id("widget")
    waits = kernel.send("print('waiting', flush=True); widget.wait()")
    kernel.until(lambda: "waiting" in waits.text)
    card.press("Cancel")
    if not gets_through:
        kernel.listen(3.0)  # with 7.4 it may
        if not waits.done:
            kernel.interrupt()
    card.says("Cancelled")
    kernel.finish(waits)
    assert waits.error in ("JobCancelledError", *([] if gets_through else ["KeyboardInterrupt"]))
    assert kernel.troubles() == ""


@on_subshells
def test_a_click_after_a_reload(kernel, sandbox):
    """A page that was loaded anew clicks on another subshell."""
    assert kernel.has_subshells
    sandbox.next_duration(FOREVER, FOREVER)
    before = len(sandbox.jobs)
    card = kernel.card(kernel.ok(f"widget = {_CALL}; widget"))
    kernel.until(lambda: len(sandbox.jobs) > before, what="the job is submitted")
    card.press("Cancel")
    card.says("Cancelled")
    kernel.open_subshell()
    card.press("Try again")
    card.offers("Cancel")
    kernel.open_subshell()
    card.press("Cancel")
    card.says("Cancelled")
    assert [job.status for job in list(sandbox.jobs.values())[-2:]] == ["cancelled", "cancelled"]
    assert kernel.troubles() == ""


def test_a_callback_can_do_everything(kernel, sandbox, environ):
    """A user's own button, on whatever thread its click comes: it starts, attaches, waits for and cancels jobs."""
    sandbox.next_duration(FOREVER, 10.0, 10.0)
    cell = kernel.ok(f"""
        import asyncio, threading, ipywidgets
        button, said = ipywidgets.Button(description="go"), []
        running = {_CALL}
        async def later():
            said.append(str((await made).status))
            said.append(str((await nk.attach(made.job_id)).status))
        def clicked(_):
            global made, task
            try:
                said.append(threading.current_thread() is threading.main_thread())
                made = {_CALL}
                running.cancel()
                task = asyncio.get_running_loop().create_task(later())
            except BaseException as error:
                said.append(repr(error))
        button.on_click(clicked)
        button
    """)
    kernel.job_id("running")
    kernel.click(kernel.models[cell.views[0]])
    kernel.until(lambda: kernel.value("len(said)") == "3")
    on_main = not kernel.has_subshells or Version(environ.ipykernel) >= Version("7.4")
    assert kernel.value("said") == str([on_main, "completed", "completed"])
    assert kernel.run("running.wait()").error == "JobCancelledError"
    assert kernel.troubles() == ""


@on_both_ends
def test_threads_that_a_cell_waits_for(kernel, sandbox):
    """They can't wait for the kernel's loop, which the cell keeps from turning: they are told so, and what to write instead."""
    cell = kernel.run(f"""
        from concurrent.futures import ThreadPoolExecutor
        def make(_number):
            return {_CALL}.wait(timeout=0.5)
        with ThreadPoolExecutor() as pool:
            list(pool.map(make, range(2)))
    """)
    assert cell.error == "LoopStandsStillError"
    assert "nk.batch" in cell.content["evalue"]
    assert kernel.value(f"(await {_CALL}).status") == "completed"
    assert kernel.troubles() == ""


@on_the_newest
@pytest.mark.parametrize("waited", [False, True])
def test_a_forked_process_has_a_loop_of_its_own(start, sandbox, waited):
    """The kernel's does not run there, and nothing that it shares with the kernel is used: it gets its job."""
    kernel = start()
    before = len(sandbox.jobs)
    kernel.ok(f"{_CALL}.wait()" if waited else "pass")
    cell = kernel.run(f"""
        import multiprocessing
        def make(_number):
            return {_CALL}.wait(timeout=30)
        with multiprocessing.get_context("fork").Pool(1) as pool:
            pool.map(make, range(1))
    """)
    assert cell.error is None
    assert len(sandbox.jobs) - before == waited + 1
    # ipykernel says in many words that a forked process can't show its card.
    assert "completed" in kernel.run(f"print((await {_CALL}).status)").text


@on_the_newest
def test_a_thread_without_a_loop_can_wait(kernel, sandbox):
    """A worker thread blocks itself, not the kernel; a thread with a loop of its own awaits."""
    sandbox.next_duration(20.0, 20.0)
    cell = kernel.ok(f"""
        import asyncio, threading
        blocked, awaited, said = {_CALL}, {_CALL}, []
        def wait():
            said.append(str(blocked.wait().status))
        async def loop():
            said.append(str((await awaited).status))
            said.append(str((await {_CALL}).status))
        threads = [threading.Thread(target=wait), threading.Thread(target=lambda: asyncio.run(loop()))]
        [thread.start() for thread in threads]
        print(said)
    """)
    assert cell.text == "[]\n"
    kernel.until(lambda: kernel.value("len(said)") == "3")
    assert kernel.value("set(said)") == "{'completed'}"
    assert kernel.troubles() == ""
