"""Programs of every kind: asyncio, IPython's terminal, threads, uvloop and forked processes, with warnings as errors."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest
from programs import run_program

from novakit_widgets.sandbox import Fault


@pytest.fixture
def environment(sandbox, tmp_path):
    """What a program needs to speak to the sandbox."""
    return {
        "NOVAKIT_API_KEY": sandbox.api_key,
        "NOVAKIT_BASE_URL": sandbox.base_url,
        "NOVAKIT_LIMITS": "off",
        "NOVAKIT_HISTORY": str(tmp_path / "history.sqlite3"),
    }


@pytest.fixture
def run(environment):
    """Run a program; return the lines that it printed. It must end well, with nothing on stderr."""

    def run(source, *arguments):
        ended = run_program(source, *arguments, environment=environment)
        assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
        return ended.stdout.splitlines()

    return run


# asyncio


def test_asyncio_run_saves_the_files_and_leaves_no_task(run, sandbox, tmp_path):
    """One card, a batch and three in a gather: with save_to, the files are there when `await` returns."""
    sandbox.inject(Fault.delay(0.2), path="/media/*", times=None)  # so that nothing is there by chance
    folder = tmp_path / "saved"
    told = run(
        """
        import asyncio, os, sys
        import novakit_widgets as nk

        nk.configure(save_to=sys.argv[1])

        def told(jobs):
            left = asyncio.all_tasks() - {asyncio.current_task()}
            names = os.listdir(sys.argv[1])
            unfinished = [name for name in names if name.endswith(".part")]
            print(*(job.status for job in jobs), len(names), len(unfinished), len(left))

        async def main():
            told([await nk.image("A boat")])
            told(await nk.batch("image", ["A gull", "A pier"]))
            told(await asyncio.gather(*(nk.image(f"A lighthouse, {number}") for number in range(3))))

        asyncio.run(main())
        """,
        folder,
    )
    assert told == [
        "completed 1 0 0",
        "completed completed 3 0 0",
        "completed completed completed 6 0 0",
    ]
    files = [file.name for file in folder.iterdir()]
    assert len(files) == 6
    assert not [name for name in files if name.startswith(".") or name.endswith(".part")], files


def test_asyncio_run_twice_awaits_a_card_of_the_first_run(run, sandbox):
    """A job outlives the loop of the run that has submitted it, and the second run has one of its own."""
    sandbox.next_duration(1000.0)  # a second
    before = len(sandbox.jobs)
    told = run("""
        import asyncio
        import novakit_widgets as nk

        async def submit():
            card = nk.image("A boat")
            await asyncio.sleep(0.2)
            print(card.status, len(asyncio.all_tasks()))
            return card

        async def wait(card):
            print((await card).status, (await nk.image("A gull")).status, len(asyncio.all_tasks()))

        asyncio.run(wait(asyncio.run(submit())))
    """)
    assert told[0].endswith(" 1")
    assert not told[0].startswith("completed")
    assert told[1] == "completed completed 1"
    assert len(sandbox.jobs) - before == 2


def test_as_completed_of_a_board_yields_before_the_last_has_ended(run, sandbox):
    """On a program's own loop; one that is left early leaves no task."""
    sandbox.next_duration(100.0, 100.0, 1500.0)
    told = run("""
        import asyncio
        import novakit_widgets as nk

        async def main():
            board = nk.batch("image", ["A boat", "A gull", "A pier"])
            seen = []
            async for job in board.as_completed():
                seen.append(job.id)
                print(job.status, sum(each is not None and each.ended for each in board) < 3)
            print(len(set(seen)), len(asyncio.all_tasks()))
            jobs = board.as_completed()
            await jobs.__anext__()
            await jobs.aclose()
            print(len(asyncio.all_tasks()))

        asyncio.run(main())
    """)
    assert told == ["completed True", "completed True", "completed False", "3 1", "1"]


def test_asyncio_functions_take_a_card(run, sandbox):
    """ensure_future, wait_for and as_completed do; a time-out of theirs leaves the job alone."""
    before = len(sandbox.jobs)
    told = run("""
        import asyncio
        import novakit_widgets as nk

        async def main():
            print((await asyncio.ensure_future(nk.image("A boat"))).status)
            print((await asyncio.wait_for(nk.image("A gull"), 20)).status)
            cards = [nk.image(f"A pier, {number}") for number in range(3)]
            print(*[(await each).status for each in asyncio.as_completed(cards)])
            card = nk.video("fail please")
            outcomes = await asyncio.gather(card, nk.image("A lighthouse"), return_exceptions=True)
            print(*(type(outcome).__name__ for outcome in outcomes))
            print(len(asyncio.all_tasks()))

        asyncio.run(main())
    """)
    assert told == ["completed", "completed", "completed completed completed", "JobFailedError Job", "1"]
    assert len(sandbox.jobs) - before == 7


