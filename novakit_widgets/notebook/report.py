"""`report`: what to paste into a bug report."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from ..config import logs, settings
from ..config.redaction import redact_anything_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Report", "report"]

_PACKAGES = (
    "novakit_widgets",
    "ipywidgets",
    "ipykernel",
    "ipython",
    "jupyterlab",
    "notebook",
    "anywidget",
    "httpx",
    "traitlets",
    "nest_asyncio2",
)
# Which variables tell of a front end or a host; their values are nobody's business.
_HOSTS = {
    "COLAB_RELEASE_TAG": "Google Colab",
    "KAGGLE_KERNEL_RUN_TYPE": "Kaggle",
    "DATABRICKS_RUNTIME_VERSION": "Databricks",
    "BINDER_SERVICE_HOST": "Binder",
    "JUPYTERHUB_USER": "JupyterHub",
    "VSCODE_PID": "VS Code",
    "PYCHARM_HOSTED": "PyCharm",
    "JPY_SESSION_NAME": "a Jupyter server",
}


class Report:
    """A text that shows itself as it is: the last line of a cell, `print`, and `str` all give it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__


def report() -> Report:
    """Return versions, settings, and recent errors and warnings, to paste into a bug report.

    The key and other secrets are left out, and your home directory is written as ``~``. Error messages are included as the service
    sent them, so read the text before you publish it.

    Returns:
        An object that shows itself as text; ``str(report())`` is the text.

    Example:
        >>> from novakit_widgets import report
        >>> print(str(report()).splitlines()[0])
        novakit_widgets report
    """
    sections = {
        "versions": _versions(),
        "kernel": _kernel(),
        "settings": (f"{name}: {text}" for name, text in settings.describe().items()),
        "recent errors and warnings": logs.recent() or ["none"],
    }
    lines = ["novakit_widgets report"]
    for title, entries in sections.items():
        lines += ["", title, *(f"  {' '.join(entry.split())}" for entry in entries)]
    return Report(_without_home(redact_anything_secret("\n".join(lines))))


def _versions() -> Iterator[str]:
    yield f"Python: {platform.python_version()} ({platform.python_implementation()})"
    yield f"platform: {platform.platform()}"
    for name in _PACKAGES:
        try:
            installed = version(name)
        except PackageNotFoundError:
            installed = "not installed"
        loaded = getattr(sys.modules.get(name), "__version__", installed)
        # Two versions mean that the kernel has to be restarted.
        yield f"{name}: {installed}" if loaded == installed else f"{name}: {installed}, loaded: {loaded}"


def _kernel() -> Iterator[str]:
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    yield f"shell: {'none' if shell is None else type(shell).__name__}"
    kernel = getattr(shell, "kernel", None)
    yield f"kernel: {'none' if kernel is None else type(kernel).__module__}"
    yield f"environment: {', '.join(host for name, host in _HOSTS.items() if name in os.environ) or 'unknown'}"
    asyncio = sys.modules.get("asyncio")
    nested = "nest_asyncio2" if hasattr(asyncio, "_nest_asyncio2") else "nest_asyncio, which is archived"
    yield f"asyncio patched by: {nested if hasattr(asyncio, '_nest_patched') else 'nobody'}"


def _without_home(text: str) -> str:
    home = os.path.expanduser("~")  # noqa: PTH111 # Path.home() raises where there is none
    return text.replace(home, "~") if len(home) > 1 else text
