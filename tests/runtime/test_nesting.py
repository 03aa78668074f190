"""Blocking in a cell: nested in the kernel's loop, interrupted alone, and the loop survives it."""

from __future__ import annotations

import asyncio
import signal
import textwrap
from types import SimpleNamespace

import pytest
from programs import run_program

from novakit_widgets.errors import LoopStandsStillError
from novakit_widgets.runtime import nesting


def run_script(source):
    """Run a program of its own, since nest-asyncio2 changes asyncio for the whole process."""
    ended = run_program(source)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()


def test_blocking_in_a_cell():
    """In a running loop it runs nested, other tasks go on meanwhile, and the loop survives it."""
    told = run_script("""
        import asyncio, sys
        from fake_kernel import become_a_kernel
        from novakit_widgets.runtime import loop as job_loop

        async def work():
            await asyncio.sleep(0.05)
            return 7

        async def fails():
            raise ValueError("x")

        async def cell():
            become_a_kernel()
            ticks = []
            async def tick():
                while True:
                    ticks.append(1)
                    await asyncio.sleep(0.01)
            ticking = asyncio.create_task(tick())
            assert "nest_asyncio2" not in sys.modules
            print(job_loop.run_blocking(work))
            assert "nest_asyncio2" in sys.modules
            try:
                job_loop.run_blocking(fails)
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
        from fake_kernel import become_a_kernel
        from novakit_widgets.runtime import loop as job_loop

        async def cell():
            become_a_kernel()
            before = signal.getsignal(signal.SIGINT)
            going_on = asyncio.Event()
            other = asyncio.create_task(going_on.wait())

            async def wait_for_ever():
                asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)
                await asyncio.Event().wait()
            try:
                job_loop.run_blocking(wait_for_ever)
            except KeyboardInterrupt:
                print("interrupted")
            assert signal.getsignal(signal.SIGINT) is before
            going_on.set()
            if await other:
                print("survived")

            async def cancelled():
                raise asyncio.CancelledError
            try:
                job_loop.run_blocking(cancelled)
            except asyncio.CancelledError:
                print("cancelled")

        asyncio.run(cell())
    """)
    assert told == ["interrupted", "survived", "cancelled"]


def test_blocking_where_the_loop_cannot_be_nested_says_await():
    """As with uvloop as a kernel's loop: an error at once, that says what becomes of a job, and nothing is begun."""
    pytest.importorskip("uvloop")
    told = run_script("""
        import uvloop
        from fake_kernel import become_a_kernel
        from novakit_widgets.errors import LoopStandsStillError
        from novakit_widgets.runtime import loop as job_loop

        async def work():
            return 7

        async def cell():
            become_a_kernel()
            try:
                job_loop.run_blocking(work)
            except LoopStandsStillError as error:
                print("await" in str(error), "goes on" in str(error), await job_loop.run(work))

        uvloop.run(cell())
    """)
    assert told == ["True", "True", "7"]


@pytest.mark.parametrize("first", ["policy", "wait"])
def test_wait_in_a_kernel_leaves_asyncio_of_other_threads(first):
    """With uvloop's policy, set before or after the first wait: threads run loops of that kind, and the kernel's is nested."""
    pytest.importorskip("uvloop")
    told = run_script(f"""
        import asyncio, threading
        import uvloop
        from fake_kernel import become_a_kernel
        from novakit_widgets.runtime import loop as job_loop

        async def work():
            return type(asyncio.get_running_loop()).__module__

        async def several():
            return await asyncio.gather(work(), asyncio.wait_for(work(), 9), asyncio.to_thread(lambda: "thread"))

        def of_its_own():
            loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
            try:
                return asyncio.get_event_loop_policy().get_event_loop() is loop, loop.run_until_complete(work())
            finally:
                loop.close()

        def without_one():
            try:
                return asyncio.get_event_loop_policy().get_event_loop()
            except RuntimeError:
                return "none"

        def elsewhere(work):
            seen = []
            thread = threading.Thread(target=lambda: seen.append(work()))
            thread.start()
            thread.join()
            return seen[0]

        async def cell():
            become_a_kernel()
            for step in {("policy", "wait") if first == "policy" else ("wait", "policy", "wait")!r}:
                if step == "wait":
                    print(job_loop.run_blocking(work))
                else:
                    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
            print(elsewhere(lambda: asyncio.run(work())), *elsewhere(lambda: asyncio.run(several())))
            print(elsewhere(lambda: uvloop.run(work())), *elsewhere(of_its_own), elsewhere(without_one))
            print(asyncio.run(work()))  # nested, as nest-asyncio2 promises
            print(job_loop.run_blocking(work))

        loop = asyncio.SelectorEventLoop()
        loop.run_until_complete(cell())
        loop.close()
    """)
    kernels = "asyncio.unix_events"
    waits = [kernels] * (1 if first == "policy" else 2)
    threads = ["uvloop", "uvloop", "uvloop", "thread", "uvloop", "True", "uvloop", "none"]
    assert told == [*waits, *threads, kernels, kernels]


