"""The container of a recording: a zip file whose entries are stored without compression.

Nothing in it is ever unpacked: entries are read where they are, by ranges. So no entry can be larger than the file, none can be
written anywhere, and a file of gigabytes takes no memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..errors import NovaKitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["MANIFEST", "Entry", "digest_of", "read_entry", "read_index", "refused", "write"]

MANIFEST = "manifest.json"
_NAME = re.compile(r"manifest\.json|media/[0-9a-f]{64}")
_MOST_INDEX = 64_000_000  # bytes of the list of entries, which is read as a whole
_TAIL = 65_557  # bytes in which the end of a zip file is found: the record and its longest comment
_LOCAL = struct.Struct("<4s5H3I2H")
_END = struct.Struct("<4s4H2IH")
_END_64_AT = struct.Struct("<4sIQI")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_PIECE = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file knows


class Entry:
    """Where an entry is.

    Attributes:
        offset: of its first byte in the file.
        size: in bytes.
    """

    __slots__ = ("offset", "size")

    def __init__(self, offset: int, size: int) -> None:
        self.offset = offset
        self.size = size


def refused(path: Path, why: str) -> NovaKitError:
    """Return the error for a file that is no usable recording."""
    return NovaKitError(f"{path} can't be used as a recording: {why}. Nothing was sent or billed.")


def read_index(path: Path) -> Mapping[str, Entry]:
    """Return where each entry of a recording is.

    Raises:
        NovaKitError: the file is damaged, or is not as `write` makes it.
        OSError: it can't be read.
    """
    found: dict[str, Entry] = {}
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        _check_index(path, file, size)
        try:
            with zipfile.ZipFile(file) as archive:
                infos = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error):
            raise refused(path, "its list of entries is damaged") from None
        for info in infos:
            name = info.orig_filename
            if not _NAME.fullmatch(name):
                raise refused(path, f"it has an entry {name!r:.80}, which no recording has")
            if name in found:
                raise refused(path, f"it has the entry {name} twice")
            if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1 or info.file_size != info.compress_size:
                raise refused(path, f"the entry {name} is compressed or encrypted")
            found[name] = Entry(_data_of(path, file, info, size), info.file_size)
        _check_overlaps(path, found)
    if MANIFEST not in found:
        raise refused(path, f"it has no {MANIFEST}")
    return found


def _check_index(path: Path, file: BinaryIO, size: int) -> None:
    """Refuse a list of entries that would take much memory, before `zipfile` reads it as a whole."""
    begin = max(0, size - _TAIL)
    file.seek(begin)
    tail = file.read(_TAIL)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or at + _END.size > len(tail):
        raise refused(path, "it is no zip file, or its end is missing")
    length = _END.unpack_from(tail, at)[5]
    before = at - _END_64_AT.size
    if before >= 0 and tail[before : before + 4] == b"PK\6\7":
        place = _END_64_AT.unpack_from(tail, before)[2]
        file.seek(min(place, size))
        record = file.read(_END_64.size)
        if len(record) < _END_64.size or record[:4] != b"PK\6\6":
            raise refused(path, "its list of entries is damaged")
        length = _END_64.unpack(record)[8]
    if length > _MOST_INDEX:
        raise refused(path, "its list of entries is too long")
    file.seek(0)


def _data_of(path: Path, file: BinaryIO, info: zipfile.ZipInfo, size: int) -> int:
    """Return where the bytes of an entry begin."""
    if not 0 <= info.header_offset < size:
        raise refused(path, f"the entry {info.orig_filename} is not in it")
    file.seek(info.header_offset)
    head = file.read(_LOCAL.size)
    if len(head) < _LOCAL.size or head[:4] != b"PK\3\4":
        raise refused(path, f"the entry {info.orig_filename} is damaged")
    *_, name_length, extra_length = _LOCAL.unpack(head)
    if file.read(name_length) != info.orig_filename.encode():
        raise refused(path, f"the entry {info.orig_filename} has two names")
    begins: int = info.header_offset + _LOCAL.size + name_length + extra_length
    if begins + info.file_size > size:
        raise refused(path, f"the entry {info.orig_filename} is cut off")
    return begins


def _check_overlaps(path: Path, entries: Mapping[str, Entry]) -> None:
    end = 0
    for entry in sorted(entries.values(), key=lambda entry: entry.offset):
        if entry.offset < end:
            raise refused(path, "its entries overlap")
        end = entry.offset + entry.size


def read_entry(path: Path, entry: Entry, most: int) -> bytes:
    """Return the bytes of an entry.

    Args:
        path: the recording.
        entry: where it is.
        most: bytes that are read.
    """
    with path.open("rb") as file:
        file.seek(entry.offset)
        return file.read(min(entry.size, most))


def digest_of(path: Path, entry: Entry | None = None) -> str:
    """Return the SHA-256 of a file, or of an entry of a recording, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        if entry is not None:
            file.seek(entry.offset)
        left = None if entry is None else entry.size
        while piece := file.read(_PIECE if left is None else min(_PIECE, left)):
            digest.update(piece)
            left = None if left is None else left - len(piece)
    return digest.hexdigest()


def write(path: Path, manifest: bytes, media: Iterable[tuple[str, Path]]) -> None:
    """Write a recording: under a temporary name until all of it is there.

    Args:
        path: the file to make; one that exists is replaced.
        manifest: the JSON.
        media: the digest and the file of each medium.

    Raises:
        OSError: it can't be written; nothing was left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.parent / f".novakit-{secrets.token_hex(8)}.part"
    try:
        with part.open("xb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                archive.writestr(zipfile.ZipInfo(MANIFEST, _EPOCH), manifest)
                for digest, source in media:
                    info = zipfile.ZipInfo(f"media/{digest}", _EPOCH)
                    info.file_size = source.stat().st_size
                    with source.open("rb") as reading, archive.open(info, "w") as writing:
                        while piece := reading.read(_PIECE):
                            writing.write(piece)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
