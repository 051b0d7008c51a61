"""`/openapi/v3` (an index and one document per group version) and `/openapi/v2` (everything in one).

Documents are built on first use and cached. The index contains hashes of all documents, so the first request for it
builds them all; `prepare` builds them beforehand, in slices.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from pybernetes.api.kind import Kind
from pybernetes.apiserver.schema.definitions import Definitions
from pybernetes.apiserver.schema.discovery import Document
from pybernetes.apiserver.schema.gnostic import encode_document
from pybernetes.apiserver.schema.operations import as_v2, paths_of

V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
V2_PROTOBUF_ANSWER = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
INFO = {"title": "Kubernetes", "version": "v1.34.0"}


class OpenApi:
    """The schema documents for a list of kinds.

    Documents of group versions whose kinds are the same in `previous` are taken from there.
    """

    def __init__(self, kinds: Iterable[Kind[Any]], previous: "OpenApi | None" = None) -> None:
        self._kinds = tuple(kinds)
        self._documents: dict[str, Document] = {}
        if previous is not None:
            old, new = previous.by_group_version(), self.by_group_version()
            kept = [name for name, kinds in new.items() if old.get(name) == kinds and name in previous._documents]
            self._documents |= {name: previous._documents[name] for name in kept}

    def by_group_version(self) -> dict[str, list[int]]:
        """The identities of the kinds of each group version."""
        found: dict[str, list[int]] = {name: [] for name in self.group_versions()}
        for kind in self._kinds:
            if kind.verbs:
                found[_name(kind)].append(id(kind))
        return found

    def get(self, path: str, accept: str = "") -> Document | None:
        """The document at a path, or None. Its ETag is the hash in the index."""
        path = path.rstrip("/")
        if path == "/openapi/v2":
            return self._v2(V2_PROTOBUF in accept)
        if path == "/openapi/v3":
            return self._made(path, self._index)
        name = path.removeprefix("/openapi/v3/")
        if name != path and name in self.group_versions():
            return self._group_version(name)
        return None

    def group_versions(self) -> dict[str, tuple[str, str]]:
        """`apis/apps/v1` -> ("apps", "v1"), for every group version with resources."""
        found: dict[str, tuple[str, str]] = {}
        for kind in self._kinds:
            if kind.verbs:
                found[_name(kind)] = kind.group, kind.version
        return found

    def prepare(self) -> Iterator[str]:
        """Build one document per step, so that the event loop is not blocked for long."""
        for name in self.group_versions():
            self._group_version(name)
            yield name
        self.get("/openapi/v3")
        yield "index"

    def _made(self, key: str, make: Any, content_type: str = "application/json") -> Document:
        document = self._documents.get(key)
        if document is None:
            body = make()
            document = self._documents[key] = Document(body, content_type, f'"{_hash(body)}"')
        return document

    def _index(self) -> bytes:
        paths = {
            name: {"serverRelativeURL": f"/openapi/v3/{name}?hash={_hash(self._group_version(name).body)}"}
            for name in self.group_versions()
        }
        return msgspec.json.encode({"paths": paths})

    def _group_version(self, name: str) -> Document:
        group, version = self.group_versions()[name]

        def make() -> bytes:
            definitions = Definitions("v3", self._kinds)
            paths = self._paths(definitions, [k for k in self._kinds if (k.group, k.version) == (group, version)])
            components = {"schemas": dict(sorted(definitions.found.items())), **_SECURITY}
            return msgspec.json.encode({"openapi": "3.0.0", "info": INFO, "paths": paths, "components": components})

        return self._made(name, make)

    @staticmethod
    def _paths(definitions: Definitions, kinds: Iterable[Kind[Any]]) -> dict[str, Any]:
        paths: dict[str, Any] = {}
        for kind in kinds:
            if kind.verbs:
                paths |= paths_of(kind, definitions)
            else:
                definitions.kind_ref(kind)
        return dict(sorted(paths.items()))

    def _v2(self, protobuf: bool) -> Document:
        if protobuf:
            return self._made("v2 protobuf", lambda: encode_document(self._swagger()), V2_PROTOBUF_ANSWER)
        return self._made("v2", lambda: msgspec.json.encode(self._swagger()))

    def _swagger(self) -> dict[str, Any]:
        definitions = Definitions("v2", self._kinds)
        paths = {path: as_v2(value) for path, value in self._paths(definitions, self._kinds).items()}
        return {
            "swagger": "2.0",
            "info": INFO,
            "paths": paths,
            "definitions": dict(sorted(definitions.found.items())),
            "securityDefinitions": {"BearerToken": _BEARER},
            "security": [{"BearerToken": []}],
        }


_BEARER = {"type": "apiKey", "name": "authorization", "in": "header", "description": "Bearer Token authentication"}
_SECURITY = {"securitySchemes": {"BearerToken": _BEARER}}


def _name(kind: Kind[Any]) -> str:
    return f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"


def _hash(body: bytes) -> str:
    return hashlib.sha512(body).hexdigest().upper()
