"""``python -m novakit_widgets.sandbox``: the sandbox as a process."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from typing import TYPE_CHECKING

from ..sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLANS = ("free", "pro", "business", "cli_pro", "cli_team")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM.

    Returns:
        The exit status: 0, or 1 when it could not start.
    """
    parser = argparse.ArgumentParser(
        prog="python -m novakit_widgets.sandbox", description="A local NovaKit: the same HTTP, nothing is billed."
    )
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="0 for any free one (%(default)s)")
    parser.add_argument("--speed", type=float, default=1.0, help="how fast its clock runs (%(default)s)")
    parser.add_argument("--plan", default="free", choices=_PLANS, help="whose rate limits (%(default)s)")
    parser.add_argument(
        "--limits",
        default="documented",
        choices=("documented", "requests", "off"),
        help="which rate limits; 'requests' leaves those of each tool out (%(default)s)",
    )
    parser.add_argument("--quotas", default="plan", choices=("plan", "off"), help="(%(default)s)")
    parser.add_argument("--hold", type=float, default=30.0, help="seconds that a long poll is held (%(default)s)")
    parser.add_argument("--seed", type=int, help="makes the durations of jobs repeatable")
    chosen = parser.parse_args(arguments)

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        sandbox = Sandbox(
            host=chosen.host,
            port=chosen.port,
            speed=chosen.speed,
            plan=chosen.plan,
            limits=chosen.limits,
            quotas="off" if chosen.quotas == "off" else None,
            hold_seconds=chosen.hold,
            seed=chosen.seed,
        ).start()
    except (OSError, ValueError) as problem:
        print(f"The sandbox could not start: {problem}", file=sys.stderr)  # noqa: T201 # a command's words
        return 1
    try:
        print(_welcome(sandbox), flush=True)  # noqa: T201 # a command's words
        # With a timeout: on Windows Ctrl-C does not interrupt a wait without one.
        while not ended.wait(0.5):
            pass
    finally:
        sandbox.stop()
    return 0


def _welcome(sandbox: Sandbox) -> str:
    return (
        f"NovaKit sandbox at {sandbox.base_url} ({sandbox.speed:g}x speed, plan {sandbox.plan}); Ctrl-C ends it.\n"
        "Nothing is billed. For any client:\n"
        f"  export NOVAKIT_BASE_URL={sandbox.base_url}\n"
        f"  export NOVAKIT_API_KEY={sandbox.api_key}\n"
        "For nk.use_sandbox() in a notebook:\n"
        f"  export NOVAKIT_SANDBOX_URL={sandbox.origin}"
    )


if __name__ == "__main__":
    sys.exit(main())
