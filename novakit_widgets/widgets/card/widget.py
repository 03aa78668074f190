"""JobWidget: one job as a card on the page. A thin view of a `JobRun`."""

from __future__ import annotations

import asyncio
import contextvars
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from ...api.client import default_client
from ...api.embedding import Embed, Kept, check_embed, keep, save_kept
from ...api.uploads import checked
from ...config import settings
from ...engine.reuse import run_of
from ...engine.run import JobRun
from ...engine.state import Phase
from ...errors import NovaKitError
from ...model.job import Job
from ...model.tools import Tool
from ...runtime import loop as job_loop
from ..common.display import Places, in_kernel, is_nested, notebook_folder
from ..common.repaint import LEAST_SECONDS, painter
from ..common.view import Samples, View, shortened
from .parts import Parts
from .plain import plain, running, summary
from .player import close_all, players, text_block

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from ...api.client import NovaKitClient

__all__ = ["JobWidget"]

_RAW_LENGTH = 2_000  # characters of a result in which we found nothing to play


class JobWidget(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """One generation as a card: what was asked for, how far it is, how to stop it, and the result.

    It starts by itself and runs in the background; the kernel stays free. ``await widget`` and ``widget.wait()`` give the
    finished `Job`. Interrupting the cell that waits stops the waiting, never the job.

    Args:
        endpoint: such as ``"videos/generations"``, or a tool such as ``"video"``.
        params: the service's own parameters; see `novakit_widgets.model.parameters.PARAMETERS`. ``None`` means not set; a file of
            this machine is given as for the short forms, such as `novakit_widgets.video`.
        client: speaks to the service; where it is left out, one is made from the settings.
        timeout: seconds to watch; the default is the setting ``timeout``, or the tool's (video 300, music 180, else 120).
        embed: where the finished media go: ``"inline"`` into the notebook, ``"file"`` beside it, ``"link"`` nowhere (the
            service's temporary address), ``"auto"`` inline up to 8 MB. The default is the setting ``embed``, which is ``"auto"``.
        autostart: whether to submit at once; otherwise `start` does, and waiting does.
        reuse: whether to take the newest job of the history that asked for the same and did not fail, instead of paying
            again; where it is left out, `configure` and ``NOVAKIT_REUSE`` say, and otherwise it is off.

    Raises:
        InvalidParameterError: the documentation forbids a parameter. Nothing was sent or billed.
        ConfigurationError: there is no usable key, base URL, time-out or embed.

    Example:
        >>> from novakit_widgets import JobWidget, use_sandbox
        >>> sandbox = use_sandbox(speed=1000)
        >>> widget = JobWidget("images/generations", {"prompt": "A lighthouse"})
        >>> widget.wait().status
        <JobStatus.COMPLETED: 'completed'>
        >>> sandbox.stop()
    """

    status = traitlets.Unicode("new", read_only=True)
    """The service's status, such as ``"processing"``; before there is one, ``"new"``, ``"submitting"``, ``"refused"`` or
    ``"uncertain"``.

    - Type: `str`, read only
    - Default: ``"new"``
    """
    progress = traitlets.Float(None, allow_none=True, read_only=True)
    """Percent, 0 to 100; ``None`` until the service tells.

    - Type: `float`, read only
    - Default: ``None``
    """
    job_id = traitlets.Unicode(None, allow_none=True, read_only=True)
    """The service's id, as soon as there is one: what `attach` takes.

    - Type: `str`, read only
    - Default: ``None``
    """
    job = traitlets.Instance(Job, allow_none=True, read_only=True)
    """The newest snapshot.

    - Type: `Job`, read only
    - Default: ``None``
    """
    error = traitlets.Instance(NovaKitError, allow_none=True, read_only=True)
    """Why there is no result; ``None`` while there may be one.

    - Type: `NovaKitError`, read only
    - Default: ``None``
    """

    least_seconds = LEAST_SECONDS
    """How long the card stays as it was painted, at least."""

    _made = False

    def __init__(
        self,
        endpoint: Tool | str,
        params: Mapping[str, Any],
        *,
        client: NovaKitClient | None = None,
        timeout: float | None = None,
        embed: Embed | None = None,
        autostart: bool = True,
        reuse: bool | None = None,
    ) -> None:
        tool = Tool.of(endpoint)
        sent = checked(tool, params)
        taking = settings.reuse(reuse).value
        self._make(run_of(tool, sent, client=client or default_client(), timeout=timeout, reuse=taking), embed)
        if autostart:
            self.start()

    @classmethod
    def attach(
        cls,
        job_id: str,
        *,
        client: NovaKitClient | None = None,
        timeout: float | None = None,
        embed: Embed | None = None,
    ) -> JobWidget:
        """Pick up a job that was submitted earlier, in this kernel or another. It costs nothing.

        Args:
            job_id: such as ``"job_abc123"``.
            client: as for `JobWidget`.
            timeout: as for `JobWidget`.
            embed: as for `JobWidget`.

        Raises:
            InvalidParameterError: it is no job id.
        """
        widget = cls.__new__(cls)
        widget._make(JobRun.attached(job_id, client=client or default_client(), timeout=timeout), embed)
        widget.start()
        return widget

    @classmethod
    def showing(cls, run: JobRun) -> JobWidget:
        """Show a run that is there already, such as that of a result without a job id."""
        widget = cls.__new__(cls)
        widget._make(run, None)
        widget.start()
        return widget

    def _make(self, run: JobRun, embed: str | None) -> None:
        self._embed = check_embed(embed)
        self._run = run
        self._made = True
        self._samples = Samples()
        self._view: View | None = None
        self._note = ""
        self._kept: tuple[Kept, ...] | None = None
        self._places = Places()
        self._context = contextvars.copy_context()
        self._waiting = 0
        self._parts = Parts()
        super().__init__(children=self._parts.rows)
        self.add_class("novakit-card")
        self._parts.button.on_click(self._clicked)
        self._begin(run)

    def _begin(self, run: JobRun) -> None:
        """Show another run: the first one, or the same once more."""
        self._run = run
        self._samples = Samples()
        self._note = ""
        self._kept = None
        self._result: JobRun | None = None
        self._showing: asyncio.Task[None] | None = None
        self._replaced = False
        run.on_change = self._changed
        self._changed()

    def __repr__(self) -> str:
        prompt = shortened(str(self._run.params.get("prompt", "")), 40)
        return f"<JobWidget {self._run.tool or 'job'} {self.job_id or ''} {self.status} {prompt!r}>"

    @property
    def run(self) -> JobRun:
        """What the card shows; another one after *Try again*."""
        return self._run

    @property
    def kept(self) -> tuple[Kept, ...] | None:
        """The finished media, and where they are now; ``None`` until they are there."""
        return self._kept

    # What a user may ask for

    def start(self) -> None:
        """Submit the job, if it has not been. Without a running event loop it is submitted when it is waited for."""
        self._run.start()

    def cancel(self) -> None:
        """Cancel the job at the service; `status` tells when it is. From any thread."""
        self._run.cancel()

    def keep_watching(self) -> None:
        """Go on watching after a time-out or a lost key. From any thread."""
        self._run.keep_watching()

    def look_again(self) -> None:
        """Look once more for a job whose submission was in doubt, in NovaKit's list. Nothing is submitted. From any thread."""
        self._run.look_again()

    def __await__(self) -> Generator[Any, None, Job]:
        """Wait for the job without blocking the kernel; a card that nobody has shown yet shows itself."""
        self._show_if_hidden()
        return self._wait().__await__()

    def wait(self, timeout: float | None = None) -> Job:
        """Block until the job has ended; the page goes on moving.

        Args:
            timeout: seconds to block; the job and its card go on after that.

        Returns:
            The completed job.

        Raises:
            TimeoutError: the time is over. The job goes on.
            NovaKitError: it was refused, failed or cancelled; see `JobRun.wait`.
            KeyboardInterrupt: the user interrupted the kernel. The job goes on.
        """
        self._show_if_hidden()
        return self._run.wait_blocking(timeout, self._wait)

    async def _wait(self) -> Job:
        """Wait for the job, and where the card is on a page, until its result is there too.

        What is replaced while the cell still runs is replaced on that cell's behalf. nbclient, and with it papermill and
        `jupyter execute`, take no other update.
        """
        self._waiting += 1
        try:
            return await self._run.wait()
        finally:
            showing = self._showing
            try:
                if showing is not None and self._places.any and self._run.settled:
                    await job_loop.run_on(showing.get_loop(), lambda: self._shown(showing))
            finally:
                # Not before: as long as somebody waits, the card leaves the replacing to the cell that does.
                self._waiting -= 1

    async def _shown(self, showing: asyncio.Task[None]) -> None:
        try:
            await asyncio.wait((showing,))
        finally:
            if showing.done():
                self._replace()

    def show(self) -> None:
        """Show the card in the cell that runs: as plain HTML, which stays with the saved notebook, once the job has ended.

        A page that was reloaded while the job ran keeps the card, but not the plain result; this puts it there.
        """
        bundle = self._plain_bundle()
        if bundle is None and not self._made:
            print(f"{summary(self._run)} (its card was closed)")  # noqa: T201 # where the card would be
        elif bundle is None:
            self._places.show(self._live_bundle())
        else:
            from IPython.display import display

            display(bundle, raw=True)

    def _ipython_display_(self) -> None:
        if in_kernel():
            self.show()
        else:
            print(repr(self))  # noqa: T201 # a terminal has no page

    def _show_if_hidden(self) -> None:
        if self._made and not self._places.any and not self._run.settled and in_kernel() and not is_nested(self):
            self.show()

    def _live_bundle(self) -> dict[str, Any]:
        bundle: dict[str, Any] = self._repr_mimebundle_()
        # For readers without a kernel, where the page was closed before the job ended.
        return {**bundle, "text/html": str(running(self._run)), "text/plain": summary(self._run)}

    def _plain_bundle(self) -> dict[str, Any] | None:
        """Return the finished job as plain HTML; ``None`` while there is none, or its media are on their way."""
        if self._run.phase is not Phase.ENDED or (self._run.error is None and self._kept is None):
            return None
        html = plain(self._run, self._kept or (), note=self._note or self._run.note)
        return {"text/html": str(html), "text/plain": summary(self._run)}

    def save(self, path: str | Path = ".") -> list[Path]:
        """Save the finished media, blocking until they are there.

        Args:
            path: a folder, or a file where there is one result only.

        Returns:
            The files that were written, in the result's order.

        Raises:
            JobError: the job has not ended yet; `wait` for it first.
            MediaError: the job has no media, or they can't be fetched.
            NovaKitError: it was refused, failed or cancelled; see `JobRun.wait`.
            OSError: a file can't be written.
        """
        return job_loop.run_blocking(self._save(Path(path)), farewell=self._run.client.aclose)

    def close(self) -> None:
        """Take the card off the page and release all that it is made of. The job goes on."""
        if not self._made:
            return  # refused in the making, or closed before
        self._made = False
        self._run.on_change = lambda: None
        loop = job_loop.home()
        if loop is not None:
            job_loop.hand_over(loop, lambda: painter(loop).forget(self))
        close_all(self.children)
        if self.layout is not None:
            self.layout.close()
        super().close()

    # What keeps it up to date

    @property
    def ticking(self) -> bool:
        """Whether the card changes with time alone: its elapsed time does while the job runs."""
        return self._run.phase in (Phase.SUBMITTING, Phase.WATCHING)

    def paint(self) -> int:
        """Send what has changed since the last time, and return in how many messages."""
        if not self._made:
            return 0  # closed since it was asked for
        view = View.of(self._run, self._samples, note=self._note)
        before, self._view = self._view, view
        return 0 if view == before else self._parts.show(view)

    def _changed(self) -> None:
        """Take in a change of the run, on its loop."""
        run = self._run
        percent = None if run.job is None else run.job.progress
        self._samples.add(run.elapsed, percent)
        self._ask_to_be_painted()
        if run.phase is Phase.ENDED and self._result is not run and job_loop.current() is not None:
            self._result = run
            # In the context of the cell that made the card, so that whatever is printed or shown goes there.
            self._showing = self._context.run(job_loop.spawn, self._show_result(run))
            run.aside(self._showing)
        # Last, and all of them before anybody is told: an observer that fails must not leave half of it undone.
        with self.hold_trait_notifications():
            self.set_trait("job_id", run.job_id)
            self.set_trait("job", run.job)
            self.set_trait("error", run.error)
            self.set_trait("progress", percent)
            self.set_trait("status", str(run.phase if run.job is None else run.job.status))

    def _ask_to_be_painted(self) -> None:
        # Not the loop that runs here: a card can be made in a callback, on a thread with a loop of its own. One painter does all.
        loop = job_loop.home()
        if loop is None:
            self.paint()  # a plain script: nobody looks, but the state is right
        else:
            job_loop.hand_over(loop, lambda: painter(loop).ask(self))

    async def _show_result(self, run: JobRun) -> None:
        """Put the finished media, or the text, into the card, and the plain result where the card was shown."""
        if run.error is None:
            try:
                await self._play(run)
            except Exception as error:
                # The job is done all the same, and in a background task nobody would see it.
                self._note = (
                    f"The result can't be shown ({type(error).__name__}: {error}). job.save() and job.media have it."
                )
                self._ask_to_be_painted()
                raise
        if run.saving is not None:
            await asyncio.wait((run.saving,))  # so that the plain result says where it was saved
        if run is self._run and not self._waiting:
            self._replace()

    def _replace(self) -> None:
        """Put the plain result where the card was shown, once."""
        bundle = None if self._replaced else self._plain_bundle()
        if bundle is not None:
            self._replaced = True
            self._places.replace(bundle)

    async def _play(self, run: JobRun) -> None:
        job = run.result()
        self._note = "Fetching the result." if job.media and self._embed != "link" and not run.note else ""
        kept = await keep(run.client, job, self._embed, folder=notebook_folder())
        if run is not self._run or not self._made:
            return  # tried again, or closed, in the meantime: nobody would close what is made now
        self._kept = kept
        # A job that was attached to tells only now what it was made of, and the page has not been painted since.
        title = View.of(run, self._samples).full_prompt
        made = players(kept, title=title)
        if job.text is not None:
            made.append(text_block(job.text))
        elif not kept:
            made.append(text_block(shortened(str(job.output), _RAW_LENGTH)))
        self._note = next((str(one.error) for one in kept if one.error is not None), "")
        self._parts.result.children = made
        self._ask_to_be_painted()

    def _clicked(self, _button: object) -> None:
        """Do what the button says. This comes on any thread, so it only hands over."""
        action = "" if self._view is None else self._view.action
        loop = job_loop.home()
        if loop is not None:
            job_loop.hand_over(loop, lambda: self._act(action))

    def _act(self, action: str) -> None:
        if action == "start":
            self._run.start()
        elif action == "cancel":
            self._run.cancel()
        elif action == "watch":
            self._run.keep_watching()
        elif action == "look":
            self._run.look_again()
        elif action in {"again", "anew"}:
            self._try_again()
        elif action == "save":
            job_loop.spawn(self._save_and_say())

    def _try_again(self) -> None:
        old = self._run
        if old.tool is None or not old.settled:
            return
        old.on_change = lambda: None
        close_all(self._parts.result.children)
        self._parts.result.children = ()
        self._begin(JobRun(old.tool, old.params, client=old.client, timeout=old.timeout))
        self.start()

    async def _save(self, path: Path) -> list[Path]:
        return await save_kept(self._run.client, self._run.result(), self._kept, path)

    async def _save_and_say(self) -> None:
        try:
            folder = settings.save_to().value or notebook_folder()
            files = await self._save(folder)
        except (NovaKitError, OSError) as error:
            self._note = f"Not saved: {error}"
        else:
            self._note = f"Saved as {', '.join(file.name for file in files)} in {folder}"
        self._ask_to_be_painted()
