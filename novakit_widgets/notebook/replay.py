"""`replay`: use a recording instead of the service."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from ..lessons import lesson as lessons
from ..lessons.partial import recover
from ..lessons.script import LessonScript, Missing
from ..runtime.paths import expanded
from .sandbox import put_back, take_place

if TYPE_CHECKING:
    import os
    from pathlib import Path

__all__ = ["Replay", "replay"]

_NEEDED = ("starlette", "uvicorn")
_NEEDED_TO_MAKE = ("PIL", "av", "numpy")
_lock = threading.Lock()
_running: tuple[Any, Replay] | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """A recording that this process uses instead of the service.

    Attributes:
        path: the recording.
        base_url: the address of its API on this machine.
        api_key: the key of that API.
        speed: how many times faster than it was recorded it runs.
        jobs: how many calls the recording has.
    """

    path: Path
    base_url: str
    api_key: str = field(repr=False)
    speed: float
    jobs: int
    _sandbox: Any = field(repr=False, compare=False)
    _script: LessonScript = field(repr=False, compare=False)

    @property
    def unrecorded(self) -> tuple[str, ...]:
        """The calls that were not in the recording, each with what differs from the nearest one."""
        return tuple(self._script.unrecorded)

    def rewind(self) -> None:
        """Begin again: equal calls get their first result next."""
        self._script.rewind()

    def stop(self) -> None:
        """Stop it, and restore the earlier settings. Settings that were configured since stay."""
        self._sandbox.stop()
        put_back(self.base_url)

    def __repr__(self) -> str:
        return f"Replaying {self.path.name} ({self.jobs} calls, {self.speed:g}x speed) at {self.base_url}: nothing is billed"


def replay(path: str | os.PathLike[str], speed: float = 1.0, missing: Missing = "error", *, port: int = 0) -> Replay:
    """Use a recording instead of the service in this process: no key, no network, nothing is billed.

    Each call gets the result that was recorded for it, with the recorded progress and the same media. Equal calls get their results
    in the recorded order, then the last one again.

    Args:
        path: a file that `record` has made. It is only read, in pieces, so it can be large and on a share that can't be written.
        speed: how many times faster than recorded the jobs run.
        missing: what a call gets that was not recorded: ``"error"`` a refusal that names the parameter that differs from the
            nearest recorded call, ``"sandbox"`` a job of the sandbox.
        port: the port on this machine; 0 for any free one.

    Returns:
        The replay. The same file and options again begin it anew.

    Raises:
        NovaKitError: the file is no recording, or is damaged.
        ConfigurationError: an option is not valid.
        ImportError: the extra ``sandbox`` is not installed.

    Example:
        >>> nk.replay("lesson.novakit", speed=10)  # doctest: +SKIP
        >>> nk.video("A sunset over mountains")  # doctest: +SKIP
    """
    global _running  # one service for a process
    if missing not in ("error", "sandbox"):
        raise ConfigurationError(f"missing must be 'error' or 'sandbox', not {missing!r}.")
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0 < speed < float("inf"):
        raise ConfigurationError(f"speed must be a number above 0, not {speed!r}.")
    _check_installed(missing)
    file = expanded(path).absolute()
    if not file.exists() and file.parent.is_dir():
        recover(file)
    found = lessons.read(file)
    state = file.stat()
    asked = (file, state.st_mtime_ns, state.st_size, speed, missing, port)
    with _lock:
        if _running is not None and _running[0] == asked and _running[1]._sandbox.is_running:  # noqa: SLF001 # this module's
            current = _running[1]
            current.rewind()
        else:
            if _running is not None:
                _running[1].stop()
            current = _started(found, float(speed), missing, port)
            _running = (asked, current)
        take_place(base_url=current.base_url, api_key=current.api_key, speed=current.speed, limits={})
    return current


def _started(found: lessons.Lesson, speed: float, missing: Missing, port: int) -> Replay:
    from ..sandbox.server import Sandbox

    script = LessonScript(found, missing=missing, speed=speed)
    sandbox = Sandbox(speed=speed, plan="business", limits="off", quotas="off", port=port).follow(script).start()
    return Replay(found.path, sandbox.base_url, sandbox.api_key, speed, len(found.jobs), sandbox, script)


def _check_installed(missing: Missing) -> None:
    needed = _NEEDED if missing == "error" else (*_NEEDED, *_NEEDED_TO_MAKE)
    lacking = [name for name in needed if find_spec(name) is None]
    if lacking:
        raise ImportError(
            f'Replaying needs {", ".join(lacking)}, which is not installed: pip install "novakit_widgets[sandbox]"'
        )
