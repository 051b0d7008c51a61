"""Small files: written atomically, and read only if they are regular files."""

from __future__ import annotations

import errno
import posix

_S_IFMT, _S_IFREG = 0o170000, 0o100000


def write_whole(path: str, text: str, staging: str) -> None:
    """Write `text` to `path` atomically. Raises OSError, for example if the disk is full; then nothing changes."""
    fd = posix.open(staging, posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_CLOEXEC, 0o600)
    try:
        try:
            data = text.encode()
            while data:
                data = data[posix.write(fd, data) :]
        finally:
            posix.close(fd)
        posix.rename(staging, path)
    except OSError:
        remove(staging)
        raise


def read_regular(path: str, limit: int = 1 << 20) -> bytes:
    """The contents of a regular file. Raises OSError; also for a device, a pipe or a file larger than `limit`.

    Reading anything but a regular file could block for ever, or change the state of a device.
    """
    if posix.stat(path).st_mode & _S_IFMT != _S_IFREG:
        raise OSError(errno.EINVAL, "not a regular file", path)
    # The file may be replaced between stat and open: with O_NONBLOCK not even a pipe blocks.
    fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NONBLOCK)
    try:
        chunks, size = [], 0
        while chunk := posix.read(fd, 1 << 16):
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                raise OSError(errno.EFBIG, f"larger than {limit} bytes", path)
    finally:
        posix.close(fd)
    return b"".join(chunks)


def read(path: str, limit: int = 1 << 16) -> str:
    """The stripped text of a small file that a plugin wrote; empty if it is missing, too large, or not a file."""
    try:
        return read_regular(path, limit).decode("utf-8", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EFBIG):
            raise
        return ""


def exists(path: str) -> bool:
    """Whether something exists at `path`."""
    return posix.access(path, posix.F_OK)


def remove(path: str) -> None:
    """Remove a file, if it exists."""
    try:
        posix.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        pass


def names(directory: str) -> list[str]:
    """The names in a directory; empty if it does not exist."""
    try:
        return posix.listdir(directory)
    except FileNotFoundError:
        return []


def make_directories(path: str, mode: int = 0o755) -> None:
    """Create a directory and its parents, unless it exists."""
    try:
        posix.mkdir(path, mode)
    except FileExistsError:
        return
    except FileNotFoundError:
        above = path.rstrip("/").rpartition("/")[0]
        if not above:
            raise
        make_directories(above, mode)
        make_directories(path, mode)
