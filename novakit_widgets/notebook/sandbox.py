"""`use_sandbox`: one call, and the package works without a key and without the service."""

from __future__ import annotations

import json
import os
import threading
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.parse import urlsplit

from ..errors import ConfigurationError, NovaKitConnectionError
from ..runtime.hosts import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Literal

    from ..sandbox.limits import Limits
    from ..sandbox.server import Seconds

__all__ = ["SandboxLink", "use_sandbox"]

_VARIABLE = "NOVAKIT_SANDBOX_URL"
_lock = threading.Lock()
_started: tuple[dict[str, Any], Any] | None = None
_replaced: _Replaced | None = None


@dataclass(frozen=True, slots=True)
class _Replaced:
    """What a sandbox has taken the place of.

    Attributes:
        ours: what was configured for it.
        before: what was configured then, by the same names; ``None`` for nothing.
    """

    ours: dict[str, Any]
    before: dict[str, Any]

    def original(self, name: str, now: Any) -> Any:
        """Return what to put back for a setting: nothing of ours, and what somebody else has configured since as it is."""
        return self.before[name] if now == self.ours[name] else now


@dataclass(frozen=True, slots=True)
class SandboxLink:
    """A sandbox that this process uses.

    Attributes:
        base_url: where its API is.
        speed: how fast its clock runs.
        plan: whose rate limits it holds.
        sandbox: the `Sandbox` itself, where it runs in this process; for its faults, requests and jobs.
    """

    base_url: str
    speed: float
    plan: str
    sandbox: Any = field(default=None, repr=False, compare=False)

    @property
    def origin(self) -> str:
        """Where it is, without a path."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}"

    def stop(self) -> None:
        """End the sandbox, where it runs in this process, and go back to what was configured before.

        What has been configured since stays. Of a sandbox whose place another has taken, nothing is put back.
        """
        if self.sandbox is not None:
            self.sandbox.stop()
        _put_back(self.base_url)

    def __repr__(self) -> str:
        return f"NovaKit sandbox at {self.base_url} ({self.speed:g}x speed, plan {self.plan}): nothing is billed"


def use_sandbox(
    speed: float = 12.0,
    url: str | None = None,
    *,
    plan: str = "business",
    limits: str | Limits = "requests",
    seed: int | None = None,
    hold_seconds: float = 30.0,
    host: str = "127.0.0.1",
    port: int = 0,
    durations: Mapping[str, Seconds] | None = None,
    quotas: Mapping[str, int | None] | Literal["off"] | None = None,
    sync_tools: Iterable[str] = (),
    media: Literal["real", "canned"] = "real",
) -> SandboxLink:
    """Use a local NovaKit instead of the service, in this process, from now on.

    Args:
        speed: how fast its clock runs; at 12 a video takes 2.5 to 10 seconds.
        url: the origin of a sandbox that runs already, such as ``"http://127.0.0.1:8123"``; the environment
            variable ``NOVAKIT_SANDBOX_URL`` says the same. Without one a sandbox starts in this process; called
            again with the same options it is the same one, with others a new one takes its place.
        plan: as for `Sandbox`, as are all that follow; here it is a large one, so that a notebook can be run again.
        limits: here those of requests alone, for the same reason.
        seed: of the durations, for example.
        hold_seconds: how long a long poll is held.
        host: where it listens: on this machine.
        port: likewise; 0 for any that is free.
        durations: how long jobs take, by tool.
        quotas: what there is to spend, by bucket.
        sync_tools: which tools answer with the result itself.
        media: ``"canned"`` for small ready-made results.

    Returns:
        Something with a ``base_url`` and a short repr.

    Raises:
        ConfigurationError: the URL is none of this machine.
        NovaKitConnectionError: no sandbox answers there.
        ImportError: the extra ``sandbox`` is not installed (a sandbox that runs elsewhere does not need it).

    Example:
        >>> link = use_sandbox(speed=60)
        >>> link.speed
        60.0
    """
    address = url or os.environ.get(_VARIABLE, "").strip()
    if address:
        about = _ask(address)
        link = SandboxLink(about["base_url"], float(about["speed"]), str(about.get("plan", "")))
        key, tool_limits = about["api_key"], about.get("tool_limits", "documented")
    else:
        sandbox = _own(
            {
                "speed": speed,
                "plan": plan,
                "limits": limits,
                "seed": seed,
                "hold_seconds": hold_seconds,
                "host": host,
                "port": port,
                "durations": durations,
                "quotas": quotas,
                "sync_tools": sync_tools,
                "media": media,
            }
        )
        link = SandboxLink(sandbox.base_url, sandbox.speed, sandbox.plan, sandbox)
        key, tool_limits = sandbox.api_key, sandbox.tool_limits
    _take_place(base_url=link.base_url, api_key=key, speed=link.speed, limits=tool_limits)
    return link


def _take_place(**ours: Any) -> None:
    """Configure a sandbox, and remember what it takes the place of; that is never another sandbox."""
    global _replaced  # one sandbox for a process
    from ..config.settings import configure, configured

    with _lock:
        now = configured()
        before = {
            name: now.get(name) if _replaced is None else _replaced.original(name, now.get(name)) for name in ours
        }
        configure(**ours)
        _replaced = _Replaced({name: configured()[name] for name in ours}, before)


def _put_back(base_url: str) -> None:
    """Configure what was configured before a sandbox, unless another has taken its place."""
    global _replaced
    from ..config.settings import configure, configured

    with _lock:
        if _replaced is None or _replaced.ours["base_url"] != base_url:
            return
        now = configured()
        configure(**{name: _replaced.original(name, now.get(name)) for name in _replaced.ours})
        _replaced = None


def _own(options: dict[str, Any]) -> Any:
    global _started  # one sandbox for a process
    from ..sandbox import Sandbox

    with _lock:
        if _started is not None:
            before, sandbox = _started
            if before == options and sandbox.is_running:
                return sandbox
            _started = None
            sandbox.stop()
        sandbox = Sandbox(**options).start()
        _started = (options, sandbox)
        return sandbox


def _ask(address: str) -> dict[str, Any]:
    parts = urlsplit(address)
    if parts.scheme != "http" or not is_loopback(parts.hostname or ""):
        raise ConfigurationError(
            f"{address!r} is no sandbox's address: those are of this machine, such as 'http://127.0.0.1:8123'."
        )
    # No proxy: it would look for the sandbox on its own machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{parts.netloc}/sandbox", timeout=5) as answer:
            about = json.loads(answer.read(65_536))
    except (URLError, OSError, ValueError) as problem:
        raise NovaKitConnectionError(
            f"No sandbox answers at {address}. Start one: python -m novakit_widgets.sandbox --port {parts.port or 80}",
            reached=False,
        ) from problem
    if not isinstance(about, dict) or about.get("sandbox") != "novakit_widgets":
        raise ConfigurationError(f"What answers at {address} is no sandbox of novakit_widgets.")
    return about
