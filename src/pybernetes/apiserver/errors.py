"""Error responses, with the messages of kube-apiserver, which clients match on.

Each function returns the `client.errors` exception for a response. A stage raises it, and `server` turns it into a
`Status` body. So an exception class means the same in the server and in the client.
"""

from collections.abc import Sequence
from typing import Any

from pybernetes.api.field import FieldError
from pybernetes.api.kind import Kind
from pybernetes.api.meta import ListMeta, Status, StatusCause, StatusDetails
from pybernetes.apiserver.types import Attributes
from pybernetes.client.errors import ApiError, error_for


def _failure(
    code: int, reason: str, message: str, details: StatusDetails | None = None, *, meta: ListMeta | None = None
) -> ApiError:
    status = Status(status="Failure", message=message, reason=reason, details=details, code=code)
    if meta is not None:
        status.metadata = meta
    return error_for(status)


def _of(kind: Kind[Any], name: str, causes: Sequence[StatusCause] = (), retry: int = 0) -> StatusDetails:
    """Details that identify an object by its resource, as most errors do."""
    return StatusDetails(name=name, group=kind.group, kind=kind.plural, causes=list(causes), retry_after_seconds=retry)


def bad_request(message: str) -> ApiError:
    """400"""
    return _failure(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401"""
    return _failure(401, "Unauthorized", "Unauthorized")


def forbidden(group: str, resource: str, name: str, why: str, *, causes: Sequence[StatusCause] = ()) -> ApiError:
    """403, about a resource; `resource` may carry a subresource in the message only."""
    named = f"{resource}.{group}" if group else resource
    message = f'{named} "{name}" is forbidden: {why}' if name else f"{named} is forbidden: {why}"
    details = StatusDetails(name=name, group=group, kind=resource, causes=list(causes))
    return _failure(403, "Forbidden", message, details)


def forbidden_kind(kind: Kind[Any], name: str, why: str, *, causes: Sequence[StatusCause] = ()) -> ApiError:
    """403 from an admission plugin, about an object."""
    return forbidden(kind.group, kind.plural, name, why, causes=causes)


def forbidden_message(requested: Attributes, message: str) -> ApiError:
    """403 from the authorizer."""
    details = StatusDetails(name=requested.name, group=requested.group, kind=requested.resource)
    return _failure(403, "Forbidden", message, details)


def no_such_path() -> ApiError:
    """404 for an unknown path."""
    return _failure(404, "NotFound", "the server could not find the requested resource", StatusDetails())


def not_found(kind: Kind[Any], name: str) -> ApiError:
    """404 for an object that does not exist."""
    return _failure(404, "NotFound", f'{kind.resource} "{name}" not found', _of(kind, name))


def method_not_allowed(message: str = "the server does not allow this method on the requested resource") -> ApiError:
    """405"""
    return _failure(405, "MethodNotAllowed", message, StatusDetails())


def not_acceptable(accepted: Sequence[str]) -> ApiError:
    """406"""
    message = f"only the following media types are accepted: {', '.join(accepted)}"
    return _failure(406, "NotAcceptable", message)


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    """415"""
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return _failure(415, "UnsupportedMediaType", message)


def already_exists(kind: Kind[Any], name: str) -> ApiError:
    """409: an object of that name exists."""
    return _failure(409, "AlreadyExists", f'{kind.resource} "{name}" already exists', _of(kind, name))


def name_conflict(kind: Kind[Any], name: str) -> ApiError:
    """409: all generated names exist; the client can retry."""
    message = (
        f'{kind.resource} "{name}" already exists, the server was not able to generate a unique name for the object'
    )
    return _failure(409, "AlreadyExists", message, _of(kind, name, retry=1))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(kind: Kind[Any], name: str, why: str = MODIFIED, *, causes: Sequence[StatusCause] = ()) -> ApiError:
    """409: the object has changed, or a precondition does not hold."""
    message = f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}'
    return _failure(409, "Conflict", message, _of(kind, name, causes))


def apply_conflict(message: str, causes: Sequence[StatusCause]) -> ApiError:
    """409: other managers own the fields. The message has no prefix, unlike that of other conflicts."""
    return _failure(409, "Conflict", message, StatusDetails(causes=list(causes)))


def expired(message: str, continue_token: str = "", revision: str = "") -> ApiError:
    """410: the revision has been compacted. With a token the client can continue, with an inconsistent list."""
    meta = ListMeta(resource_version=revision, continue_=continue_token) if continue_token else None
    return _failure(410, "Expired", message, meta=meta)


def too_large(limit: int) -> ApiError:
    """413"""
    return _failure(
        413,
        "RequestEntityTooLarge",
        f"Request entity too large: limit is {limit}",
        StatusDetails(retry_after_seconds=0),
    )


def invalid(kind: Kind[Any], name: str, items: Sequence[FieldError]) -> ApiError:
    """422: the field errors of an object."""
    causes = [StatusCause(reason=i.reason, message=i.message, field=str(i.path)) for i in items]
    texts = list(dict.fromkeys(str(i) for i in items))
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    named = f"{kind.name}.{kind.group}" if kind.group else kind.name
    details = StatusDetails(name=name, group=kind.group, kind=kind.name, causes=causes)
    return _failure(422, "Invalid", f'{named} "{name}" is invalid: {listed}', details)


def invalid_review(group: str, items: Sequence[FieldError]) -> ApiError:
    """422: the field errors of a review. kube-apiserver names no kind."""
    causes = [StatusCause(reason=i.reason, message=i.message, field=str(i.path)) for i in items]
    listed = str(items[0]) if len(items) == 1 else f"[{', '.join(map(str, items))}]"
    return _failure(422, "Invalid", f'.{group} "" is invalid: {listed}', StatusDetails(group=group, causes=causes))


def invalid_options(kind_name: str, items: Sequence[FieldError]) -> ApiError:
    """422: the options of the request are invalid."""
    causes = [StatusCause(reason=i.reason, message=i.message, field=str(i.path)) for i in items]
    listed = str(items[0]) if len(items) == 1 else f"[{', '.join(map(str, items))}]"
    details = StatusDetails(group="meta.k8s.io", kind=kind_name, causes=causes)
    return _failure(422, "Invalid", f'{kind_name}.meta.k8s.io "" is invalid: {listed}', details)


def bad_patch(message: str, code: int) -> ApiError:
    """400, 413 or 422 for a patch that cannot be applied."""
    reason = {413: "RequestEntityTooLarge", 422: "Invalid"}.get(code, "BadRequest")
    return _failure(code, reason, message, StatusDetails())


def too_many_requests(message: str, retry: int = 1, *, causes: Sequence[StatusCause] = ()) -> ApiError:
    """429"""
    return _failure(429, "TooManyRequests", message, StatusDetails(causes=list(causes), retry_after_seconds=retry))


def internal(message: str) -> ApiError:
    """500"""
    causes = [StatusCause(message=message)]
    details = StatusDetails(causes=causes)
    return _failure(500, "InternalError", f"Internal error occurred: {message}", details)


def misconfigured(message: str) -> ApiError:
    """500 for contradictory objects. It has no reason, as in kube-apiserver."""
    return _failure(500, "", message)


def unavailable(message: str, retry: int = 1) -> ApiError:
    """503"""
    return _failure(503, "ServiceUnavailable", message, StatusDetails(retry_after_seconds=retry))


def bad_gateway(message: str) -> ApiError:
    """503 for a node or pod that can't be reached."""
    return _failure(503, "ServiceUnavailable", f"error trying to reach service: {message}", StatusDetails())


def timeout(message: str, retry: int = 1) -> ApiError:
    """504"""
    return _failure(504, "Timeout", f"Timeout: {message}", StatusDetails(retry_after_seconds=retry))


def revision_too_large(requested: int, current: int) -> ApiError:
    """504: the revision is in the future."""
    causes = [StatusCause(reason="ResourceVersionTooLarge", message="Too large resource version")]
    message = f"Timeout: Too large resource version: {requested}, current: {current}"
    return _failure(504, "Timeout", message, StatusDetails(causes=causes, retry_after_seconds=1))
