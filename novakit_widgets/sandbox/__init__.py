"""A local NovaKit: the service's HTTP on this machine, with real media, for trying things out and for tests.

Needs the extra: ``pip install "novakit_widgets[sandbox]"``.

It behaves as the service is documented. Where the documentation leaves something open:

- a prompt or input with the words ``fail please`` makes a job that fails halfway, with an ``errorMessage``;
- the charge of a job is refunded when it fails or is cancelled;
- lists are newest first; ``DELETE`` of an ended job is ``{"success": false}``; a running one can be cancelled;
- a key may send `burst` requests in any ``burst / requests a minute`` minutes (see `limits`);
- synchronous generations are no jobs, so ``GET /jobs`` does not list them;
- videos last at most 120 seconds, and have fewer lines than requested (see `studio.video`);
- a transcription of the sandbox's own speech is the spoken text; any other is a plausible text.

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
    """Import a public name at its first use, so that importing this package stays cheap."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module
    from importlib.util import find_spec

    if name in ("RequestRecord", "Sandbox"):
        # Some are imported later, but a missing one is reported now, before the first job fails.
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
