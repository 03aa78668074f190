"""The key is known to the kernel's process and to the service, and to nobody who reads what the kernel says."""

from __future__ import annotations

import base64
import json

import nbformat
import pytest
from generations import first_on_the_newest
from jupyter_client.manager import AsyncKernelManager
from kernel import managed, variables_for
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from novakit_widgets.sandbox import Fault

_BEGIN = """
    import logging, sys
    logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, force=True)
    import novakit_widgets as nk
    nk.configure(speed=20.0)
    import stamina
    stamina.set_testing(True, attempts=2)
    from novakit_widgets import settings
    client = nk.NovaKitClient()
    print(client, vars(client), settings.describe(), nk.configure)
"""
_CELLS = (
    "picture = nk.image('A lighthouse', size='512x512'); picture",
    "print(await picture, repr(picture), vars(picture), vars(picture._run), vars(picture._run.client))",
    "nk.image('fail please').wait()",
    "running = nk.image('A boat'); running.cancel(); await running",
    "await client.get('job_that_never_was')",
    "await client.submit('videos/generations', {'prompt': 1})",
    "await client.quota()",
    "nk.image('').wait()",
    "nk.NovaKitClient(base_url='http://example.org')",
    "await nk.NovaKitClient(base_url='http://127.0.0.1:9').list()",
    "nk.history()",
    *(
        f"import os; {call}"
        for call in (
            "nk.configure(api_key=os.environ['NOVAKIT_API_KEY'], base_url='http://example.org')",
            "nk.configure(api_key=os.environ['NOVAKIT_API_KEY'], histroy='off')",
            "nk.configure(api_kye=os.environ['NOVAKIT_API_KEY'])",
            "nk.NovaKitClient(os.environ['NOVAKIT_API_KEY'], 'http://example.org')",
        )
    ),
    "import copy, pickle; pickle.dumps(client._key if hasattr(client, '_key') else client)",
)


def forms_of(key):
    """Return how a key can be hidden in a message: as it is, and in base64 from each of the three offsets."""
    encoded = [base64.b64encode(b" " * shift + key.encode())[4:-4] for shift in range(3)]
    return [key.encode(), *encoded]


def leaks(key, *places):
    """Return what is around the key, wherever it is found."""
    found = []
    for place in places:
        for form in forms_of(key):
            at = place.find(form)
            if at >= 0:
                found.append(place[max(0, at - 300) : at + 80])
    return found


@pytest.fixture
def keyed(start, sandbox):
    """A kernel that has its key from the environment, as a user's has."""
    key = sandbox.add_key()
    kernel = start("", NOVAKIT_API_KEY=key, NOVAKIT_BASE_URL=sandbox.base_url, NOVAKIT_SANDBOX_URL="")
    kernel.ok(_BEGIN)
    yield kernel, key
    sandbox.revoke(key)


def everything(kernel):
    """Return all that a kernel has ever said, its buffers and its log too."""
    said = [json.dumps({**message, "buffers": []}, default=str).encode() for message in kernel.messages]
    buffers = [bytes(buffer) for message in kernel.messages for buffer in message["buffers"]]
    return [*said, *buffers, kernel._log.read_bytes()]


@first_on_the_newest
def test_the_key_is_in_nothing_that_the_kernel_says(keyed, sandbox, tmp_path):
    """Not in a model, repr, log at DEBUG, traceback with variables, history or file, whatever goes well or wrong."""
    kernel, key = keyed
    kernel.ok("%xmode Verbose")  # with the variables of each frame
    for code in _CELLS:
        assert kernel.run(code).done, code
    echo = Fault.status(400, body={"error": f"bad key {key}"})
    faults = (Fault.status(401), echo, Fault.status(500), Fault.reset_before(), Fault.not_json(f"<p>{key}</p>"))
    for fault in faults:
        sandbox.inject(fault, times=2)
        assert kernel.run("await client.quota()").status == "error", fault
        sandbox.clear_faults()
    for fault in faults:
        sandbox.inject(fault, method="POST")
    kernel.ok(
        f"import asyncio; made = [nk.image(f'A lighthouse, {{n}}') for n in range({len(faults)})]; display(*made)"
    )
    assert [kernel.run(f"await made[{index}]").status for index in range(len(faults))] == ["error"] * len(faults)
    said = everything(kernel)
    assert any(b"receive_response_headers.complete" in one for one in said)  # of httpcore, at DEBUG
    assert any(b"read_seconds = " in one for one in said)  # a variable of a frame
    assert leaks(key, *said) == []
    assert leaks(key, *(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())) == []


@first_on_the_newest
def test_a_key_that_is_typed_is_repeated_to_no_page(start, sandbox):
    """Ipywidgets tells all pages of a kernel what one has sent; the box for the key does not."""
    key = sandbox.add_key()
    kernel = start("import novakit_widgets as nk", NOVAKIT_SANDBOX_URL="", NOVAKIT_BASE_URL=sandbox.base_url)
    cell = kernel.ok("nk.login()")
    (box,) = [model for model in kernel.models.values() if model.state.get("_model_name") == "PasswordModel"]
    kernel.change(box, value=key)
    kernel.until(lambda: kernel.value("nk.NovaKitClient()").count(key[-4:]) == 1)
    assert box.state["value"] == ""
    assert cell.views
    assert leaks(key, *everything(kernel)) == []
    sandbox.revoke(key)


@first_on_the_newest
async def test_the_key_is_not_in_a_saved_notebook(environ, sandbox, tmp_path):
    """A notebook that is executed with its widgets' state stored has the media in it, and no key."""
    key = sandbox.add_key()
    sandbox.next_duration(10.0)
    cells = [
        _BEGIN,
        "picture = nk.image('A lighthouse', size='512x512'); picture",
        "await picture",
        "nk.history()",
        "%xmode Verbose",
        "import os; nk.configure(api_key=os.environ['NOVAKIT_API_KEY'], base_url='http://example.org')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.cells[-1].metadata.tags = ["raises-exception"]
    with managed(AsyncKernelManager, environ, tmp_path) as manager:
        client = NotebookClient(notebook, km=manager, timeout=60, resources={"metadata": {"path": str(tmp_path)}})
        own = variables_for(tmp_path, {"NOVAKIT_API_KEY": key, "NOVAKIT_BASE_URL": sandbox.base_url})
        await client.async_execute(env=own, cleanup_kc=True)
    saved = nbformat.writes(notebook)
    assert "application/vnd.jupyter.widget-state+json" in notebook.metadata.widgets
    assert "data:image/png;base64," in saved
    assert "InvalidBaseURLError" in saved
    html, _ = HTMLExporter().from_notebook_node(notebook)
    assert leaks(key, saved.encode(), html.encode()) == []
