"""A canary key occurs nowhere but in the header that it is for: no repr, text, exception, traceback, pickle or log."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import pickle
import signal
import threading

import httpx
import keyring
import pytest
from IPython.core.ultratb import VerboseTB
from rich.traceback import Traceback

from novakit_widgets import NovaKitClient, settings
from novakit_widgets.api.client import default_client
from novakit_widgets.config.redaction import redact
from novakit_widgets.engine.run import JobRun
from novakit_widgets.engine.tracker import tracker_of
from novakit_widgets.errors import ConfigurationError, InvalidBaseURLError, InvalidKeyError, NovaKitError
from novakit_widgets.model.tools import Tool
from novakit_widgets.sandbox import Fault
from novakit_widgets.widgets.login import login

CANARY = "sk_" + "c0ffee" * 10 + "beef"
SECRET = CANARY[:-4]  # four characters may be shown


@pytest.fixture
def canary(sandbox, monkeypatch):
    """The key in the environment is the canary, as a user's is; the sandbox does not know it."""
    monkeypatch.setenv("NOVAKIT_API_KEY", CANARY)
    settings.configure(base_url=sandbox.base_url)
    return sandbox


@pytest.fixture
async def canary_client(canary, nothing_left):
    """A client that found the canary in the environment."""
    client = NovaKitClient()
    yield client
    await client.aclose()


def verbose(error):
    """Render an exception as IPython does with ``%xmode Verbose``, which shows arguments and variables."""
    shown = VerboseTB(include_vars=True)
    return "\n".join(shown.structured_traceback(type(error), error, _beyond_this_file(error.__traceback__)))


def _beyond_this_file(trace):
    """Leave out the tests' own frames, which name the key."""
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace


def rich_shown(error):
    """Return all that rich shows of an exception, with the variables of each frame; many install it for all their notebooks."""
    trace = Traceback.from_exception(
        type(error), error, _beyond_this_file(error.__traceback__), show_locals=True, locals_max_string=500
    )
    return repr(trace.trace)  # printing it would add lines of source, each coloured, which takes its time


def variables(error):
    """Return all variables of all frames of an exception and of its causes, without those of this file."""
    shown, seen = [], set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename != __file__:
                shown += [f"{name} = {_repr(value)}" for name, value in trace.tb_frame.f_locals.items()]
            trace = trace.tb_next
        error = error.__cause__ or error.__context__
    return "\n".join(shown)


def _repr(value):
    try:
        return repr(value)
    except AttributeError:  # an object whose making is what failed
        return repr(value.__dict__)


def check(error):
    """Assert that nothing that an exception can show contains the canary."""
    assert SECRET not in str(error)
    assert SECRET not in repr(error)
    assert SECRET not in repr(getattr(error, "__dict__", {}))
    assert SECRET not in variables(error)
    assert SECRET not in verbose(error)
    assert SECRET not in rich_shown(error)
    if isinstance(error, NovaKitError):
        assert SECRET.encode() not in pickle.dumps((str(error), error.args))


