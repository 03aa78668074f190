"""Identify a process, so that another one can tell later whether it still runs."""

from __future__ import annotations

import functools
import os
import secrets
import socket
import sys
from pathlib import Path

__all__ = ["lives", "this_process"]

_TOKEN = secrets.token_hex(4)  # identifies this process where its start time can't be read


def this_process() -> str:
    """Return a name for this process that is unique among all processes: its host, its id, and its start time.

    Example:
        >>> lives(this_process())
        True
    """
    return _name_of(os.getpid())


@functools.cache
def _name_of(pid: int) -> str:
    return f"{socket.gethostname()} {pid} {_birth(pid) or _TOKEN}"


def lives(name: str) -> bool | None:
    """Return whether a process runs; ``None`` where that is unknown, as on another host or in another container.

    Args:
        name: the result of `this_process` in that process.
    """
    host, _, rest = name.partition(" ")
    number, _, birth = rest.partition(" ")
    if host != socket.gethostname() or not number.isdecimal():
        return None
    pid = int(number)
    if pid == os.getpid() and "/" not in birth:
        return birth == _TOKEN
    if "/" in birth:
        ours = _world()
        # Another boot or container reuses the same process ids.
        return _birth(pid) == birth if ours is not None and birth.startswith(f"{ours}/") else None
    if sys.platform == "win32":
        return None  # on Windows os.kill(pid, 0) ends the process
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return None
    return None  # a process has this id, but perhaps another one by now


def _world() -> str | None:
    """Return the scope in which process ids are unique: one boot of one container. Linux only."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink().name}"
    except OSError:
        return None


def _birth(pid: int) -> str | None:
    """Return the start time of a running process, in ticks since boot."""
    world = _world()
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name in parentheses may contain spaces; the state follows it, and 19 fields later the start time.
    state, *fields = stat.rpartition(b")")[2].split()
    return None if world is None or state in {b"Z", b"X"} else f"{world}/{fields[18].decode()}"
