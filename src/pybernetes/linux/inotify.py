"""Notifications of changes in files and directories. See inotify(7)."""

import asyncio
import ctypes
import os
from pathlib import Path

MODIFY, CLOSE_WRITE, MOVED_FROM, MOVED_TO = 0x2, 0x8, 0x40, 0x80
CREATE, DELETE, DELETE_SELF, MOVE_SELF = 0x100, 0x200, 0x400, 0x800


class Watcher:
    """One inotify descriptor in an event loop; close it when done."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            code = ctypes.get_errno()
            raise OSError(code, f"inotify_init1: {os.strerror(code)} (raise fs.inotify.max_user_instances)")
        self._event = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._readable)

    def add(self, path: Path, mask: int) -> int:
        """Watch a path. Returns a number for `remove`. Raises OSError."""
        number = int(self._libc.inotify_add_watch(self._fd, os.fsencode(path), mask))
        if number < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(path))
        return number

    def remove(self, number: int) -> None:
        """Stop watching a path; its file may no longer exist."""
        self._libc.inotify_rm_watch(self._fd, number)

    def _readable(self) -> None:
        try:
            while os.read(self._fd, 65536):
                pass
        except BlockingIOError:
            pass
        self._event.set()

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait for a change since the last wait. Returns False after `timeout` seconds without one."""
        try:
            # asyncio.wait_for of Python 3.11 can lose a cancellation.
            async with asyncio.timeout(timeout):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True

    def poke(self) -> None:
        """End the current wait, or the next one, without a change."""
        self._event.set()

    def close(self) -> None:
        """Stop watching everything."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
