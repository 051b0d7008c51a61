"""Which errors are a user's to solve: they are shown in a line, without a traceback."""


def expected(error: Exception) -> str | None:
    """The text to show, or None for a defect of ours. Error classes are looked up by name: importing them costs."""
    known = {"ClusterError", "KubeconfigError", "ConfigError", "ProxyError", "Unreachable", "ApiError", "OpenFailed"}
    if known & {kind.__name__ for kind in type(error).__mro__}:
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or error}: {error.filename}" if error.filename else str(error)
    if isinstance(error, ExceptionGroup):
        texts = [text for inner in error.exceptions if (text := expected(inner)) is not None]
        return "; ".join(texts) if texts else None
    return None
