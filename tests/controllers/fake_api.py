"""An API server in a dict, with what controllers need, and strict where they could make mistakes.

Revisions, list and watch, create with generateName, update with conflicts, merge patch, status subresources,
deletion with grace, finalizers, preconditions and propagation policies. No defaults and no validation. Resources for
which there is no struct can be added (`serve`), and discovery lists everything.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from typing import Any

from pybernetes.api.kinds import KINDS
from pybernetes.client.api_resource import ApiResource
from pybernetes.client.errors import Unreachable
from pybernetes.client.transport import Request, Response

Json = dict[str, Any]
VERBS = frozenset({"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"})
BUILT_IN = tuple(
    ApiResource(
        kind.group,
        kind.version,
        kind.plural,
        kind.name,
        kind.namespaced,
        frozenset(kind.verbs),
        frozenset(sub.name for sub in kind.subresources),
    )
    for kind in KINDS
    if kind.stored
)
WITH_GENERATION = {(kind.group, kind.name) for kind in KINDS if kind.has_generation}
_DISCOVERY = {"content-type": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}


class Refused(Exception):
    """Becomes a Status response."""

    def __init__(self, code: int, reason: str, message: str = "", cause: str = "") -> None:
        super().__init__(message or reason)
        self.code, self.reason, self.cause = code, reason, cause


def merge(base: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


class FakeApi:
    """Implements `client.transport.Transport`."""

    def __init__(self, now: Callable[[], str] = lambda: "2026-01-01T00:00:00Z") -> None:
        self.revision = 100
        self.objects: dict[str, dict[tuple[str, str], Json]] = defaultdict(dict)
        self.log: dict[str, list[tuple[int, str, Json]]] = defaultdict(list)
        self.requests: list[Request] = []
        self.fail: Callable[[Request], Refused | Unreachable | None] = lambda request: None
        self.immediate_pods = True
        """delete pods at once, as when no kubelet has them; else they only get a deletionTimestamp"""
        self.stale: set[str] = set()
        """group versions that discovery reports as stale"""
        self.resources = {(one.group, one.version, one.plural): one for one in BUILT_IN}
        self._now = now
        self._serial = 0
        self._changed: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def serve(
        self,
        group: str,
        version: str,
        plural: str,
        kind: str,
        *subresources: str,
        namespaced: bool = True,
        verbs: frozenset[str] = VERBS,
    ) -> ApiResource:
        """Serve another resource from now on."""
        made = ApiResource(group, version, plural, kind, namespaced, verbs, frozenset(subresources))
        self.resources[group, version, plural] = made
        return made

    def discovery(self, core: bool) -> Json:
        """The aggregated document of /api or of /apis."""
        groups: dict[str, dict[str, list[Json]]] = {}
        for one in self.resources.values():
            if (one.group == "") == core:
                versions = groups.setdefault(one.group, {})
                versions.setdefault(one.version, []).append(
                    {
                        "resource": one.plural,
                        "responseKind": {"group": one.group, "version": one.version, "kind": one.kind},
                        "scope": "Namespaced" if one.namespaced else "Cluster",
                        "verbs": sorted(one.verbs),
                        "subresources": [{"subresource": name} for name in sorted(one.subresources)],
                    }
                )
        return {
            "items": [{"metadata": {"name": name}, "versions": self._versions(name, v)} for name, v in groups.items()]
        }

    def _versions(self, group: str, versions: dict[str, list[Json]]) -> list[Json]:
        return [
            {"version": version, "freshness": "Stale"}
            if f"{group}/{version}" in self.stale
            else {"version": version, "resources": found, "freshness": "Current"}
            for version, found in versions.items()
        ]

    async def close(self) -> None:
        """Nothing to free."""

    async def request(self, request: Request) -> Response:
        """Answer one request, after yielding to other tasks."""
        await asyncio.sleep(0)
        try:
            failure = self.fail(request)
            if failure is not None:
                raise failure
            if request.path in ("/api", "/apis"):
                return Response(200, _DISCOVERY, json.dumps(self.discovery(request.path == "/api")).encode())
            code, body = self._answer(request)
        except Refused as error:
            code = error.code
            body = {"kind": "Status", "reason": error.reason, "message": str(error), "code": code}
            if error.cause:
                body["details"] = {"causes": [{"reason": error.cause}]}
        if request.method != "GET":
            self.requests.append(request)
        return Response(code, {"content-type": "application/json"}, json.dumps(body).encode())

    async def stream(self, request: Request) -> AsyncGenerator[list[bytes], None]:
        """Watch one kind in all namespaces."""
        kind, _, _, _ = self._parse(request.path)
        seen = int(dict(request.query).get("resourceVersion") or self.revision)
        while True:
            changed = self._changed[kind.resource]
            batch = [(r, t, o) for r, t, o in self.log[kind.resource] if r > seen]
            if batch:
                seen = batch[-1][0]
                yield [json.dumps({"type": t, "object": o}).encode() for _, t, o in batch]
            else:
                await changed.wait()

    def _parse(self, path: str) -> tuple[ApiResource, str, str, str]:
        parts = path.strip("/").split("/")
        if parts[0] == "api":
            group, version, rest = "", parts[1], parts[2:]
        else:
            group, version, rest = parts[1], parts[2], parts[3:]
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2 and (group, version, rest[2]) in self.resources:
            namespace, rest = rest[1], rest[2:]
        kind = self.resources.get((group, version, rest[0]))
        if kind is None:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        return kind, namespace, rest[1] if len(rest) > 1 else "", rest[2] if len(rest) > 2 else ""

    def _answer(self, request: Request) -> tuple[int, Json]:
        kind, namespace, name, subresource = self._parse(request.path)
        body = json.loads(request.body) if request.body else {}
        match request.method:
            case "GET" if subresource == "scale":
                return 200, self._scale(kind, namespace, name)
            case "GET" if name:
                return 200, self._get(kind, namespace, name)
            case "GET":
                items = [o for (n, _), o in self.objects[kind.resource].items() if not namespace or n == namespace]
                return 200, {"metadata": {"resourceVersion": str(self.revision)}, "items": items}
            case "POST":
                return 201, self._create(kind, namespace, body)
            case "PUT":
                return 200, self._update(kind, namespace, name, subresource, body)
            case "PATCH":
                old = self._get(kind, namespace, name)
                return 200, self._update(kind, namespace, name, subresource, merge(old, body))
            case "DELETE" if name:
                return 200, self._delete(kind, namespace, name, body)
            case "DELETE":
                for n, key in list(self.objects[kind.resource]):
                    if n == namespace:
                        self._delete(kind, n, key, {})
                return 200, {"kind": "Status", "status": "Success"}
        raise Refused(405, "MethodNotAllowed")

    def _get(self, kind: ApiResource, namespace: str, name: str) -> Json:
        try:
            return self.objects[kind.resource][namespace, name]
        except KeyError:
            raise Refused(404, "NotFound", f'{kind.resource} "{name}" not found') from None

    def _scale(self, kind: ApiResource, namespace: str, name: str) -> Json:
        obj = self._get(kind, namespace, name)
        return {"metadata": obj["metadata"], "spec": {"replicas": obj["spec"]["replicas"]}}

    def _create(self, kind: ApiResource, namespace: str, body: Json) -> Json:
        meta = body.setdefault("metadata", {})
        if kind.namespaced:
            meta["namespace"] = namespace = namespace or meta.get("namespace") or "default"
            home = self.objects["namespaces"].get(("", namespace))
            if home is not None and home["metadata"].get("deletionTimestamp"):
                raise Refused(403, "Forbidden", f"namespace {namespace} is being terminated", "NamespaceTerminating")
        self._serial += 1
        if not meta.get("name"):
            meta["name"] = f"{meta['generateName']}{self._serial:05x}"
        if (namespace, meta["name"]) in self.objects[kind.resource]:
            raise Refused(409, "AlreadyExists", f'{kind.resource} "{meta["name"]}" already exists')
        meta["uid"] = f"uid-{self._serial}"
        meta.setdefault("creationTimestamp", self._now())
        if (kind.group, kind.kind) in WITH_GENERATION:
            meta["generation"] = 1
        if kind.kind == "Namespace":
            body.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
        return self._commit(kind, namespace, meta["name"], "ADDED", body)

    def _update(self, kind: ApiResource, namespace: str, name: str, subresource: str, new: Json) -> Json:
        old = self._get(kind, namespace, name)
        wanted = new["metadata"].get("resourceVersion")
        if wanted and wanted != old["metadata"]["resourceVersion"]:
            raise Refused(409, "Conflict", f'{kind.resource} "{name}": the object has been modified')
        if new["metadata"].get("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]:
            raise Refused(409, "Conflict", f'{kind.resource} "{name}": another uid')
        if subresource == "status":
            new = {**old, "status": new.get("status", {})}
        elif subresource == "finalize":
            new = {**old, "spec": new.get("spec", {})}
        elif "status" in kind.subresources and "status" in old:
            new = {**new, "status": old["status"]}
        new["metadata"] = {**new["metadata"], "uid": old["metadata"]["uid"]}
        for kept in ("deletionTimestamp", "creationTimestamp", "generation"):
            if kept in old["metadata"]:
                new["metadata"][kept] = old["metadata"][kept]
        if (kind.group, kind.kind) in WITH_GENERATION and new.get("spec") != old.get("spec"):
            new["metadata"]["generation"] += 1
        if {**new, "metadata": {**new["metadata"], "resourceVersion": old["metadata"]["resourceVersion"]}} == old:
            return old
        if self._is_finished(kind, new):
            return self._commit(kind, namespace, name, "DELETED", new)
        return self._commit(kind, namespace, name, "MODIFIED", new)

    def _is_finished(self, kind: ApiResource, obj: Json) -> bool:
        meta = obj["metadata"]
        pending = kind.kind == "Pod" and meta.get("deletionGracePeriodSeconds", 0) > 0
        held = kind.kind == "Namespace" and obj.get("spec", {}).get("finalizers")
        return bool(meta.get("deletionTimestamp")) and not meta.get("finalizers") and not held and not pending

    def _delete(self, kind: ApiResource, namespace: str, name: str, options: Json) -> Json:
        old = self._get(kind, namespace, name)
        wanted = options.get("preconditions") or {}
        for field in ("uid", "resourceVersion"):
            if wanted.get(field) and wanted[field] != old["metadata"].get(field):
                raise Refused(409, "Conflict", f"{field} differs")
        new = {**old, "metadata": dict(old["metadata"])}
        finalizers = list(new["metadata"].get("finalizers", []))
        policy = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}.get(options.get("propagationPolicy") or "")
        if policy and policy not in finalizers:
            finalizers.append(policy)
        if finalizers:
            new["metadata"]["finalizers"] = finalizers
        new["metadata"].setdefault("deletionTimestamp", self._now())
        grace = 0 if kind.kind != "Pod" or self.immediate_pods else options.get("gracePeriodSeconds", 30)
        if kind.kind == "Pod":
            new["metadata"]["deletionGracePeriodSeconds"] = 30 if grace is None else grace
        if kind.kind == "Namespace":
            new["status"] = {**new.get("status", {}), "phase": "Terminating"}
        finished = self._is_finished(kind, new)
        return (
            new
            if not finished and new == old
            else self._commit(kind, namespace, name, "DELETED" if finished else "MODIFIED", new)
        )

    def _commit(self, kind: ApiResource, namespace: str, name: str, type: str, obj: Json) -> Json:
        self.revision += 1
        obj = {**obj, "apiVersion": kind.api_version, "kind": kind.kind}
        obj["metadata"] = {**obj["metadata"], "resourceVersion": str(self.revision)}
        if type == "DELETED":
            self.objects[kind.resource].pop((namespace, name))
        else:
            self.objects[kind.resource][namespace, name] = obj
        self.log[kind.resource].append((self.revision, type, obj))
        self._changed.pop(kind.resource, asyncio.Event()).set()
        return obj
