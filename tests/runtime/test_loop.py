"""The job loop: which one it is, handed work from any thread, awaited and blocked on from anywhere."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import sys
import threading
import time

import pytest
from fake_kernel import kernel_application
from programs import run_program

from novakit_widgets.errors import LoopStandsStillError, NovaKitError
from novakit_widgets.runtime import loop as job_loop


def on_thread(work):
    """Run something on another thread; return its result or raise its exception."""
    box = {}

    def target():
        try:
            box["result"] = work()
        except BaseException as error:  # noqa: BLE001 # it is raised again, on the thread that asked
            box["error"] = error

    thread = threading.Thread(target=target)
    thread.start()
    thread.join(10.0)
    assert not thread.is_alive()
    if "error" in box:
        raise box["error"]
    return box["result"]


async def where():
    """Return the loop that this runs on."""
    await asyncio.sleep(0)
    return asyncio.get_running_loop()


# Which one it is


def test_get_in_a_script_is_the_loop_of_our_thread():
    """It starts once, runs, and is a daemon, so that it keeps no program from ending."""
    loop = job_loop.get()
    assert loop is job_loop.get() is on_thread(job_loop.get)
    assert loop.is_running()
    assert job_loop.is_ours()
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "novakit-jobs"]
    assert thread.daemon
    assert job_loop.running() is None
    assert not job_loop.here()


def test_get_in_a_running_loop_is_still_that_of_our_thread():
    """A program's own loop, and a second one after it, are the program's."""

    async def ask():
        return job_loop.get(), job_loop.running(), job_loop.here()

    for _ in range(2):
        loop, running, here = asyncio.run(ask())
        assert loop is job_loop.get()
        assert loop is not running
        assert not here


def test_use_names_the_loop_for_a_while():
    """Also on other threads; what was the job loop before is so again."""
    before = job_loop.get()

    async def main():
        loop = asyncio.get_running_loop()
        with job_loop.use(loop):
            assert job_loop.get() is loop is await asyncio.to_thread(job_loop.get)
            assert job_loop.here()
            assert not job_loop.is_ours()
        return job_loop.get()

    assert asyncio.run(main()) is before


def test_get_in_a_kernel_is_the_kernels_loop(monkeypatch):
    """On every thread, and also on one with a loop of its own, as ipykernel 7's subshells have."""

    async def main():
        loop = asyncio.get_running_loop()
        monkeypatch.setitem(sys.modules, "ipykernel.kernelapp", kernel_application(loop))
        assert job_loop.get() is loop

        async def subshell():
            return job_loop.get()

        assert await asyncio.to_thread(lambda: asyncio.run(subshell())) is loop
        assert not job_loop.is_ours()

    asyncio.run(main())


def test_get_in_a_process_forked_from_a_kernel_is_not_the_kernels_loop(monkeypatch):
    """The kernel's session tells the process that it belongs to."""

    async def main():
        loop = asyncio.get_running_loop()
        monkeypatch.setitem(sys.modules, "ipykernel.kernelapp", kernel_application(loop, pid=os.getpid() + 1))
        assert job_loop.get() is not loop

    asyncio.run(main())


def test_get_without_threads_is_the_running_loop(monkeypatch):
    """As in Pyodide, where no thread can start."""

    def refuse():
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(job_loop, "_thread", None)
    monkeypatch.setattr(job_loop, "LoopThread", refuse)

    async def main():
        assert job_loop.get() is asyncio.get_running_loop()
        assert await job_loop.run(where) is asyncio.get_running_loop()

    asyncio.run(main())
    with pytest.raises(NovaKitError, match="nothing was sent"):
        job_loop.get()
    monkeypatch.setattr(sys, "platform", "emscripten")
    asyncio.run(main())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on Windows")
def test_get_in_a_forked_child_is_a_loop_of_its_own():
    """The parent's says that it runs, and nobody turns it there."""
    ended = run_program("""
        import asyncio, multiprocessing, os
        from novakit_widgets.runtime import loop as job_loop

        async def pid():
            await asyncio.sleep(0)
            return os.getpid()

        def child(told):
            told.put((job_loop.run_blocking(pid) == os.getpid(), job_loop.get() is parent))

        parent = job_loop.get()
        assert job_loop.run_blocking(pid) == os.getpid()
        context = multiprocessing.get_context("fork")
        told = context.SimpleQueue()
        process = context.Process(target=child, args=(told,))
        process.start()
        print(told.get())
        process.join(20)
        print(process.exitcode)
    """)
    assert (ended.stdout.split("\n")[:2], ended.stderr) == (["(True, False)", "0"], "")


# Handing work over


async def test_hand_over_does_work_on_the_loop():
    """At once on its own thread; from another one as its next step, on its thread."""
    threads = []

    def work():
        threads.append(threading.current_thread())

    job_loop.hand_over(work)
    assert threads == [threading.main_thread()]
    await asyncio.to_thread(job_loop.hand_over, work)
    await asyncio.sleep(0)
    assert threads == [threading.main_thread()] * 2


def test_call_in_a_script_waits_until_it_is_done():
    """What a script asks for is done when the call returns, in the script's own context."""
    word = contextvars.ContextVar("word", default="")
    word.set("mine")
    seen = []
    job_loop.call(lambda: seen.append((threading.current_thread().name, word.get())))
    assert seen == [("novakit-jobs", "mine")]


