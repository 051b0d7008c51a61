"""The system calls that Python 3.11 lacks: setns, unshare, mount, umount2.

Importing `ctypes` costs 3 ms, a third of a CNI plugin's start. `setns`, the one call that plugins need, therefore
uses the small `_ctypes` core; `ctypes` is loaded only to get the errno of a failure.
"""

from __future__ import annotations

import posix

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MNT_DETACH = 2


def setns(fd: int, kind: int = CLONE_NEWNET) -> None:
    """Move the calling thread into the namespace of the descriptor `fd`. Raises OSError."""
    native = getattr(posix, "setns", None)  # since Python 3.12
    if native is not None:
        native(fd, kind)
        return
    try:
        from _ctypes import call_function, dlopen, dlsym
    except ImportError:
        _call("setns", fd, kind)
        return
    libc = dlopen(None, 0)  # type: ignore[arg-type]
    if call_function(dlsym(libc, "setns"), (fd, kind)) != 0:
        _call("setns", fd, kind)  # fails again, with the errno


def unshare(flags: int) -> None:
    """Move the calling thread into new namespaces of the kinds in `flags`."""
    _call("unshare", flags)


def mount(source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    _call("mount", source.encode(), target.encode(), fstype.encode(), flags, data.encode(), path=target)


def umount(target: str, flags: int = 0) -> None:
    """umount2(2)."""
    _call("umount2", target.encode(), flags, path=target)


def _call(name: str, *args: int | bytes, path: str | None = None) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    # Integers are passed with 64 bits: mount's flags are an unsigned long.
    values = [ctypes.c_ulong(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in args]
    if getattr(libc, name)(*values) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {posix.strerror(code)}", path)
