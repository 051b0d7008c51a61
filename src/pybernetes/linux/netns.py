"""Network namespaces by name, path or file descriptor.

Names are bind mounts under /run/netns, as `ip netns` makes them, so that both see the same ones. Only the *network*
namespace is entered: `ip netns exec` also remounts /sys, which hides the cgroups that container runtimes need.

Light on imports, because CNI plugins use it: `posix` is always loaded, the rest of `os` takes 1 ms.
"""

from __future__ import annotations

import errno
import posix
import sys

from pybernetes.linux import libc
from pybernetes.linux.errors import Exists, Missing

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import IO, TypeVar

    T = TypeVar("T")

# linux/if.h, linux/sockios.h
_SIOCSIFFLAGS, _IFF_UP, _IFNAMSIZ, _IFREQ_BYTES = 0x8914, 0x1, 16, 40
_AF_INET, _SOCK_DGRAM, _SOCK_CLOEXEC = 2, 2, 0o2000000

RUN_DIR = "/run/netns"

Netns = str | int
"""A name under /run/netns, an absolute path of a namespace file, or an open descriptor of one."""


def path_of(netns: str) -> str:
    """The file of a namespace given by name or by path."""
    return netns if netns.startswith("/") else f"{RUN_DIR}/{netns}"


def open_fd(netns: Netns) -> int:
    """A new descriptor of the namespace, which the caller closes. Raises Missing if it does not exist."""
    if isinstance(netns, int):
        return posix.dup(netns)
    path = path_of(netns)
    try:
        return posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NONBLOCK)  # a pipe must not block
    except FileNotFoundError as gone:
        raise Missing(errno.ENOENT, "open network namespace", path) from gone


class enter:
    """Context manager: the calling thread is in `netns` until the end of the block.

    None changes nothing. Do not await inside: other tasks of the thread would run in the namespace too.
    """

    def __init__(self, netns: Netns | None) -> None:
        self._netns = netns
        self._home = -1

    def __enter__(self) -> None:
        if self._netns is None:
            return
        target = open_fd(self._netns)
        try:
            self._home = posix.open("/proc/thread-self/ns/net", posix.O_RDONLY | posix.O_CLOEXEC)
            try:
                libc.setns(target)
            except OSError:
                posix.close(self._home)
                self._home = -1
                raise
        finally:
            posix.close(target)

    def __exit__(self, *_: object) -> None:
        if self._home >= 0:
            libc.setns(self._home)
            posix.close(self._home)
            self._home = -1


def exists(name: str) -> bool:
    """Whether `name` is a namespace, and not just a leftover file."""
    try:
        here, parent = posix.stat(path_of(name)), posix.stat(RUN_DIR)
    except FileNotFoundError:
        return False
    return here.st_dev != parent.st_dev


def list_names() -> list[str]:
    """The names of all namespaces under /run/netns."""
    try:
        names = sorted(posix.listdir(RUN_DIR))
    except FileNotFoundError:
        return []
    return [name for name in names if exists(name)]


def create(name: str) -> str:
    """Create a namespace with its loopback up; returns its path. Raises Exists if the name is in use."""
    path = path_of(name)
    _prepare_run_dir()
    try:
        posix.close(posix.open(path, posix.O_RDONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC, 0o444))
    except FileExistsError as taken:
        if exists(name):
            raise Exists(errno.EEXIST, "create network namespace", name) from taken
        # A file without a mount is left over from a crash or a reboot; reuse it.

    def make() -> None:
        libc.unshare(libc.CLONE_NEWNET)
        libc.mount("/proc/thread-self/ns/net", path, flags=libc.MS_BIND)
        _set_loopback_up()

    try:
        _in_thread(make)
    except BaseException:
        delete(name)
        raise
    return path


def _set_loopback_up() -> None:
    """In the calling thread's namespace. By ioctl(2), since `rtnl` builds on this module."""
    from _socket import socket
    from fcntl import ioctl

    request = b"lo".ljust(_IFNAMSIZ, b"\0") + _IFF_UP.to_bytes(2, sys.byteorder)
    sock = socket(_AF_INET, _SOCK_DGRAM | _SOCK_CLOEXEC)
    try:
        ioctl(sock.fileno(), _SIOCSIFFLAGS, request.ljust(_IFREQ_BYTES, b"\0"))
    finally:
        sock.close()


def ensure(name: str) -> str:
    """Create the namespace unless it exists; returns its path."""
    return path_of(name) if exists(name) else create(name)


def delete(name: str) -> None:
    """Remove the name, if it exists. The namespace itself ends with its last process."""
    path = path_of(name)
    try:
        libc.umount(path, libc.MNT_DETACH)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise
    try:
        posix.unlink(path)
    except FileNotFoundError:
        pass


def run_in(netns: Netns | None, work: Callable[[], T]) -> T:
    """Call `work` inside the namespace, in a separate thread; returns or raises what it did."""

    def inside() -> T:
        with enter(netns):
            return work()

    return _in_thread(inside)


def argv_in(netns: Netns | None, argv: Sequence[str]) -> list[str]:
    """A command line that runs `argv` in the namespace. `nsenter` execs, so the pid is that of the command."""
    if netns is None:
        return list(argv)
    path = f"/proc/{posix.getpid()}/fd/{netns}" if isinstance(netns, int) else path_of(netns)
    return ["nsenter", f"--net={path}", "--", *argv]


def popen_in(
    netns: Netns | None,
    argv: Sequence[str],
    *,
    stdin: int | IO[bytes] | None = None,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    start_new_session: bool = False,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a command inside the network namespace; all other namespaces stay the same."""
    import subprocess

    return subprocess.Popen(
        argv_in(netns, argv),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=cwd,
        env=env,
        start_new_session=start_new_session,
        pass_fds=tuple(pass_fds),
    )


def inode(netns: Netns | None = None) -> int:
    """The inode number of a namespace (None: the caller's), which identifies it."""
    if netns is None:
        return posix.stat("/proc/thread-self/ns/net").st_ino
    fd = open_fd(netns)
    try:
        return posix.fstat(fd).st_ino
    finally:
        posix.close(fd)


def _in_thread(work: Callable[[], T]) -> T:
    """Run in a new thread: a thread's namespace ends with it."""
    import threading

    result: list[T] = []
    failure: list[BaseException] = []

    def body() -> None:
        try:
            result.append(work())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=body, name="netns", daemon=True)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def _prepare_run_dir() -> None:
    """Make /run/netns a shared mount, so that deleting a name here also unmounts it in other mount namespaces."""
    import os

    os.makedirs(RUN_DIR, mode=0o755, exist_ok=True)
    try:
        libc.mount("", RUN_DIR, "none", libc.MS_SHARED | libc.MS_REC)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        libc.mount(RUN_DIR, RUN_DIR, "none", libc.MS_BIND | libc.MS_REC)
        libc.mount("", RUN_DIR, "none", libc.MS_SHARED | libc.MS_REC)
