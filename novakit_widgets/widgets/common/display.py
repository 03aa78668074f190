"""Showing a widget live while its jobs run, and replacing it with plain HTML once they have ended.

An output with a display id can be replaced from a background task, in the right cell, after that cell has ended. The update is
lost if the page has been reloaded since, and in Voila; so the widget itself shows the result too.
"""

from __future__ import annotations

import asyncio
import contextvars
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

import ipywidgets

from ...runtime import loop as job_loop
from .kernel import in_kernel, this_cell

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from IPython.display import DisplayHandle

    Bundle = Mapping[str, Any]  # MIME types and their data

__all__ = ["DisplayHandles", "ResultDisplay", "is_nested"]

_T = TypeVar("_T")


class DisplayHandles:
    """The outputs in which one widget was shown.

    Attributes:
        cell: the number of the last of their cells; ``None`` for none.
    """

    def __init__(self) -> None:
        self.cell: int | None = None
        self._handles: list[DisplayHandle] = []

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self._handles)

    def show(self, bundle: Bundle) -> None:
        """Display a MIME bundle in the current cell, and remember where."""
        from IPython.display import DisplayHandle

        handle = DisplayHandle()
        handle.display(dict(bundle), raw=True)
        self._handles.append(handle)
        self.cell = this_cell()

    def replace(self, bundle: Bundle) -> None:
        """Replace all outputs with a MIME bundle."""
        for handle in self._handles:
            handle.update(dict(bundle), raw=True)


class ResultDisplay:
    """The outputs of a card or a board: live while jobs run, plain HTML once they have ended.

    Args:
        widget: the card or board.
        live: the widget's method that returns the MIME bundle of the running widget.
        plain: its method that returns the MIME bundle of the final result; ``None`` if that is not complete yet.
        settled: its method that returns whether all jobs have ended.

    Attributes:
        task: prepares the result; ``None`` before the jobs have ended.
        waiters: how many callers wait for the jobs. While there are any, they replace the outputs: nbclient, papermill and
            ``jupyter execute`` take updates only from the cell that runs.
    """

    def __init__(
        self,
        widget: ipywidgets.Widget,
        *,
        live: Callable[[], Bundle],
        plain: Callable[[], Bundle | None],
        settled: Callable[[], bool],
    ) -> None:
        # Weak: the widget refers to its display, and a closed widget with its media must be freed at once.
        self._widget = weakref.ref(widget)
        self._live = weakref.WeakMethod(live)
        self._plain = weakref.WeakMethod(plain)
        self._settled = weakref.WeakMethod(settled)
        self._handles = DisplayHandles()
        self._context = contextvars.copy_context()
        self._replaced = False
        self.task: asyncio.Task[None] | None = None
        self.waiters = 0

    @property
    def prepared(self) -> bool:
        """Whether the result has been prepared."""
        return self.task is not None and self.task.done()

    def plain(self) -> Bundle | None:
        """Return the MIME bundle of the final result; ``None`` if it is not complete yet."""
        plain = self._plain()
        return None if plain is None else plain()

    @property
    def in_this_cell(self) -> bool:
        """Whether the widget was displayed by the cell that runs."""
        return self._handles.cell is not None and self._handles.cell == this_cell()

    @property
    def settled(self) -> bool:
        """Whether all jobs have ended."""
        settled = self._settled()
        return settled is None or settled()

    def show(self) -> None:
        """Display the widget, or its final result, in the current cell."""
        bundle = self.plain()
        if bundle is None:
            self._show_live(self._handles.show)
        else:
            from IPython.display import display

            display(bundle, raw=True)

    def show_if_hidden(self) -> None:
        """Display the widget unless it has been displayed, is part of a layout, or its jobs have ended."""
        widget = self._widget()
        if widget is None or self._handles.any or self.settled or not in_kernel() or is_nested(widget):
            return
        self.show()

    def prepare(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Prepare the result on the job loop, where this is called; then replace the outputs.

        The task has the context of the cell that made the widget, so that its output goes to that cell.
        """
        self._replaced = False
        self.task = self._context.copy().run(job_loop.spawn, self._prepare(work))
        return self.task

    def restart(self) -> None:
        """Discard the result because jobs run again: outputs that were replaced become live again."""
        if self._replaced:
            self._show_live(self._handles.replace)
        self.task, self._replaced = None, False

    async def wait(self, jobs: Awaitable[_T]) -> _T:
        """Await the jobs, the result on the page, and, if the widget is displayed by itself, the replacement of its outputs."""
        self.waiters += 1
        try:
            return await jobs
        finally:
            task = self.task
            try:
                if task is not None and self._handles.any and self.settled:
                    await self._replace_after(task)
                elif task is not None and self.settled and in_kernel():
                    await asyncio.wait((task,))  # part of a layout: what comes next may use its result
            finally:
                # Only now: while a cell waits, the background leaves the replacing to it.
                self.waiters -= 1

    def _show_live(self, show: Callable[[Bundle], None]) -> None:
        live = self._live()
        if live is not None:
            show(live())

    async def _prepare(self, work: Coroutine[Any, Any, None]) -> None:
        await work
        if not self.waiters and self.task is asyncio.current_task():
            asyncio.get_running_loop().call_soon(self._replace)  # when this task is done: `prepared` is part of `plain`

    async def _replace_after(self, task: asyncio.Task[None]) -> None:
        try:
            await asyncio.wait((task,))
        finally:
            if task.done():
                self._replace()

    def _replace(self) -> None:
        bundle = None if self._replaced else self.plain()
        if bundle is not None:
            self._replaced = True
            self._handles.replace(bundle)


def is_nested(widget: ipywidgets.Widget) -> bool:
    """Return whether a widget is a child of another, which then displays it."""
    from ipywidgets.widgets.widget import _instances  # there is no public list any more

    return any(widget in box.children for box in list(_instances.values()) if isinstance(box, ipywidgets.Box))
