"""SIGINT handlers of others: C code's, ignoring, ending the process, and a program's own function."""

from __future__ import annotations

import signal
import sys
import threading

import pytest
from programs import run_program

from novakit_widgets.runtime.interrupts import handled, is_default

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no sigaction")

# Sets a handler, as a program does that Python is embedded in, such as R or Julia; then `asked()` tells what SIGINT does.
HANDLERS = """
import ctypes, os, signal, sys

kind = sys.argv[1]
called = []
libc = ctypes.CDLL(None)
libc.signal.restype, libc.signal.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
in_c = ctypes.CFUNCTYPE(None, ctypes.c_int)(called.append)

def own(number, _frame):
    called.append(number)

if kind == "c":
    libc.signal(2, ctypes.cast(in_c, ctypes.c_void_p))  # Python keeps what it knew
elif kind == "unknown":
    libc.signal(2, ctypes.cast(in_c, ctypes.c_void_p))
    signal.getsignal = lambda number: None  # as where it was set before Python began
elif kind != "python":
    signal.signal(2, {"ignored": signal.SIG_IGN, "ends": signal.SIG_DFL, "own": own}[kind])

def asked():
    now = ctypes.create_string_buffer(1024)
    assert libc.sigaction(2, None, now) == 0
    return signal.getsignal(2), now.raw[:8]  # the function
"""

KINDS = ["c", "unknown", "ignored", "ends", "own", "python"]


@pytest.fixture
def environment(sandbox, tmp_path):
    """What a program needs to speak to the sandbox."""
    return {
        "NOVAKIT_API_KEY": sandbox.api_key,
        "NOVAKIT_BASE_URL": sandbox.base_url,
        "NOVAKIT_LIMITS": "off",
        "NOVAKIT_HISTORY": str(tmp_path / "history.sqlite3"),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_waits_of_a_script_leave_the_handler(environment, kind):
    """A job, a batch, a question and the end of the script: what SIGINT does is what it did."""
    ended = run_program(
        HANDLERS
        + """
import novakit_widgets as nk

before = asked()
print(nk.image("A boat").wait().status)
print(len(nk.batch("image", ["A gull", "A pier"]).wait()))
print("credits" in str(nk.quota()))
assert asked() == before

import atexit
atexit.register(lambda: print("left" if asked() == before else "changed"))
""",
        kind,
        environment=environment,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.split() == ["completed", "2", "True", "left"]


# A job that runs until another thread has interrupted the wait for it.
INTERRUPTED = """
import threading, time
import novakit_widgets as nk
from novakit_widgets.runtime.loop_thread import blocked

os.environ["NOVAKIT_HISTORY"] = "off"

def until(true):
    while not true():
        time.sleep(0.01)

def interrupt(sandbox, card):
    until(lambda: card.job_id and threading.main_thread() in blocked)
    os.kill(os.getpid(), 2)
    until(lambda: called or kind == "ignored")
    sandbox.finish(card.job_id)

with nk.Sandbox(speed=1, durations={"image": 1000}, media="canned") as sandbox:
    nk.configure(api_key=sandbox.api_key, base_url=sandbox.base_url)
    before = asked()
    card = nk.image("A boat")
    thread = threading.Thread(target=interrupt, args=(sandbox, card))
    thread.start()
    try:
        print(card.wait(50).status)
    except Exception as error:
        print(type(error).__name__)
    thread.join()
    print(len(called), asked() == before)
"""


@pytest.mark.parametrize("kind", ["c", "unknown", "ignored", "own"])
def test_wait_of_a_script_survives_a_signal_that_others_handle(kind):
    """Their handler is called (but for one that ignores), and the wait returns the job."""
    ended = run_program(HANDLERS + INTERRUPTED, kind)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.split() == ["completed", "0" if kind == "ignored" else "1", "True"]


def test_wait_of_a_script_ends_with_what_an_own_handler_raises():
    """As an exception of the wait; the handler stays, and the job goes on."""
    raises = """
class Stop(Exception):
    pass

def own(number, _frame):
    called.append(number)
    raise Stop

signal.signal(2, own)
"""
    ended = run_program(HANDLERS + raises + INTERRUPTED, "python")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["Stop", "1", "True"]


NESTED = """
import asyncio, os, signal
from fake_kernel import become_a_kernel
from novakit_widgets.runtime import loop as job_loop

async def cell():
    become_a_kernel()

    async def work():
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(5):
            await asyncio.sleep(0)  # a handler's turn
        return "returned"

    before = asked()
    try:
        print(job_loop.run_blocking(work))
    except BaseException as error:
        print(type(error).__name__)
    print(len(called), asked() == before)

loop = asyncio.new_event_loop()  # not asyncio.run, which sets a handler of its own
loop.run_until_complete(cell())
loop.close()
"""


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("c", ["returned", "1", "True"]),
        ("unknown", ["returned", "1", "True"]),
        ("ignored", ["returned", "0", "True"]),
        ("own", ["returned", "1", "True"]),
        ("python", ["KeyboardInterrupt", "0", "True"]),
    ],
)
def test_nested_wait_leaves_the_handler_of_others(kind, told):
    """In a kernel: only where SIGINT raises KeyboardInterrupt, it ends the wait."""
    ended = run_program(HANDLERS + NESTED, kind)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.split() == told


def test_nested_wait_ends_with_what_an_own_handler_raises():
    """Raised in the cell, and in no background task; the handler stays."""
    source = HANDLERS + "def own(*_):\n    raise SystemExit(3)\nsignal.signal(2, own)\n" + NESTED
    ended = run_program(source, "python")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.split() == ["SystemExit", "0", "True"]


def test_handled_stands_in_for_pythons_handler_only_for_a_while():
    """It is called in place of KeyboardInterrupt."""
    before, numbers = signal.getsignal(signal.SIGINT), []
    with handled(lambda number, _frame: numbers.append(number)):
        signal.raise_signal(signal.SIGINT)
    assert numbers == [signal.SIGINT]
    assert signal.getsignal(signal.SIGINT) is before


def test_handled_on_another_thread_changes_nothing():
    """Signals are the main thread's alone."""
    before, seen = signal.getsignal(signal.SIGINT), []

    def elsewhere():
        with handled(lambda *_: None):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]


@pytest.mark.parametrize(
    ("handler", "default"), [(signal.default_int_handler, True), (print, False), (signal.SIG_IGN, False), (None, False)]
)
def test_is_default_of_a_handler(handler, default):
    """That of `asyncio.run` is tested with the nested waits."""
    assert is_default(handler) is default
