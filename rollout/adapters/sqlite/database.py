"""The file itself: how it is opened, brought up to date, locked, and what its errors mean."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from rollout.adapters.sqlite.schema import MIGRATIONS, statements
from rollout.errors import Unavailable

BUSY = timedelta(seconds=10)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another process holds it; end that process, or wait",
    sqlite3.SQLITE_LOCKED: "another process holds it; end that process, or wait",
    sqlite3.SQLITE_READONLY: "make the file and its folder writable for this user",
    sqlite3.SQLITE_PERM: "make the file and its folder writable for this user",
    sqlite3.SQLITE_CANTOPEN: "name a file in a folder this user may write to",
    sqlite3.SQLITE_FULL: "make room on the disk; what was saved before is safe",
    sqlite3.SQLITE_IOERR: "see that the disk is there and has room",
    sqlite3.SQLITE_CORRUPT: "move it away with its -wal and -shm files, and restore a backup",
    sqlite3.SQLITE_NOTADB: "it is some other file; name another path, or restore a backup",
}


def to_micros(at: datetime) -> int:
    """Whole microseconds since 1970: an exact, ordered column for an aware time."""
    return (at - EPOCH) // MICROSECOND


def to_datetime(micros: int) -> datetime:
    return EPOCH + micros * MICROSECOND


class Database:
    """One SQLite file, shared by the threads of this process and by other processes.

    A transaction is on disk when it returns (`FULL`), or survives the process but not the power
    cut (`NORMAL`). Every SQLite error becomes Unavailable, with the file's name and the remedy.
    """

    def __init__(self, path: Path, synchronous: Literal["FULL", "NORMAL"] = "FULL") -> None:
        self._path = path
        self._lock = threading.RLock()
        with self._explaining():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path, BUSY.total_seconds(), isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(synchronous)
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @property
    def path(self) -> Path:
        return self._path

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explaining():
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that no other writer can come between: all or nothing."""
        with self._lock, self._explaining():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _prepare(self, synchronous: str) -> None:
        self._connection.execute(f"PRAGMA synchronous = {synchronous}")
        self._use_write_ahead_log()
        if self._version() < len(MIGRATIONS):
            with self.writing() as connection:
                self._migrate(connection)
        if self._version() > len(MIGRATIONS):
            raise Unavailable(
                f"{self._path}: written by a newer version of rollout (schema {self._version()},"
                f" this one knows {len(MIGRATIONS)}); install the newer version"
            )

    def _use_write_ahead_log(self) -> None:
        """Whoever opens the file first switches it; SQLite lets the others fail, not wait."""
        patience = time.monotonic() + BUSY.total_seconds()
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                if time.monotonic() > patience:
                    raise
                time.sleep(0.01)
            else:
                return

    def _version(self) -> int:
        row = self._connection.execute("PRAGMA user_version").fetchone()
        return int(row[0])

    def _migrate(self, connection: sqlite3.Connection) -> None:
        for version in range(self._version(), len(MIGRATIONS)):
            for statement in statements(MIGRATIONS[version]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            remedy = _REMEDIES.get(code, "this is a fault of rollout; please report it")
            raise Unavailable(f"{self._path}: {error}; {remedy}") from error
        except OSError as error:
            raise Unavailable(f"{self._path}: {error.strerror}; name another path") from error
