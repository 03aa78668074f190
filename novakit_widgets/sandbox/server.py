"""The sandbox: a server in its own thread."""

from __future__ import annotations

import atexit
import random
from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import Self

from ..errors import ConfigurationError
from ..model.tools import Tool
from .accounts import PLANS, Accounts
from .app import version
from .faults import Fault, FaultPlan, InjectedFault, usual_faults
from .gate import API, RequestRecord
from .limits import Limits
from .options import check, durations_of
from .running import Running, Settings
from .store import Pace, SandboxJob

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .options import Seconds
    from .script import Script

__all__ = ["Sandbox"]


class Sandbox:
    """A NovaKit on this machine: real HTTP, real media, nothing billed.

    Args:
        speed: how fast its clock runs: durations of jobs and windows of rate limits are divided by it. Times in
            answers stay real ones.
        seed: makes the durations of jobs repeatable.
        plan: ``"free"``, ``"pro"``, ``"business"``, ``"cli_pro"`` or ``"cli_team"``.
        limits: ``"documented"``, ``"requests"`` (without those of each tool), ``"off"``, or a `Limits`.
        hold_seconds: real seconds that ``?poll=true`` holds a request; 0 for a server that does not hold.
        host: a loopback address.
        port: 0 for any free one.
        durations: seconds by tool, before `speed`: a number or ``(shortest, longest)``.
        quotas: amounts by bucket that replace the plan's (``None``: unlimited), or ``"off"``.
        sync_tools: tools that answer at once even with ``?async=true``, such as ``("tts", "stt")``.
        media: ``"real"``, or ``"canned"`` for one small medium for each tool: for measuring without the work.

    Attributes:
        origin: such as ``"http://127.0.0.1:8123"``, once started.
        base_url: the origin with ``/api/v1``.
        api_key: a key with every scope.
        speed: as given.

    Raises:
        ConfigurationError: some of the options can't be used; the message names each of them.

    Example:
        >>> with Sandbox(speed=100, seed=1) as sandbox:
        ...     sandbox.base_url == f"{sandbox.origin}/api/v1"
        True
    """

    def __init__(
        self,
        *,
        speed: float = 1.0,
        seed: int | None = None,
        plan: str = "free",
        limits: str | Limits = "documented",
        hold_seconds: float = 30.0,
        host: str = "127.0.0.1",
        port: int = 0,
        durations: Mapping[str, Seconds] | None = None,
        quotas: Mapping[str, int | None] | Literal["off"] | None = None,
        sync_tools: Iterable[str] = (),
        media: Literal["real", "canned"] = "real",
    ) -> None:
        sync_tools = (
            sync_tools if isinstance(sync_tools, str) or not isinstance(sync_tools, Iterable) else tuple(sync_tools)
        )
        check({name: value for name, value in locals().items() if name != "self"})
        if quotas == "off":
            quotas = dict.fromkeys(PLANS["free"].quotas)
        self.speed = float(speed)
        self.plan = plan
        self._accounts = Accounts(plan, quotas)
        self.api_key = self._accounts.add_key()
        self._address = (host, port)
        self._pace = Pace(self.speed, durations_of(durations or {}), random.Random(seed))
        self._faults = FaultPlan()
        self._settings = Settings(
            accounts=self._accounts,
            limits=Limits.of(limits),
            pace=self._pace,
            faults=self._faults,
            hold_seconds=float(hold_seconds),
            sync_tools=frozenset(Tool.of(tool).value for tool in sync_tools),
            canned=media == "canned",
            about=self._about,
        )
        self._running: Running | None = None
        self._last: Running | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        where = f"at {self.base_url}" if self._running else "not running"
        return f"<Sandbox {where}, plan {self.plan}, {self.speed:g}x speed>"

    @property
    def origin(self) -> str:
        """The origin: the URL without a path.

        Raises:
            RuntimeError: it was never started.
        """
        return self._state().library.origin

    @property
    def base_url(self) -> str:
        """The base URL of the API."""
        return f"{self.origin}{API}"

    @property
    def tool_limits(self) -> Mapping[str, tuple[int, float]]:
        """The rate limit of each tool, as ``(generations, seconds)`` before `speed`; other tools have no limit."""
        return self._settings.limits.tools

    @property
    def is_running(self) -> bool:
        """Whether the sandbox runs."""
        return self._running is not None

    @property
    def requests(self) -> tuple[RequestRecord, ...]:
        """The last 20,000 requests, oldest first."""
        return tuple(self._state().gate.log)

    @property
    def jobs(self) -> Mapping[str, SandboxJob]:
        """The jobs that were submitted with ``?async=true``, by id, oldest first."""
        return MappingProxyType(dict(self._state().store.jobs))

    def start(self) -> Sandbox:
        """Start the sandbox, and return when it accepts requests.

        Raises:
            RuntimeError: the sandbox runs already.
            OSError: the port is in use.
        """
        if self._running is not None:
            raise RuntimeError("This sandbox runs already.")
        self._running = self._last = Running(self._settings)
        try:
            self._running.start(self._address)
        except BaseException:
            self._running = None
            raise
        atexit.register(self.stop)
        return self

    def follow(self, script: Script) -> Sandbox:
        """Let jobs go as a script says, from the next start on."""
        self._settings = replace(self._settings, script=script)
        return self

    def stop(self) -> None:
        """Stop the sandbox and its jobs, and delete its media. Does nothing if it does not run."""
        running, self._running = self._running, None
        if running is not None:
            atexit.unregister(self.stop)
            running.stop()

    def add_key(
        self, scopes: Iterable[str] | None = None, plan: str | None = None, *, organisation: str = "default"
    ) -> str:
        """Create another key.

        Args:
            scopes: what it may do; ``None`` for everything.
            plan: its rate limits; ``None`` for the sandbox's plan.
            organisation: keys of one organisation share jobs and quotas; a new name makes a new one.
        """
        return self._accounts.add_key(scopes, plan, organisation)

    def revoke(self, key: str) -> None:
        """Revoke a key: further requests get a 401."""
        self._accounts.revoke(key)

    def inject(
        self, fault: Fault, *, method: str = "*", path: str = "*", times: int | None = 1, after: int = 0
    ) -> InjectedFault:
        """Inject a fault into matching requests.

        Args:
            fault: the fault.
            method: ``"GET"``, ``"POST"``, … or ``"*"``.
            path: a pattern such as ``"/jobs/*"``, relative to the base URL; ``"/media/*"`` for media.
            times: the number of requests; ``None`` for all.
            after: the number of matching requests that pass before.

        Returns:
            The injected fault, which counts its ``hits``.
        """
        return self._faults.add(InjectedFault([fault], method=method, path=path, times=times, after=after))

    def random_faults(
        self,
        rate: float = 0.05,
        kinds: Sequence[Fault] | None = None,
        *,
        seed: int | None = None,
        method: str = "*",
        path: str = "*",
    ) -> InjectedFault:
        """Inject random faults into a share of all requests, for soak tests.

        Args:
            rate: the share, 0.0 to 1.0.
            kinds: the faults to choose from; ``None`` for the default ones.
            seed: makes the choice repeatable.
            method: see `inject`.
            path: see `inject`.
        """
        if not 0 <= rate <= 1:
            raise ConfigurationError(f"rate is a share from 0.0 to 1.0, not {rate!r}.")
        chosen = usual_faults() if kinds is None else tuple(kinds)
        if not chosen:
            raise ConfigurationError("random_faults() needs at least one kind of fault.")
        rng = random.Random(seed)
        return self._faults.add(
            InjectedFault(chosen, method=method, path=path, times=None, after=0, rate=rate, rng=rng)
        )

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def expire_media(self, job_id: str | None = None, *, status: int = 410, renew: bool = False) -> int:
        """Let media URLs expire, as those of a media host do after some time.

        Args:
            job_id: whose; ``None`` for all there are.
            status: what they answer from now on: 403, 404 or 410.
            renew: whether the finished jobs get new URLs, which the next ``GET /jobs/{id}`` shows.

        Returns:
            How many URLs have expired.
        """
        state = self._state()
        expired = state.library.expire(job_id, status)
        if renew:
            for job in list(state.store.jobs.values()):
                if job.artifacts and job_id in (None, job.id):
                    state.store.publish(job)
        return expired

    def next_duration(self, *seconds: float) -> None:
        """Set the durations of the next jobs, in seconds before `speed`."""
        self._pace.next_seconds.extend(float(number) for number in seconds)

    def finish(self, job_id: str | None = None) -> int:
        """End running jobs now, with the result or failure that they would have had.

        After a long `next_duration` a test decides when a job ends.

        Args:
            job_id: the job; ``None`` for all running jobs.

        Returns:
            The number of jobs. Each ends as soon as its media are rendered.

        Raises:
            RuntimeError: the sandbox is not running.
        """
        if self._running is None:
            raise RuntimeError("This sandbox does not run.")
        running = [
            job
            for job in list(self._running.store.jobs.values())
            if job_id in (None, job.id) and not job.status.is_final
        ]
        self._running.finish(running)
        return len(running)

    def _state(self) -> Running:
        if self._last is None:
            raise RuntimeError("This sandbox has not been started: use it in a with statement, or call start().")
        return self._last

    def _about(self) -> dict[str, Any]:
        return {
            "sandbox": "novakit_widgets",
            "version": version(),
            "speed": self.speed,
            "plan": self.plan,
            "tool_limits": dict(self.tool_limits),
            "base_url": self.base_url,
            "api_key": self.api_key,
        }
