"""The package's logger: silent, without secrets, and one line for each step of a job."""

from __future__ import annotations

import contextlib
import io
import itertools
import logging
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novakit_widgets import Sandbox, settings
from novakit_widgets.config import logs
from novakit_widgets.config.redaction import redact_anything_secret
from novakit_widgets.engine.run import JobRun
from novakit_widgets.errors import NovaKitError
from novakit_widgets.model.tools import Tool
from novakit_widgets.sandbox import Fault

KEY = "sk_" + "c0ffee" * 10 + "beef"
SECRETS = {
    "a key": KEY,
    "a key that is one digit short": KEY[:-1],
    "another vendor's key": "sk-proj-" + "Ab1" * 12,
    "a classroom's key after Bearer": "Bearer nk-room-7-anna",
    "a header": "{'Authorization': 'Basic dXNlcjpwYXNz'}",
    "a header in bytes": "[(b'authorization', b'Bearer abc.def')]",
    "a variable": "NOVAKIT_API_KEY=hunter2hunter2",
    "a query": "https://media.example/a.mp4?token=hunter2hunter2&x=1",
    "a field": '{"password": "hunter2hunter2"}',
}
_numbers = itertools.count()
HIDDEN = ("c0ffee", "Ab1", "anna", "dXNlc", "abc.def", "hunter2")


@pytest.fixture
def shown():
    """What a user sees who gave the logger a handler, with tracebacks."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    level = logs.log.level
    logs.log.addHandler(handler)
    logs.log.setLevel(logging.DEBUG)
    yield stream
    logs.log.removeHandler(handler)
    logs.log.setLevel(level)


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("place", ["message", "argument", "named argument", "exception", "cause", "stack"])
def test_secrets_are_removed_wherever_they_are_in_a_record(shown, kind, place):
    """Whatever the key looks like, no handler gets it, and nor does a report."""
    secret = SECRETS[kind]
    if place == "message":
        logs.log.warning("got " + secret.replace("%", "%%"))
    elif place == "argument":
        logs.log.warning("got %s and %r", secret, [secret])
    elif place == "named argument":
        logs.log.warning("got %(what)s", {"what": secret})
    elif place == "stack":
        logs.log.handle(
            logs.log.makeRecord("novakit_widgets", logging.WARNING, "f", 1, "got it", (), None, sinfo=secret)
        )
    else:
        try:
            try:
                raise ValueError(secret)
            except ValueError as error:
                if place == "exception":
                    raise
                raise RuntimeError("in turn") from error
        except (ValueError, RuntimeError):
            logs.log.exception("failed")
    for text in (shown.getvalue(), "\n".join(logs.recent())):
        assert not [word for word in HIDDEN if word in text], text
    assert "WARNING" in shown.getvalue() or "ERROR failed" in shown.getvalue()


@given(
    before=st.text(max_size=20),
    digits=st.text(alphabet="0123456789abcdefABCDEF", min_size=64, max_size=64),
    after=st.text(max_size=20),
)
def test_a_key_is_removed_from_any_text(before, digits, after):
    """Also between letters that are none."""
    assert digits not in redact_anything_secret(f"{before} sk_{digits} {after}")


@pytest.mark.parametrize(
    "text",
    [
        "image job job_0123456789abcdef01234567 is ended",
        "/home/ada/.local/share/novakit_widgets/history.sqlite3",
        "GET /jobs/job_abc123: 200",
        "limits: video 50 in 3600 s (configure)",
        "1,200 tokens are left",
    ],
)
def test_harmless_texts_stay_as_they_are(text):
    """Job ids and paths are what a reader needs."""
    assert redact_anything_secret(text) == text


def test_a_record_that_can_not_be_formatted_raises_nothing(shown):
    """A mistake in a call of ours must not cost a job."""
    logs.log.warning("two %s %s", "one")
    assert "two %s %s" in shown.getvalue()


async def steps(client, shown):
    """Run one job, and return what was logged."""
    with contextlib.suppress(NovaKitError):
        await JobRun(Tool.IMAGE, {"prompt": f"a prompt of mine {next(_numbers)}"}, client=client).wait()
    assert "a prompt of mine" not in shown.getvalue()
    return shown.getvalue()


async def test_each_step_of_a_job_is_one_line(client, shown):
    """Submission, answer and end, in this order."""
    lines = (await steps(client, shown)).splitlines()
    assert [line for line in lines if line.startswith("INFO Submitting: image")] != []
    assert len([line for line in lines if "was submitted" in line]) == 1
    assert len([line for line in lines if "is ended" in line]) == 1
    assert any(line.startswith("DEBUG POST /images/generations: 200") for line in lines)
    assert not any(line.startswith(("WARNING", "ERROR")) for line in lines)


@pytest.mark.parametrize(
    ("fault", "logged"),
    [
        (Fault.status(503, retry_after=0), "INFO Sending it again, if tries are left"),
        (Fault.reset_after(), "WARNING A submission's answer was lost: image"),
        (Fault.reset_after(), "INFO Looked up a lost submission: image: job job_"),
        (Fault.status(402), "WARNING image job without an id is refused"),
    ],
)
async def test_what_goes_wrong_is_one_line(sandbox, client, shown, fault, logged):
    """A retry, a lost answer, what became of it, and a refusal."""
    sandbox.inject(fault, method="POST", times=1)
    assert logged in await steps(client, shown)


def test_newest_warnings_are_kept_in_one_line_each():
    """A bounded number of bounded lines."""
    for number in range(200):
        logs.log.warning("line %d\nof %s", number, "x" * 5_000)
    kept = logs.recent()
    assert len(kept) == 50
    assert all("\n" not in line and len(line) < 600 for line in kept)
    assert "WARNING line 199 of xxx" in kept[-1]


def test_warning_where_warnings_are_errors_is_only_logged(shown):
    """An exception there would cost a job that was just paid for."""
    logs.warn("Something is odd.")  # the tests' own filter makes it an error
    assert "WARNING Something is odd." in shown.getvalue()
    with pytest.warns(UserWarning, match="odd again"):
        logs.warn("Something is odd again.")


LOGGED = {
    "nothing set up": ("", ""),
    "basicConfig": ("logging.basicConfig(format='%(message)s')", "image job"),
    "basicConfig, INFO": (
        "logging.basicConfig(format='%(message)s'); logging.getLogger('novakit_widgets').setLevel(logging.INFO)",
        "Submitting: image",
    ),
}


@pytest.mark.parametrize("case", LOGGED)
def test_logger_is_silent_until_somebody_sets_up_logging(case):
    """A failed job writes nothing to stderr by itself."""
    setup, expected = LOGGED[case]
    with Sandbox(speed=500, limits="off", media="canned") as sandbox:
        code = (
            f"import logging, novakit_widgets as nk\n{setup}\n"
            f"nk.configure(api_key={sandbox.api_key!r}, base_url={sandbox.base_url!r}, speed=500, history='off')\n"
            "try:\n    nk.image('fail please').wait()\nexcept nk.JobFailedError:\n    pass\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert expected in done.stderr
    assert bool(done.stderr) == bool(expected)
    assert settings.describe()
