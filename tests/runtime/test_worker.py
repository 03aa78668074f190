"""One thread for what waits for the disk: in order, off the loop, done even if nobody waits any longer."""

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
import time
import weakref

import pytest

from novakit_widgets.job_history.jobs import JobHistory
from novakit_widgets.model.job import Job, JobStatus
from novakit_widgets.runtime.worker import DiskThread

PATIENCE = 10.0  # seconds


def until(is_so):
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.005)


async def test_all_work_is_done_on_one_other_thread_in_the_order_it_was_asked_for():
    """However much is asked for at once."""
    thread, done = DiskThread("a-disk"), []

    def work(number):
        done.append(number)
        return threading.current_thread()

    threads = await asyncio.gather(*(thread.run(lambda number=number: work(number)) for number in range(50)))
    assert done == list(range(50))
    assert len(set(threads)) == 1
    assert threads[0] is not threading.current_thread()
    assert threads[0].name.startswith("a-disk")


async def test_the_loop_runs_on_while_the_disk_is_slow():
    """What waits is the task, not the loop."""
    thread, release = DiskThread("a-disk"), threading.Event()
    waiting = asyncio.ensure_future(thread.run(lambda: release.wait(PATIENCE)))
    await asyncio.sleep(0)
    release.set()
    assert await waiting is True


async def test_an_error_reaches_whoever_waits():
    """As it would from a call."""
    with pytest.raises(ZeroDivisionError):
        await DiskThread("a-disk").run(lambda: 1 / 0)


async def test_what_was_asked_for_is_done_though_the_waiting_was_given_up():
    """A cancelled task does not take back a row that still stands in line."""
    thread, release, done = DiskThread("a-disk"), threading.Event(), []
    first = asyncio.ensure_future(thread.run(lambda: release.wait(PATIENCE)))
    second = asyncio.ensure_future(thread.run(lambda: done.append("written")))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    release.set()
    await first
    await thread.run(lambda: None)
    assert done == ["written"]


def test_work_outlives_the_loop_that_asked_for_it():
    """Nothing is lost, and nothing complains, when the loop is closed in between."""
    thread, release, done = DiskThread("a-disk"), threading.Event(), []

    def work():
        release.wait(PATIENCE)
        done.append("written")

    async def ask():
        task = asyncio.ensure_future(thread.run(work))
        await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(ask())
    release.set()
    until(lambda: done)
    assert asyncio.run(thread.run(lambda: list(done))) == ["written"]  # another loop's turn


def test_the_thread_ends_with_its_object():
    """A history that nobody holds any longer leaves no thread behind."""
    thread = DiskThread("a-disk")
    running = weakref.ref(asyncio.run(thread.run(threading.current_thread)))
    assert running() is not None
    del thread
    until(lambda: running() is None or not running().is_alive())


def test_a_process_ends_after_what_was_asked_for_is_done():
    """Also when the script itself is long over."""
    script = """
        import asyncio, time
        from novakit_widgets.runtime.worker import DiskThread
        thread = DiskThread("a-disk")

        async def ask():
            asyncio.ensure_future(thread.run(lambda: (time.sleep(0.3), print("written"))))
            await asyncio.sleep(0.01)

        asyncio.run(ask())
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.stdout.strip(), ran.stderr) == ("written", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_gets_a_thread_of_its_own():
    """It has the object, but not the thread: waiting for that one would be for ever."""
    script = """
        import asyncio, os, warnings
        from novakit_widgets.runtime.worker import DiskThread
        thread = DiskThread("a-disk")
        asyncio.run(thread.run(lambda: None))
        warnings.simplefilter("ignore")  # of forking beside threads
        child = os.fork()
        if child == 0:
            asyncio.run(asyncio.wait_for(thread.run(lambda: None), 10))
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.stdout.strip() == "7", ran.stderr


async def test_a_history_has_one_thread_however_many_jobs_write_to_it(tmp_path):
    """Each thread would keep memory of its own."""
    history = JobHistory(tmp_path / "history.sqlite3")
    jobs = [Job(f"job_{number}", JobStatus.PENDING) for number in range(40)]

    def note(job):
        history.update(job, base_url="https://x.example")
        return threading.current_thread()

    assert len(set(await asyncio.gather(*(history.off_loop(note, job) for job in jobs)))) == 1
    assert len(await history.off_loop(history.entries, limit=100)) == 40


async def test_a_history_that_is_off_needs_no_thread():
    """There is nothing to wait for."""
    history = JobHistory(None)
    assert await history.off_loop(threading.current_thread) is threading.current_thread()
