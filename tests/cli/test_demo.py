"""``novakit-widgets demo``: JupyterLab and the sandbox begin and end together."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from queue import Empty, Queue

import psutil
import pytest
import requests
from jupyter_client import BlockingKernelClient, find_connection_file

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to end a command with"),
]

SECONDS = 60.0
OWN_KEY = "sk_" + "c0ffee" * 10 + "beef"  # the user's, which no process of the demo needs


class Demo:
    """The command in a process of its own, and what it prints."""

    def __init__(self, folder):
        command = [sys.executable, "-m", "novakit_widgets", "demo", "--no-browser", "--folder", str(folder)]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "NOVAKIT_API_KEY": OWN_KEY},
        )
        self.said = ""
        self._lines = Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def wait_for(self, pattern):
        """Return the match of the first line that has the pattern."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            try:
                line = self._lines.get(timeout=1.0)
            except Empty:
                continue
            if line is None:
                break
            self.said += line
            found = re.search(pattern, line)
            if found:
                return found
        raise AssertionError(f"{pattern!r} was never printed:\n{self.said}")

    def listen(self):
        """Take in what it has printed until now, and return all of that."""
        while not self._lines.empty():
            self.said += self._lines.get() or ""
        return self.said

    def family(self):
        """Return the processes that it has started, kernels included."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self):
        """Return its exit status, and what else it said."""
        status = self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        while (line := self._lines.get(timeout=1.0)) is not None:
            self.said += line
        return status

    def close(self):
        """Leave nothing behind, whatever the test has found."""
        if self.process.poll() is None:
            for one in [*self.family(), psutil.Process(self.process.pid)]:
                one.kill()
        self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        self.process.stdout.close()


def wait_until_it_answers(lab):
    """Wait until JupyterLab listens: its server prints its address first (jupyter_server 2.21, `_bind_http_server`)."""
    until = time.monotonic() + SECONDS
    while True:
        try:
            return requests.get(f"{lab}/api", timeout=10).raise_for_status()
        except requests.ConnectionError:
            if time.monotonic() > until:
                raise
        time.sleep(0.1)


@pytest.fixture
def running(tmp_path):
    """A demo whose JupyterLab answers, and that address with its token."""
    demo = Demo(tmp_path)
    try:
        sandbox = demo.wait_for(r"sandbox at (http://127\.0\.0\.1:\d+)")[1]
        found = demo.wait_for(r"(http://127\.0\.0\.1:\d+)/lab/tree/01_quickstart\.ipynb\?token=(\w+)")
        wait_until_it_answers(found[1])
        yield demo, sandbox, found[1], {"token": found[2]}
    finally:
        demo.close()


def in_parts(family):
    """Sort the processes into the sandbox, JupyterLab, and the kernels."""
    lines = {one: " ".join(one.cmdline()) for one in family}
    return tuple(
        [one for one, line in lines.items() if module in line]
        for module in ("novakit_widgets.sandbox", "jupyterlab", "ipykernel_launcher")
    )


def started_kernel(lab, query):
    """Start a kernel, and return when it answers: one that is ended while it still imports says so with a traceback of its own."""
    answer = requests.post(f"{lab}/api/kernels", params=query, json={"name": "python3"}, timeout=30)
    answer.raise_for_status()
    client = BlockingKernelClient(connection_file=find_connection_file(answer.json()["id"]))
    client.load_connection_file()
    client.start_channels()
    until = time.monotonic() + SECONDS
    try:
        while True:
            try:
                return client.wait_for_ready(timeout=SECONDS)
            except RuntimeError:  # "died", when a busy machine answered one heartbeat late
                if time.monotonic() > until:
                    raise
    finally:
        client.stop_channels()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_everything(running, tmp_path, number):
    """Ctrl-C, or SIGTERM, ends the sandbox, JupyterLab and its kernels, and the command itself with status 0."""
    demo, sandbox, lab, query = running
    assert requests.get(f"{sandbox}/sandbox", timeout=10).json()["speed"] == 12.0
    served = requests.get(f"{lab}/api/contents/01_quickstart.ipynb", params=query, timeout=10).json()
    assert served["content"]["metadata"]["kernelspec"]["name"] == "python3"
    started_kernel(lab, query)
    family = demo.family()
    assert [len(part) > 0 for part in in_parts(family)] == [True, True, True]
    assert OWN_KEY not in [process.environ().get("NOVAKIT_API_KEY") for process in family]

    # Not what came before: kernels that start at the same time find their ports taken now and then, and say so.
    before = len(demo.listen())
    demo.process.send_signal(number)
    assert demo.end() == 0, demo.said
    assert str(tmp_path / "01_quickstart.ipynb") in demo.said
    assert "Traceback" not in demo.said[before:]
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


def test_end_of_jupyterlab_ends_the_sandbox(running):
    """When JupyterLab is shut down from its page, the sandbox and the command end too."""
    demo, _, lab, query = running
    family = demo.family()
    requests.post(f"{lab}/api/shutdown", params=query, timeout=30).raise_for_status()
    assert demo.end() == 0, demo.said
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
