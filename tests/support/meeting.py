"""A process that waits for others, and then writes to a history at the same moment as they."""

from __future__ import annotations

import sys
from pathlib import Path

from novakit_widgets import Job, JobStatus, Tool
from novakit_widgets.job_history.jobs import JobHistory

URL = "https://x.example/api/v1"


def main() -> None:
    """Say that it is ready, wait for the word, and write."""
    path, name = Path(sys.argv[1]), sys.argv[2]
    history = JobHistory(path)
    print("ready", flush=True)  # noqa: T201 # the parent reads it
    sys.stdin.readline()
    for number in range(5):
        intent = history.begin(Tool.VIDEO, {"prompt": f"{name} {number}"}, base_url=URL)
        history.started(intent, Job(f"job_{name}_{number}", JobStatus.PENDING), base_url=URL)


if __name__ == "__main__":
    main()
