"""What the kernel, or one of its tools, may answer: one class per decision that a caller makes.

`Exists` and `Missing` let a caller be idempotent; `Busy` asks for another try; `NotSupported` for another
way; `PermissionDenied` for a clear message to a person. All else is a plain `NetlinkError`.
"""

from __future__ import annotations

import errno as _errno
import posix


class LinuxError(Exception):
    """Anything that this package raises on purpose."""


class ProtocolError(LinuxError):
    """The kernel's answer could not be read: cut short, or lengths that do not add up."""


class ToolError(LinuxError):
    """A command such as `nft` ended with an error; `stderr` is what it said."""

    def __init__(self, tool: str, code: int, stderr: str) -> None:
        super().__init__(f"{tool} ended with {code}: {stderr.strip() or 'no message'}")
        self.tool = tool
        self.code = code
        self.stderr = stderr


class NetlinkError(LinuxError):
    """The kernel refused `op` on `what`. `hint` is its own explanation, when it gave one."""

    def __init__(self, errno: int, op: str, what: str, hint: str = "") -> None:
        reason = posix.strerror(errno)
        super().__init__(f"{op} {what}: {reason}" + (f" ({hint})" if hint else ""))
        self.errno = errno
        self.op = op
        self.what = what
        self.hint = hint


class Exists(NetlinkError):
    """It is there already."""


class Missing(NetlinkError):
    """It is not there, or what it stands on is not."""


class Busy(NetlinkError):
    """In use, or in the middle of a change: try again."""


class NotSupported(NetlinkError):
    """This kernel was built without it."""


class PermissionDenied(NetlinkError):
    """The process lacks CAP_NET_ADMIN in the namespace's user namespace."""


_CLASS_OF: dict[int, type[NetlinkError]] = {
    _errno.EEXIST: Exists,
    _errno.ENOENT: Missing,
    _errno.ENODEV: Missing,
    _errno.ENXIO: Missing,
    _errno.ESRCH: Missing,
    _errno.EADDRNOTAVAIL: Missing,
    _errno.EBUSY: Busy,
    _errno.EAGAIN: Busy,
    _errno.EOPNOTSUPP: NotSupported,
    _errno.EPROTONOSUPPORT: NotSupported,
    _errno.EAFNOSUPPORT: NotSupported,
    _errno.EPERM: PermissionDenied,
    _errno.EACCES: PermissionDenied,
}


def netlink_error(errno: int, op: str, what: str, hint: str = "") -> NetlinkError:
    """The error object for `errno`, of the class that tells the caller what to do."""
    return _CLASS_OF.get(errno, NetlinkError)(errno, op, what, hint)
