"""A process that writes to a history: so many jobs, from intent to end."""

from __future__ import annotations

import sys
from pathlib import Path

from novakit_widgets import Job, JobStatus, Tool
from novakit_widgets.job_history.jobs import JobHistory

URL = "https://x.example/api/v1"


def main() -> None:
    """Write, and say each id once it is on disk."""
    path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    history = JobHistory(path)
    for number in range(count):
        job_id = f"job_{name}_{number}"
        intent = history.begin(Tool.VIDEO, {"prompt": f"{name} {number}"}, base_url=URL)
        history.started(intent, Job(job_id, JobStatus.PENDING, tool="video"), base_url=URL)
        history.update(Job(job_id, JobStatus.COMPLETED, tool="video"), base_url=URL)
        print(job_id, flush=True)  # noqa: T201 # the parent reads it


if __name__ == "__main__":
    main()
