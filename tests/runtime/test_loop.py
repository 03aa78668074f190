"""The kernel's loop: found from any thread, handed work from any thread, blocked on without losing anything."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
import threading
from types import SimpleNamespace

import pytest

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


def test_in_a_plain_script_there_is_no_loop():
    """Nothing runs, so there is neither a current loop nor a home."""
    assert job_loop.current() is None
    assert job_loop.home() is None


async def test_the_home_is_the_main_threads_loop_on_every_thread():
    """A thread that has a loop of its own is sent to the main thread's."""
    loop = asyncio.get_running_loop()
    assert job_loop.home() is loop

    async def ask():
        return job_loop.home(), job_loop.current()

    home, current = await asyncio.to_thread(lambda: asyncio.run(ask()))
    assert home is loop
    assert current is not loop
    assert await asyncio.to_thread(job_loop.home) is loop


def test_a_loop_that_has_ended_is_no_home():
    """After asyncio.run has ended nobody is sent to its loop."""

    async def ask():
        return job_loop.home()

    first = asyncio.run(ask())
    assert job_loop.home() is None
    assert asyncio.run(ask()) is not first
    assert on_thread(lambda: asyncio.run(ask())) is not None


async def test_the_kernel_is_asked_when_nobody_else_knows(monkeypatch):
    """A callback on another thread, before any cell: ipykernel has the loop."""
    loop = asyncio.get_running_loop()
    shell = SimpleNamespace(io_loop=SimpleNamespace(asyncio_loop=loop))
    app = SimpleNamespace(initialized=lambda: True, instance=lambda: shell)
    monkeypatch.setitem(sys.modules, "ipykernel.kernelapp", SimpleNamespace(IPKernelApp=app))
    assert await asyncio.to_thread(job_loop.home) is loop
    monkeypatch.setattr(job_loop, "_home", None)
    shell.io_loop = None
    assert await asyncio.to_thread(job_loop.home) is None
    app.initialized = lambda: False
    assert await asyncio.to_thread(job_loop.home) is None


async def test_work_is_handed_to_a_loop():
    """At once on its own thread; from another one as its next step, on its thread."""
    loop, where = asyncio.get_running_loop(), []

    def work():
        where.append(threading.current_thread())

    job_loop.hand_over(loop, work)
    assert where == [threading.main_thread()]
    await asyncio.to_thread(job_loop.hand_over, loop, work)
    await asyncio.sleep(0)
    assert where == [threading.main_thread()] * 2


async def test_a_spawned_task_is_held(nothing_left):
    """The loop keeps weak references only; we keep strong ones until it is done."""
    done = asyncio.Event()
    task = job_loop.spawn(done.wait())
    assert task in job_loop._tasks
    done.set()
    assert await task is True
    await asyncio.sleep(0)
    assert task not in job_loop._tasks


def test_blocking_in_a_plain_script():
    """Without a loop one is made, and left with a farewell whether it went well or not."""
    said = []

    async def farewell():
        said.append(asyncio.get_running_loop())

    async def work(fails):
        if fails:
            raise ValueError("x")
        return 7

    assert job_loop.run_blocking(work(fails=False)) == 7
    assert job_loop.run_blocking(work(fails=False), farewell=farewell) == 7
    with pytest.raises(ValueError, match="x"):
        job_loop.run_blocking(work(fails=True), farewell=farewell)
    assert len(said) == 2


def test_a_cancellation_in_a_plain_script_is_no_interrupt():
    """What cancels itself comes out as that."""

    async def cancelled():
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        job_loop.run_blocking(cancelled())


async def test_blocking_on_another_thread_uses_the_home():
    """A thread, with or without a loop of its own, blocks itself and not the kernel."""
    loop = asyncio.get_running_loop()
    assert job_loop.home() is loop

    async def where():
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    async def with_a_loop():
        return job_loop.run_blocking(where())

    assert await asyncio.to_thread(lambda: job_loop.run_blocking(where())) is loop
    assert await asyncio.to_thread(lambda: asyncio.run(with_a_loop())) is loop


