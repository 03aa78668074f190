"""The report at exit: jobs and batches that a program started and never awaited are named on stderr.

In a kernel, the card shows the outcome of a job. A script has no page, so without this report a job that fails after the last
line would go unnoticed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import JobCancelledError
from ..runtime import loop as job_loop
from ..runtime.loop_thread import at_exit
from .state import Phase

if TYPE_CHECKING:
    from .watching import WatchedRun

__all__ = ["Started", "add", "named", "report", "review"]

_MOST = 100  # jobs and batches; a server that never awaits must not keep all its jobs
_LENGTH = 60  # characters of a prompt


class Started(Protocol):
    """A job or a batch that was started."""

    def at_exit(self) -> str:
        """Return the line of the report, with the call that picks the job up; ``""`` if there is nothing to report."""
        ...

    def on_the_way(self) -> set[asyncio.Task[Any]]:
        """Return the tasks that Python waits for at exit."""
        ...


_started: dict[Started, None] = {}
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_started.clear)  # the parent reports its own


def add(started: Started) -> None:
    """Add a job or a batch to the report until it is awaited or completed. In a kernel there is no report."""
    if not job_loop.is_ours():
        return
    if len(_started) >= _MOST:
        del _started[next(iter(_started))]
    _started[started] = None


def review(started: Started) -> None:
    """Remove a job or a batch from the report if there is nothing to report any more."""
    if started not in _started or started.at_exit():
        return
    tasks = started.on_the_way()
    if not tasks:
        del _started[started]
    for task in tasks:
        task.add_done_callback(lambda _: review(started))


def named(run: WatchedRun) -> str:
    """Return the state of a run that was never awaited; ``""`` if it is completed.

    Args:
        run: it has begun.
    """
    saved = run.saving is None or run.saving.done()
    if run.phase is Phase.NEW or isinstance(run.error, JobCancelledError):
        return ""
    if run.phase is Phase.ENDED and run.error is None and saved:
        return ""
    prompt = " ".join(str(run.params.get("prompt") or run.params.get("input") or "").split())[:_LENGTH]
    what = " ".join(filter(None, (str(run.tool or "job"), run.job_id, repr(prompt) if prompt else "")))
    picked_up = f" Pick it up with nk.attach({run.job_id!r})." if run.job_id else ""
    if run.phase is Phase.REFUSED:
        return f"{what} was not submitted. {run.error}"
    if run.phase is Phase.UNCERTAIN or (run.phase is Phase.SUBMITTING and not run.job_id):
        looks = "nk.recover()" if run.history.path is not None else "client.list()"
        return f"{what} may have been submitted: the answer has not come. Look it up with {looks}."
    if run.phase is Phase.ENDED and run.error is None:
        return f"{what} is completed, but its result was not saved in time.{picked_up}"
    return f"{what} " + (f"failed. {run.error}" if run.phase is Phase.ENDED else "still runs.") + picked_up


def report() -> None:
    """Print the report on stderr."""
    for started in list(_started):
        line = " ".join(started.at_exit().split())
        if line:
            print(f"novakit_widgets: {line}", file=sys.stderr)  # noqa: T201 # the report
    _started.clear()


async def _finish(seconds: float) -> None:
    """Wait for submissions whose answer is on its way, and for results that are being saved."""
    tasks = {task for started in list(_started) for task in started.on_the_way()}
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)


at_exit(finish=_finish, report=report)
