"""Programs of their own, for what changes or ends a process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

SUPPORT = Path(__file__).parent


def run_program(source, *arguments, environment=None, timeout=60):
    """Run a program with warnings as errors; return how it ended. It can import what stands beside this file."""
    code = f"import sys; sys.path.insert(0, {str(SUPPORT)!r})\n{textwrap.dedent(source)}"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "COVERAGE_PROCESS_START": "", **(environment or {})},
    )
