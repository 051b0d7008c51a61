"""An API server in memory with what a kubelet needs: objects by path, watches, status, tokens."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

from pybernetes.client.errors import Unreachable
from pybernetes.client.transport import Request, Response

STATUS_CODES = {404: "NotFound", 409: "Conflict"}


class FakeApi:
    """A `Transport`. While `down` is set, the server is unreachable."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.revision = 1
        self.down = False
        self.requests: list[tuple[str, str]] = []
        self._log: list[tuple[int, str, str, dict[str, Any]]] = []
        self._changed = asyncio.Event()

    def _record(self, kind: str, path: str, obj: dict[str, Any]) -> None:
        self._log.append((self.revision, kind, path, json.loads(json.dumps(obj))))
        self._changed.set()
        self._changed = asyncio.Event()

    def put(self, path: str, obj: dict[str, Any]) -> dict[str, Any]:
        self.revision += 1
        kind = "MODIFIED" if path in self.objects else "ADDED"
        obj = json.loads(json.dumps(obj))
        meta = obj.setdefault("metadata", {})
        meta["resourceVersion"] = str(self.revision)
        meta.setdefault("uid", f"uid-{self.revision}")
        meta.setdefault("name", path.rsplit("/", 1)[1])
        meta.setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
        parts = path.split("/")
        if "namespaces" in parts:
            meta.setdefault("namespace", parts[parts.index("namespaces") + 1])
        self.objects[path] = obj
        self._record(kind, path, obj)
        return obj

    def remove(self, path: str) -> None:
        obj = self.objects.pop(path)
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        self._record("DELETED", path, obj)

    async def close(self) -> None:
        return

    async def request(self, request: Request) -> Response:
        if self.down:
            raise Unreachable("down")
        self.requests.append((request.method, request.path))
        code, body = self._do(request)
        return Response(code, {}, json.dumps(body).encode())

    def _do(self, request: Request) -> tuple[int, dict[str, Any]]:
        path, method = request.path, request.method
        body = json.loads(request.body) if request.body else {}
        if method == "GET" and path not in self.objects and not _is_object(path):
            return 200, {"metadata": {"resourceVersion": str(self.revision)}, "items": self._match(request)}
        if method == "POST" and path.endswith("/token"):
            status = {"token": f"token-{self.revision}", "expirationTimestamp": "2099-01-01T00:00:00Z"}
            return 201, {"kind": "TokenRequest", "status": status}
        if method == "POST":
            return 201, self.put(f"{path}/{body['metadata']['name']}", body)
        base, _, _ = path.partition("/status")
        known = self.objects.get(base)
        if known is None:
            return 404, _failure(404, f"{base} not found")
        if method == "GET":
            return 200, known
        if method == "DELETE":
            return self._delete(base, known, body)
        if method == "PATCH":
            return 200, self.put(base, _merge(known, body))
        version = body["metadata"].get("resourceVersion")
        if version and version != known["metadata"]["resourceVersion"]:
            return 409, _failure(409, "changed")
        changed = {**known, "status": body.get("status", {})} if path.endswith("/status") else body
        return 200, self.put(base, changed)

    def _delete(self, path: str, known: dict[str, Any], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        wanted = body.get("preconditions", {}).get("uid")
        if wanted and wanted != known["metadata"]["uid"]:
            return 409, _failure(409, "uid differs")
        self.remove(path)
        return 200, {"kind": "Status", "status": "Success"}

    def _match(self, request: Request) -> list[dict[str, Any]]:
        query = dict(request.query)
        return [o for p, o in self.objects.items() if _under(p, request.path) and _selected(o, query)]

    async def stream(self, request: Request) -> AsyncGenerator[list[bytes], None]:
        if self.down:
            raise Unreachable("down")
        query = dict(request.query)
        since = int(query.get("resourceVersion") or 0)
        while True:
            changed = self._changed
            lines = []
            for revision, kind, path, obj in self._log:
                if revision > since and _under(path, request.path) and _selected(obj, query):
                    lines.append(json.dumps({"type": kind, "object": obj}).encode())
            since = self.revision
            if lines:
                yield lines
            if changed is self._changed:
                await changed.wait()
            if self.down:
                raise Unreachable("down")


def _is_object(path: str) -> bool:
    """Whether a path names an object, such as /api/v1/namespaces/ns/pods/x, and not a collection."""
    parts = path.strip("/").split("/")[2 if path.startswith("/api/") else 3 :]
    if parts[0] == "namespaces" and len(parts) > 2:
        parts = parts[2:]
    return len(parts) > 1


def _under(path: str, collection: str) -> bool:
    if path.rsplit("/", 1)[0] == collection:
        return True
    plural = collection.rsplit("/", 1)[1]
    return "/namespaces/" not in collection and f"/{plural}/" in path and path.split("/")[-2] == plural


def _selected(obj: dict[str, Any], query: dict[str, str]) -> bool:
    selector = query.get("fieldSelector", "")
    key, _, value = selector.partition("=")
    if key == "spec.nodeName":
        return bool(obj.get("spec", {}).get("nodeName") == value)
    return key != "metadata.name" or obj["metadata"]["name"] == value


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merge(result.get(key), value)
    return result


def _failure(code: int, message: str) -> dict[str, Any]:
    return {"kind": "Status", "status": "Failure", "code": code, "reason": STATUS_CODES[code], "message": message}
