"""Errors of the kernel and of its tools: one class per decision that a caller makes.

`Exists` and `Missing` let a caller be idempotent; after `Busy` it retries; after `NotSupported` it uses another way;
`PermissionDenied` needs a clear message to the user. All other errors are a plain `NetlinkError`.
"""

from __future__ import annotations

import errno as _errno
import posix


class LinuxError(Exception):
    """The base of all errors that this package raises."""


class ProtocolError(LinuxError):
    """A message could not be decoded or encoded: it is truncated, or its lengths or values are inconsistent."""


class ToolError(LinuxError):
    """A command such as `nft` failed."""

    def __init__(self, tool: str, code: int, stderr: str) -> None:
        super().__init__(f"{tool} exited with {code}: {stderr.strip() or 'no message'}")
        self.tool = tool
        self.code = code
        self.stderr = stderr


class NetlinkError(LinuxError):
    """The kernel refused `op` on `what`. `hint` is the kernel's explanation, if it gave one."""

    def __init__(self, errno: int, op: str, what: str, hint: str = "") -> None:
        reason = posix.strerror(errno)
        super().__init__(f"{op} {what}: {reason}" + (f" ({hint})" if hint else ""))
        self.errno = errno
        self.op = op
        self.what = what
        self.hint = hint


class Exists(NetlinkError):
    """The object already exists."""


class Missing(NetlinkError):
    """The object does not exist, or one that it depends on does not."""


class Busy(NetlinkError):
    """The object is in use or is being changed: retry."""


class NotSupported(NetlinkError):
    """The kernel was built without this feature, or a module is not loaded."""


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
    """The error for `errno`, of the class that a caller expects."""
    return _CLASS_OF.get(errno, NetlinkError)(errno, op, what, hint)