def test_call_does_not_wait_for_a_loop_that_is_busy(monkeypatch):
    """Such as one that an observer keeps: a second at the most."""
    monkeypatch.setattr(job_loop, "_QUICK", 0.05)
    release = threading.Event()
    job_loop.hand_over(lambda: release.wait(10))
    job_loop.call(lambda: None)
    assert not release.is_set()
    release.set()


async def test_a_spawned_task_is_held(nothing_left):
    """The loop keeps weak references only; we keep strong ones until it is done."""
    done = asyncio.Event()
    task = job_loop.spawn(done.wait())
    assert task in job_loop._tasks
    done.set()
    assert await task is True
    await asyncio.sleep(0)
    assert task not in job_loop._tasks


# Awaiting


def test_run_on_any_loop_is_done_on_the_job_loop():
    """Results, exceptions and cancellations come through; the loop that waits has no task of ours."""
    ended = threading.Event()

    async def fails():
        raise ValueError("x")

    async def for_ever():
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def main():
        assert await job_loop.run(where) is job_loop.get()
        with pytest.raises(ValueError, match="x"):
            await job_loop.run(fails)
        with pytest.raises(asyncio.TimeoutError):  # in Python 3.10 not the built-in one
            await asyncio.wait_for(job_loop.run(for_ever), 0.05)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert ended.wait(5.0)


def test_run_for_a_loop_that_was_closed_meanwhile_is_silent(caplog):
    """Nobody is told, and nothing is logged."""
    go_on, loop = threading.Event(), asyncio.new_event_loop()

    async def work():
        while not go_on.is_set():
            await asyncio.sleep(0.001)

    waiting = loop.create_task(job_loop.run(work))
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    go_on.set()
    job_loop.run_blocking(lambda: asyncio.sleep(0.05))
    assert not caplog.records
    waiting._log_destroy_pending = False
    waiting.get_coro().close()


def test_await_without_asyncio_says_what_to_write():
    """As under trio, which drives a coroutine by itself."""
    waiting = job_loop.run(where)
    with pytest.raises(NovaKitError, match=r"needs asyncio.*trio\.to_thread\.run_sync"):
        waiting.send(None)


async def test_hops_makes_a_method_awaitable_on_any_loop():
    """Its name and its docstring stay."""

    class Thing:
        @job_loop.hops
        async def ask(self, word, *, loud=False):
            """Answer."""
            return word, loud, asyncio.get_running_loop()

    loop = asyncio.get_running_loop()
    assert Thing.ask.__doc__ == "Answer."
    assert await Thing().ask("a", loud=True) == ("a", True, loop)
    assert await asyncio.to_thread(lambda: asyncio.run(Thing().ask("b"))) == ("b", False, loop)


# Blocking


def test_run_blocking_in_a_script():
    """The result and the exception come out; the work is done on the job loop."""

    async def fails():
        raise ValueError("x")

    async def cancelled():
        raise asyncio.CancelledError

    assert job_loop.run_blocking(where) is job_loop.get()
    with pytest.raises(ValueError, match="x"):
        job_loop.run_blocking(fails)
    with pytest.raises(asyncio.CancelledError):
        job_loop.run_blocking(cancelled)


async def test_run_blocking_on_another_thread_uses_the_job_loop():
    """A thread, with or without a loop of its own, blocks itself only."""
    loop = asyncio.get_running_loop()

    async def with_a_loop():
        return job_loop.run_blocking(where)

    assert await asyncio.to_thread(job_loop.run_blocking, where) is loop
    assert await asyncio.to_thread(lambda: asyncio.run(with_a_loop())) is loop


def test_run_blocking_on_a_programs_own_loop_blocks_that():
    """The jobs go on meanwhile, on ours."""

    async def main():
        return job_loop.run_blocking(where), asyncio.get_running_loop()

    done_on, own = asyncio.run(main())
    assert done_on is job_loop.get()
    assert done_on is not own


def test_run_blocking_on_the_job_loop_is_refused_at_once():
    """It would wait for itself, as in an observer."""

    async def observer():
        began = time.monotonic()
        with pytest.raises(LoopStandsStillError, match="'await'"):
            job_loop.run_blocking(where)
        return time.monotonic() - began

    assert job_loop.run_blocking(observer) < 1.0


async def test_run_blocking_gives_up_on_a_loop_that_stands_still(monkeypatch):
    """As when a cell waits for its threads: they are told, and what they wanted is not done."""
    monkeypatch.setattr(job_loop, "_STALLED", 0.05)
    monkeypatch.setattr(job_loop, "_LOOK", 0.01)
    begun = []

    async def work():
        begun.append(1)

    def block():
        with pytest.raises(LoopStandsStillError, match=r"stood still for 0\.05 s"):
            job_loop.run_blocking(work, timeout=0.05)

    on_thread(block)  # and nobody turns this loop meanwhile
    await asyncio.sleep(0.05)
    assert not begun


def test_interrupting_a_script_ends_what_it_waits_for():
    """With KeyboardInterrupt, after the coroutine has tidied up."""
    begun, tidied = threading.Event(), threading.Event()

    async def for_ever():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            tidied.set()

    def interrupt():
        begun.wait(10)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        job_loop.run_blocking(for_ever)
    thread.join()
    assert tidied.is_set()
