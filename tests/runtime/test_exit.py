"""How a program ends: submissions on their way get through, what nobody awaited is named, and nothing is left open."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from programs import run_program

from novakit_widgets import Sandbox
from novakit_widgets.sandbox import Fault


@pytest.fixture(scope="module")
def served():
    """A sandbox whose jobs take a minute, so that they still run when a program ends."""
    with Sandbox(speed=1.0, limits="off", durations={"image": 60.0}) as sandbox:
        yield sandbox


@pytest.fixture
def environment(served, tmp_path):
    """What a program needs to speak to it."""
    served.clear_faults()
    yield {
        "NOVAKIT_API_KEY": served.api_key,
        "NOVAKIT_BASE_URL": served.base_url,
        "NOVAKIT_HISTORY": str(tmp_path / "history.sqlite3"),
    }
    served.clear_faults()


def test_exit_names_a_job_that_still_runs(served, environment):
    """With the call that picks it up; its submission was on its way when the last line was reached."""
    served.inject(Fault.delay(0.5), method="POST")
    before = set(served.jobs)
    ended = run_program("import novakit_widgets as nk; nk.image('A boat')", environment=environment)
    (job_id,) = set(served.jobs) - before
    assert ended.returncode == 0
    assert ended.stderr.splitlines() == [
        f"novakit_widgets: image {job_id} 'A boat' still runs. Pick it up with nk.attach('{job_id}')."
    ]


def test_exit_names_what_was_refused(served, environment):
    """Nothing was submitted, and the reason is there."""
    served.inject(Fault.status(403), method="POST")
    ended = run_program("import novakit_widgets as nk; nk.image('A boat')", environment=environment)
    assert ended.returncode == 0
    assert ended.stderr.startswith("novakit_widgets: image 'A boat' was not submitted. ")
    assert len(ended.stderr.splitlines()) == 1


def test_exit_names_what_failed_unless_it_was_awaited(served, environment):
    """With the service's reason. A job that is completed needs no word, awaited or not."""
    served.next_duration(0.2, 0.2, 0.2)
    before = set(served.jobs)
    ended = run_program(
        """
        import time, novakit_widgets as nk
        told = nk.image("Fail please, awaited")
        try:
            told.wait(20)
        except nk.JobFailedError:
            print("told")
        silent, completed = nk.image("Fail please, unseen"), nk.image("A boat")
        end = time.monotonic() + 20
        while (silent.status, completed.status) != ("failed", "completed") and time.monotonic() < end:
            time.sleep(0.01)
        """,
        environment=environment,
    )
    (job_id,) = [
        job_id for job_id, job in served.jobs.items() if job_id not in before and "unseen" in job.params["prompt"]
    ]
    assert (ended.returncode, ended.stdout.split()) == (0, ["told"])
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"novakit_widgets: image {job_id} 'Fail please, unseen' failed. ")
    assert line.endswith(f" Pick it up with nk.attach('{job_id}').")


def test_exit_waits_for_an_answer_five_seconds_at_most(served, environment):
    """Then it says that there may be a job."""
    served.inject(Fault.delay(30.0), method="POST")
    began = time.monotonic()
    ended = run_program("import novakit_widgets as nk; nk.image('A boat')", environment=environment)
    assert 5.0 < time.monotonic() - began < 15.0
    assert "may have been submitted" in ended.stderr
    assert "nk.recover()" in ended.stderr


def test_exit_is_silent_about_what_was_awaited_or_cancelled(served, environment):
    """A time-out has told it, and a cancellation was wanted."""
    ended = run_program(
        """
        import asyncio, novakit_widgets as nk
        try:
            nk.image("A boat").wait(0.5)
        except nk.JobTimeoutError:
            print("told")
        card = nk.image("A boat")
        card.cancel()
        async def main():
            try:
                await card
            except nk.JobCancelledError:
                print("cancelled")
        asyncio.run(main())
        """,
        environment=environment,
    )
    assert (ended.stdout.split(), ended.stderr) == (["told", "cancelled"], "")


