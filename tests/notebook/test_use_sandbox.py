"""Ways to a sandbox: one call in a notebook, a process of its own, and what is said when the extra is missing."""

from __future__ import annotations

import inspect
import os
import re
import signal
import socket
import subprocess
import sys
from decimal import Decimal

import httpx
import pytest
from sandbox_fixtures import api, client_of, finish, serve, shared, small  # noqa: F401

from novakit_widgets import sandbox as package
from novakit_widgets import settings
from novakit_widgets.errors import ConfigurationError, NovaKitConnectionError
from novakit_widgets.notebook import sandbox
from novakit_widgets.sandbox import Sandbox, use_sandbox


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch):
    monkeypatch.delenv("NOVAKIT_SANDBOX_URL", raising=False)
    yield
    if sandbox._started is not None:
        sandbox._started[1].stop()
    monkeypatch.setattr(sandbox, "_started", None)
    settings.configure(base_url=None, api_key=None, speed=None)


def test_one_call(capsys):
    """`use_sandbox` starts a sandbox and configures the package for it, without a word."""
    link = use_sandbox()
    assert settings.base_url().value == link.base_url == link.sandbox.base_url
    assert settings.api_key().value.reveal() == link.sandbox.api_key
    assert settings.speed().value == link.speed == 12.0
    assert repr(link) == f"NovaKit sandbox at {link.base_url} (12x speed, plan business): nothing is billed"
    assert link.sandbox.api_key not in repr(link)
    assert capsys.readouterr() == ("", "")


def test_once_a_process():
    """Called again it is the same sandbox; with other options another takes its place."""
    first = use_sandbox(seed=1)
    assert use_sandbox(seed=1).base_url == first.base_url
    second = use_sandbox(speed=30.0, plan="free", limits="documented")
    assert not first.sandbox.is_running
    assert (second.speed, second.plan) == (30.0, "free")
    assert settings.base_url().value == second.base_url


def test_stopping_puts_back_what_was_configured():
    """A key and limits of one's own are there again, however many sandboxes there were; what was said since stays."""
    key = "sk_" + "b" * 64
    settings.configure(api_key=key, limits={"video": (50, 3600)})
    before = settings.configured()
    first = use_sandbox(seed=1)
    second = use_sandbox(seed=2)
    first.stop()
    assert settings.base_url().value == second.base_url
    second.stop()
    assert settings.configured() == before
    assert settings.api_key().value.reveal() == key
    third = use_sandbox(seed=3)
    settings.configure(limits={"image": (2, 60)}, save_to="results")
    third.stop()
    third.stop()
    assert settings.api_key().value.reveal() == key
    assert settings.base_url().source == settings.speed().source == "default"
    assert settings.describe()["limits"] == "image 2 in 60 s (configure)"
    assert settings.save_to().source == "configure"


@pytest.mark.parametrize("way", ["argument", "environment"])
def test_a_sandbox_that_runs_elsewhere(monkeypatch, way):
    """A URL, or the environment variable, connects to a running one."""
    with Sandbox(speed=20) as running:
        if way == "environment":
            monkeypatch.setenv("NOVAKIT_SANDBOX_URL", running.origin)
        link = use_sandbox(url=running.origin if way == "argument" else None)
        assert (link.base_url, link.speed, link.sandbox) == (running.base_url, 20.0, None)
        assert settings.api_key().value.reveal() == running.api_key


def test_addresses_that_are_no_sandbox():
    """Another machine's address, a dead port and another kind of server are clear errors."""
    with pytest.raises(ConfigurationError, match="this machine"):
        use_sandbox(url="http://example.org")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(NovaKitConnectionError, match=f"--port {port}"):
        use_sandbox(url=f"http://127.0.0.1:{port}")


