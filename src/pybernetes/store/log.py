"""The log on disk: a SQLite file with one row per revision. Synchronous; a `Worker` thread owns it.

The table has no index besides the revision, so a write only appends. Each row has the revision that it supersedes:
compaction finds what to delete by it, and loading detects missing rows.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pybernetes.store.batch import Row
from pybernetes.store.errors import DiskFull, OpenFailed, StoreCorrupt, StoreLocked, WriteFailed

APPLICATION_ID = 0x70796265  # "pybe": distinguishes a store from other SQLite files
FORMAT = 1
MAX_ROWS = 128  # per commit; each size is a separate prepared statement, and all of them are cached
SLICE = 1000  # revisions per compaction step: writes wait for the few milliseconds that it takes

_SCHEMA = f"""
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE log (
    revision INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    created INTEGER NOT NULL,
    prev INTEGER NOT NULL,
    value BLOB
);
CREATE TABLE meta (compacted INTEGER NOT NULL, swept INTEGER NOT NULL);
INSERT INTO meta VALUES (0, 0);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
COMMIT;
"""


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Translates SQLite's errors."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
            raise DiskFull(f"no space left to write to {path}; free some, writes then go on") from error
        raise WriteFailed(f"writing to {path} failed: {error}") from error


class SqliteLog:
    """One open store file. `compacted`: history before it is gone; `swept`: up to where superseded rows are
    deleted.
    """

    def __init__(self, path: Path, lock: int, connection: sqlite3.Connection) -> None:
        self.path = path
        self._lock = lock
        self._connection = connection
        self.compacted: int
        self.swept: int
        self.compacted, self.swept = connection.execute("SELECT compacted, swept FROM meta").fetchone()

    @classmethod
    def open(cls, path: Path) -> SqliteLog:
        """Open or create the file. Raises OpenFailed, StoreLocked or StoreCorrupt with the file and the fix."""
        lock = _lock(path)
        try:
            return cls(path, lock, _connect(path))
        except sqlite3.DatabaseError as error:
            os.close(lock)
            raise _explain(path, error) from error
        except BaseException:
            os.close(lock)
            raise

    def rows(self) -> list[Row]:
        """All rows in order of revision."""
        try:
            return self._connection.execute("SELECT * FROM log ORDER BY revision").fetchall()
        except sqlite3.DatabaseError as error:
            raise _explain(self.path, error) from error

    def append(self, rows: list[Row], wanted: list[int]) -> dict[int, bytes]:
        """Make up to MAX_ROWS rows durable, all or none; returns the raw values of the `wanted` revisions.

        Uses a single statement, and so a single transaction: each call of SQLite releases the interpreter lock and
        has to reacquire it from a busy event loop, so fewer calls are faster.
        """
        with _writing(self.path):
            raw = self.values(wanted) if wanted else {}
            places = ",".join(["(?,?,?,?,?)"] * len(rows))
            self._connection.execute("INSERT INTO log VALUES " + places, [column for row in rows for column in row])
        return raw

    def values(self, revisions: list[int]) -> dict[int, bytes]:
        places = ",".join("?" * len(revisions))
        query = "SELECT revision, value FROM log WHERE revision IN (" + places + ")"
        return dict(self._connection.execute(query, revisions).fetchall())

    def compact(self, revision: int) -> None:
        """Record that the history before `revision` is gone. `sweep` then frees the space."""
        with _writing(self.path):
            self._connection.execute("UPDATE meta SET compacted = ?", (revision,))
        self.compacted = revision

    def sweep(self) -> bool:
        """Delete the rows that the next slice of revisions superseded; returns whether there is more to do.

        Slices go upwards, so the row of a deletion is deleted only after all older rows of its key: a crash between two
        slices never restores a deleted key.
        """
        end = min(self.swept + SLICE, self.compacted)
        if end <= self.swept:
            return False
        span = (self.swept, end)
        execute = self._connection.execute
        with _writing(self.path):
            execute("BEGIN IMMEDIATE")
            try:
                execute(
                    "DELETE FROM log WHERE revision IN"
                    " (SELECT prev FROM log WHERE revision > ? AND revision <= ? AND prev > 0)",
                    span,
                )
                execute("DELETE FROM log WHERE revision > ? AND revision <= ? AND value IS NULL", span)
                execute("UPDATE meta SET swept = ?", (end,))
                execute("COMMIT")
            except sqlite3.Error:
                if self._connection.in_transaction:
                    execute("ROLLBACK")
                raise
        self.swept = end
        return self.swept < self.compacted

    def close(self) -> None:
        """Merge the write-ahead log into the file, so that the file alone can be copied, and release the lock."""
        with suppress(sqlite3.Error):  # with a full disk the -wal file stays; nothing is lost
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()
        os.close(self._lock)


def _lock(path: Path) -> int:
    """Lock `<path>-lock` while the store is open. This is a separate file because closing a second descriptor of
    the database would release SQLite's locks.
    """
    try:
        lock = os.open(f"{path}-lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise OpenFailed(f"cannot open store {path}: {error.strerror}; does its directory exist?") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(lock, 20, 0).decode(errors="replace").strip() or "unknown"
        os.close(lock)
        raise StoreLocked(
            f"store {path} is already open in process {holder}; stop it, or choose another file"
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _connect(path: Path) -> sqlite3.Connection:
    _create_private(path)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=MAX_ROWS + 32)
    try:
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            connection.executescript(_SCHEMA)
        kind = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
        if kind != [APPLICATION_ID, FORMAT]:
            raise StoreCorrupt(f"{path} is a SQLite file, but no store of format {FORMAT}; choose another file")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 2000")
        connection.execute("PRAGMA journal_size_limit = 67108864")
    except BaseException:
        connection.close()
        raise
    return connection


def _create_private(path: Path) -> None:
    """Create the file readable by its owner only, because it contains Secrets. SQLite gives -wal and -shm the same
    mode.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise OpenFailed(f"cannot open store {path}: {error.strerror}") from error
    os.fchmod(file, 0o600)
    os.close(file)
    directory = os.open(path.parent, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


def _explain(path: Path, error: sqlite3.DatabaseError) -> OpenFailed:
    if getattr(error, "sqlite_errorcode", 0) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreCorrupt(f"store {path} is damaged ({error}); restore a snapshot of it")
    return OpenFailed(f"cannot open store {path}: {error}")
