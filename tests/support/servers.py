"""JupyterLab, Notebook and Voila as processes of their own, which know nothing of whoever runs the tests."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Kind = Literal["lab", "notebook", "voila"]

_PATIENCE = 60.0  # seconds until a server that does not answer has gone wrong
_FAREWELL = 15.0  # seconds to end its kernels
_GONE = (404, 410)  # what is said of a session, and of its kernel, that has ended
_SERVER = (
    "--no-browser",
    "--allow-root",
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.port_retries=0",
    # Nothing is asked of the world outside.
    "--LabApp.news_url=",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
)
_COMMANDS: Mapping[Kind, tuple[str, ...]] = {
    # The page's own commands open a notebook in a page that is there already: see page.py.
    "lab": ("jupyterlab", *_SERVER, "--LabApp.expose_app_in_browser=True"),
    "notebook": ("notebook", *_SERVER),
    # Voila's own page for errors would hide what went wrong in a cell.
    "voila": ("voila", "--no-browser", "--Voila.ip=127.0.0.1", "--show_tracebacks=True"),
}
_PAGES: Mapping[Kind, str] = {"lab": "doc/tree", "notebook": "notebooks", "voila": "voila/render"}
# Each page that is loaded would ask Node.js whether JupyterLab must be built.
_PAGE_CONFIG = {"buildCheck": False, "buildAvailable": False}
_SETTINGS: Mapping[str, Mapping[str, object]] = {
    # The theme is then the one that the browser's context prefers.
    "apputils-extension/themes": {"adaptive-theme": True},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    # Tests save when they mean to.
    "docmanager-extension/plugin": {"autosave": False},
}


@dataclass(frozen=True, slots=True)
class Server:
    """A front end that answers.

    Attributes:
        kind: which.
        folder: where its notebooks are.
        origin: such as ``"http://127.0.0.1:8123"``.
        token: what a page has to bring.
    """

    kind: Kind
    folder: Path
    origin: str
    token: str

    @property
    def kernels(self) -> Path:
        """The folder whose subfolder `kernels` has kernels besides the one of these tests; it may change at any time."""
        return self.folder.parent / "data"

    def address(self, notebook: Path) -> str:
        """Return where a notebook is opened."""
        inside = quote(notebook.relative_to(self.folder).as_posix())
        return f"{self.origin}/{_PAGES[self.kind]}/{inside}?token={self.token}"


@contextlib.contextmanager
def serving(kind: Kind, folder: Path) -> Iterator[Server]:
    """Run a front end as long as the block.

    Args:
        kind: which.
        folder: where its notebooks and all its own files go.
    """
    notebooks = folder / "notebooks"
    notebooks.mkdir(parents=True, exist_ok=True)
    _write_settings(folder / "settings")
    _write_json(folder / "config" / "labconfig" / "page_config.json", _PAGE_CONFIG)
    token, port = secrets.token_hex(16), _free_port()
    if kind == "voila":
        _write_token(folder / "config", token)
    where = (
        (str(notebooks), f"--port={port}")
        if kind == "voila"
        else (f"--port={port}", f"--ServerApp.root_dir={notebooks}")
    )
    environment = _environment(folder, token)
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *_COMMANDS[kind], *where],
            env=environment,
            cwd=notebooks,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    server = Server(kind, notebooks, f"http://127.0.0.1:{port}", token)
    try:
        _wait_until_it_answers(server, process, folder / "log.txt")
        yield server
    finally:
        _end(process)


def _environment(folder: Path, token: str) -> dict[str, str]:
    own = {
        "JUPYTER_CONFIG_DIR": folder / "config",
        "JUPYTER_DATA_DIR": folder / "data",
        "JUPYTER_RUNTIME_DIR": folder / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": folder / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces",
        "IPYTHONDIR": folder / "ipython",
        "JUPYTER_TOKEN": token,
        "NOVAKIT_HISTORY": "off",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("NOVAKIT_", "JUPYTER"))}
    return {**inherited, **{name: str(value) for name, value in own.items()}}


def _write_settings(folder: Path) -> None:
    for name, values in _SETTINGS.items():
        _write_json(folder / "@jupyterlab" / f"{name}.jupyterlab-settings", values)


def _write_token(folder: Path, token: str) -> None:
    # Voila does not look at JUPYTER_TOKEN: it would run its notebooks for whoever else is on this machine.
    _write_json(folder / "voila.json", {"Voila": {"token": token}})


def _write_json(path: Path, values: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values), encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _wait_until_it_answers(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    # No proxy: it would look for the server on its own machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    question = f"{server.origin}/" if server.kind == "voila" else f"{server.origin}/api?token={server.token}"
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            with opener.open(question, timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"{server.kind} did not start:\n{log.read_text(encoding='utf-8', errors='replace')[-4000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server and its kernels."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_FAREWELL)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def end_sessions(server: Server) -> None:
    """Shut down all kernels of a server that is no Voila, and forget their notebooks."""
    for session in json.loads(_ask(server, "GET", "api/sessions")):
        try:
            _ask(server, "DELETE", f"api/sessions/{session['id']}")
        except urllib.error.HTTPError as error:
            # A page that shuts its kernel down may be heard between our two questions.
            with error:
                if error.code not in _GONE:
                    raise


def _ask(server: Server, method: str, path: str) -> bytes:
    headers = {"Authorization": f"token {server.token}"}
    request = urllib.request.Request(f"{server.origin}/{path}", method=method, headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=_FAREWELL) as answer:
        content: bytes = answer.read()
        return content
