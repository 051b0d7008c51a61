"""Saves a store to a snapshot file, and restores a store from one.

A snapshot is a complete store file without a write-ahead log. It appears under its name only once it is complete and
synced to disk.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from pybernetes.store.errors import DiskFull, OpenFailed, StoreCorrupt, WriteFailed
from pybernetes.store.log import APPLICATION_ID, FORMAT


def take(store: Path, target: Path) -> None:
    """Copy an open store. Reads one consistent state, however long it takes, and blocks no writer.

    This call blocks.
    """
    try:
        with closing(sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True)) as source:
            _copy(source, target)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
            raise DiskFull(f"no space left for snapshot {target}") from error
        raise WriteFailed(f"snapshot of {store} to {target} failed: {error}") from error


def restore(snapshot: str | Path, target: str | Path) -> None:
    """Make a store file from a snapshot. The target must not exist: nothing is overwritten.

    This call blocks.
    """
    snapshot, target = Path(snapshot), Path(target)
    if target.exists():
        raise OpenFailed(f"{target} exists; move it away before restoring {snapshot} there")
    if not snapshot.is_file():
        raise OpenFailed(f"snapshot {snapshot} does not exist")
    try:
        source = sqlite3.connect(f"{snapshot.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        with closing(source):
            _verify(source, snapshot)
            _copy(source, target)
    except sqlite3.Error as error:
        raise StoreCorrupt(f"snapshot {snapshot} is damaged: {error}") from error


def _verify(source: sqlite3.Connection, path: Path) -> None:
    kind = [source.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    if kind != [APPLICATION_ID, FORMAT]:
        raise StoreCorrupt(f"{path} is not a snapshot of a store of format {FORMAT}")
    problem = source.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise StoreCorrupt(f"snapshot {path} is damaged: {problem}")


def _copy(source: sqlite3.Connection, target: Path) -> None:
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600))
        with closing(sqlite3.connect(partial)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a -wal file
        _sync(partial)
        os.replace(partial, target)
        _sync(target.parent)
    except OSError as error:
        raise WriteFailed(f"cannot write {target}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
