"""Expected errors show themselves in a few lines; a bug keeps its whole traceback."""

from __future__ import annotations

import re

import pytest
from kernel import running

_KEY = "sk_" + "5ecr" * 16
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_INTERNALS = ("novakit_widgets/", "asyncio", "interactiveshell")


def shown(cell):
    """Return the traceback that a front end shows below a cell."""
    errors = [message["content"] for message in cell.outputs if message["msg_type"] == "error"]
    return _ANSI.sub("", "\n".join(errors[-1]["traceback"]))


@pytest.fixture
def bare(environ, tmp_path):
    """A kernel without a key."""
    with running(environ, tmp_path, NOVAKIT_API_KEY="", NOVAKIT_SANDBOX_URL="", NOVAKIT_BASE_URL="") as kernel:
        kernel.ok("import novakit_widgets as nk")
        yield kernel


EXPECTED = [
    ("nk.video('A sunset')", "MissingKeyError: No NovaKit API key is set"),
    ("nk.video('A sunset', fps=29)", "InvalidParameterError: video: fps must be 30 or 60, got 29."),
    ("await nk.NovaKitClient().quota()", "MissingKeyError: "),
    ("nk.configure(timeout=-1)", "ConfigurationError: "),
    ("nk.image('A boat', auto_start=1)", "TypeError: image() got an unknown keyword 'auto_start'"),
    ("nk.image()", "TypeError: image(): missing a required argument: 'prompt'. Nothing was sent or billed."),
    ("nk.sweep('image', prompt='A boat')", "InvalidParameterError: "),
]


def test_expected_error_shows_message_and_own_line(bare):
    """The message comes first, then the line of the cell, then how to see the rest; nothing of the package's code."""
    for code, message in EXPECTED:
        cell = bare.run(code)
        lines = shown(cell).splitlines()
        assert lines[0].startswith(message), shown(cell)
        assert cell.content["evalue"] in shown(cell)
        assert f"----> 1 {code}" in lines
        assert re.fullmatch(r"Cell In\[\d+\], line 1", lines[lines.index(f"----> 1 {code}") - 1])
        assert lines[-1] == "Run %tb for the whole traceback."
        assert len(lines) <= 6
        assert not [word for word in _INTERNALS if word in shown(cell)]


def test_expected_error_whole_on_request(bare):
    """``%tb`` shows all frames afterwards, and ``%xmode Verbose`` does at once; then the next error is short again."""
    assert "%tb" in shown(bare.run("nk.video('A sunset')"))
    whole = shown(bare.run("%tb"))
    assert "novakit_widgets/" in whole
    assert whole.splitlines()[-1].startswith("MissingKeyError: No NovaKit API key is set")
    assert "novakit_widgets/" not in shown(bare.run("nk.video('A sunset')"))
    bare.ok("%xmode Verbose")
    assert "novakit_widgets/" in shown(bare.run("nk.video('A sunset')"))
    bare.ok("%xmode Context")
    assert "novakit_widgets/" not in shown(bare.run("nk.video('A sunset')"))


def test_unexpected_error_keeps_its_traceback(bare):
    """A fault of the package, or of the user's own code, is shown as ever."""
    bare.ok("from novakit_widgets.widgets.card import widget; widget.run_of = lambda *_, **__: 1 / 0")
    bare.ok(f"nk.configure(api_key='sk_{'0' * 64}')")
    told = shown(bare.run("nk.video('A sunset')"))
    assert "novakit_widgets/" in told
    assert told.splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert "Traceback (most recent call last)" in shown(bare.run("[].pop()"))


def test_expected_error_shows_no_key(bare):
    """The user's line is shown without the key that it has, also one with a typing error."""
    for code in (
        f"nk.configure(api_key='{_KEY}', base_url='ftp://x')",
        f"nk.NovaKitClient('{_KEY}'); nk.video('A sunset')",
        f"import os; os.environ['NOVAKIT_API_KEY'] = '{_KEY}'; nk.video('A sunset')",
        f"nk.configure(api_kye='{_KEY}')",
        f"client = nk.NovaKitClient(base_url='http://example.org', api_key='{_KEY}')",
    ):
        cell = bare.run(code)
        assert cell.status == "error"
        assert "5ecr" not in shown(cell), code
        assert "----> 1 " in shown(cell)


@pytest.mark.parametrize("waits", ["await card", "card.wait()", "await asyncio.gather(card, other)", "await board"])
def test_interrupted_wait_says_what_goes_on(kernel, sandbox, waits):
    """An interrupt ends the waiting: the cell says that, and that the jobs go on."""
    sandbox.next_duration(1_000_000.0, 1_000_000.0, 1_000_000.0)
    made = "board = nk.batch('image', ['A boat'])" if "board" in waits else "card, other = nk.image('1'), nk.image('2')"
    kernel.ok(f"""
        import asyncio, functools
        {made}
        def tell():  # as soon as the loop turns, so when the cell waits
            asyncio.get_event_loop().call_soon(functools.partial(print, "waiting", flush=True))
    """)
    jobs = ("board[0]",) if "board" in waits else ("card.job", "other.job")
    for job in jobs:
        kernel.until(lambda job=job: kernel.value(f"{job} and {job}.id or ''"), what=f"{job} has an id")
    cell = kernel.send(f"tell(); {waits}")
    kernel.until(lambda: "waiting" in cell.text)
    kernel.interrupt()
    kernel.finish(cell)
    lines = shown(cell).splitlines()
    goes_on = "The jobs go on" if "board" in waits else r"job_\w+ goes on"
    told = rf"(CancelledError|KeyboardInterrupt): The waiting was interrupted\. {goes_on}: wait again for the result\."
    assert re.fullmatch(told, lines[0]), shown(cell)
    assert f"----> 1 tell(); {waits}" in lines
    assert not [word for word in _INTERNALS if word in shown(cell).replace("asyncio.gather(", "")]
    assert [kernel.value(f"{job}.ended") for job in jobs] == ["False"] * len(jobs)
