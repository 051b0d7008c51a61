"""Kernel settings under /proc/sys; those below `net` belong to a namespace. Light on imports."""

from __future__ import annotations

import errno
import posix

from pybernetes.linux import netns as _netns
from pybernetes.linux.errors import netlink_error


def path_of(name: str) -> str:
    """`net.ipv4.ip_forward` or `net/ipv4/conf/eth0.5/forwarding` (for names with dots) as a path."""
    return "/proc/sys/" + (name if "/" in name else name.replace(".", "/"))


def read(name: str, netns: _netns.Netns | None = None) -> str:
    """The value without its newline. Raises Missing if there is no such setting."""
    return _access(name, netns, posix.O_RDONLY, b"").decode().strip()


def write(name: str, value: str | int, netns: _netns.Netns | None = None) -> None:
    """Set a value. Raises Missing if there is no such setting (for example because IPv6 is off)."""
    _access(name, netns, posix.O_WRONLY, str(value).encode())


def ensure(name: str, value: str | int, netns: _netns.Netns | None = None) -> bool:
    """Set a value unless it is set already. Returns whether it was changed."""
    if read(name, netns) == str(value):
        return False
    write(name, value, netns)
    return True


def _access(name: str, netns: _netns.Netns | None, mode: int, data: bytes) -> bytes:
    verb = "write sysctl" if data else "read sysctl"
    try:
        with _netns.enter(netns):
            fd = posix.open(path_of(name), mode | posix.O_CLOEXEC)
        try:
            if data:
                posix.write(fd, data)
                return b""
            return posix.read(fd, 65536)
        finally:
            posix.close(fd)
    except OSError as error:
        raise netlink_error(error.errno or errno.EIO, verb, name) from error
