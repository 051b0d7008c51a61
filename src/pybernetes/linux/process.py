"""Processes by pid and start time: pids are reused, so a recorded pid may be another process by now.

The start time of a process (clock ticks since boot) together with its pid is unique until the next boot.
"""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None if there is none, or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command's name is in parentheses and may itself contain parentheses.
    fields = stat[stat.rfind(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[19])


def identity(pid: int) -> str | None:
    """`pid:start time`, to be recorded. None if there is no such process."""
    started = start_time(pid)
    return None if started is None else f"{pid}:{started}"


def resolve(ident: str) -> int | None:
    """The pid of the process that `identity` described; None if it has ended or the text is malformed."""
    pid, colon, started = ident.strip().partition(":")
    if not (colon and pid.isdigit() and started.isdigit()):
        return None
    return int(pid) if start_time(int(pid)) == int(started) else None


def kill(ident: str, number: int = signal.SIGKILL) -> bool:
    """Signal the process that `identity` described. Returns whether it was still running. Race-free: uses a pidfd."""
    fd = _open(ident)
    if fd is None:
        return False
    try:
        signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)
    return True


def wait(ident: str, timeout: float) -> bool:
    """Wait until a process ends; it need not be a child. Returns whether it did within `timeout` seconds."""
    fd = _open(ident)
    if fd is None:
        return True
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(timeout * 1000))
    finally:
        os.close(fd)


def _open(ident: str) -> int | None:
    pid, _, _ = ident.partition(":")
    if resolve(ident) is None:
        return None
    try:
        fd = os.pidfd_open(int(pid))
    except ProcessLookupError:
        return None
    # The pid may have been reused between the check and the open; the pidfd pins it from here on.
    if resolve(ident) is None:
        os.close(fd)
        return None
    return fd
