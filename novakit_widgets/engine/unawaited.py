"""What a program has started and never awaited: named on stderr when the program ends.

In a kernel a card on the page tells what became of a job. A script has no page, so without this a job that failed after the
last line would be paid for, or not be there, in silence.
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

_MOST = 100  # that are remembered; a server that never awaits is not to keep every job it has had
_LENGTH = 60  # characters of a prompt


class Started(Protocol):
    """What was started: one job, or a batch."""

    def at_exit(self) -> str:
        """Return what was never awaited, and the call that picks it up; ``""`` if there is nothing to report."""
        ...

    def on_the_way(self) -> set[asyncio.Task[Any]]:
        """Return the tasks that are worth some seconds at exit."""
        ...


_started: dict[Started, None] = {}
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_started.clear)  # the parent names its own


def add(started: Started) -> None:
    """Remember what was started until it is awaited or completed. In a kernel nothing is: its page tells."""
    if not job_loop.is_ours():
        return
    if len(_started) >= _MOST:
        del _started[next(iter(_started))]
    _started[started] = None


def review(started: Started) -> None:
    """Forget what was started if there is nothing to say of it any more."""
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
    """Name on stderr what was never awaited."""
    for started in list(_started):
        line = " ".join(started.at_exit().split())
        if line:
            print(f"novakit_widgets: {line}", file=sys.stderr)  # noqa: T201 # there is nobody else to tell
    _started.clear()


async def _finish(seconds: float) -> None:
    """Wait for submissions whose answer is on its way, and for results that are being saved."""
    tasks = {task for started in list(_started) for task in started.on_the_way()}
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)


at_exit(finish=_finish, report=report)
