"""Errors that the user can solve: they are shown in one line, without a traceback."""

import errno

#: Error classes by name: importing them would slow down `pybernetes --help`.
_KNOWN = frozenset(
    {
        "ClusterError",
        "KubeconfigError",
        "ConfigError",
        "ProxyError",
        "Unreachable",
        "ApiError",
        "OpenFailed",
        "StoreError",
        "LeadershipLost",
    }
)
_FIXES = {
    errno.ENOSPC: "free some space on that disk (df -h) and run the command again",
    errno.EDQUOT: "free some space in the quota and run the command again",
    errno.EACCES: "run the command as root",
    errno.EPERM: "run the command as root, outside of an unprivileged container",
    errno.EROFS: "that file system is read-only",
}


def expected(error: BaseException) -> str | None:
    """The text to show, or None for a bug."""
    if _KNOWN & {kind.__name__ for kind in type(error).__mro__}:
        return str(error)
    if isinstance(error, OSError):
        text = f"{error.strerror or error}: {error.filename}" if error.filename else str(error)
        fix = _FIXES.get(error.errno or 0)
        return f"{text}; {fix}" if fix else text
    if isinstance(error, BaseExceptionGroup):
        texts = [found for inner in error.exceptions if (found := expected(inner)) is not None]
        # One cause often fails several tasks: show it once.
        return "; ".join(dict.fromkeys(texts)) if texts else None
    return None
