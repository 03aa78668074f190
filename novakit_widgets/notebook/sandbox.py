"""`use_sandbox`: use a local NovaKit in this process, without a key and without the service."""

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
    from ..sandbox.options import Seconds

__all__ = ["SandboxLink", "put_back", "take_place", "use_sandbox"]

_VARIABLE = "NOVAKIT_SANDBOX_URL"
_lock = threading.Lock()
_started: tuple[dict[str, Any], Any] | None = None
_replaced: _Replaced | None = None


@dataclass(frozen=True, slots=True)
class _Replaced:
    """The settings that a sandbox has replaced.

    Attributes:
        ours: what was configured for the sandbox.
        before: what was configured before, by the same names; ``None`` for not set.
    """

    ours: dict[str, Any]
    before: dict[str, Any]

    def original(self, name: str, now: Any) -> Any:
        """Return the value to restore: the earlier one, or the present one if it was configured since."""
        return self.before[name] if now == self.ours[name] else now


@dataclass(frozen=True, slots=True)
class SandboxLink:
    """A sandbox that this process uses.

    Attributes:
        base_url: the address of its API.
        speed: how fast its clock runs.
        plan: the plan whose rate limits it applies.
        sandbox: the `Sandbox` itself if it runs in this process, for its faults, requests and jobs.
    """

    base_url: str
    speed: float
    plan: str
    sandbox: Any = field(default=None, repr=False, compare=False)

    @property
    def origin(self) -> str:
        """Its address without a path."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}"

    def stop(self) -> None:
        """Stop the sandbox if it runs in this process, and restore the earlier settings.

        Settings that were configured since stay. A sandbox that another one has replaced restores nothing.
        """
        if self.sandbox is not None:
            self.sandbox.stop()
        put_back(self.base_url)

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
    """Use a local NovaKit instead of the service in this process.

    Args:
        speed: how many times faster than the service it runs; at 12 a video takes 2.5 to 10 seconds.
        url: the address of a running sandbox, such as ``"http://127.0.0.1:8123"``; by default the environment variable
            ``NOVAKIT_SANDBOX_URL``. Without either, a sandbox is started in this process: the same one for the same options, a
            new one in its place for others.
        plan: see `Sandbox`, as for all arguments that follow. The default is a large one, so that a notebook can be run again.
        limits: by default only those of requests, for the same reason.
        seed: of the random durations.
        hold_seconds: how long it holds a long poll.
        host: the loopback address that it listens on.
        port: the port that it listens on; 0 for any free one.
        durations: how long jobs take, by tool.
        quotas: the quotas by bucket.
        sync_tools: the tools that answer with the result instead of a job.
        media: ``"real"``, or ``"canned"`` for small ready-made results.

    Returns:
        The sandbox in use.

    Raises:
        ConfigurationError: the URL is not on this machine, or an option can't be used. Nothing was changed.
        NovaKitConnectionError: no sandbox answers there.
        ImportError: the extra ``sandbox`` is not installed. A sandbox in another process does not need it.

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
    take_place(base_url=link.base_url, api_key=key, speed=link.speed, limits=tool_limits)
    return link


def take_place(**ours: Any) -> None:
    """Configure a sandbox, and keep the settings that it replaces; those of an earlier sandbox are not kept."""
    global _replaced  # one sandbox for a process
    from ..config.settings import configure, configured

    with _lock:
        now = configured()
        before = {
            name: now.get(name) if _replaced is None else _replaced.original(name, now.get(name)) for name in ours
        }
        configure(**ours)
        _replaced = _Replaced({name: configured()[name] for name in ours}, before)


def put_back(base_url: str) -> None:
    """Restore the settings from before a sandbox, unless another sandbox has replaced it."""
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

    sandbox = Sandbox(**options)  # refuses wrong options before the one that runs is stopped
    with _lock:
        if _started is not None and _started[0] == options and _started[1].is_running:
            return _started[1]
        if _started is not None:
            _started[1].stop()
            _started = None
        _started = (options, sandbox.start())
        return sandbox


def _ask(address: str) -> dict[str, Any]:
    if not isinstance(address, str):
        raise ConfigurationError(
            f"url must be text, such as 'http://127.0.0.1:8123', got {address!r}. Nothing was changed."
        )
    parts = urlsplit(address)
    if parts.scheme != "http" or not is_loopback(parts.hostname or ""):
        raise ConfigurationError(
            f"{address!r} can't be a sandbox: its address must be on this machine, such as 'http://127.0.0.1:8123'."
        )
    # Without a proxy, which would look for the sandbox on its own machine.
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
        raise ConfigurationError(f"The server at {address} is not a sandbox of novakit_widgets.")
    return about
