"""Write files atomically: readers see the old content or the new one.

All files of a cluster (keys, kubeconfigs, state) are written here, so that a crash or a full disk leaves the previous
file in place, and secrets never exist with a wider mode than requested.
"""

import errno
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pybernetes.cluster.errors import DiskFull

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def write_atomic(path: Path, data: bytes | str, mode: int = 0o644, *, durable: bool = False) -> None:
    """Replace `path` by a file with this content and mode; with `durable`, it survives a power failure, too.

    Raises DiskFull and keeps the previous file if the disk is full.
    """
    raw = data.encode() if isinstance(data, str) else data
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_and_rename(path, raw, mode, durable)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise DiskFull(
            f"no space left for {path}; free some (df -h {path.parent}) and run the command again"
        ) from error


def _write_and_rename(path: Path, raw: bytes, mode: int, durable: bool) -> None:
    # mkstemp creates the file with mode 0600: others cannot read the content before fchmod allows it.
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_if_changed(path: Path, data: bytes | str, mode: int = 0o644) -> bool:
    """Write only if content or mode differ; returns whether it wrote."""
    raw = data.encode() if isinstance(data, str) else data
    try:
        if path.read_bytes() == raw and path.stat().st_mode & 0o7777 == mode:
            return False
    except FileNotFoundError:
        pass
    write_atomic(path, raw, mode)
    return True


@contextmanager
def locked(path: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold an exclusive flock on `path` (created if missing). The kernel releases it when the process ends.

    `waiting` is called once if another process holds it.
    """
    descriptor = _lock(path, waiting)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(path: Path, waiting: Callable[[], None] | None) -> int:
    notified = waiting is None
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # the directory was removed in between
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if notified else fcntl.LOCK_NB))
        except BlockingIOError:
            assert waiting is not None
            notified = True
            waiting()
            os.close(descriptor)
            continue
        # The previous holder may have deleted the file: a lock on an unlinked file excludes no other process.
        try:
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)
