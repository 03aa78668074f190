"""Which file system a file is on: SQLite's write-ahead log needs memory that all processes share, so it fails over a network."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["is_network"]

# The types that Linux names in /proc/mounts.
_NETWORK = frozenset(
    {
        "9p",
        "afpfs",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "davfs",
        "fuse.blobfuse",
        "fuse.blobfuse2",
        "fuse.ceph",
        "fuse.cephfs",
        "fuse.davfs",
        "fuse.gcsfuse",
        "fuse.glusterfs",
        "fuse.goofys",
        "fuse.juicefs",
        "fuse.mountpoint-s3",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "panfs",
        "smb",
        "smb2",
        "smb3",
        "smbfs",
        "vboxsf",
        "virtiofs",
        "wekafs",
    }
)
_MOUNTS = Path("/proc/mounts")


def is_network(path: Path, *, mounts: Path = _MOUNTS) -> bool:
    """Return whether a path is on a network file system; ``False`` where the system does not tell.

    Args:
        path: A file or folder, which need not exist.
        mounts: The list of mounted file systems, as Linux writes it.

    Example:
        >>> is_network(Path("/proc/self"))
        False
    """
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return False
    whole = os.path.realpath(path)
    kind, longest = "", -1
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = _unescaped(fields[1])
        # Of two mounts at one place, the later one is on top.
        if len(point) >= longest and (whole == point or whole.startswith(point.rstrip("/") + "/")):
            kind, longest = fields[2], len(point)
    return kind in _NETWORK


def _unescaped(text: str) -> str:
    """Decode the spaces of a mount point, which stand as octal numbers."""
    for escape, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(escape, character)
    return text
