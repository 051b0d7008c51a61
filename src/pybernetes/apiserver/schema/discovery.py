"""Discovery: the resources of the server, per group (`/api`, `/apis/...`) or aggregated in one document.

Documents are built on first use from the list of kinds and cached; they change only with the list.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from pybernetes.api.kind import Kind
from pybernetes.api.subresource import BodyKind, Subresource

AGGREGATED = ("v2", "v2beta1")


def body_kind(kind: Kind[Any], subresource: Subresource[Any] | None = None) -> BodyKind:
    """The kind of the bodies of an object's endpoint, or of a subresource."""
    own = BodyKind(kind.group, kind.version, kind.name)
    return subresource.body or own if subresource is not None else own


def storage_version_hash(kind: Kind[Any]) -> str:
    """Eight bytes of a hash over group, version and kind of the stored form. Clients only compare it."""
    digest = hashlib.sha256(f"{kind.group}/{kind.version}/{kind.name}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def negotiate(accept: str) -> str:
    """The version of aggregated discovery that an Accept header prefers; "" for the plain documents."""
    for part in accept.split(","):
        media, *parameters = (p.strip() for p in part.split(";"))
        given = dict(p.split("=", 1) for p in parameters if "=" in p)
        if media in ("application/json", "*/*", "application/*") and "as" not in given:
            return ""
        wanted = given.get("as") == "APIGroupDiscoveryList" and given.get("g") == "apidiscovery.k8s.io"
        if media == "application/json" and wanted and given.get("v") in AGGREGATED:
            return given["v"]
    return ""


@dataclass(frozen=True, slots=True)
class Document:
    """A complete response. Responses with an ETag depend on Accept and need the header `Vary: Accept`."""

    body: bytes
    content_type: str = "application/json"
    etag: str = ""


class Discovery:
    """The documents for a list of kinds; `address` is the host:port for clients in the cluster."""

    def __init__(self, kinds: Iterable[Kind[Any]], address: str = "") -> None:
        self._kinds = [k for k in kinds if k.verbs]
        self._address = address
        self._made: dict[tuple[str, str], Document] = {}

    def get(self, path: str, accept: str = "") -> Document | None:
        """The document at a path (`/api`, `/apis`, `/api/v1`, `/apis/apps`, `/apis/apps/v1`), or None."""
        path = path.rstrip("/")
        form = negotiate(accept) if path in ("/api", "/apis") else ""
        if form:
            if (path, form) not in self._made:
                self._made[path, form] = self._aggregated(path, form)
            return self._made[path, form]
        return self._plain.get(path)

    @cached_property
    def groups(self) -> dict[str, list[str]]:
        """Versions by group, in the order of the kinds; the first version is the preferred one."""
        found: dict[str, list[str]] = {}
        for kind in self._kinds:
            versions = found.setdefault(kind.group, [])
            if kind.version not in versions:
                versions.append(kind.version)
        return found

    @cached_property
    def _plain(self) -> dict[str, Document]:
        documents = {
            "/api": {
                "kind": "APIVersions",
                "versions": self.groups.get("", []),
                "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": self._address}],
            },
            "/apis": {
                "kind": "APIGroupList",
                "apiVersion": "v1",
                "groups": [_group(name, versions) for name, versions in self.groups.items() if name],
            },
        }
        for name, versions in self.groups.items():
            if name:
                documents[f"/apis/{name}"] = {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)}
            for version in versions:
                path = f"/apis/{name}/{version}" if name else f"/api/{version}"
                documents[path] = self._resources(name, version)
        return {path: Document(msgspec.json.encode(value)) for path, value in documents.items()}

    def _of(self, group: str, version: str) -> list[Kind[Any]]:
        return sorted((k for k in self._kinds if (k.group, k.version) == (group, version)), key=lambda k: k.plural)

    def _resources(self, group: str, version: str) -> dict[str, Any]:
        resources: list[dict[str, Any]] = []
        for kind in self._of(group, version):
            resources.append(_resource(kind))
            resources += [_plain_subresource(kind, each) for each in in_order(kind)]
        group_version = f"{group}/{version}" if group else version
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": group_version,
            "resources": resources,
        }

    def _aggregated(self, path: str, form: str) -> Document:
        wanted = [g for g in self.groups if (g == "") == (path == "/api")]
        items = []
        for group in wanted:
            versions = [
                {
                    "version": version,
                    "resources": [_aggregated_resource(kind) for kind in self._of(group, version)],
                    "freshness": "Current",
                }
                for version in self.groups[group]
            ]
            metadata = {"name": group, "creationTimestamp": None} if group else {"creationTimestamp": None}
            items.append({"metadata": metadata, "versions": versions})
        api_version = f"apidiscovery.k8s.io/{form}"
        body = msgspec.json.encode(
            {"kind": "APIGroupDiscoveryList", "apiVersion": api_version, "metadata": {}, "items": items}
        )
        content_type = f"application/json;g=apidiscovery.k8s.io;v={form};as=APIGroupDiscoveryList"
        return Document(body, content_type, f'"{hashlib.sha512(body).hexdigest().upper()}"')


def _group(name: str, versions: Sequence[str]) -> dict[str, Any]:
    listed = [{"groupVersion": f"{name}/{v}", "version": v} for v in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _names(kind: Kind[Any]) -> dict[str, Any]:
    names: dict[str, Any] = {"verbs": sorted(kind.verbs)}
    if kind.short_names:
        names["shortNames"] = list(kind.short_names)
    if kind.categories:
        names["categories"] = list(kind.categories)
    return names


def _resource(kind: Kind[Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": kind.plural,
        "singularName": kind.singular or kind.name.lower(),
        "namespaced": kind.namespaced,
        "kind": kind.name,
        **_names(kind),
    }
    if kind.stored:
        entry["storageVersionHash"] = storage_version_hash(kind)
    return entry


def in_order(kind: Kind[Any]) -> list[Subresource[Any]]:
    """The subresources of a kind by name, as documents list them."""
    return sorted(kind.subresources, key=lambda each: each.name)


def _plain_subresource(kind: Kind[Any], subresource: Subresource[Any]) -> dict[str, Any]:
    body = body_kind(kind, subresource)
    entry: dict[str, Any] = {
        "name": f"{kind.plural}/{subresource.name}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": body.name,
        "verbs": list(subresource.verbs),
    }
    if (body.group, body.version) != (kind.group, kind.version):
        entry |= {"group": body.group, "version": body.version}
    return entry


def _response_kind(group: str, version: str, kind: str) -> dict[str, str]:
    return {"group": group, "version": version, "kind": kind}


def _aggregated_resource(kind: Kind[Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "resource": kind.plural,
        "responseKind": _response_kind(kind.group, kind.version, kind.name),
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular or kind.name.lower(),
        **_names(kind),
    }
    subs = []
    for each in in_order(kind):
        response = _response_kind(*body_kind(kind, each))
        subs.append({"subresource": each.name, "responseKind": response, "verbs": list(each.verbs)})
    if subs:
        entry["subresources"] = subs
    return entry
