"""Naming a process so that another one, perhaps after a restart, can tell whether it still lives."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from pathlib import Path

__all__ = ["lives", "this_process"]

_TOKEN = secrets.token_hex(4)  # where a process's beginning can't be read, this tells ours from one of the same number


def this_process() -> str:
    """Name this process: its host, its number, and what tells it from every other one that had or will have that number.

    Example:
        >>> lives(this_process())
        True
    """
    return f"{socket.gethostname()} {os.getpid()} {_birth(os.getpid()) or _TOKEN}"


def lives(name: str) -> bool | None:
    """Whether a process lives; ``None`` where that can't be told, as for one of another host or container.

    Args:
        name: what `this_process` said in it.
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
        # Another boot or another container has other processes under the same numbers.
        return _birth(pid) == birth if ours is not None and birth.startswith(f"{ours}/") else None
    if sys.platform == "win32":
        return None  # there, asking a process is ending it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return None
    return None  # a process has the number, but perhaps another one by now


def _world() -> str | None:
    """Name what a process number is unique in: one boot of a machine, one container. Linux only."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink().name}"
    except OSError:
        return None


def _birth(pid: int) -> str | None:
    """Say when a living process began, in ticks since that boot."""
    world = _world()
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name in parentheses may hold anything, spaces too; the state follows it, and 19 fields on the beginning.
    state, *fields = stat.rpartition(b")")[2].split()
    return None if world is None or state in {b"Z", b"X"} else f"{world}/{fields[18].decode()}"