def run_script(source):
    """Run a program of its own, since nest-asyncio2 changes asyncio for the whole process."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(source)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()


def test_blocking_in_a_cell():
    """In a running loop it runs nested, other tasks go on meanwhile, and the loop survives it."""
    told = run_script("""
        import asyncio, sys
        from novakit_widgets.runtime import loop as job_loop

        async def work():
            await asyncio.sleep(0.05)
            return 7

        async def fails():
            raise ValueError("x")

        async def cell():
            ticks = []
            async def tick():
                while True:
                    ticks.append(1)
                    await asyncio.sleep(0.01)
            ticking = asyncio.create_task(tick())
            assert "nest_asyncio2" not in sys.modules
            print(job_loop.run_blocking(work()))
            assert "nest_asyncio2" in sys.modules
            try:
                job_loop.run_blocking(fails())
            except ValueError:
                print("raised")
            assert len(ticks) > 2
            ticking.cancel()

        asyncio.run(cell())
    """)
    assert told == ["7", "raised"]


def test_interrupting_a_cell_ends_the_waiting_only():
    """SIGINT ends the nested run with KeyboardInterrupt, the other tasks go on, and the handler is put back."""
    told = run_script("""
        import asyncio, os, signal
        from novakit_widgets.runtime import loop as job_loop

        async def cell():
            before = signal.getsignal(signal.SIGINT)
            going_on = asyncio.Event()
            other = asyncio.create_task(going_on.wait())

            async def wait_for_ever():
                asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)
                await asyncio.Event().wait()
            try:
                job_loop.run_blocking(wait_for_ever())
            except KeyboardInterrupt:
                print("interrupted")
            assert signal.getsignal(signal.SIGINT) is before
            going_on.set()
            if await other:
                print("survived")

            async def cancelled():
                raise asyncio.CancelledError
            try:
                job_loop.run_blocking(cancelled())
            except asyncio.CancelledError:
                print("cancelled")

        asyncio.run(cell())
    """)
    assert told == ["interrupted", "survived", "cancelled"]


@pytest.fixture
def unpatched(monkeypatch):
    """Nested runs without nest-asyncio2, whose changes to asyncio this process would keep."""
    applied = []
    monkeypatch.setattr("nest_asyncio2.apply", applied.append)
    return applied


def test_a_nested_run_has_a_result_an_error_or_an_interrupt(unpatched):
    """nest-asyncio2 is applied to that loop; a result and an exception come out; SIGINT is a KeyboardInterrupt."""
    loop = asyncio.new_event_loop()

    async def fails(error):
        raise error

    assert job_loop._run_nested(loop, asyncio.sleep(0, 7)) == 7
    assert unpatched == [loop]
    with pytest.raises(ValueError, match="x"):
        job_loop._run_nested(loop, fails(ValueError("x")))
    with pytest.raises(asyncio.CancelledError):
        job_loop._run_nested(loop, fails(asyncio.CancelledError()))
    loop.call_soon(signal.raise_signal, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        job_loop._run_nested(loop, asyncio.sleep(60))
    loop.close()


async def test_in_the_kernels_own_loop_the_run_is_nested(monkeypatch):
    """Only there: everywhere else nobody's asyncio is changed."""
    nested = []

    def run_nested(loop, coroutine):
        nested.append(loop)
        coroutine.close()
        return 7

    monkeypatch.setattr(job_loop, "_run_nested", run_nested)
    assert job_loop.run_blocking(asyncio.sleep(0)) == 7
    assert nested == [asyncio.get_running_loop()]


def test_the_old_nest_asyncio_is_warned_of(monkeypatch):
    """Where it is in place already, a wait says what may happen and what to write instead."""
    monkeypatch.setattr(asyncio, "_nest_patched", True, raising=False)
    with pytest.warns(RuntimeWarning, match="await job"):
        job_loop._warn_of_the_old_one()
    monkeypatch.setattr(asyncio, "_nest_asyncio2", True, raising=False)
    job_loop._warn_of_the_old_one()


async def test_an_interrupt_is_handed_to_the_task_that_waits():
    """The handler ends that task and nothing else; off the main thread, where there are no signals, it stays away."""
    task = asyncio.ensure_future(asyncio.sleep(60))
    loop = asyncio.get_running_loop()
    with job_loop._interrupt_ends(task, loop) as interrupted:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(asyncio.CancelledError):
            await task
    assert interrupted.is_set()

    def elsewhere():
        with job_loop._interrupt_ends(task, loop) as interrupted:
            return interrupted.is_set()

    assert await asyncio.to_thread(elsewhere) is False


async def test_a_nested_run_leaves_the_outer_step_what_it_counted():
    """Handles that a nested run took are filled up, so that the outer one does not run dry."""
    loop = asyncio.get_running_loop()
    for _ in range(3):
        loop.call_soon(lambda: None)
    counted = len(loop._ready)
    with job_loop._ready_kept(loop):
        for _ in range(2):
            loop._ready.pop()
    assert len(loop._ready) == counted
    await asyncio.sleep(0)
    with job_loop._ready_kept(SimpleNamespace()):
        pass
