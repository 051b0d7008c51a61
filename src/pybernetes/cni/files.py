"""Small files that must be whole or absent, whatever happens between two system calls."""

from __future__ import annotations

import errno
import posix

_S_IFMT, _S_IFREG = 0o170000, 0o100000


def write_whole(path: str, text: str, staging: str) -> None:
    """Put `text` at `path` in one step. On failure, such as a full disk, nothing changes, and OSError comes."""
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
    # Between stat and open the file may have been replaced: O_NONBLOCK keeps even a pipe from blocking.
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
    """The text of a small file that a plugin wrote, stripped; empty if there is none, or none that it can be."""
    try:
        return read_regular(path, limit).decode("utf-8", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EFBIG):
            raise
        return ""


def exists(path: str) -> bool:
    """Whether there is anything at `path`."""
    return posix.access(path, posix.F_OK)


def remove(path: str) -> None:
    """Remove a file, unless somebody else has."""
    try:
        posix.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        pass


def names(directory: str) -> list[str]:
    """What a directory holds; nothing when there is none."""
    try:
        return posix.listdir(directory)
    except FileNotFoundError:
        return []


def make_directories(path: str, mode: int = 0o755) -> None:
    """A directory with all above it, unless it is there."""
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
