"""Run a sandbox in a process of its own, so that its memory and time do not count as the client's."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from novakit_widgets.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Served", "served"]


@dataclass(frozen=True, slots=True)
class Served:
    """A sandbox in another process.

    Attributes:
        base_url: where its API is.
        api_key: a key with every scope.
    """

    base_url: str
    api_key: str
    _asked: IO[str]
    _told: IO[str]

    def account(self) -> dict[str, Any]:
        """Return all ``jobs`` (id, status and parameters), ``requests`` and ``faults``."""
        self._asked.write("\n")
        self._asked.flush()
        told: dict[str, Any] = json.loads(self._told.readline())
        return told


@contextlib.contextmanager
def served(*, faults: float = 0.0, **options: Any) -> Iterator[Served]:
    """Run a sandbox in another process while the block runs.

    Args:
        faults: the share of requests that go wrong.
        **options: for `Sandbox`.
    """
    command = [sys.executable, "-m", "benchmarks.served", json.dumps({"faults": faults, **options})]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 # ours
        assert process.stdin is not None
        assert process.stdout is not None
        where = json.loads(process.stdout.readline())
        # The end of its input ends it, also when this process dies.
        yield Served(where["base_url"], where["api_key"], process.stdin, process.stdout)


def main() -> None:
    """Serve until the input ends; give an account for each line of it."""
    options = json.loads(sys.argv[1])
    rate = options.pop("faults")
    with Sandbox(**options) as sandbox:
        faults = sandbox.random_faults(rate, seed=options.get("seed"))
        print(json.dumps({"base_url": sandbox.base_url, "api_key": sandbox.api_key}), flush=True)
        for _ in sys.stdin:
            jobs = [{"id": job.id, "status": job.status, "params": job.params} for job in sandbox.jobs.values()]
            print(json.dumps({"jobs": jobs, "requests": len(sandbox.requests), "faults": faults.hits}), flush=True)


if __name__ == "__main__":
    main()
