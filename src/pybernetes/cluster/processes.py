"""Identify processes by (pid, start time), so that a reused pid is a different process.

Signals are sent through a pidfd that is opened before the start time is compared, so that a signal can only reach the
intended process.
"""

import os
import select
import signal
import time
from collections.abc import Iterable
from typing import NamedTuple

_STARTTIME_FIELD = 19
"""Index of starttime in /proc/pid/stat after the command's closing parenthesis (proc(5), field 22)."""


class ProcessId(NamedTuple):
    """The identity of a process."""

    pid: int
    start: int
    """Start time in clock ticks after boot."""


class ProcessInfo(NamedTuple):
    """A process as /proc shows it."""

    id: ProcessId
    parent: int
    state: str
    cgroups: str
    """Content of /proc/pid/cgroup."""
    argv: tuple[str, ...]


def identify(pid: int) -> ProcessId | None:
    """The identity of the process that has this pid now; None if there is none or only a zombie."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else ProcessId(pid, int(fields[_STARTTIME_FIELD]))


def is_alive(process: ProcessId) -> bool:
    """Whether this process still runs."""
    return identify(process.pid) == process


def open_pidfd(process: ProcessId) -> int | None:
    """A pidfd of this process, or None if it has exited. It becomes readable when the process exits."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    # Compare after opening: from now on the descriptor always refers to the same process.
    if identify(process.pid) != process:
        os.close(descriptor)
        return None
    return descriptor


def send(process: ProcessId, number: int) -> bool:
    """Signal this process; False if it has exited."""
    descriptor = open_pidfd(process)
    if descriptor is None:
        return False
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def stop(processes: Iterable[ProcessId], *, grace: float) -> list[ProcessId]:
    """Send SIGTERM to all, then SIGKILL to those still running after `grace` seconds; returns survivors.

    With `grace` 0, send SIGKILL at once. Survivors are processes stuck in the kernel.
    """
    descriptors = {fd: process for process in processes if (fd := open_pidfd(process)) is not None}
    try:
        if grace > 0:
            _signal_all(descriptors, signal.SIGTERM)
            _wait(descriptors, grace)
        _signal_all(descriptors, signal.SIGKILL)
        _wait(descriptors, 5.0)
        return list(descriptors.values())
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def scan() -> list[ProcessInfo]:
    """All processes of this machine except zombies and kernel threads."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            info = _inspect(int(entry))
            if info is not None and info.argv:
                found.append(info)
    return found


def with_descendants(roots: Iterable[ProcessInfo], everyone: list[ProcessInfo]) -> list[ProcessInfo]:
    """These processes and all their descendants. Pure."""
    children: dict[int, list[ProcessInfo]] = {}
    for info in everyone:
        children.setdefault(info.parent, []).append(info)
    found: dict[int, ProcessInfo] = {}
    queue = list(roots)
    while queue:
        info = queue.pop()
        if info.id.pid not in found:
            found[info.id.pid] = info
            queue.extend(children.get(info.id.pid, []))
    return list(found.values())


def _inspect(pid: int) -> ProcessInfo | None:
    fields = _stat(pid)
    if fields is None or fields[0] in "ZX":
        return None
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            argv = tuple(word.decode(errors="replace") for word in file.read().split(b"\0") if word)
        with open(f"/proc/{pid}/cgroup") as file:
            cgroups = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return ProcessInfo(ProcessId(pid, int(fields[_STARTTIME_FIELD])), int(fields[1]), fields[0], cgroups, argv)


def _stat(pid: int) -> list[str] | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            raw = file.read().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command may contain spaces and parentheses; the other fields begin after the last ')'.
    return raw.rpartition(")")[2].split()


def _signal_all(descriptors: dict[int, ProcessId], number: int) -> None:
    for descriptor in descriptors:
        try:
            signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            continue


def _wait(descriptors: dict[int, ProcessId], seconds: float) -> None:
    """Wait until all have exited or the time is over; close and remove those that have exited."""
    poller = select.poll()
    for descriptor in descriptors:
        poller.register(descriptor, select.POLLIN)
    deadline = time.monotonic() + seconds
    while descriptors:
        left = deadline - time.monotonic()
        ready = poller.poll(max(0.0, left) * 1000)
        for descriptor, _ in ready:
            poller.unregister(descriptor)
            process = descriptors.pop(descriptor)
            os.close(descriptor)
            _reap(process.pid)
        if left <= 0:
            return


def _reap(pid: int) -> None:
    """Collect the exit status if the process is a child of this one."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
