"""Short programs as people in the field write them: tasks, exits, histories that can't be used, machines without threads."""

from __future__ import annotations

import sys

import pytest
from programs import run_program


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

    def run(source, *arguments, **variables):
        ended = run_program(source, *arguments, environment={**environment, **variables})
        assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
        return ended.stdout.splitlines()

    return run


# Cards as tasks


def test_cards_and_boards_are_taken_by_what_takes_awaitables(run):
    """`asyncio.wait`, `shield`, `gather` of a board and a card, and a card that was awaited before."""
    told = run("""
        import asyncio
        import novakit_widgets as nk

        async def main():
            done, _ = await asyncio.wait([asyncio.ensure_future(nk.image("A boat"))])
            print(*(task.result().status for task in done))
            print((await asyncio.shield(nk.image("A gull"))).status)
            jobs, job = await asyncio.gather(nk.batch("image", ["A pier", "A buoy"]), nk.image("A lighthouse"))
            print(len(jobs), job.status)
            card = nk.image("A harbour")
            print((await card).id == (await card).id == (await asyncio.ensure_future(card)).id)
            print(len(asyncio.all_tasks()))

        asyncio.run(main())
    """)
    assert told == ["completed", "completed", "2 completed", "True", "1"]


@pytest.mark.parametrize(
    "takes_coroutines", ["asyncio.run", "create_task", *(["TaskGroup"] if sys.version_info >= (3, 11) else [])]
)
def test_what_takes_coroutines_only_shows_what_to_write(run, takes_coroutines):
    """Python's own TypeError has the repr of the card, the board or the table."""
    ways = {"asyncio.run": "asyncio.run(given)", "create_task": "asyncio.run(task(given))"}
    told = run(f"""
        import asyncio
        import novakit_widgets as nk

        async def task(given):
            asyncio.create_task(given)

        async def grouped(given):
            async with asyncio.TaskGroup() as group:
                group.create_task(given)

        for given in (
            nk.image("A boat"),
            nk.batch("image", ["A gull"]),
            nk.sweep("image", prompt=["A pier", "A buoy"], confirm=False),
        ):
            try:
                {ways.get(takes_coroutines, "asyncio.run(grouped(given))")}
            except (TypeError, ValueError) as error:
                print("asyncio.ensure_future" in str(error) or "await it" in str(error))
            except Exception as errors:
                print(["await it" in str(error) for error in errors.exceptions])
            given.wait(20)
    """)
    assert told == ["[True]" if takes_coroutines == "TaskGroup" else "True"] * 3


# The end of a script


ENDS = {
    "last line": ("", 0),
    "sys.exit": ("import sys; sys.exit(3)", 3),
    "exception": ("raise SystemError('mine')", 1),
    "in a function": ("def main():\n    return nk.image('A gull')\nmain()", 0),
}


@pytest.mark.parametrize("end", ENDS)
def test_script_without_wait_submits_and_names_its_job(environment, sandbox, end):
    """However it ends, with the exit code of its own."""
    line, code = ENDS[end]
    sandbox.next_duration(1e7, 1e7)
    before = set(sandbox.jobs)
    ended = run_program(f"import novakit_widgets as nk\ncard = nk.image('A boat')\n{line}", environment=environment)
    made = set(sandbox.jobs) - before
    assert ended.returncode == code
    assert len(made) == (2 if end == "in a function" else 1)
    for job_id in made:
        assert f"still runs. Pick it up with nk.attach('{job_id}')." in ended.stderr
        sandbox.finish(job_id)


@pytest.mark.parametrize(
    "line",
    [
        "nk.image('A boat', autostart=False)",
        "nk.sweep('image', prompt=['A boat', 'A gull'])",
        "nk.explore('image')",
        "nk.image('A boat').wait()",
    ],
)
def test_script_is_silent_where_nothing_is_left(run, line):
    """What was never to be submitted, and what was waited for."""
    assert run(f"import novakit_widgets as nk\n{line}") == []


# A history that can't be used

UNUSABLE = {
    "locked": "other = sqlite3.connect(path, isolation_level=None); other.execute('BEGIN EXCLUSIVE')",
    "locked for writing": "other = sqlite3.connect(path, isolation_level=None); other.execute('BEGIN IMMEDIATE')",
    "hangs": "released = threading.Event(); replace(lambda self: released.wait(60))",
    "full": "replace(fails(sqlite3.OperationalError('database or disk is full')))",
    "read-only": "replace(fails(sqlite3.OperationalError('attempt to write a readonly database')))",
    "broken disk": "replace(fails(OSError(5, 'Input/output error')))",
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_card_and_batch_do_not_wait_for_a_history_that_cannot_be_used(environment, kind):
    """They are done while it is still so; the loop turns, and there is one warning."""
    ended = run_program(
        f"""
        import asyncio, os, sqlite3, threading, warnings
        import novakit_widgets as nk
        from novakit_widgets.job_history.database import HistoryFile

        path = os.environ["NOVAKIT_HISTORY"]
        nk.image("so that the file is there").wait()

        def replace(function):
            HistoryFile._open = function

        def fails(error):
            def fail(self):
                raise error
            return fail

        {UNUSABLE[kind]}
        turns = 0

        async def turn():
            global turns
            while True:
                turns += 1
                await asyncio.sleep(0.01)

        async def main():
            turning = asyncio.ensure_future(turn())
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                print((await nk.image("A boat")).status, len(await nk.batch("image", ["A gull", "A pier"])))
            turning.cancel()
            print(len(seen), turns > 3)

        asyncio.run(main())
        os._exit(0)  # what hangs is not waited for
        """,
        environment=environment,
    )
    assert ended.stdout.splitlines() == ["completed 2", "1 True"], ended.stderr


# A machine without threads

NO_THREADS = """
import threading
import novakit_widgets as nk
from novakit_widgets.runtime import loop_thread

def refuse(self):
    raise RuntimeError("can't start new thread")

threading.Thread.start = refuse
"""


@pytest.mark.parametrize(
    "call",
    [
        "nk.image('A boat').wait()",
        "nk.batch('image', ['A boat']).wait()",
        "nk.quota()",
        "nk.recover()",
        "nk.attach('job_1')",
        "nk.Media('https://media.example/a.png', 'image').save()",
    ],
)
def test_script_without_threads_sends_nothing_and_says_so(run, sandbox, call):
    """Our own error, whatever is called first."""
    before = len(sandbox.jobs)
    source = f"{NO_THREADS}\ntry:\n    {call}\nexcept nk.NovaKitError as error:\n    print(error)\n"
    (told,) = run(source)
    assert "can't start a thread (can't start new thread)" in told
    assert "nothing was sent or billed" in told
    assert len(sandbox.jobs) == before


def test_asyncio_program_without_threads_runs_its_jobs(run):
    """On its own loop."""
    main = "async def main():\n    print((await nk.image('A boat')).status, len(await nk.batch('image', ['A gull'])))\n"
    assert run(f"{NO_THREADS}\nimport asyncio\n{main}asyncio.run(main())") == ["completed 1"]
