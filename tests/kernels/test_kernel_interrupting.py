"""Interrupting the kernel ends the waiting, and only the waiting."""

from __future__ import annotations

import pytest
from generations import on_both_ends

_CALL = 'nk.image("A lighthouse", size="512x512")'
FOREVER = 1_000_000.0
_MARK = "print('waiting', flush=True)"


def interrupted(kernel, code, seconds=0.3):
    """Run a cell that says when it waits, interrupt it a little later, and return it."""
    cell = kernel.send(code)
    kernel.until(lambda: "waiting" in cell.text)
    kernel.listen(seconds)
    kernel.interrupt()
    kernel.finish(cell)
    return cell


@pytest.mark.parametrize("wait", ["widget.wait()", "await widget"])
def test_an_interrupt_ends_the_waiting_only(kernel, sandbox, wait):
    """The cell ends at once; the job, the card and the kernel go on, and waiting again works."""
    sandbox.next_duration(400.0)  # as slow as a bar may be that is to move
    shown = kernel.ok(f"widget = {_CALL}; widget")
    card = kernel.card(shown)
    kernel.job_id("widget")
    cell = interrupted(kernel, f"{_MARK}; {wait}")
    assert cell.error in ({"KeyboardInterrupt"} if "wait()" in wait else {"CancelledError", "KeyboardInterrupt"})
    before = len(card.bar.changes)
    assert kernel.value("widget.job.ended, widget.error").split() == ["False", "None"]
    kernel.until(lambda: len(card.bar.changes) > before + 1, what="the bar moves on")
    cell = interrupted(kernel, f"{_MARK}; {wait}", 0.1)
    assert cell.status == "error"
    sandbox.finish()
    assert kernel.value("widget.wait().status") == "completed"
    card.says("Done")
    assert sandbox.jobs[kernel.value("widget.job_id")].status == "completed"
    assert kernel.troubles() == ""


def test_an_interrupt_of_one_cell_lets_the_next_wait(kernel, sandbox):
    """Cells that are queued behind an interrupted wait run, and may wait for the same job."""
    sandbox.next_duration(FOREVER)
    kernel.ok(f"widget = {_CALL}")
    kernel.job_id("widget")
    first = kernel.send(f"{_MARK}; widget.wait()")
    second = kernel.send("print(widget.wait().status)")
    third = kernel.send("print((await widget).status)")
    kernel.until(lambda: "waiting" in first.text)
    kernel.listen(0.2)
    kernel.interrupt()
    kernel.finish(first)
    sandbox.finish()
    kernel.finish(second, third)
    assert first.error == "KeyboardInterrupt"
    # ipykernel may abort what is queued behind an error; what is sent again then runs.
    assert {cell.status for cell in (second, third)} <= {"ok", "aborted"}
    again = [kernel.run(cell.code) if cell.status == "aborted" else cell for cell in (second, third)]
    assert [cell.text.strip() for cell in again] == ["completed", "completed"]
    assert kernel.troubles() == ""


def test_an_interrupt_spares_busy_background_tasks(kernel, sandbox):
    """SIGINT lands in whatever Python code runs; while we wait, it never ends a task that computes."""
    sandbox.next_duration(FOREVER)
    kernel.ok(f"""
        import asyncio, time
        widget = {_CALL}
        async def compute():
            while True:
                end = time.perf_counter() + 0.02
                while time.perf_counter() < end:
                    pass
                await asyncio.sleep(0)
        busy = asyncio.create_task(compute())
    """)
    kernel.job_id("widget")
    for _ in range(8):
        cell = interrupted(kernel, f"{_MARK}; widget.wait()", 0.1)
        assert cell.error == "KeyboardInterrupt"
        assert kernel.value("busy.done(), widget.error") == "False None"
    kernel.ok("busy.cancel(); widget.cancel()")
    cell = kernel.run("widget.wait()")
    assert cell.error == "JobCancelledError"
    assert kernel.troubles() == ""


@on_both_ends
def test_an_interrupt_while_idle_does_nothing(kernel, sandbox):
    """A job in the background, and its card, do not notice."""
    sandbox.next_duration(FOREVER)
    card = kernel.card(kernel.ok(f"widget = {_CALL}; widget"))
    kernel.job_id("widget")
    kernel.listen(0.3)
    kernel.interrupt()
    kernel.listen(0.1)
    kernel.interrupt()
    sandbox.finish()
    card.says("Done")
    assert kernel.value("widget.wait().status") == "completed"


@on_both_ends
def test_sigint_is_the_kernels_own_again(kernel, sandbox):
    """After a wait, interrupted or not, SIGINT ends a cell that merely sleeps."""
    sandbox.next_duration(10.0)
    kernel.ok(f"{_CALL}.wait()")
    cell = interrupted(kernel, f"{_MARK}; import time; time.sleep(30)", 0.1)
    assert cell.error == "KeyboardInterrupt"
