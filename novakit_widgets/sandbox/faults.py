"""Inject faults into the sandbox, for tests of code that uses this package.

Example:
    >>> from novakit_widgets.sandbox import Fault, Sandbox
    >>> with Sandbox() as sandbox:
    ...     lost = sandbox.inject(Fault.reset_after(), method="POST", path="/videos/generations")
    ...     lost.hits
    0
"""

from __future__ import annotations

import json
import random
import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Fault", "FaultPlan", "InjectedFault"]

Kind = Literal["answer", "reset_before", "reset_after", "truncated", "huge", "delay", "change"]
_HTML = "<html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: one way in which an answer goes wrong. Create one with the class methods.

    Attributes:
        name: the class method that created it.
        kind: how the request is handled.
        status_code: the status of the replacing answer.
        headers: the headers of the replacing answer.
        body: the body of the replacing answer.
        seconds: the length of a delay.
        size: the size of an oversized answer in bytes.
        replaced: new values for fields of every job in the answer.
        removed: fields to remove from every job in the answer.
    """

    name: str
    kind: Kind
    status_code: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    seconds: float = 0.0
    size: int = 0
    replaced: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    removed: tuple[str, ...] = ()

    @classmethod
    def status(cls, code: int, *, retry_after: float | str | None = None, body: Any = None) -> Fault:
        """Answer with an error before any work is done.

        Args:
            code: the HTTP status.
            retry_after: the ``Retry-After`` header: seconds, or an HTTP date as text.
            body: the body, sent as JSON; ``None`` for ``{"error": "…"}``; bytes are sent unchanged.
        """
        headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
        if retry_after is not None:
            headers += (("retry-after", str(retry_after)),)
        if not isinstance(body, bytes):
            body = json.dumps({"error": f"Injected fault: {code}"} if body is None else body).encode()
        return cls("status", "answer", code, headers, body)

    @classmethod
    def reset_before(cls) -> Fault:
        """Reset the connection before any work is done."""
        return cls("reset_before", "reset_before")

    @classmethod
    def reset_after(cls) -> Fault:
        """Do the work (a POST starts and bills its job), then reset the connection: the answer is lost."""
        return cls("reset_after", "reset_after")

    @classmethod
    def truncated(cls) -> Fault:
        """Do the work, and close the connection in the middle of the answer's body."""
        return cls("truncated", "truncated")

    @classmethod
    def not_json(
        cls, body: str = _HTML, *, status_code: int = 200, content_type: str = "text/html; charset=utf-8"
    ) -> Fault:
        """Answer with a body that is not JSON before any work is done, as a captive portal does."""
        return cls("not_json", "answer", status_code, (("content-type", content_type),), body.encode())

    @classmethod
    def huge(cls, size: int) -> Fault:
        """Answer with valid JSON of a given size, without a Content-Length; no work is done."""
        return cls("huge", "huge", headers=(("content-type", "application/json"),), size=size)

    @classmethod
    def delay(cls, seconds: float) -> Fault:
        """Wait for some real seconds, then answer normally."""
        return cls("delay", "delay", seconds=seconds)

    @classmethod
    def redirect(cls, url: str, *, status_code: int = 307) -> Fault:
        """Redirect before any work is done."""
        return cls("redirect", "answer", status_code, (("location", url),))

    @classmethod
    def odd_status(cls, status: Any) -> Fault:
        """Replace the status of every job in the answer by another value."""
        return cls("odd_status", "change", replaced=MappingProxyType({"status": status}))

    @classmethod
    def missing_fields(cls, *names: str) -> Fault:
        """Remove fields from the answer and from every job in it."""
        return cls("missing_fields", "change", removed=names)

    @classmethod
    def null_fields(cls, *names: str) -> Fault:
        """Set fields of the answer and of every job in it to null."""
        return cls("null_fields", "change", replaced=MappingProxyType(dict.fromkeys(names)))

    @classmethod
    def fields(cls, **values: Any) -> Fault:
        """Set fields of the answer and of every job in it to any values."""
        return cls("fields", "change", replaced=MappingProxyType(values))

    def changed(self, body: Any) -> Any:
        """Return the decoded JSON of an answer, changed by this fault."""
        if not isinstance(body, dict):
            return body
        changed = {name: value for name, value in body.items() if name not in self.removed}
        if isinstance(changed.get("jobs"), list):
            # In a list the fields are those of its jobs.
            changed["jobs"] = [self.changed(job) for job in changed["jobs"]]
            return changed
        changed.update(self.replaced)
        return changed


class InjectedFault:
    """A fault that waits for matching requests.

    Attributes:
        fault: the fault; ``None`` for random ones.
        hits: how many requests it has affected.
    """

    def __init__(
        self,
        faults: Sequence[Fault],
        *,
        method: str,
        path: str,
        times: int | None,
        after: int,
        rate: float = 1.0,
        rng: random.Random | None = None,
    ) -> None:
        self.fault = faults[0] if len(faults) == 1 else None
        self.hits = 0
        self._faults = tuple(faults)
        self._method = method.upper()
        self._path = path
        self._times = times
        self._after = after
        self._rate = rate
        self._rng = rng or random.Random(0)

    def __repr__(self) -> str:
        what = self.fault.name if self.fault else f"{len(self._faults)} kinds at random"
        return f"<InjectedFault {what} on {self._method} {self._path}, {self.hits} hits>"

    @property
    def spent(self) -> bool:
        """Whether no further request is affected."""
        return self._times is not None and self.hits >= self._times

    def draw(self, method: str, path: str) -> Fault | None:
        """Return the fault for a request, or ``None``."""
        if self.spent or self._method not in ("*", method) or not fnmatchcase(path, self._path):
            return None
        if self._after > 0:
            self._after -= 1
            return None
        if self._rng.random() >= self._rate:
            return None
        self.hits += 1
        return self._faults[0] if len(self._faults) == 1 else self._rng.choice(self._faults)


class FaultPlan:
    """All injected faults; the first that matches a request applies. Thread-safe."""

    def __init__(self) -> None:
        self._waiting: list[InjectedFault] = []
        self._lock = threading.Lock()

    def add(self, injected: InjectedFault) -> InjectedFault:
        """Add a fault after the others."""
        with self._lock:
            self._waiting.append(injected)
        return injected

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._waiting.clear()

    def draw(self, method: str, path: str) -> Fault | None:
        """Return the fault for a request, or ``None``."""
        with self._lock:
            self._waiting = [injected for injected in self._waiting if not injected.spent]
            for injected in self._waiting:
                fault = injected.draw(method, path)
                if fault is not None:
                    return fault
        return None


def usual_faults() -> tuple[Fault, ...]:
    """Return the default faults of a soak test."""
    return (
        Fault.status(500),
        Fault.status(502),
        Fault.status(503, retry_after=1),
        Fault.reset_before(),
        Fault.reset_after(),
        Fault.truncated(),
        Fault.not_json(),
        Fault.delay(0.2),
        Fault.odd_status("queued_somewhere"),
        Fault.missing_fields("progress", "createdAt", "orgId"),
        Fault.null_fields("progress", "inputParams", "model"),
    )