def test_wait_for_that_times_out_leaves_the_job_alone(run, sandbox):
    """The card can be awaited again."""
    sandbox.next_duration(1500.0)
    told = run("""
        import asyncio
        import novakit_widgets as nk

        async def main():
            card = nk.image("A boat")
            try:
                await asyncio.wait_for(card, 0.3)
            except asyncio.TimeoutError:
                print(card.error, len(asyncio.all_tasks()))
            print((await card).status, len(asyncio.all_tasks()))

        asyncio.run(main())
    """)
    assert told == ["None 1", "completed 1"]


def test_create_task_of_a_card_names_ensure_future(run, sandbox):
    """It takes coroutines only: its own TypeError shows what to write, and the job goes on."""
    before = len(sandbox.jobs)
    told = run("""
        import asyncio
        import novakit_widgets as nk

        async def main():
            card = nk.image("A boat")
            try:
                asyncio.create_task(card)
            except TypeError as error:
                print("asyncio.ensure_future" in str(error))
            print((await card).status)

        asyncio.run(main())
    """)
    assert told == ["True", "completed"]
    assert len(sandbox.jobs) - before == 1


# IPython's terminal


def test_ipython_terminal_awaits_and_waits(environment, tmp_path):
    """Top-level await, wait(), a gather, a batch, and a card as the last line, which shows its repr."""
    lines = """
        import asyncio, novakit_widgets as nk
        print("awaited", (await nk.image("A boat")).status)
        print("waited", nk.image("A gull").wait(20).status)
        print("gathered", *[job.status for job in await asyncio.gather(nk.image("A pier"), nk.image("A buoy"))])
        print("batch", len(await nk.batch("image", ["A sail", "A mast"])))
        card = nk.image("A lighthouse")
        card
        async def left(): return (await card).status, len(asyncio.all_tasks())

        print("left", *await left())
    """
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-m", "IPython", "--simple-prompt", "--no-banner", "--no-confirm-exit"],
        input=textwrap.dedent(lines).lstrip(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment, "IPYTHONDIR": str(tmp_path / "ipython"), "COVERAGE_PROCESS_START": ""},
    )
    shown = [line.split(": ", 1)[-1] for line in ended.stdout.splitlines() if line.startswith("In [")]
    said = [line for line in shown if line]
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    assert said[:4] == ["awaited completed", "waited completed", "gathered completed completed", "batch 2"]
    assert "<JobWidget image" in said[4]
    assert said[5:] == ["left completed 1"]


def test_ipython_terminal_error_short_and_whole_on_request(environment, tmp_path):
    """An expected error is a few lines without our code; ``%tb`` shows all of it, and a plain script's traceback is Python's."""
    code = "nk.image('A boat', n=11)"
    lines = f"import novakit_widgets as nk\n{code}\nprint('between')\n%tb\n"
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "IPython", "--simple-prompt", "--no-banner", "--no-confirm-exit"),
            *("--colors=nocolor", "--InteractiveShell.color_info=False"),
        ],
        input=lines,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment, "IPYTHONDIR": str(tmp_path / "ipython"), "COVERAGE_PROCESS_START": ""},
    )
    short, _, whole = ended.stdout.partition("between")
    message = "InvalidParameterError: image: n must be at most 10, got 11. Nothing was sent or billed."
    assert message in short, ended.stdout + ended.stderr
    assert f"----> 1 {code}" in short
    assert "novakit_widgets" not in short
    assert "novakit_widgets" in whole
    assert message in whole
    script = run_program(f"import novakit_widgets as nk; {code}", environment=environment)
    assert script.stderr.startswith("Traceback (most recent call last):")
    assert "novakit_widgets" in script.stderr
    assert script.stderr.splitlines()[-1] == f"novakit_widgets.errors.{message}"


# Threads


def test_threads_without_a_loop_wait_await_and_batch(run, sandbox):
    """Beside a program's own loop, which goes on turning meanwhile."""
    before = len(sandbox.jobs)
    told = run("""
        import asyncio, concurrent.futures
        import novakit_widgets as nk

        async def awaited():
            return (await nk.image("A gull")).status

        def of_a_batch():
            return " ".join(job.status for job in nk.batch("image", ["A pier", "A buoy"]).wait(20))

        async def main():
            turns = 0
            def turn():
                nonlocal turns
                turns += 1
                loop.call_later(0.01, turn)
            loop = asyncio.get_running_loop()
            turn()
            print(*await asyncio.gather(
                asyncio.to_thread(lambda: nk.image("A boat").wait(20).status),
                asyncio.to_thread(lambda: asyncio.run(awaited())),
                asyncio.to_thread(of_a_batch),
                asyncio.to_thread(lambda: type(nk.quota()).__name__),
            ))
            print(turns > 3, len(asyncio.all_tasks()))

        asyncio.run(main())
    """)
    assert told == ["completed completed completed completed QuotaView", "True 1"]
    assert len(sandbox.jobs) - before == 4