def test_what_it_says_about_itself(serve):
    """``GET /sandbox`` needs no key."""
    sandbox = serve(plan="pro")
    about = httpx.get(f"{sandbox.origin}/sandbox", trust_env=False).json()
    assert about.pop("version")
    assert about == {
        "sandbox": "novakit_widgets",
        "speed": 300.0,
        "plan": "pro",
        "tool_limits": {},
        "base_url": sandbox.base_url,
        "api_key": sandbox.api_key,
    }


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as POSIX has them")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_of_its_own(number):
    """The command says where it is and with which key, serves, and ends cleanly."""
    command = [sys.executable, "-W", "error", "-m", "novakit_widgets.sandbox", "--speed", "30", "--plan", "pro"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            lines = [process.stdout.readline() for _ in range(6)]
            found = dict(re.findall(r"export (\w+)=(\S+)", "".join(lines)))
            assert "30x speed, plan pro" in lines[0]
            headers = {"Authorization": f"Bearer {found['NOVAKIT_API_KEY']}"}
            answer = httpx.get(f"{found['NOVAKIT_BASE_URL']}/quota", headers=headers, trust_env=False)
            assert answer.json()["plan"]["code"] == "pro"
            assert found["NOVAKIT_BASE_URL"].startswith(found["NOVAKIT_SANDBOX_URL"])
            process.send_signal(number)
            assert process.wait(10) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()


@pytest.mark.parametrize("port", [None, "99999"], ids=["taken", "none"])
def test_a_process_that_can_not_start(serve, port):
    """A port that is taken, or is none, is one line and exit status 1."""
    port = port or serve().origin.rpartition(":")[2]
    command = [sys.executable, "-m", "novakit_widgets.sandbox", "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("The sandbox could not start: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("missing", ["uvicorn", "starlette", "PIL", "av", "numpy"])
def test_without_the_extra(missing):
    """A missing library is an ImportError that says what to install; importing the package costs nothing."""
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import novakit_widgets.sandbox as package\n"
        "assert not {'starlette', 'uvicorn', 'httpx', 'ipywidgets'} - {" + repr(missing) + "} & set(sys.modules)\n"
        "try:\n    package.Sandbox\nexcept ImportError as problem:\n    print(problem)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout.strip() == (
        f'The sandbox needs {missing}, which is not installed: pip install "novakit_widgets[sandbox]"'
    ), done.stderr


def test_public_names():
    """`__all__` is sorted and is what there is; anything else is an AttributeError."""
    assert list(package.__all__) == sorted(package.__all__) == dir(package)
    assert all(getattr(package, name) is not None for name in package.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = package.nothing


def test_completion_offers_every_option():
    """What a sandbox takes, use_sandbox takes."""
    offered = inspect.signature(use_sandbox).parameters
    taken = inspect.signature(Sandbox).parameters
    assert set(offered) == {*taken, "url"}
    assert {name for name in taken if offered[name].default != taken[name].default} == {"speed", "plan", "limits"}


WRONG = [
    {"speed": "fast"},
    {"speed": None},
    {"speed": True},
    {"speed": float("nan")},
    {"speed": Decimal("sNaN")},
    {"url": 5},
    {"url": b"http://127.0.0.1:8123"},
    {"plan": 5},
    {"plan": ["free"]},
    {"limits": 5},
    {"limits": {"video": 5}},
    {"seed": "7"},
    {"seed": 1.5},
    {"hold_seconds": "30"},
    {"host": 5},
    {"host": "example.org"},
    {"port": "8123"},
    {"port": 80.5},
    {"durations": 5},
    {"durations": {"video": "5"}},
    {"durations": {"video": (1, 2, 3)}},
    {"durations": {"cinema": 5}},
    {"quotas": "none"},
    {"quotas": {"credits": "many"}},
    {"quotas": ["credits"]},
    {"sync_tools": "tts"},
    {"sync_tools": 5},
    {"sync_tools": ["cinema"]},
    {"media": 5},
    {"media": "fake"},
]


@pytest.mark.parametrize("options", WRONG, ids=str)
def test_use_sandbox_wrong_option_is_our_error(options):
    """Whatever its type: a ConfigurationError that names it; the settings stay as they are."""
    before = settings.describe()
    with pytest.raises(ConfigurationError, match="|".join([*options, "can't be a sandbox"])):
        use_sandbox(**options)
    assert settings.describe() == before


def test_use_sandbox_names_all_wrong_options_and_keeps_the_running_one():
    """One error for all of them; the sandbox that runs goes on."""
    link = use_sandbox(speed=1000)
    with pytest.raises(
        ConfigurationError, match=r"speed must .*got 'fast'; port must .*got -1; media must .*got 'x'\."
    ):
        use_sandbox(speed="fast", port=-1, media="x")
    assert link.sandbox.is_running
    assert settings.base_url().value == link.base_url
