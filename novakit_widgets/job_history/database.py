"""The history's file: opened for each use, shared by threads and processes, and set aside when it is damaged."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..config import logs
from ..errors import NovaKitError
from .filesystem import is_network
from .schema import STEPS, VERSION, columns_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from datetime import datetime

__all__ = ["HistoryFile", "HistoryWarning", "UnusableFileError", "warn"]

_T = TypeVar("_T")
_PATIENCE = 20.0  # seconds to wait for a lock: many times longer than any of our transactions
# Seconds of it that SQLite itself waits. Its later waits are of 100 ms each, so among several writers it would come last.
_STEP = 0.05
_CACHE_KILOBYTES = 256  # of pages, while a connection lives
_SQLITE_CORRUPT, _SQLITE_NOTADB = 11, 26
# Denied, locked, read-only, failing, full, or not to be opened: what is wrong is around the file and not in it.
_AROUND = frozenset({3, 5, 6, 8, 10, 13, 14})


class HistoryWarning(UserWarning):
    """The job history can't be read or written. The jobs themselves are not affected."""


class UnusableFileError(Exception):
    """The file is a sound database, but not one that we may write."""


def warn(message: str) -> None:
    """Warn the user, once for each message. Never raises: an exception here would cost a job that was just paid for."""
    logs.warn(message, HistoryWarning)


class HistoryFile:
    """One SQLite file. Each use opens a connection of its own, so no thread or forked process shares one.

    On a network file system, which has no memory that processes could share, the file has a rollback journal instead of a
    write-ahead log.

    Args:
        path: The file. It and its folder are created at the first use, readable by their owner only.
        now: Returns the current time, with time zone.
        patience: Seconds to wait for a lock.

    Attributes:
        patience: Seconds to wait for a lock, from now on and for what waits already.
        full_patience: What it was at first.
        was_damaged: Whether the jobs of a damaged file are missing in this one.
    """

    def __init__(self, path: Path, *, now: Callable[[], datetime], patience: float = _PATIENCE) -> None:
        self.path = path
        self.patience = self.full_patience = patience
        self.was_damaged = False
        self._now = now

    def run(self, work: Callable[[sqlite3.Connection], _T], *, write: bool = False) -> _T:
        """Run work on the file, in one transaction if it writes. Retry while the file is locked.

        Args:
            work: Takes a connection. It may be called more than once, each time on the same state.
            write: Whether it changes anything.

        Raises:
            sqlite3.Error: The file can't be used.
            OSError: The folder can't be created.
            UnusableFileError: The file belongs to a newer version of this package, or to another program.
            Exception: What else the work raises, on a file that is sound.
        """
        began = time.monotonic()
        replaced = False
        while True:
            file = self._identity()
            try:
                return self._once(work, write)
            except (NovaKitError, UnusableFileError, OSError):
                raise
            except Exception as error:
                if not replaced and file is not None and (_is_damage(error) or self._is_damaged(error)):
                    self._set_aside(file)
                    replaced = True
                    continue
                # Another process found the old file damaged and moved it away: the failure was the old file's.
                moved = file is not None and self._identity() != file
                if not (moved or _is_busy(error)) or time.monotonic() - began >= self.patience:
                    raise
            # SQLite does not wait everywhere: when it changes to WAL or recovers one, it gives up at once.
            time.sleep(random.uniform(0.002, 0.02))  # noqa: S311 # no secret: it only keeps processes out of step

    def _once(self, work: Callable[[sqlite3.Connection], _T], write: bool) -> _T:
        with contextlib.closing(self._open()) as database:
            if not write:
                return work(database)
            # IMMEDIATE: a transaction that began by reading can't wait for the write lock.
            database.execute("BEGIN IMMEDIATE")
            with database:
                return work(database)

    def _open(self) -> sqlite3.Connection:
        import sqlite3

        if not self.path.exists():
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Created before SQLite creates it, so that nobody else can ever read it.
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        database = sqlite3.connect(self.path, timeout=min(self.patience, _STEP), isolation_level=None)
        try:
            database.row_factory = sqlite3.Row
            database.text_factory = _text
            # The default of 2 MB is of no use to a connection that lives this briefly, and fragments the heap.
            database.execute(f"PRAGMA cache_size = -{_CACHE_KILOBYTES}")
            _bring_up_to_date(database, self._journal_mode)
        except BaseException:
            database.close()
            raise
        return database

    @functools.cached_property
    def _journal_mode(self) -> str:
        return "DELETE" if is_network(self.path) else "WAL"

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None  # not created yet, or out of reach
        return found.st_dev, found.st_ino

    def _is_damaged(self, error: Exception) -> bool:
        """Return whether the file is damaged: one wrong byte in the schema can cause any error."""
        import sqlite3

        if _is_busy(error) or _code_of(error) in _AROUND:
            return False
        try:
            with contextlib.closing(
                sqlite3.connect(self.path, timeout=self.patience, isolation_level=None)
            ) as database:
                database.text_factory = _text
                database.execute("BEGIN")  # another process migrates the file before this or after it
                version = database.execute("PRAGMA user_version").fetchone()[0]
                if database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                    return True
                return 0 < version <= VERSION and columns_of(database) != _columns_at(version)
        except sqlite3.Error as found:
            return _is_damage(found)
        except (ValueError, TypeError, IndexError):  # not even its error messages can be read
            return True

    def _set_aside(self, damaged: tuple[int, int]) -> None:
        """Rename a damaged file, unless another process just did so and created a new one."""
        import sqlite3

        # Between check and rename another process may do both, and we would rename its new file. A transaction on a second
        # file is a lock that works wherever SQLite works, and ends with its process.
        with contextlib.closing(
            sqlite3.connect(f"{self.path}.lock", timeout=self.patience, isolation_level=None)
        ) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            self.was_damaged = True
            if self._identity() != damaged:
                return
            name = f"{self.path.stem}.corrupt-{self._now():%Y%m%d-%H%M%S}"
            kept, number = self.path.with_name(f"{name}{self.path.suffix}"), 1
            while kept.exists():
                number += 1
                kept = self.path.with_name(f"{name}-{number}{self.path.suffix}")
            # The file itself last: SQLite discards a log without a file, but not a file with a wrong log.
            for ending in ("-wal", "-shm", ""):
                with contextlib.suppress(FileNotFoundError):
                    Path(f"{self.path}{ending}").replace(f"{kept}{ending}")
        warn(
            f"The job history {self.path} was damaged. It was renamed to {kept.name}, and a new one was created. "
            "No job is affected: the service has them all."
        )


