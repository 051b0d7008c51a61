"""Errors that a pod's worker handles: it reports them and retries."""


class StartFailed(Exception):
    """A container cannot be started now; `reason` and the message become its waiting state."""

    def __init__(self, reason: str, message: str, retry_after: float = 10.0) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after = retry_after


class VolumesNotReady(Exception):
    """A pod's volumes cannot be set up now; the message names the volume and the reason."""


class HookFailed(Exception):
    """A lifecycle hook failed."""
