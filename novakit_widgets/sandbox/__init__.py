"""A local NovaKit: the service's HTTP on this machine, with real media, for practice and for tests.

Needs the extra: ``pip install "novakit_widgets[sandbox]"``.

It answers as the service is documented to. Where the documentation says nothing, it picks:

- a prompt or input with the words ``fail please`` makes a job that fails in mid-work, with an ``errorMessage``;
- what a job has taken of the quota is given back when it fails or is cancelled;
- lists are newest first; ``DELETE`` of an ended job is ``{"success": false}``; a running one can be cancelled;
- a key may send `burst` requests in any ``burst / requests a minute`` minutes (see `limits`);
- synchronous generations are no jobs, so ``GET /jobs`` does not list them;
- videos last 120 seconds at most, and are drawn with fewer lines than asked for (see `studio.video`);
- a transcription of its own speech has the text that was spoken; of anything else, something plausible.

Example:
    >>> from novakit_widgets.sandbox import Sandbox
    >>> with Sandbox(speed=60) as sandbox:
    ...     sandbox.base_url.startswith("http://127.0.0.1:")
    True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .faults import Fault, InjectedFault
    from .gate import RequestRecord
    from .limits import Limits
    from .server import Sandbox
    from .store import SandboxJob

__all__ = [
    "Fault",
    "InjectedFault",
    "Limits",
    "RequestRecord",
    "Sandbox",
    "SandboxJob",
    "SandboxLink",
    "use_sandbox",
]

_HOMES = {
    "Fault": ".faults",
    "InjectedFault": ".faults",
    "Limits": ".limits",
    "RequestRecord": ".gate",
    "Sandbox": ".server",
    "SandboxJob": ".store",
    "SandboxLink": "..notebook.sandbox",
    "use_sandbox": "..notebook.sandbox",
}
_EXTRA = ("PIL", "av", "numpy", "starlette", "uvicorn")


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that this package costs nothing until then."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module
    from importlib.util import find_spec

    if name in ("RequestRecord", "Sandbox"):
        # All of them, though some are imported later: better now than when the first job fails.
        missing = [library for library in _EXTRA if find_spec(library) is None]
        if missing:
            raise ImportError(
                f"The sandbox needs {', '.join(missing)}, which is not installed: "
                'pip install "novakit_widgets[sandbox]"'
            )
    found = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
