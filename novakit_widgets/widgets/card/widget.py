"""JobWidget: one job as a card on the page. A thin view of a `JobRun`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from ...api.client import default_client
from ...api.uploads import checked
from ...config import settings
from ...engine.reuse import run_of
from ...engine.run import JobRun
from ...engine.state import Phase
from ...errors import NovaKitError
from ...model.job import Job
from ...model.tools import Tool
from ...runtime import loop as job_loop
from ..common.display import ResultDisplay
from ..common.labels import shortened
from ..common.repaint import painter
from .parts import Parts
from .plain import summary
from .result import CardResult
from .shown import ShownCard
from .view import Samples, View

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from typing_extensions import Self

    from ...api.client import NovaKitClient
    from ...api.embedding import Embed, Kept

__all__ = ["JobWidget"]


class JobWidget(ShownCard):
    """One job as a card: its prompt, its progress, its present action and its result.

    The job starts at once and runs in the background; the kernel stays free. ``await widget`` and ``widget.wait()`` return the
    finished `Job`. Interrupting the cell that waits stops the waiting, never the job.

    Args:
        endpoint: a tool such as ``"video"``, or its endpoint such as ``"videos/generations"``.
        params: the service's parameters; see `novakit_widgets.model.parameters.PARAMETERS`. ``None`` means not set. A local file
            is given as in the short forms, such as `novakit_widgets.video`.
        client: the client; the default is made from the settings.
        timeout: seconds to watch the job; the default is the setting ``timeout``, or the tool's (video 300, music 180, others 120).
        embed: where the finished media go: ``"inline"`` into the notebook, ``"file"`` into a file beside it, ``"link"`` to the
            service's temporary URL, ``"auto"`` inline up to 8 MB, otherwise into a file. The default is the setting ``embed``.
        autostart: whether to submit at once; otherwise `start` or waiting submits.
        reuse: whether to reuse the newest job in the history that has the same parameters and did not fail, instead of paying
            again. The default is the setting ``reuse``, which is off unless set.

    Raises:
        InvalidParameterError: A parameter is invalid. Nothing was sent or billed.
        ConfigurationError: The key, base URL, timeout or embed is missing or invalid.

    Example:
        >>> from novakit_widgets import JobWidget, use_sandbox
        >>> sandbox = use_sandbox(speed=1000)
        >>> widget = JobWidget("images/generations", {"prompt": "A lighthouse"})
        >>> widget.wait().status
        <JobStatus.COMPLETED: 'completed'>
        >>> sandbox.stop()
    """

    status = traitlets.Unicode("new", read_only=True)
    """The service's status, such as ``"processing"``; before the first answer ``"new"``, ``"submitting"``, ``"refused"`` or
    ``"uncertain"``.

    - Type: `str`, read only
    - Default: ``"new"``
    """
    progress = traitlets.Float(None, allow_none=True, read_only=True)
    """Percent, 0 to 100; ``None`` if it is unknown.

    - Type: `float`, read only
    - Default: ``None``
    """
    job_id = traitlets.Unicode(None, allow_none=True, read_only=True)
    """The service's job id, which `attach` takes; ``None`` before the first answer.

    - Type: `str`, read only
    - Default: ``None``
    """
    job = traitlets.Instance(Job, allow_none=True, read_only=True)
    """The newest snapshot of the job.

    - Type: `Job`, read only
    - Default: ``None``
    """
    error = traitlets.Instance(NovaKitError, allow_none=True, read_only=True)
    """The reason why there is no result; ``None`` while the job runs or if it is done.

    - Type: `NovaKitError`, read only
    - Default: ``None``
    """

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
        tool, starts = Tool.of(endpoint), settings.flag("autostart", autostart)
        sent = checked(tool, params)
        taking = settings.reuse(reuse).value
        using = default_client(client)
        self._make(run_of(tool, sent, client=using, timeout=timeout, reuse=taking, starts=starts), embed)
        if starts:
            self.start()
        else:
            self._request_repaint()

    @classmethod
    def attach(
        cls,
        job_id: str,
        *,
        client: NovaKitClient | None = None,
        timeout: float | None = None,
        embed: Embed | None = None,
    ) -> Self:
        """Return a card for a job that was submitted earlier, in this kernel or another. Attaching costs nothing.

        Args:
            job_id: the job's id, such as ``"job_abc123"``.
            client: see `JobWidget`.
            timeout: see `JobWidget`.
            embed: see `JobWidget`.

        Raises:
            InvalidParameterError: The id is invalid.
        """
        return cls.showing(JobRun.attached(job_id, client=default_client(client), timeout=timeout), embed)

    @classmethod
    def showing(cls, run: JobRun, embed: Embed | None = None) -> Self:
        """Return a card for an existing run, such as one whose result has no job id."""
        widget = cls.__new__(cls)
        widget._make(run, embed, existing=True)
        widget.start()
        return widget

    def _attached(self, job_id: str) -> Self:
        return type(self).attach(job_id, client=self._run.client, embed=self._embed)

    def _make(self, run: JobRun, embed: str | None, *, existing: bool = False) -> None:
        self._embed = settings.embed(embed).value
        self._run = run
        self._made = True
        self._view: View | None = None
        self._parts = Parts()
        super().__init__(children=self._parts.rows, _dom_classes=("novakit-card", "novakit-job"))
        self._display = ResultDisplay(self, live=self._live_bundle, plain=self._plain_bundle, settled=self._settled)
        self._parts.button.on_click(self._clicked)
        self._follow(run)
        if existing:
            self._set_traits()
            job_loop.call(self._changed)  # the run may have ended, so that its result is to be shown

    def _follow(self, run: JobRun) -> None:
        """Show a run: the first one, or that of another try."""
        self._run = run
        self._samples = Samples()
        self._result = CardResult(run, self._embed, self._parts.result, self._request_repaint)
        self._display.restart()
        run.on_change = self._changed

    def __repr__(self) -> str:
        prompt = shortened(str(self._run.params.get("prompt", "")), 40)
        words = (str(self._run.tool or "job"), self.job_id, self.status, repr(prompt))
        # `asyncio.create_task` takes coroutines only, and its TypeError shows this.
        return f"<JobWidget {' '.join(filter(None, words))}: await it, or make a task with asyncio.ensure_future>"

    @property
    def run(self) -> JobRun:
        """The run that the card shows; *Try again* makes another one."""
        return self._run

    @property
    def kept(self) -> tuple[Kept, ...] | None:
        """The finished media and where they were put; ``None`` until they have been fetched."""
        return self._result.kept

    def start(self) -> None:
        """Submit the job, unless it has been submitted."""
        self._run.start()

    def cancel(self) -> None:
        """Cancel the job at the service; `status` tells when it is cancelled. Thread-safe."""
        self._run.cancel()

    def keep_watching(self) -> None:
        """Watch the job again after a timeout or a rejected key. Thread-safe."""
        self._run.keep_watching()

    def look_again(self) -> None:
        """Look for a job whose submission was not answered in NovaKit's list. Nothing is submitted. Thread-safe."""
        self._run.look_again()

    def __await__(self) -> Generator[Any, None, Job]:
        """Wait for the job without blocking the kernel; displays the card if it has not been displayed."""
        self._show_if_hidden()
        return job_loop.run(self._wait).__await__()

    def wait(self, timeout: float | None = None) -> Job:
        """Block until the job has ended; the page stays live.

        Args:
            timeout: seconds to block; the job goes on afterwards.

        Returns:
            The completed job.

        Raises:
            TimeoutError: The timeout is over. The job goes on.
            NovaKitError: The job was refused, failed or cancelled; see `JobRun.wait`.
            KeyboardInterrupt: The user interrupted the kernel. The job goes on.
        """
        self._show_if_hidden()
        return self._run.wait_blocking(timeout, self._wait)

    async def _wait(self) -> Job:
        return await self._display.wait(self._run.wait())

    def show(self) -> None:
        """Display the card in the current cell; once the job has ended, as plain HTML, which a saved notebook keeps.

        If the page was reloaded while the job ran, the notebook has the card but not the plain result. This adds it.
        """
        if self._made or self._display.plain() is not None:
            super().show()
        else:
            print(f"{summary(self._run)} (its card was closed)")  # noqa: T201 # in place of the card

    def save(self, path: str | Path = ".") -> list[Path]:
        """Save the finished media, and block until they are saved.

        Args:
            path: a folder; for a single result also a file.

        Returns:
            The files, in the order of the results.

        Raises:
            JobError: The job has not ended; `wait` for it first.
            MediaError: The job has no media, or they can't be fetched.
            NovaKitError: The job was refused, failed or cancelled; see `JobRun.wait`.
            OSError: A file can't be written.
        """
        return job_loop.run_blocking(lambda: self._result.save(Path(path)))

    def close(self) -> None:
        """Remove the card from the page and free its resources. The job goes on."""
        if not self._made:
            return  # refused by the constructor, or closed before
        self._run.on_change = lambda: None
        self._result.discard()
        self._parts.close()
        super().close()

    @property
    def ticking(self) -> bool:
        """Whether the card changes with time alone: its elapsed time does while the job runs."""
        return self._run.phase in (Phase.SUBMITTING, Phase.WATCHING)

    def paint(self) -> int:
        """Send what has changed since the last repaint; return the number of messages."""
        if not self._made:
            return 0  # closed after the repaint was requested
        before = self._view
        self._view = View.of(self._run, self._samples, note=self._result.note, fetching=self._result.fetching)
        if self._view.equal:
            self._offer_equal()
        return 0 if self._view == before else self._parts.show(self._view, self._result.foot)

    def _changed(self) -> None:
        """Handle a change of the run, on its loop."""
        run = self._run
        if run.job is not None:
            self._samples.add(run.elapsed, run.job.progress)
        painter().request(self)
        if run.phase is Phase.ENDED and self._display.task is None:
            self._display.prepare(self._result.prepare())
        self._set_traits()  # last: an observer that raises must not leave the rest undone

    def _set_traits(self) -> None:
        """Set all that observers see, before any of them is told."""
        run = self._run
        with self.hold_trait_notifications():
            self.set_trait("job_id", run.job_id)
            self.set_trait("job", run.job)
            self.set_trait("error", run.error)
            self.set_trait("progress", None if run.job is None else run.job.progress)
            self.set_trait("status", str(run.phase if run.job is None else run.job.status))

    def _clicked(self, _button: object) -> None:
        """Act on a click. It may come on any thread."""
        action = "" if self._view is None or self._view.busy else self._view.action
        job_loop.call(lambda: self._act(action))

    def _act(self, action: str) -> None:
        actions: Mapping[str, Callable[[], object]] = {
            "start": self._run.start,
            "cancel": self._run.cancel,
            "watch": self._run.keep_watching,
            "look": self._run.look_again,
            **dict.fromkeys(("again", "anew"), self._try_again),
            "save": lambda: job_loop.spawn(self._result.save_to_default_folder()),
        }
        actions.get(action, lambda: None)()

    def _try_again(self) -> None:
        old = self._run
        if old.tool is None or not old.settled:
            return
        old.on_change = lambda: None
        self._result.discard()
        self._close_equal()
        self._follow(JobRun(old.tool, old.params, client=old.client, timeout=old.timeout))
        self.start()
