"""The way of one prompt: how many calls of ours lie between `nk.video("x")` and the POST."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter

import pytest

# Upper bounds that hold today. The aim is 80 calls in 15 modules: lower them when the way has become shorter.
MOST_CALLS = 170
MOST_MODULES = 47

# Runs in an interpreter of its own, whose threads are all new. A first call imports the modules and opens the history; of the
# second, each call of a function of ours is noted, in every thread and task, until its POST meets the transport. What imports do,
# the bodies of comprehensions, and what a timer of the painter calls, are left out; a coroutine counts once.
WALK = """
import asyncio, json, sys, threading
import httpx
import novakit_widgets as nk

HERE = nk.__path__[0] + "/"
walked, frames, walking, posted = [], [], [], threading.Event()

def note(frame, event, _arg):
    code = frame.f_code
    if event != "call" or not walking or not code.co_filename.startswith(HERE):
        return
    if code.co_name.startswith("<") and code.co_name != "<lambda>" or "__qualname__" in code.co_names[:4]:
        return  # a module, a comprehension, or the body of a class
    if any(frame is one for one in frames):
        return  # a coroutine goes on
    first = outer = frame
    while outer := outer.f_back:
        if outer.f_code.co_filename.startswith(HERE):
            first = outer
    if first.f_code.co_filename == HERE + "widgets/common/repaint.py":
        return
    frames.append(frame)
    module = code.co_filename[len(HERE):]
    walked.append((threading.current_thread().name, module, getattr(code, "co_qualname", code.co_name)))

async def handle(_self, request):
    if request.method == "POST" and walking:
        walking.clear()
        posted.set()
        await asyncio.sleep(3600)
    return httpx.Response(403, json={"error": "the first call ends here"})

httpx.AsyncHTTPTransport.handle_async_request = handle

async def cell():
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        await nk.video("w")
    except nk.PermissionDeniedError:
        await asyncio.sleep(1)  # its card is painted
    walking.append(True)
    card = nk.video("x")
    await asyncio.to_thread(posted.wait, 30)
    sys.setprofile(None)
    threading.setprofile(None)
    assert posted.is_set()
    print(json.dumps(walked), flush=True)
    import os
    os._exit(0)  # the answer never comes

asyncio.run(cell())
"""


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """Each call on the way: its thread, its module and its function."""
    folder = tmp_path_factory.mktemp("walk")
    environment = {
        **os.environ,
        "NOVAKIT_API_KEY": "sk_" + "0" * 64,
        "NOVAKIT_BASE_URL": "http://127.0.0.1:9/api/v1",
        "NOVAKIT_HISTORY": str(folder / "history.sqlite3"),
    }
    ran = subprocess.run(
        [sys.executable, "-c", WALK],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return [tuple(step) for step in json.loads(ran.stdout)]


def test_walk_from_call_to_post_is_short(walk):
    """The way from `nk.video("x")` to the POST, printed call by call (`pytest -s`)."""
    modules = Counter(module for _thread, module, _function in walk)
    lines = [f"{thread:24} {module:32} {function}" for thread, module, function in walk]
    lines += [f"{count:4} {module}" for module, count in modules.most_common()]
    lines += [f"{len(walk)} calls of {len(set(walk))} functions in {len(modules)} modules", ""]
    sys.stdout.write("\n".join(lines))
    assert walk[0][1].startswith(("__init__", "notebook/"))
    assert len(walk) <= MOST_CALLS
    assert len(modules) <= MOST_MODULES
