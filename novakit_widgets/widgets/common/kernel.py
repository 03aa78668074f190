"""Facts about the Jupyter kernel of this process."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["in_kernel", "notebook_folder", "this_cell"]


def in_kernel() -> bool:
    """Return whether this process is a Jupyter kernel, whose outputs appear on a page."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


def this_cell() -> int | None:
    """Return the number of the cell that runs, or ran last; ``None`` outside a kernel."""
    if not in_kernel():
        return None
    from IPython import get_ipython

    return int(get_ipython().execution_count)


def notebook_folder() -> Path:
    """Return the folder that relative URLs in a saved notebook start from.

    That is the folder in which the kernel was started: Jupyter's servers and nbclient use the notebook's own. Later changes of
    the working directory do not matter. If it was deleted, the path is relative, and writing to it fails.
    """
    if in_kernel():
        from IPython import get_ipython

        visited = get_ipython().user_ns.get("_dh")  # IPython's list of working directories; `%cd` appends to it
        if isinstance(visited, list) and visited and Path(visited[0]).is_dir():
            return Path(visited[0])
    try:
        return Path.cwd()
    except OSError:
        return Path()
