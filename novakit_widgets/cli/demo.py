"""The parts of the demo: a folder, a copy of the notebook, the sandbox process and the JupyterLab process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ..runtime.paths import NoHomeError, expanded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "DemoError",
    "Link",
    "fresh_copy",
    "interrupted_by_signals",
    "jupyterlab",
    "make_folder",
    "quickstart",
    "sandbox",
]

_NOTEBOOK = "01_quickstart.ipynb"
_PATIENCE = 20.0  # seconds to wait for a process to exit: JupyterLab shuts its kernels down first
_EXPORT = re.compile(r"\s*export (NOVAKIT_\w+)=(\S+)")


class DemoError(Exception):
    """The demo can't continue. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Link:
    """The address of the demo's sandbox, and the environment of its kernels.

    Attributes:
        origin: The sandbox's address, such as ``"http://127.0.0.1:8123"``.
        environment: This process's environment, with the sandbox's address and key, and with a history of the demo's own.
    """

    origin: str
    environment: Mapping[str, str]


def make_folder(folder: Path) -> Path:
    """Create the demo's folder if it is missing, and return it as an absolute path.

    Raises:
        DemoError: The folder can't be created.
    """
    whole = folder
    try:
        whole = expanded(folder).resolve()
        whole.mkdir(parents=True, exist_ok=True)
    except (OSError, NoHomeError) as problem:
        reason = problem.message if isinstance(problem, NoHomeError) else problem.strerror
        raise DemoError(f"the folder {whole} can't be created ({reason}); choose another one with --folder") from None
    return whole


def quickstart() -> Path:
    """Return the path of the quick start: in the package as the wheel installs it, or in the checkout.

    Raises:
        DemoError: The file is in neither place.
    """
    here = Path(str(resources.files(__package__)))
    checkout = here.parent.parent / "notebooks"
    for folder in (here, checkout):
        if (folder / _NOTEBOOK).is_file():
            return folder / _NOTEBOOK
    raise DemoError(f"{_NOTEBOOK} is missing: install novakit_widgets again")


def fresh_copy(notebook: Path, folder: Path) -> Path:
    """Copy a notebook without its outputs into a folder, under a name that overwrites nothing, and return the copy."""
    fresh = _without_outputs(notebook)
    for number in count(1):
        copy = folder / (notebook.name if number == 1 else f"{notebook.stem}-{number}{notebook.suffix}")
        if not copy.exists():
            copy.write_text(fresh, encoding="utf-8")
            return copy
        if copy.read_text(encoding="utf-8", errors="replace") == fresh:
            return copy
    raise AssertionError  # there is always another number


def _without_outputs(notebook: Path) -> str:
    """Return a notebook without outputs: they come from another machine."""
    document = json.loads(notebook.read_text(encoding="utf-8"))
    for cell in document["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Treat SIGTERM and a closed terminal like Ctrl-C, so that no process is left running."""
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]  # Windows has no SIGHUP
    before = {name: signal.signal(getattr(signal, name), signal.default_int_handler) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            # One that is C code is not known to Python.
            signal.signal(getattr(signal, name), signal.SIG_DFL if handler is None else handler)


@contextmanager
def sandbox(folder: Path, *, speed: float) -> Iterator[Link]:
    """Run a sandbox in a process of its own.

    Args:
        folder: The demo's folder.
        speed: The speed of the sandbox's clock.

    Raises:
        DemoError: The sandbox did not start.
    """
    # The same plan and limits as use_sandbox(), so that a notebook can be run repeatedly.
    options = ("--speed", f"{speed!r}", "--plan", "business", "--limits", "requests")
    # No process of the demo needs the user's key or the service's address.
    others = {name: value for name, value in os.environ.items() if not name.startswith("NOVAKIT_")}
    with _process([sys.executable, "-m", "novakit_widgets.sandbox", *options], folder, others) as process:
        told = _told_by(process)
        history = {"NOVAKIT_HISTORY": str(folder / "history.sqlite3")}
        yield Link(told["NOVAKIT_SANDBOX_URL"], {**others, **told, **history})


def _told_by(process: subprocess.Popen[str]) -> dict[str, str]:
    """Return the variables that a starting sandbox prints for a shell."""
    assert process.stdout is not None  # for the type checker
    told: dict[str, str] = {}
    for line in process.stdout:
        found = _EXPORT.match(line)
        if found:
            told[found[1]] = found[2]
        if {"NOVAKIT_SANDBOX_URL", "NOVAKIT_BASE_URL", "NOVAKIT_API_KEY"} <= told.keys():
            return told
    raise DemoError("the sandbox did not start; see its output above")


@contextmanager
def jupyterlab(
    notebook: Path, link: Link, *, port: int | None = None, browser: bool = True
) -> Iterator[subprocess.Popen[str]]:
    """Run JupyterLab with a notebook open.

    Args:
        notebook: The notebook's absolute path.
        link: The sandbox that its kernels use.
        port: JupyterLab's port; ``None`` for the first free one.
        browser: Whether to open a browser.
    """
    folder = notebook.parent
    # As the default URL, the notebook is part of the address that JupyterLab prints.
    opened = f"--LabApp.default_url=/lab/tree/{quote(notebook.name)}"
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", opened]
    # Print warnings and the address only, and keep the tabs of the user's own JupyterLab.
    command += ["--ServerApp.log_level=WARN", f"--LabApp.workspaces_dir={folder / '.workspaces'}"]
    if port is not None:
        command += [f"--port={port}", "--ServerApp.port_retries=0"]
    if not browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # as in a container; JupyterLab serves this machine only
    with _process(command, folder, link.environment, stdout=None) as process:
        yield process


@contextmanager
def _process(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], *, stdout: int | None = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    """Start a process, and shut it down at the end."""
    # In a session of its own: Ctrl-C reaches this process only, which then shuts the others down in order.
    with subprocess.Popen(  # noqa: S603 # this Python, with arguments of our own
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()  # it hangs, or the user pressed Ctrl-C again