# trio


def test_trio_program_waits_in_a_thread(run):
    """`await` can't work on its loop and says what does; nothing is lost by trying."""
    told = run(
        """
        import trio
        import novakit_widgets as nk

        async def main():
            card = nk.image("A boat")
            try:
                await card
            except nk.NovaKitError as error:
                print("to_thread.run_sync(card.wait)" in str(error))
            print((await trio.to_thread.run_sync(card.wait)).status)
            board = nk.batch("image", ["A gull", "A pier"])
            print(*(job.status for job in await trio.to_thread.run_sync(board.wait)))

        trio.run(main)
        """
    )
    assert told == ["True", "completed", "completed completed"]


# uvloop


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop has no version for Windows")
def test_uvloop_program_awaits_and_blocks(run, sandbox, tmp_path):
    """As a web server's handler does. A blocking call blocks its loop, and the jobs go on, on ours."""
    sandbox.inject(Fault.delay(0.2), path="/media/*", times=None)  # so that no file is there by chance
    before = len(sandbox.jobs)
    told = run(
        """
        import asyncio, os, sys
        import uvloop
        import novakit_widgets as nk

        nk.configure(save_to=sys.argv[1])
        problems = []

        def saved():
            return len([name for name in os.listdir(sys.argv[1]) if not name.endswith(".part")])

        async def main():
            asyncio.get_running_loop().set_exception_handler(lambda _loop, context: problems.append(context))
            print(type(asyncio.get_running_loop()).__module__)
            print((await nk.image("A boat")).status, saved())
            print(*(job.status for job in await asyncio.gather(nk.image("A gull"), nk.image("A pier"))))
            print(len(await nk.batch("image", ["A sail", "A mast"])), saved())
            print(nk.image("A buoy").wait(20).status, type(nk.quota()).__name__)
            print(len(asyncio.all_tasks()), problems)

        for _ in range(2):
            uvloop.run(main())
        """,
        tmp_path / "saved",
    )
    assert told == [
        *("uvloop", "completed 1", "completed completed", "2 5", "completed QuotaView", "1 []"),
        *("uvloop", "completed 7", "completed completed", "2 11", "completed QuotaView", "1 []"),
    ]
    assert len(sandbox.jobs) - before == 12


# Forked processes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on Windows")
def test_forked_child_gets_a_job_of_its_own(run, sandbox):
    """On a loop of its own, by wait() and by asyncio.run, while the parent's job goes on."""
    sandbox.next_duration(1500.0)
    before = len(sandbox.jobs)
    told = run("""
        import asyncio, os, sys, warnings
        import novakit_widgets as nk

        async def main():
            return (await nk.image("A gull")).status, len(asyncio.all_tasks())

        card = nk.image("A boat")
        while card.job_id is None:
            pass
        sys.stdout.flush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of forking beside threads
            child = os.fork()
        if child == 0:
            print("child", nk.image("A pier").wait(20).status, *asyncio.run(main()), flush=True)
            sys.exit(7)
        print("exit", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        print("parent", card.wait(20).status)
    """)
    assert told == ["child completed completed 1", "exit 7", "parent completed"]
    assert len(sandbox.jobs) - before == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on Windows")
def test_forked_child_names_its_own_jobs_at_exit_only(environment, sandbox):
    """What the parent has started is named by the parent, once."""
    sandbox.next_duration(60_000.0, 60_000.0)
    ended = run_program(
        """
        import os, sys, warnings
        import novakit_widgets as nk

        parents = nk.image("A boat")
        while parents.job_id is None:
            pass
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of forking beside threads
            child = os.fork()
        if child == 0:
            nk.image("A pier")
            sys.exit()
        os.waitpid(child, 0)
        print("the child has ended", file=sys.stderr, flush=True)
        """,
        environment=environment,
    )
    said = [line.split("'")[1] if "'" in line else line for line in ended.stderr.splitlines()]
    assert said == ["A pier", "the child has ended", "A boat"], ended.stderr


# Observers


def test_blocking_calls_of_an_observer_in_a_script_are_errors_at_once(run, sandbox):
    """They would wait for the loop that calls the observer. Both jobs end as ever."""
    sandbox.next_duration(300.0, 300.0)
    told = run("""
        import time
        import novakit_widgets as nk

        other, card = nk.image("A gull"), nk.image("A boat")
        told = []

        def observer(change):
            for call in (other.wait, nk.quota):
                began = time.monotonic()
                try:
                    call()
                except nk.NovaKitError as error:
                    told.append((type(error).__name__, "await" in str(error), time.monotonic() - began < 1.0))

        card.observe(observer, "status")
        print(card.wait(20).status, other.wait(20).status)
        print(*told[-2:])
    """)
    refused = "('LoopStandsStillError', True, True)"
    assert told == ["completed completed", f"{refused} {refused}"]