def test_exit_names_a_batch_in_one_line(served, environment):
    """With what became of its jobs."""
    ended = run_program(
        """
        import novakit_widgets as nk
        board = nk.batch("image", ["A boat", "A lighthouse", "A gull"], max_running=1)
        while board[0] is None:
            pass
        """,
        environment=environment,
    )
    assert ended.stderr.splitlines() == [
        "novakit_widgets: a batch of 3 was not awaited (2 waiting, 1 running). nk.recover() picks it up."
    ]


def test_exit_waits_for_threads_that_use_the_loop(served, environment):
    """A program whose main thread ends while its threads still wait for their jobs: they get them."""
    served.next_duration(1.0, 1.0)
    ended = run_program(
        """
        import sys, threading, novakit_widgets as nk
        begun = threading.Semaphore(0)
        def work():
            card = nk.image("A boat")
            begun.release()
            sys.stdout.write(f"{card.wait(20).status}\\n")  # print writes the end of the line on its own
        for _ in range(2):
            threading.Thread(target=work).start()
        for _ in range(2):
            begun.acquire()
        """,
        environment=environment,
    )
    assert (ended.stdout.split(), ended.stderr) == (["completed", "completed"], "")


def test_a_thread_that_begins_after_the_main_thread_ended(served, environment):
    """It gets its job; in Python 3.12 no thread can be started then, which the error says, and nothing is sent."""
    served.next_duration(1.0)
    before = set(served.jobs)
    ended = run_program(
        """
        import threading, time, novakit_widgets as nk
        nk.JobWidget
        def work():
            while not threading._SHUTTING_DOWN:
                time.sleep(0.01)
            try:
                print(nk.image("A boat").wait(20).status)
            except nk.NovaKitError as error:
                print(type(error).__name__, error)
        threading.Thread(target=work).start()
        """,
        environment=environment,
    )
    assert ended.stderr == ""
    if sys.version_info[:2] == (3, 12):
        assert ended.stdout.startswith(
            "NovaKitError Python can't start a thread (can't create new thread at interpreter shutdown)"
        )
        assert "nothing was sent or billed" in ended.stdout
        assert set(served.jobs) == before
    else:
        assert ended.stdout.split() == ["completed"]


def test_a_thread_that_imports_after_the_main_thread_ended(served, environment):
    """Python's own executors can't be imported then, so it is our error, and nothing is sent."""
    before = set(served.jobs)
    ended = run_program(
        """
        import threading, time, novakit_widgets as nk
        def work():
            while not threading._SHUTTING_DOWN:
                time.sleep(0.01)
            try:
                nk.image("A boat")
            except nk.NovaKitError as error:
                print(error)
        threading.Thread(target=work).start()
        """,
        environment=environment,
    )
    assert ended.stderr == ""
    assert "nothing was sent or billed" in ended.stdout
    assert set(served.jobs) == before


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C of another process is no signal there")
def test_exit_is_quiet_about_a_second_interrupt(served, environment):
    """The first ended the program; the second ends the waiting for an answer, and prints no traceback."""
    import os

    served.inject(Fault.delay(600.0), method="POST")
    before = len(served.requests)
    # An end without an interrupt would take ten minutes.
    code = """if True:
        import novakit_widgets as nk
        from novakit_widgets.runtime import loop_thread

        async def finish(_seconds):
            print("waits", flush=True)

        loop_thread.FINISH_SECONDS = 600.0
        loop_thread.at_exit(finish=finish)
        nk.image("A boat")
    """
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline() == "waits\n"
        while not any(request.method == "POST" for request in served.requests[before:]):
            time.sleep(0.01)
        program.send_signal(signal.SIGINT)
        _, said = program.communicate(timeout=100)
    assert "Traceback" not in said
    assert "may have been submitted" in said
