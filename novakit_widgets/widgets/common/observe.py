"""Hearing of what a user changes in a control, and letting the page send the next change."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from ...runtime import loop as job_loop

if TYPE_CHECKING:
    from collections.abc import Callable

    import ipywidgets

__all__ = ["when_changed"]


def when_changed(control: ipywidgets.Widget, work: Callable[[], object]) -> None:
    """Have work done on the loop that jobs run on, each time that a control has another value.

    Args:
        control: what has a ``value``.
        work: quick; the callback may come on any thread.
    """

    def changed(_change: object) -> None:
        try:
            job_loop.at_home(work)
        finally:
            _let_the_page_go_on()

    control.observe(changed, "value")


def _let_the_page_go_on() -> None:
    """Tell the page that a change was taken in, where the kernel does not.

    A page sends one change of a control, and keeps what follows until the kernel says that it is done with that one. While a cell
    awaits something, ipykernel 7.4 takes changes in without ever saying so: the control would be deaf until the page is loaded
    again, and a form would be submitted with the first letter of its prompt.
    """
    ipykernel = sys.modules.get("ipykernel")
    application = sys.modules.get("ipykernel.kernelapp")
    if ipykernel is None or application is None or ipykernel.version_info < (7, 4):
        return
    if not application.IPKernelApp.initialized() or threading.current_thread() is not threading.main_thread():
        return  # a subshell says it
    kernel = application.IPKernelApp.instance().kernel
    header = kernel.get_parent("shell").get("header", {})  # and no more of it: what was typed may be a key
    if header.get("msg_type") != "comm_msg":
        return  # the value was set by code
    # Busy again, as it is: with the cell that awaits, or until this message is done with, of which it says so itself.
    for state in ("idle", "busy"):
        kernel.session.send(kernel.iopub_socket, "status", {"execution_state": state}, parent={"header": header})
