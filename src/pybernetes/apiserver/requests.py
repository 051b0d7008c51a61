"""The first stage: parses a method, a path and a query. Pure.

    /api/v1/namespaces/default/pods/web/log?container=a   ->  get pods/log default/web of core/v1

The verb is the API's, not HTTP's: GET on a collection is `list`, or `watch` with `?watch=true`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pybernetes.apiserver import errors
from pybernetes.apiserver.types import Attributes, User

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}

#: Subresources of a namespace: any other word after /namespaces/<name>/ is a resource in it.
_NAMESPACE_PARTS = frozenset({"status", "finalize"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestInfo:
    """A parsed request. For a path that is not a resource only `verb` (the method in lower case) and `path` are set."""

    verb: str
    path: str
    is_resource: bool = False
    group: str = ""
    version: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""
    """the path after the subresource (`proxy`), with its leading slash"""

    def attributes(self, user: User, label_selector: str = "", field_selector: str = "") -> Attributes:
        """The request as the authorizer sees it."""
        return Attributes(
            user=user,
            verb=self.verb,
            path=self.path,
            group=self.group,
            version=self.version,
            resource=self.resource,
            subresource=self.subresource,
            namespace=self.namespace,
            name=self.name or _selected_name(self.verb, field_selector),
            is_resource=self.is_resource,
            label_selector=label_selector,
            field_selector=field_selector,
        )


def is_true(value: str | None) -> bool:
    """A boolean query parameter: present and neither `false` nor `0`, as in kube-apiserver."""
    return value is not None and value.lower() not in ("false", "0")


#: Separates the values of a repeated header in `Request.headers`; no header can contain it.
REPEAT = "\n"


def header_pairs(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers as pairs, with one pair for each value of a repeated header."""
    return [(name, value) for name, values in headers.items() for value in values.split(REPEAT)]


def _selected_name(verb: str, field_selector: str) -> str:
    """The one object that a list or watch is restricted to. A user who may get it may also list and watch it."""
    if verb not in ("list", "watch", "deletecollection") or not field_selector:
        return ""
    for part in field_selector.split(","):
        key, _, value = part.replace("==", "=").partition("=")
        if key == "metadata.name" and not part.startswith("metadata.name!"):
            return value
    return ""


def parse(method: str, path: str, query: Mapping[str, str]) -> RequestInfo:
    """Raises BadRequest for a path that no honest client sends."""
    if "\0" in path:
        raise errors.bad_request("the request path contains a NUL character")
    parts = path.split("/")[1:]
    while parts and not parts[-1]:
        parts.pop()
    if len(parts) >= 3 and parts[0] == "api":
        return _resource(method, path, query, "", parts[1], parts[2:])
    if len(parts) >= 4 and parts[0] == "apis":
        return _resource(method, path, query, parts[1], parts[2], parts[3:])
    return RequestInfo(verb=method.lower(), path=path)


def _resource(
    method: str, path: str, query: Mapping[str, str], group: str, version: str, parts: list[str]
) -> RequestInfo:
    if any(part in ("", ".", "..") for part in parts[:3]):
        return RequestInfo(verb=method.lower(), path=path)
    verb = _VERBS.get(method, method.lower())
    watched = parts[0] == "watch" and len(parts) > 1
    if watched:
        verb, parts = "watch", parts[1:]
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2 and not (parts[2] in _NAMESPACE_PARTS and len(parts) == 3):
        namespace, parts = parts[1], parts[2:]
    elif parts[0] == "namespaces" and len(parts) > 1:
        namespace = parts[1]
    name = parts[1] if len(parts) > 1 else ""
    subresource = parts[2] if len(parts) > 2 else ""
    rest = "/" + "/".join(parts[3:]) if len(parts) > 3 else ""
    if rest and subresource == "proxy" and path.endswith("/"):
        rest += "/"
    if verb == "get" and not name:
        verb = "list"
    if verb in ("list", "get") and not subresource and is_true(query.get("watch")):
        verb = "watch"
    if verb == "delete" and not name:
        verb = "deletecollection"
    return RequestInfo(
        verb=verb,
        path=path,
        is_resource=True,
        group=group,
        version=version,
        resource=parts[0],
        namespace=namespace,
        name=name,
        subresource=subresource,
        rest=rest,
    )
