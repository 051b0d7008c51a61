"""Failed requests, one class per decision that a caller makes."""

from pybernetes.api.meta import Status


class ApiError(Exception):
    """The server refused a request; `status` is its answer."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message or status.reason)
        self.status = status

    @property
    def code(self) -> int:
        """The HTTP status code."""
        return self.status.code

    @property
    def reason(self) -> str:
        """The machine-readable reason, such as NotFound."""
        return self.status.reason

    @property
    def retry_after(self) -> float:
        """Seconds to wait before sending the request again; 0 when the server does not specify it."""
        return float(self.status.details.retry_after_seconds) if self.status.details else 0.0

    def has_cause(self, reason: str) -> bool:
        """Whether one of the causes in the answer's details has this reason."""
        return self.status.details is not None and any(c.reason == reason for c in self.status.details.causes)


class BadRequest(ApiError):
    """400: the request is malformed; sending it again won't help."""


class Unauthorized(ApiError):
    """401: the server does not accept the credentials."""


class Forbidden(ApiError):
    """403: the user may not do this."""


class NotFound(ApiError):
    """404: there is no such object."""


class AlreadyExists(ApiError):
    """409: an object of this name exists."""


class Conflict(ApiError):
    """409: the object has changed since it was read; read it again and retry."""


class Gone(ApiError):
    """410: the revision asked for is no longer kept; list again."""


class Invalid(ApiError):
    """422: the object is invalid; `status.details.causes` names the fields."""


class TooManyRequests(ApiError):
    """429: try again later, after `status.details.retryAfterSeconds`."""


class ServerError(ApiError):
    """5xx: the server failed; a retry may succeed."""


class Unreachable(Exception):
    """No answer: the connection was refused, was lost or timed out. The request may or may not have taken effect."""


class BadAnswer(Unreachable):
    """The answer is not one of an API server: a proxy's page, or a truncated body."""


class Unusable(Unreachable):
    """The request was not sent: a certificate, key or token can't be used. The message names the file and the fix."""


_BY_CODE: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}


def error_for(status: Status) -> ApiError:
    """The error that stands for a `Status`."""
    if status.code == 409:
        return AlreadyExists(status) if status.reason == "AlreadyExists" else Conflict(status)
    if status.code >= 500:
        return ServerError(status)
    return _BY_CODE.get(status.code, ApiError)(status)
