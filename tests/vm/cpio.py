"""Archives in the format of the kernel's initramfs: cpio, "newc".

Source: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO

_TRAILER = "TRAILER!!!"


class Archive:
    """Writes entries one by one, and adds missing parent directories of a path."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._names: set[str] = set()

    def directory(self, path: str) -> None:
        """Add a directory and its parents."""
        name = path.strip("/")
        if name and name not in self._names:
            self.directory(os.path.dirname(name))
            self._entry(name, stat.S_IFDIR | 0o755)

    def file(self, path: str, content: bytes, *, mode: int = 0o644, mtime: int = 0) -> None:
        """Add a file with this content."""
        self._below(path, stat.S_IFREG | mode, content, mtime)

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        self._below(path, stat.S_IFLNK | 0o777, target.encode())

    def device(self, path: str, major: int, minor: int) -> None:
        """Add a character device."""
        self._below(path, stat.S_IFCHR | 0o666, device=(major, minor))

    def copy(self, path: Path) -> None:
        """Add a file or symbolic link of this machine under the same path; for a link, its target as well.

        The modification time is kept: Python validates its compiled files by it.
        """
        name = str(path)
        if name.strip("/") in self._names:
            return
        parent = path.parent.resolve()
        if parent != path.parent:
            self._linked_parents(path)
            self.copy(parent / path.name)
        elif path.is_symlink():
            self.link(name, os.readlink(path))
            self.copy(Path(os.path.normpath(path.parent / os.readlink(path))))
        elif path.is_dir():
            self.directory(name)
        else:
            about = path.stat()
            self.file(name, path.read_bytes(), mode=stat.S_IMODE(about.st_mode), mtime=int(about.st_mtime))

    def _linked_parents(self, path: Path) -> None:
        for parent in reversed(path.parents):
            if parent.is_symlink():
                self.link(str(parent), os.readlink(parent))
                return

    def close(self) -> None:
        """Write the trailer."""
        self._entry(_TRAILER, 0)

    def _below(
        self, path: str, mode: int, content: bytes = b"", mtime: int = 0, device: tuple[int, int] = (0, 0)
    ) -> None:
        name = path.strip("/")
        if name not in self._names:
            self.directory(os.path.dirname(name))
            self._entry(name, mode, content, mtime, device)

    def _entry(
        self, name: str, mode: int, content: bytes = b"", mtime: int = 0, device: tuple[int, int] = (0, 0)
    ) -> None:
        self._names.add(name)
        raw = name.encode() + b"\0"
        numbers = (len(self._names), mode, 0, 0, 1, mtime, len(content), 0, 0, *device, len(raw), 0)
        head = b"070701" + b"".join(b"%08X" % number for number in numbers) + raw
        self._target.write(head + b"\0" * (-len(head) % 4))
        self._target.write(content + b"\0" * (-len(content) % 4))
