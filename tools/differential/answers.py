"""An answer in a comparable form, and the coarsest way in which two answers differ. Pure."""

import re
from dataclasses import dataclass
from typing import Any, Literal

Json = Any
Difference = Literal["", "code", "causes", "text", "object", "warnings"]

#: What a server makes up itself.
_SERVERS_OWN = ("uid", "resourceVersion", "creationTimestamp", "selfLink")


_RANDOM_NAME = re.compile(r"\b(kube-api-access)-[a-z0-9]{5}\b")


_UID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_WRITTEN_AT = re.compile(r'"time":"[^"]*"')


def _is_cluster_ip(value: Json) -> bool:
    return all(str(address).startswith("10.0.") for address in (value if isinstance(value, list) else [value]))


def _is_node_port(value: Json) -> bool:
    return isinstance(value, int) and 30000 <= value <= 32767


#: Fields that the server chooses from a range, and how a chosen value is known.
_ALLOCATED = {
    "clusterIP": _is_cluster_ip,
    "clusterIPs": _is_cluster_ip,
    "nodePort": _is_node_port,
    "healthCheckNodePort": _is_node_port,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status code, decoded body and the texts of the Warning headers, sorted."""

    code: int
    body: Json
    warnings: tuple[str, ...] = ()


#: Where a request could not be sent: the object to change could not be made, or there is no such subresource.
NOT_ASKED = Answer(0, {"message": "not asked"})


def normal(value: Json) -> Json:
    """The value without what must differ: uid, revision, times of the server; random names, addresses and ports."""
    if isinstance(value, list):
        return [normal(child) for child in value]
    if isinstance(value, str):
        return _WRITTEN_AT.sub('"time":""', _UID.sub("uid", _RANDOM_NAME.sub(r"\1-xxxxx", value)))
    if not isinstance(value, dict):
        return value
    out = {}
    for key, child in value.items():
        if key in _SERVERS_OWN and isinstance(child, str | None):
            continue
        if key in _ALLOCATED and _ALLOCATED[key](child):
            child = "allocated"
        if key == "managedFields" and isinstance(child, list):
            child = [{k: v for k, v in entry.items() if k != "time"} for entry in child]
        out[key] = normal(child)
    return out


def difference(theirs: Answer, ours: Answer) -> Difference:
    """Empty if the answers are the same."""
    if theirs.code != ours.code:
        return "code"
    if theirs.code >= 400:
        if theirs.body.get("reason") != ours.body.get("reason") or causes(theirs.body) != causes(ours.body):
            return "causes"
        if normal(theirs.body.get("message")) != normal(ours.body.get("message")):
            return "text"
    elif normal(theirs.body) != normal(ours.body):
        return "object"
    return "" if theirs.warnings == ours.warnings else "warnings"


def causes(status: Json) -> list[tuple[str, str]]:
    """(field, reason) of each cause of a Status."""
    found = (status.get("details") or {}).get("causes") or []
    return sorted({(cause.get("field", ""), cause.get("reason", "")) for cause in found})