@pytest.fixture
def log(caplog):
    """All log records, at the finest level."""
    caplog.set_level(0)
    for name in ("httpx", "httpcore", "asyncio", "novakit_widgets", "hpack", "h11"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


FAULTS = {
    "401": Fault.status(401),
    "500": Fault.status(500),
    "reset": Fault.reset_before(),
    "truncated": Fault.truncated(),
    "not JSON": Fault.not_json(),
    "huge": Fault.huge(8_100_000),
    "redirect": Fault.redirect("https://elsewhere.example/"),
    "the key in an error": Fault.status(401, body={"error": f"Invalid key {CANARY}"}),
    "the key in a page": Fault.not_json(f"<html>Your header was Bearer {CANARY}"),
    "the key in an error page": Fault.not_json(f"<html>{CANARY}", status_code=500),
    "the key in a redirect": Fault.redirect(f"https://elsewhere.example/?key={CANARY}"),
    "the key in an answer": Fault.fields(id=None, status=None, jobs=None, echo=CANARY),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_faulty_answer_does_not_show_the_key(canary, canary_client, log, name):
    """Whatever goes wrong, and even where the service repeats the key: no error, traceback or log has it."""
    canary.inject(FAULTS[name], times=None)
    calls = [
        lambda: canary_client.submit("image", {"prompt": "x"}),
        lambda: canary_client.get("job_1", poll=True),
        canary_client.list,
        canary_client.quota,
        lambda: canary_client.cancel("job_1"),
    ]
    for call in calls:
        try:
            await call()
        except NovaKitError as error:
            check(error)
    assert SECRET not in log.text
    assert SECRET not in repr([(record.msg, record.args) for record in log.records])
    assert any(record.name.startswith("httpcore") for record in log.records), "the finest log was on"


async def test_whole_job_leaves_the_key_nowhere(serve, nothing_left, log, monkeypatch, tmp_path):
    """From submission to download, with everything logged: no object that a user meets shows the key, and no file has it."""
    sandbox = serve()
    monkeypatch.setenv("NOVAKIT_API_KEY", sandbox.api_key)
    secret = sandbox.api_key[:-4]
    settings.configure(base_url=sandbox.base_url)
    client = default_client()
    run = JobRun(Tool.IMAGE, {"prompt": "x"}, client=client)
    job = await run.wait()
    file = await client.download(job.media[0].url, tmp_path)
    quota = await client.quota()
    for thing in (client, run, job, job.media, file, quota, client.rate_limit, tracker_of(client), settings.api_key()):
        assert secret not in f"{thing} {thing!r}"
        assert secret not in repr(getattr(thing, "__dict__", ""))
    assert secret not in repr(settings.describe())
    assert secret not in repr(settings.configured())
    assert secret not in log.text
    with pytest.raises(TypeError):
        pickle.dumps(client)
    await client.aclose()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes()


async def test_submission_sends_the_key_in_the_header_only(canary, canary_client):
    """The media's server gets no key, and neither does the API in its path, query or body."""
    asked = []
    async with canary_client._connections.lent() as http:
        network = http.api._transport

    class Noting(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            asked.append(request)
            return await network.handle_async_request(request)

        async def aclose(self):
            await network.aclose()

    http.api._transport = Noting()
    with pytest.raises(NovaKitError):
        await canary_client.submit("image", {"prompt": "x"})  # the sandbox does not know the canary
    assert len(asked) == 1
    assert asked[0].headers["authorization"] == f"Bearer {CANARY}"
    del asked[0].headers["authorization"]
    assert SECRET not in f"{asked[0].url} {asked[0].headers.raw} {asked[0].content}"


async def test_interrupted_request_does_not_show_the_key(serve, nothing_left, monkeypatch):
    """An await that is cancelled in the middle of httpx has httpx's frames in its traceback; none shows the key."""
    sandbox = serve(speed=1.0)
    monkeypatch.setenv("NOVAKIT_API_KEY", sandbox.api_key)
    secret = sandbox.api_key[:-4]
    client = NovaKitClient(base_url=sandbox.base_url)
    sandbox.next_duration(1_000_000.0)
    job = await client.submit("image", {"prompt": "x"})
    for steps in (1, 2, 3, 5, 8, 50):
        await (
            client.quota()
        )  # for an open connection: one that is cancelled while it is made, anyio leaves to the collector
        waiting = asyncio.ensure_future(client.get(job.id, poll=True))
        for _ in range(steps):
            await asyncio.sleep(0.001 if steps == 50 else 0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await waiting
        assert secret not in verbose(caught.value)
    await client.aclose()


def test_ctrl_c_in_a_script_does_not_show_the_key(serve, monkeypatch):
    """The KeyboardInterrupt's traceback has none of it."""
    sandbox = serve(speed=1.0)
    monkeypatch.setenv("NOVAKIT_API_KEY", sandbox.api_key)
    secret = sandbox.api_key[:-4]
    run = JobRun(Tool.IMAGE, {"prompt": "x"}, client=NovaKitClient(base_url=sandbox.base_url))
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt) as caught:
        run.wait_blocking()
    timer.join()
    assert secret not in verbose(caught.value)
    run.cancel()


def test_bad_setting_beside_a_good_key_does_not_show_the_key(monkeypatch):
    """With the key in the environment, a bad base URL or history must not show the environment."""
    monkeypatch.setenv("NOVAKIT_API_KEY", CANARY)
    for name in ("NOVAKIT_BASE_URL", "NOVAKIT_REUSE"):
        monkeypatch.setenv(name, "ftp://nonsense")
    for call in (default_client, NovaKitClient, settings.base_url, settings.reuse):
        with pytest.raises(ConfigurationError) as caught:
            call()
        check(caught.value)


def test_bad_base_url_beside_a_good_key_does_not_show_the_key(monkeypatch):
    """Given as an argument it is not among the arguments that a traceback shows."""
    monkeypatch.setenv("X", CANARY)
    with pytest.raises(InvalidBaseURLError) as caught:
        NovaKitClient(os.environ["X"], "http://novakit.ai")
    check(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda key: settings.configure(api_key=key, base_url="http://novakit.ai"),
        lambda key: settings.configure(api_key=key, histroy="off"),
        lambda key: settings.configure(api_kye=key),
        lambda key: settings.configure(base_url=key),
        lambda key: settings.configure(api_key=key, speed=-1),
        lambda key: settings.configure(api_key=key[:-1]),
        lambda key: settings.api_key(key[:-1]),
        settings.remember_key,
        lambda key: settings.remember_key(key[:-1]),
        lambda key: NovaKitClient(key[:-1]),
        lambda key: NovaKitClient(key, "http://novakit.ai"),
    ],
)
def test_refused_argument_is_in_no_traceback(call):
    """A good key beside a refused value, one with a typing error, or one under a wrong name: no frame has it as it was given."""
    with pytest.raises((ConfigurationError, TypeError)) as caught:
        call(CANARY)
    check(caught.value)
    assert CANARY[3:-8] not in variables(caught.value) + verbose(caught.value) + rich_shown(caught.value)


def test_key_typed_at_a_terminal_is_in_no_traceback(monkeypatch):
    """A key with a typing error is not shown; blanks around a key are removed."""
    monkeypatch.setattr("getpass.getpass", lambda _prompt: CANARY[:-1])
    with pytest.raises(InvalidKeyError) as caught:
        login()
    for shown in (str(caught.value), variables(caught.value), verbose(caught.value), rich_shown(caught.value)):
        assert CANARY[3:-8] not in shown
    monkeypatch.setattr("getpass.getpass", lambda _prompt: f" {CANARY}\n")
    assert login() is None
    assert settings.api_key().value.reveal() == CANARY


@pytest.mark.parametrize("slip", [CANARY + "0", CANARY[:-1], CANARY.replace("sk_", "sk-"), CANARY[:-1] + "g"])
def test_key_with_a_typing_error_is_not_shown(monkeypatch, slip):
    """A key that is nearly right is a secret too, from every source."""
    nearly = slip[3:-8]
    monkeypatch.setenv("NOVAKIT_API_KEY", slip)
    with pytest.raises(InvalidKeyError) as caught:
        default_client()
    for shown in (str(caught.value), variables(caught.value), verbose(caught.value)):
        assert nearly not in shown
    assert nearly not in repr(settings.describe())
    monkeypatch.delenv("NOVAKIT_API_KEY")
    held = [slip]
    monkeypatch.setattr(keyring, "get_password", lambda *_: held[0])
    with pytest.raises(InvalidKeyError, match="keyring") as caught:
        default_client()
    for shown in (str(caught.value), variables(caught.value), verbose(caught.value)):
        assert nearly not in shown


@pytest.mark.parametrize("kind", [keyring.errors.PasswordSetError, RuntimeError])
def test_keyring_that_refuses_a_key_does_not_show_it(monkeypatch, kind):
    """The backend's own traceback, which holds the key, is not behind ours; nor that of one that has a fault."""

    def refuse(_service, _user, password):
        raise kind(password)

    monkeypatch.setattr(keyring, "set_password", refuse)
    with pytest.raises(ConfigurationError, match="no keyring") as caught:
        settings.remember_key(CANARY)
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None
    check(caught.value)
    with pytest.raises(InvalidKeyError):
        settings.remember_key("sk_short")


def test_remembered_key_is_found_and_forgotten_key_is_not(monkeypatch):
    """A remembered key is found by the next kernel; a forgotten one is not."""
    held = {}
    monkeypatch.setattr(
        keyring, "set_password", lambda service, user, password: held.update({(service, user): password})
    )
    monkeypatch.setattr(keyring, "get_password", lambda service, user: held.get((service, user)))
    monkeypatch.setattr(keyring, "delete_password", lambda service, user: held.pop((service, user)))
    settings.remember_key(CANARY)
    assert settings.api_key().source == "keyring"
    settings.configure(api_key=CANARY)
    settings.forget_key()
    with pytest.raises(ConfigurationError):
        settings.api_key()


def test_remembering_without_the_keyring_package_says_how_to_install_it(monkeypatch):
    """Remembering says how to install it; forgetting has nothing to do."""
    import sys

    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigurationError, match="pip install"):
        settings.remember_key(CANARY)
    settings.forget_key()


def test_logs_of_httpx_are_filtered():
    """A key in a log record of httpx or httpcore is removed before any handler sees it."""
    from novakit_widgets.config.redaction import guard_logs

    guard_logs()
    guard_logs()
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    for name in ("httpx", "httpcore.http11", "httpcore.connection"):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.warning("sent %r", [(b"Authorization", f"Bearer {CANARY}".encode())])
        logger.warning("nothing to hide: %d", 5)
        logger.removeHandler(handler)
        assert len([one for one in logger.filters if type(one).__name__ == "RedactingFilter"]) == 1
    assert SECRET not in stream.getvalue()
    assert "nothing to hide: 5" in stream.getvalue()
    assert redact(f"a {CANARY} b") == "a sk_… b"
