"""What is imported, and when: each in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from novakit_widgets import Sandbox

SUPPORT = Path(__file__).parents[1] / "support"
KEY = "sk_" + "0" * 64
CARD = f"import novakit_widgets as nk; w = nk.video('x', client=nk.NovaKitClient('{KEY}', 'http://127.0.0.1:9/api/v1'))"


def imported(code, *names):
    """Run code in a fresh interpreter, and return which of some modules it has imported."""
    script = f"{code}\nimport sys; print(*[name for name in {names!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.split()


def in_a_kernel(*lines):
    """Return code that runs lines as a cell does: on the kernel's loop."""
    body = "\n".join(f"    {line}" for line in ("become_a_kernel()", *lines))
    return (
        f"import asyncio, os, sys; sys.path.insert(0, {str(SUPPORT)!r})\nfrom fake_kernel import become_a_kernel\n"
        f"import novakit_widgets as nk\nasync def cell():\n{body}\nasyncio.run(cell())"
    )


def test_the_package_alone_imports_next_to_nothing():
    """Importing it costs neither ipywidgets nor httpx nor asyncio."""
    names = ("ipywidgets", "httpx", "nest_asyncio2", "asyncio", "sqlite3", "stamina", "novakit_widgets.api.client")
    assert imported("import novakit_widgets", *names) == []


def test_a_card_alone_imports_no_http():
    """A card that has sent nothing has imported ipywidgets, and nothing that sends."""
    assert imported(CARD, "httpx", "nest_asyncio2", "stamina", "ipywidgets") == ["ipywidgets"]


def test_a_request_imports_httpx_and_only_a_blocking_wait_in_a_cell_imports_nest_asyncio2():
    """Awaiting needs no patch of asyncio; waiting in a plain script needs none either."""
    with Sandbox(speed=500, limits="off", media="canned") as sandbox:
        client = f"nk.NovaKitClient('{sandbox.api_key}', '{sandbox.base_url}')"
        awaited = in_a_kernel(f"await nk.image('x', client={client})")
        waited = f"import novakit_widgets as nk; nk.image('x', client={client}).wait()"
        nested = in_a_kernel(f"nk.image('x', client={client}).wait()")
        assert imported(awaited, "httpx", "nest_asyncio2") == ["httpx"]
        assert imported(waited, "httpx", "nest_asyncio2") == ["httpx"]
        assert imported(nested, "httpx", "nest_asyncio2") == ["httpx", "nest_asyncio2"]


@pytest.mark.parametrize(
    ("call", "nests"),
    [
        ("nk.history()", False),
        ("nk.attach('job_1', client=client)", False),
        ("nk.explore('image', client=client)", False),
        ("nk.JobBoard([('image', {'prompt': 'x'})], client=client, autostart=False)", False),
        ("nk.sweep('image', prompt=['x'], client=client)", False),
        ("await nk.batch('image', ['x'], client=client)", False),
        ("(await nk.image('x', client=client)).save('picture.png', client=client)", True),
        ("nk.quota(client=client)", True),
        ("nk.recover(client=client)", True),
    ],
)
def test_what_has_its_answer_when_it_returns_nests(tmp_path, call, nests):
    """In a cell, where the loop runs already; everything else leaves asyncio as it is."""
    with Sandbox(speed=500, limits="off", media="canned") as sandbox:
        client = f"client = nk.NovaKitClient('{sandbox.api_key}', '{sandbox.base_url}')"
        code = in_a_kernel(f"os.chdir({str(tmp_path)!r})", client, call, "await client.aclose()")
        assert imported(code, "nest_asyncio2") == ["nest_asyncio2"] * nests
