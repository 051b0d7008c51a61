"""Entering network namespaces: files below /proc/sys/net and commands, as seen from inside.

Only the network namespace is entered. `ip netns exec` would also remount /sys and so hide the cgroups.
"""

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_T = TypeVar("_T")


def inside(netns_path: Path, work: Callable[[], _T]) -> _T:
    """Run `work` in a thread of its own that has entered the namespace; the caller's thread stays out."""
    outcome: list[_T] = []
    failure: list[BaseException] = []

    def enter_and_work() -> None:
        try:
            descriptor = os.open(netns_path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
                    code = ctypes.get_errno()
                    raise OSError(code, os.strerror(code), str(netns_path))
            finally:
                os.close(descriptor)
            outcome.append(work())
        except BaseException as error:  # handed to the caller, whatever it is
            failure.append(error)

    thread = threading.Thread(target=enter_and_work, name=f"netns {netns_path.name}")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


def write_sysctls(pairs: tuple[tuple[str, str], ...]) -> None:
    """Set sysctls below /proc/sys/net where they differ; one that the kernel lacks is left out."""
    for key, value in pairs:
        path = Path("/proc/sys/net") / key
        try:
            if path.read_text().strip() != value:
                path.write_text(value)
        except FileNotFoundError:
            continue
