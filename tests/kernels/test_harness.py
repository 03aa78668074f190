"""The harness itself: environments are what they say, and a kernel is seen as a front end sees it."""

from __future__ import annotations

import novakit_widgets


def test_the_kernel_is_the_one_asked_for(kernel, environ):
    """It runs the right ipykernel, and imports the package that these tests import."""
    told = kernel.ok("import ipykernel; print(ipykernel.__version__); print(nk.__file__)").text.split()
    assert told == [environ.ipykernel, novakit_widgets.__file__]
    assert kernel.has_subshells is not environ.ipykernel.startswith("6.")


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
