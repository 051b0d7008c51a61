"""Small files that must be whole or absent, whatever happens between two system calls."""

from __future__ import annotations

import posix


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


def read(path: str, limit: int = 1 << 16) -> str:
    """The text of a file without blanks around it; empty when there is none."""
    try:
        fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    try:
        return posix.read(fd, limit).decode("utf-8", "replace").strip()
    except IsADirectoryError:
        return ""
    finally:
        posix.close(fd)


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
