"""The harness itself: environments are what they say, and a kernel is seen as a front end sees it."""

from __future__ import annotations

from generations import first_on_the_newest
from packaging.version import Version

import novakit_widgets


def test_the_kernel_is_the_one_asked_for(kernel, environ):
    """It runs the right ipykernel, and imports the package that these tests import."""
    told = kernel.ok("import ipykernel; print(ipykernel.__version__); print(nk.__file__)").text.split()
    assert told == [environ.ipykernel, novakit_widgets.__file__]
    assert kernel.has_subshells is not environ.ipykernel.startswith("6.")


@first_on_the_newest
def test_a_widget_is_followed(kernel):
    """State, bytes, updates, clicks and closing reach the front end's side of a widget."""
    cell = kernel.ok("""
        import ipywidgets, IPython.display
        button = ipywidgets.Button(description="0")
        video = ipywidgets.Video(value=b"some bytes")
        IPython.display.display(button, video)
        def clicked(_):
            button.description = "1"
            print("unseen")
        button.on_click(clicked)
    """)
    button, video = (kernel.models[view] for view in cell.views)
    assert video.state["value"] == b"some bytes"
    kernel.click(button)
    kernel.until(lambda: button.state["description"] == "1")
    assert button.values("description") == ["0", "1"]
    kernel.ok("button.close()")
    assert button.closed
    assert not video.closed


def test_a_click_comes_on_a_thread_of_the_kernel_s_choice(kernel, environ):
    """It is the main one without subshells, and with them theirs; since 7.4 only once a callback has changed the widget."""
    cell = kernel.ok("""
        import threading, ipywidgets
        button, on_main = ipywidgets.Button(description="0"), []
        def clicked(_):
            on_main.append(threading.current_thread() is threading.main_thread())
            button.description = str(len(on_main))
        button.on_click(clicked)
        button
    """)
    button = kernel.models[cell.views[0]]
    for count in ("1", "2"):
        kernel.click(button)
        kernel.until(lambda count=count: button.state["description"] == count)
    first = not kernel.has_subshells or Version(environ.ipykernel) >= Version("7.4")
    assert kernel.value("on_main") == str([first, not kernel.has_subshells])


def test_a_burst_of_cells(kernel):
    """They are sent without waiting and run in order, and one that fails does not keep the next from running."""
    cells = [kernel.send(code) for code in ("import time; time.sleep(0.3); print(0)", "1 / 0", "print(2)")]
    kernel.finish(*cells)
    first, _, last = (cell.reply for cell in cells)
    assert last["parent_header"]["date"] < first["header"]["date"]  # sent before the first was done
    assert [cell.status for cell in cells] == ["ok", "error", "ok"]
    assert cells[1].error == "ZeroDivisionError"
    assert [cell.text for cell in cells] == ["0\n", "", "2\n"]
    assert cells[0].seconds >= 0.3
    counts = [cell.content["execution_count"] for cell in cells]
    assert counts == list(range(counts[0], counts[0] + 3))


@first_on_the_newest
def test_an_updated_display_is_followed(kernel):
    """What is put in a display's place after its cell has ended is what the front end shows there."""
    cell = kernel.ok("import asyncio; handle = display('first', display_id=True)")
    (display_id,) = cell.display_ids
    assert kernel.displays[display_id]["text/plain"] == "'first'"
    kernel.ok(
        "task = asyncio.create_task(asyncio.sleep(0.1)); task.add_done_callback(lambda _: handle.update('second'))"
    )
    kernel.until(lambda: kernel.displays[display_id]["text/plain"] == "'second'")


@first_on_the_newest
def test_an_interrupted_cell_leaves_the_kernel_usable(kernel):
    """An interrupt ends what runs, and what the kernel knows stays."""
    cell = kernel.send("known = 1; import time; print('sleeping', flush=True); time.sleep(60)")
    kernel.until(lambda: "sleeping" in cell.text)
    kernel.interrupt()
    kernel.finish(cell)
    assert cell.error == "KeyboardInterrupt"
    assert kernel.value("known") == "1"


@first_on_the_newest
def test_a_front_end_that_knows_no_subshells(kernel):
    """Its clicks come on the main thread, whatever the kernel has."""
    cell = kernel.ok("""
        import threading, ipywidgets
        button, on_main = ipywidgets.Button(description="0"), []
        def clicked(_):
            on_main.append(threading.current_thread() is threading.main_thread())
            button.description = str(len(on_main))
        button.on_click(clicked)
        button
    """)
    button = kernel.models[cell.views[0]]
    for count in ("1", "2"):
        kernel.click(button, over_subshell=False)
        kernel.until(lambda count=count: button.state["description"] == count)
    assert kernel.value("on_main") == "[True, True]"
