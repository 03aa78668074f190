"""`record`: keep the jobs of this process in one file."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import warnings
from typing import TYPE_CHECKING

from ..lessons.partial import recover
from ..lessons.recorder import Recorder
from ..runtime.loop import hops, run_blocking
from ..runtime.loop_thread import at_exit
from ..runtime.paths import expanded

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

__all__ = ["Recording", "record"]

_active: dict[Path, Recording] = {}


class Recording:
    """A recording that is being made; see `record`.

    Attributes:
        path: the file that `stop` makes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._recorder = Recorder(path)
        self._process = os.getpid()
        self._begin()
        # A script that ends gets the media that are on their way, as it gets the answers to its submissions.
        at_exit(finish=self._finish)

    def __repr__(self) -> str:
        jobs = self._recorder.count
        told = f"{jobs} job{'s' * (jobs != 1)}"
        if self._stopped:
            return f"Recorded {told} in {self.path}"
        return f"Recording in {self.path}: {told} so far; stop() writes the file"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def stop(self, *, wait: float = 0.0) -> Path:
        """End the recording and write its file, blocking until it is there.

        Args:
            wait: seconds to wait for jobs that still run. Of those that have not ended by then, only the call is kept.

        Returns:
            The file.

        Raises:
            OSError: it can't be written. What was recorded stays in the folder beside it.
        """
        return run_blocking(lambda: self.aclose(wait=wait))

    @hops
    async def aclose(self, *, wait: float = 0.0) -> Path:
        """Do the same as `stop`, for ``await``.

        Args:
            wait: see `stop`.
        """
        if self._stopped:
            return self.path
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._recorder.ended(), wait)
        self._end()
        await self._recorder.fetched()
        try:
            await self._recorder.pack()
        except OSError:
            self._begin()  # so that it can be stopped again, such as when the disk has room
            raise
        if self._recorder.missing:
            warnings.warn(
                f"{self.path.name} lacks {len(self._recorder.missing)} results, which could not be fetched: "
                f"{'; '.join(self._recorder.missing[:3])}",
                stacklevel=2,
            )
        return self.path

    def _begin(self) -> None:
        self._stopped = False
        atexit.register(self._at_exit)

    def _end(self) -> None:
        self._stopped = True
        self._recorder.stop()
        _active.pop(self.path, None)
        atexit.unregister(self._at_exit)

    async def _finish(self, seconds: float) -> None:
        if not self._stopped:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._recorder.fetched(), seconds)

    def _at_exit(self) -> None:
        if not self._stopped and self._process == os.getpid():  # not in a forked child
            self._end()
            self._recorder.pack_now()


def record(path: str | os.PathLike[str]) -> Recording:
    """Record the jobs of this process from now on in one file, for `replay`.

    The file holds each call with its parameters, the progress, the result or the failure, and the media. It never holds the key,
    addresses of the service, or ids of persons and organisations. `Recording.stop`, the end of a ``with`` block, or the shutdown of
    the kernel writes it. Until then a folder beside it has what is recorded. If the kernel is killed, the next ``record`` or
    ``replay`` of the same file makes a recording of that folder.

    Args:
        path: the file, such as ``"lesson.novakit"``. One that exists is replaced when the recording ends. Called again with the
            same file, the recording goes on.

    Returns:
        The recording.

    Raises:
        OSError: its folder can't be written.

    Example:
        >>> recording = nk.record("lesson.novakit")  # doctest: +SKIP
        >>> video = await nk.video("A sunset over mountains")  # doctest: +SKIP
        >>> recording.stop()  # doctest: +SKIP
    """
    file = expanded(path).absolute()
    if file in _active:
        return _active[file]
    recovered = recover(file) if file.parent.is_dir() else []
    if recovered:
        names = ", ".join(found.name for found in recovered)
        warnings.warn(f"A recording of {file.name} was cut off earlier. What it had is in {names}.", stacklevel=2)
    recording = _active[file] = Recording(file)
    return recording