def _text(stored: bytes) -> str:
    """Decode a text, also a damaged one: one that can't be decoded would hide all other rows."""
    return stored.decode("utf-8", "replace")


@functools.cache
def _columns_at(version: int) -> dict[str, set[str]]:
    """Return the columns that each table has in a version."""
    import sqlite3

    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        for step in STEPS[:version]:
            for statement in step:
                database.execute(statement)
        return columns_of(database)


def _code_of(error: Exception) -> int | None:
    """Return SQLite's error code where it is known; never before Python 3.11."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else int(code) & 0xFF


def _is_damage(error: Exception) -> bool:
    import sqlite3

    code = _code_of(error)
    if code is None:  # its subclasses mean a file that is locked, full or read-only
        return type(error) is sqlite3.DatabaseError
    return code in (_SQLITE_CORRUPT, _SQLITE_NOTADB)


def _is_busy(error: Exception) -> bool:
    import sqlite3

    # "database is locked", "database table is locked", "database schema is locked", "locking protocol"
    return isinstance(error, sqlite3.OperationalError) and "lock" in str(error)


def _bring_up_to_date(database: sqlite3.Connection, journal_mode: str) -> None:
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise UnusableFileError(f"it has schema {version} of a newer version of this package; this one knows {VERSION}")
    if version < VERSION:
        _migrate(database, journal_mode)
    elif journal_mode != "WAL":  # the file was created elsewhere, and moved here
        database.execute(f"PRAGMA journal_mode = {journal_mode}").fetchone()
    # A row that is lost in a power cut is a paid job that nobody knows of.
    database.execute("PRAGMA synchronous = FULL")


def _migrate(database: sqlite3.Connection, journal_mode: str) -> None:
    if _is_foreign(database):
        raise UnusableFileError("it is another program's database")
    # Where the file system does not support WAL, SQLite keeps its rollback journal.
    database.execute(f"PRAGMA journal_mode = {journal_mode}").fetchone()
    database.execute("BEGIN IMMEDIATE")
    with database:
        # Read again: another process may have migrated it meanwhile.
        version = database.execute("PRAGMA user_version").fetchone()[0]
        for step in STEPS[version:]:
            for statement in step:
                database.execute(statement)
        if version < VERSION:
            database.execute(f"PRAGMA user_version = {VERSION}")


def _is_foreign(database: sqlite3.Connection) -> bool:
    """Return whether there are tables, but no version. One statement, so that no other process can migrate in between."""
    query = "SELECT (SELECT user_version FROM pragma_user_version) = 0 AND EXISTS (SELECT 1 FROM sqlite_master)"
    return bool(database.execute(query).fetchone()[0])
