"""What makes our code take a process for a Jupyter kernel."""

from __future__ import annotations

import asyncio
import os
import sys
from types import SimpleNamespace


def kernel_application(loop: asyncio.AbstractEventLoop, pid: int | None = None) -> SimpleNamespace:
    """Return a stand-in for the module ``ipykernel.kernelapp`` of a kernel with that loop."""
    session = SimpleNamespace(pid=os.getpid() if pid is None else pid)
    application = SimpleNamespace(io_loop=SimpleNamespace(asyncio_loop=loop), session=session)
    return SimpleNamespace(IPKernelApp=SimpleNamespace(initialized=lambda: True, instance=lambda: application))


def become_a_kernel() -> None:
    """Make the running loop that of this process's kernel."""
    sys.modules["ipykernel.kernelapp"] = kernel_application(asyncio.get_running_loop())  # type: ignore[assignment]
