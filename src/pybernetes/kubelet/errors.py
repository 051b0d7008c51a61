"""Why a pod or one of its containers cannot go on for now: one class per decision that a pod's worker makes."""


class StartFailed(Exception):
    """A container cannot be started now; `reason` and the text become its waiting state."""

    def __init__(self, reason: str, message: str, retry_after: float = 10.0) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after = retry_after


class VolumesNotReady(Exception):
    """A pod's volumes cannot be set up now; the text names the volume and the reason."""


class HookFailed(Exception):
    """A lifecycle hook failed; the text says how."""
