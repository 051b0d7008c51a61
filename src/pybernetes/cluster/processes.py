"""Processes as (pid, start time): an identity that a reused pid does not have.

Everything that kills goes through a pidfd opened before the start time is compared, so that the signal
can only reach the process that was meant.
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
    """One process, for good."""

    pid: int
    start: int
    """Clock ticks after boot."""


class ProcessInfo(NamedTuple):
    """What /proc says about a process."""

    id: ProcessId
    parent: int
    state: str
    cgroups: str
    """Content of /proc/pid/cgroup."""
    argv: tuple[str, ...]


def identify(pid: int) -> ProcessId | None:
    """The identity of whoever has this pid now; None if nobody, or only a zombie, has it."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else ProcessId(pid, int(fields[_STARTTIME_FIELD]))


def is_alive(process: ProcessId) -> bool:
    """Whether exactly this process still runs."""
    return identify(process.pid) == process


def open_pidfd(process: ProcessId) -> int | None:
    """A pidfd of exactly this process, or None if it has gone. It polls readable at the process's end."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    # Compared after opening: from now on the descriptor cannot come to mean another process.
    if identify(process.pid) != process:
        os.close(descriptor)
        return None
    return descriptor


def send(process: ProcessId, number: int) -> bool:
    """Signal exactly this process; False if it has gone."""
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
    """SIGTERM to all, then SIGKILL to those that are there after `grace` seconds; returns survivors.

    With `grace` 0 it is SIGKILL at once. Survivors are processes stuck in the kernel.
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
    """All processes of this machine that are not zombies or kernel threads."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            info = _inspect(int(entry))
            if info is not None and info.argv:
                found.append(info)
    return found


def with_descendants(roots: Iterable[ProcessInfo], everyone: list[ProcessInfo]) -> list[ProcessInfo]:
    """These processes and all their children, down to the last. Pure."""
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
    # The command may hold spaces and parentheses; the fields begin after the last ')'.
    return raw.rpartition(")")[2].split()


def _signal_all(descriptors: dict[int, ProcessId], number: int) -> None:
    for descriptor in descriptors:
        try:
            signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            continue


def _wait(descriptors: dict[int, ProcessId], seconds: float) -> None:
    """Wait until all have ended or time is up; those that ended are closed and taken out."""
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
    """Collect the exit status if the process was our own child."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
