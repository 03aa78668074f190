"""The history's file: opened for one use, shared by threads and processes, and set aside when it is damaged."""

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
from .schema import STEPS, VERSION, columns_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from datetime import datetime

__all__ = ["HistoryFile", "HistoryWarning", "UnusableFileError", "warn"]

_T = TypeVar("_T")
_PATIENCE = 20.0  # seconds for others to finish: many times longer than any of our transactions
_STEP = 5.0  # seconds of it that SQLite itself waits before it is asked again
_CACHE_KILOBYTES = 256  # of pages, while a connection lives
_SQLITE_CORRUPT, _SQLITE_NOTADB = 11, 26
# Denied, locked, read-only, failing, full, or not to be opened: what is wrong is around the file and not in it.
_AROUND = frozenset({3, 5, 6, 8, 10, 13, 14})


class HistoryWarning(UserWarning):
    """The history can't be read or written. The jobs themselves are not affected."""


class UnusableFileError(Exception):
    """The file is a sound database, but not one that we may write."""


def warn(message: str) -> None:
    """Warn the user, once a message as Python's filters say; never raises."""
    logs.warn(message, HistoryWarning)


class HistoryFile:
    """One SQLite file. A connection lives for one use, so that no thread and no forked process shares one.

    Args:
        path: the file; it and its folder are made at the first use, readable by their owner only.
        now: the present moment.
        patience: seconds to wait while other processes hold the file.
    """

    def __init__(self, path: Path, *, now: Callable[[], datetime], patience: float = _PATIENCE) -> None:
        self.path = path
        self.patience = patience
        self._now = now

    def run(self, work: Callable[[sqlite3.Connection], _T], *, write: bool = False) -> _T:
        """Do some work on the file, in one transaction if it writes; again, if others were in the way.

        Args:
            work: takes a connection. It may be called more than once, each time on the state before the first.
            write: whether it changes anything.

        Raises:
            sqlite3.Error: the file can't be used.
            OSError: the folder can't be made.
            UnusableFileError: the file is of a newer version of this package, or another program's.
            Exception: what else the work raises, on a file that is sound.
        """
        until = time.monotonic() + self.patience
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
                # Moved away under our hands, because another process found it damaged: what failed was the old file.
                moved = file is not None and self._identity() != file
                if not (moved or _is_busy(error)) or time.monotonic() >= until:
                    raise
            # SQLite waits by itself but not everywhere: changing to WAL, and recovering one, it gives up at once.
            time.sleep(random.uniform(0.002, 0.02))  # noqa: S311 # no secret: it only keeps processes out of step

    def _once(self, work: Callable[[sqlite3.Connection], _T], write: bool) -> _T:
        with contextlib.closing(self._open()) as database:
            if not write:
                return work(database)
            # IMMEDIATE: a transaction that began by reading can't wait for its turn to write.
            database.execute("BEGIN IMMEDIATE")
            with database:
                return work(database)

    def _open(self) -> sqlite3.Connection:
        import sqlite3

        if not self.path.exists():
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Made before SQLite makes it, so that nobody else can ever read it.
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        database = sqlite3.connect(self.path, timeout=min(self.patience, _STEP), isolation_level=None)
        try:
            database.row_factory = sqlite3.Row
            database.text_factory = _text
            # Of its 2 MB by default nothing is left for the next use: a large history would only leave holes in the heap.
            database.execute(f"PRAGMA cache_size = -{_CACHE_KILOBYTES}")
            _bring_up_to_date(database)
        except BaseException:
            database.close()
            raise
        return database

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None  # not made yet, or out of reach
        return found.st_dev, found.st_ino

    def _is_damaged(self, error: Exception) -> bool:
        """Look whether an error that says nothing of damage comes of it: one odd byte in the schema can cause any."""
        import sqlite3

        if _is_busy(error) or _code_of(error) in _AROUND:
            return False
        try:
            with contextlib.closing(sqlite3.connect(self.path, timeout=_STEP, isolation_level=None)) as database:
                database.text_factory = _text
                database.execute("BEGIN")  # so that a neighbour who brings it up to date does so before or after
                version = database.execute("PRAGMA user_version").fetchone()[0]
                if database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                    return True
                return 0 < version <= VERSION and columns_of(database) != _columns_at(version)
        except sqlite3.Error as found:
            return _is_damage(found)
        except (ValueError, TypeError, IndexError):  # not even its error messages can be read
            return True

    def _set_aside(self, damaged: tuple[int, int]) -> None:
        """Put a damaged file out of the way, unless another process just did and began a new one."""
        import sqlite3

        # Between looking and renaming another process may do both, and we would put its new file aside. A transaction on
        # a file beside it is a lock that works everywhere SQLite does, and ends with the process that has it.
        with contextlib.closing(
            sqlite3.connect(f"{self.path}.lock", timeout=self.patience, isolation_level=None)
        ) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            if self._identity() != damaged:
                return
            name = f"{self.path.stem}.corrupt-{self._now():%Y%m%d-%H%M%S}"
            kept, number = self.path.with_name(f"{name}{self.path.suffix}"), 1
            while kept.exists():
                number += 1
                kept = self.path.with_name(f"{name}-{number}{self.path.suffix}")
            # The file itself last: a log without a file is thrown away by SQLite, a file with another's log is not.
            for ending in ("-wal", "-shm", ""):
                with contextlib.suppress(FileNotFoundError):
                    Path(f"{self.path}{ending}").replace(f"{kept}{ending}")
        warn(
            f"The job history {self.path} was damaged. It was kept as {kept.name}, and a new one was begun. "
            "No job is affected: the service has them all."
        )


def _text(stored: bytes) -> str:
    """Read a text, whatever became of its bytes: one that can't be decoded would cost all the others."""
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
    """Return what SQLite calls the error, as far as it says; not before Python 3.11."""
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


def _bring_up_to_date(database: sqlite3.Connection) -> None:
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise UnusableFileError(f"it is of a newer version of this package, {version}; ours is {VERSION}")
    if version < VERSION:
        _migrate(database)
    # An intent that a power cut takes back is a paid job that nobody knows of.
    database.execute("PRAGMA synchronous = FULL")


def _migrate(database: sqlite3.Connection) -> None:
    if _is_foreign(database):
        raise UnusableFileError("it is another program's database")
    # Where the file system can't do WAL, SQLite stays with what it can, and says so by its answer.
    database.execute("PRAGMA journal_mode = WAL").fetchone()
    database.execute("BEGIN IMMEDIATE")
    with database:
        # Asked again: another process may have been faster.
        version = database.execute("PRAGMA user_version").fetchone()[0]
        for step in STEPS[version:]:
            for statement in step:
                database.execute(statement)
        if version < VERSION:
            database.execute(f"PRAGMA user_version = {VERSION}")


def _is_foreign(database: sqlite3.Connection) -> bool:
    """Whether there are tables, but no version. Asked in one statement, between a neighbour's two steps there is no gap."""
    query = "SELECT (SELECT user_version FROM pragma_user_version) = 0 AND EXISTS (SELECT 1 FROM sqlite_master)"
    return bool(database.execute(query).fetchone()[0])
