"""Which errors are a user's to solve: they are shown in a line, without a traceback."""

import errno

#: Error classes by name: importing them costs time that `pybernetes --help` does not have.
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
    errno.ENOSPC: "make room on that disk (df -h) and run the command again",
    errno.EDQUOT: "make room in the quota and run the command again",
    errno.EACCES: "run the command as root",
    errno.EPERM: "run the command as root, outside of an unprivileged container",
    errno.EROFS: "that file system is read-only",
}


def expected(error: BaseException) -> str | None:
    """The text to show, or None for a defect of ours."""
    if _KNOWN & {kind.__name__ for kind in type(error).__mro__}:
        return str(error)
    if isinstance(error, OSError):
        text = f"{error.strerror or error}: {error.filename}" if error.filename else str(error)
        fix = _FIXES.get(error.errno or 0)
        return f"{text}; {fix}" if fix else text
    if isinstance(error, BaseExceptionGroup):
        texts = [found for inner in error.exceptions if (found := expected(inner)) is not None]
        # One cause often fails several tasks: it is told once.
        return "; ".join(dict.fromkeys(texts)) if texts else None
    return None
