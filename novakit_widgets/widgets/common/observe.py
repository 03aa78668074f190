"""Observing what a user changes in a control."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from ...runtime import loop as job_loop

if TYPE_CHECKING:
    from collections.abc import Callable

    import ipywidgets

__all__ = ["when_changed"]


def when_changed(control: ipywidgets.Widget, work: Callable[[], object], trait: str = "value") -> None:
    """Call a function on the job loop each time the page changes a trait of a control.

    Args:
        control: the control.
        work: the function, which must be quick. ipywidgets calls observers on any thread.
        trait: its name.
    """

    def changed(_change: object) -> None:
        try:
            job_loop.call(work)
        finally:
            _acknowledge_change()

    control.observe(changed, trait)


def _acknowledge_change() -> None:
    """Acknowledge a change to the page where the kernel does not.

    A page sends one change of a control, and holds back the next until the kernel reports *idle* for the first. While a cell
    awaits something, ipykernel 7.4 processes changes without reporting *idle*: the control would send nothing more until the
    page is reloaded, and a form would be submitted with the first letter of its prompt.
    """
    ipykernel = sys.modules.get("ipykernel")
    application = sys.modules.get("ipykernel.kernelapp")
    if ipykernel is None or application is None or ipykernel.version_info < (7, 4):
        return
    if not application.IPKernelApp.initialized() or threading.current_thread() is not threading.main_thread():
        return  # a subshell reports it
    kernel = application.IPKernelApp.instance().kernel
    header = kernel.get_parent("shell").get("header", {})  # only the header: the content may be a key
    if header.get("msg_type") != "comm_msg":
        return  # the value was set by code
    # Then *busy* again, because the kernel is: with the awaiting cell, or with this message, whose end it reports itself.
    for state in ("idle", "busy"):
        kernel.session.send(kernel.iopub_socket, "status", {"execution_state": state}, parent={"header": header})