def test_blocking_in_a_startup_file_runs_the_loop_that_the_kernel_will_take():
    """The kernel's application is there, and its loop does not run yet."""
    told = run_script("""
        import asyncio
        import sys
        from fake_kernel import kernel_application
        from novakit_widgets.runtime import loop as job_loop

        loop = asyncio.new_event_loop()
        sys.modules["ipykernel.kernelapp"] = kernel_application(loop)

        async def work():
            return asyncio.get_running_loop() is loop

        print(job_loop.run_blocking(work))
        loop.close()
    """)
    assert told == ["True"]


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

    assert nesting.run_nested(loop, lambda: asyncio.sleep(0, 7)) == 7
    assert unpatched == [loop]
    with pytest.raises(ValueError, match="x"):
        nesting.run_nested(loop, lambda: fails(ValueError("x")))
    with pytest.raises(asyncio.CancelledError):
        nesting.run_nested(loop, lambda: fails(asyncio.CancelledError()))
    loop.call_soon(signal.raise_signal, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        nesting.run_nested(loop, lambda: asyncio.sleep(60))
    loop.close()


def test_a_loop_of_another_kind_is_refused(monkeypatch):
    """With words of ours, before a coroutine is made."""

    def refuse(_loop):
        raise ValueError("Can't patch loop of type <class 'uvloop.Loop'>")

    monkeypatch.setattr("nest_asyncio2.apply", refuse)
    with pytest.raises(LoopStandsStillError, match="SimpleNamespace"):
        nesting.run_nested(SimpleNamespace(), lambda: pytest.fail("nothing is begun"))


def test_the_old_nest_asyncio_is_warned_of(monkeypatch):
    """Where it is in place already, a wait says what may happen and what to write instead."""
    monkeypatch.setattr(asyncio, "_nest_patched", True, raising=False)
    with pytest.warns(RuntimeWarning, match="await job"):
        nesting._warn_of_the_old_one()
    monkeypatch.setattr(asyncio, "_nest_asyncio2", True, raising=False)
    nesting._warn_of_the_old_one()


async def test_an_interrupt_is_handed_to_the_task_that_waits():
    """The handler ends that task and nothing else; off the main thread, where there are no signals, it stays away."""
    task = asyncio.ensure_future(asyncio.sleep(60))
    loop = asyncio.get_running_loop()
    with nesting._interrupt_ends(task, loop) as raised:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [type(error) for error in raised] == [KeyboardInterrupt]

    def elsewhere():
        with nesting._interrupt_ends(task, loop) as raised:
            return raised

    assert await asyncio.to_thread(elsewhere) == []


async def test_a_nested_run_leaves_the_outer_step_what_it_counted():
    """Handles that a nested run took are filled up, so that the outer one does not run dry."""
    loop = asyncio.get_running_loop()
    for _ in range(3):
        loop.call_soon(lambda: None)
    counted = len(loop._ready)
    with nesting._ready_kept(loop):
        for _ in range(2):
            loop._ready.pop()
    assert len(loop._ready) == counted
    await asyncio.sleep(0)
    with nesting._ready_kept(SimpleNamespace()):
        pass


# The first nested run of a loop happens in a step of the loop's own, which nest-asyncio2 has not changed yet.
# One handle of a step runs nested, and others stand behind it in the same step.
_SCRIPT = """
    import asyncio, contextlib
    from fake_kernel import become_a_kernel
    from novakit_widgets.runtime import nesting
    from novakit_widgets.runtime import loop as job_loop

    {before}

    async def kernel():
        become_a_kernel()
        loop = asyncio.get_running_loop()
        ran, results = [], []

        def cell(number):
            results.append(job_loop.run_blocking(lambda: asyncio.sleep(0.01, number)))

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
    """Run a loop with other work behind each nested run."""
    return run_program(textwrap.dedent(_SCRIPT).format(cells=cells, others=others, before=before))


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
    ended = told_by(1, 50, before="nesting._ready_kept = lambda loop: contextlib.nullcontext()")
    assert ended.returncode != 0
    assert "pop from an empty deque" in ended.stderr
