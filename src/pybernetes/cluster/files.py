"""Files that are either the old ones or the new ones, never half of something.

Everything the cluster writes (keys, kubeconfigs, state) goes through here, so that a crash or a full
disk leaves the former file in place and secrets never exist with a wider mode than asked for.
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
    """Replace `path` by a file with this content and mode; `durable` also survives a power cut.

    Raises DiskFull, and leaves the former file, where there is no room.
    """
    raw = data.encode() if isinstance(data, str) else data
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_and_rename(path, raw, mode, durable)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise DiskFull(f"no room for {path}; make some (df -h {path.parent}) and run the command again") from error


def _write_and_rename(path: Path, raw: bytes, mode: int, durable: bool) -> None:
    # mkstemp creates with 0600: the content is never readable by others before fchmod allows it.
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
    """Write only when content or mode differ; tells whether it wrote."""
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
    """Hold an exclusive flock on `path` (created if missing). The kernel drops it with the process.

    `waiting` is called once if somebody else holds it.
    """
    descriptor = _lock(path, waiting)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(path: Path, waiting: Callable[[], None] | None) -> int:
    told = waiting is None
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # the folder was removed in between
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if told else fcntl.LOCK_NB))
        except BlockingIOError:
            assert waiting is not None
            told = True
            waiting()
            os.close(descriptor)
            continue
        # Whoever held it may have deleted the file: a lock on a file without a name keeps nobody out.
        try:
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)
