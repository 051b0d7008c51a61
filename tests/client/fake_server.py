"""An API server in memory with faults that tests switch on. It stores any kind, by path, with revisions and a log."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

from pybernetes.api.meta import Status
from pybernetes.client.decoding import raise_for_status
from pybernetes.client.errors import Unreachable, error_for
from pybernetes.client.transport import Request, Response

Json = dict[str, Any]
REASONS = {404: "NotFound", 409: "Conflict", 410: "Expired", 429: "TooManyRequests", 500: "InternalError"}


def status(code: int, message: str = "", reason: str = "", **details: Any) -> bytes:
    """A Status body."""
    body = {"kind": "Status", "code": code, "reason": reason or REASONS.get(code, ""), "message": message}
    return json.dumps({**body, "details": details}).encode()


class FakeServer:
    """A `Transport`. Faults are attributes; `requests` lists the requests, with their times and verbs."""

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.revision = 1
        self.log: list[tuple[int, str, str, Json]] = []
        self.compacted = 0
        self.down = False
        self.hang = False
        self.refusals: list[bytes] = []
        """Status bodies with which the next requests are refused"""
        self.garbage: list[bytes] = []
        """lines to insert into the next watches"""
        self.requests: list[tuple[float, str, str]] = []
        self._uids = 0
        self._epoch = 0
        self._changed = asyncio.Event()

    # -- what other clients do -------------------------------------------------------------------------------
    def put(self, path: str, obj: Json | None = None) -> Json:
        """Create or change an object."""
        self.revision += 1
        old = self.objects.get(path)
        if old is None:
            self._uids += 1
        parts = path.split("/")
        meta = {
            **(obj or {}).get("metadata", {}),
            "name": parts[-1],
            "resourceVersion": str(self.revision),
            "uid": old["metadata"]["uid"] if old else f"uid-{self._uids}",
        }
        if "namespaces" in parts:
            meta["namespace"] = parts[parts.index("namespaces") + 1]
        new = {**(obj or {}), "metadata": meta}
        self.objects[path] = new
        self._record("MODIFIED" if old else "ADDED", path, new)
        return new

    def remove(self, path: str) -> None:
        """Delete an object if it exists."""
        old = self.objects.pop(path, None)
        if old is not None:
            self.revision += 1
            last = {**old, "metadata": {**old["metadata"], "resourceVersion": str(self.revision)}}
            self._record("DELETED", path, last)

    def compact(self) -> None:
        """Compact all history."""
        self.compacted = self.revision
        self.log.clear()

    def drop(self) -> None:
        """End every watch."""
        self._epoch += 1
        self._wake()

    def restart_empty(self) -> None:
        """Replace the store behind the same address: its revisions start again at 1."""
        self.objects.clear()
        self.log.clear()
        self.revision, self.compacted = 1, 0
        self.drop()

    def _record(self, kind: str, path: str, obj: Json) -> None:
        self.log.append((self.revision, kind, path, obj))
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    # -- what a client sees --------------------------------------------------------------------------------
    async def _enter(self, request: Request, verb: str) -> None:
        self.requests.append((asyncio.get_running_loop().time(), verb, request.path))
        if self.hang:
            await asyncio.sleep(3600)
        if self.down:
            raise Unreachable("no answer: connection refused")
        if self.refusals:
            raise_for_status(Response(400, {}, self.refusals.pop(0)))

    async def request(self, request: Request) -> Response:
        await self._enter(request, request.method)
        body = json.loads(request.body) if request.body else {}
        path = request.path
        if request.method == "POST":
            path = f"{path}/{body['metadata']['name']}"
            if path in self.objects:
                return Response(409, {}, status(409, "exists", "AlreadyExists"))
            return Response(201, {}, json.dumps(self.put(path, body)).encode())
        if request.method == "GET" and path.rsplit("/", 1)[1] in ("configmaps", "leases", "events"):
            items = [o for p, o in self.objects.items() if p.startswith(path + "/")]
            meta = {"resourceVersion": str(self.revision)}
            return Response(200, {}, json.dumps({"metadata": meta, "items": items}).encode())
        return self._one(request.method, path, body)

    def _one(self, method: str, path: str, body: Json) -> Response:
        old = self.objects.get(path)
        if old is None:
            return Response(404, {}, status(404, f"{path} not found"))
        if method == "PUT":
            if body["metadata"].get("resourceVersion") != old["metadata"]["resourceVersion"]:
                return Response(409, {}, status(409, "the object has been modified"))
            old = self.put(path, body)
        elif method == "PATCH":
            old = self.put(path, {**old, **body})
        elif method == "DELETE":
            self.remove(path)
        return Response(200, {}, json.dumps(old).encode())

    async def stream(self, request: Request) -> AsyncGenerator[list[bytes], None]:
        await self._enter(request, "WATCH")
        since = int(dict(request.query)["resourceVersion"])
        epoch = self._epoch
        if since > self.revision:
            cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
            yield [
                self._line("ERROR", json.loads(status(504, "Too large resource version", "Timeout", causes=[cause])))
            ]
            return
        if since < self.compacted:
            yield [self._line("ERROR", json.loads(status(410, "too old resource version")))]
            return
        while epoch == self._epoch and not self.down:
            changed = self._changed
            lines = [self._line(kind, obj) for at, kind, path, obj in self.log if at > since and request.path in path]
            since = max(since, self.revision)
            if self.garbage:
                lines.insert(len(lines) // 2, self.garbage.pop())
            if lines:
                yield lines
            else:
                await changed.wait()
        if self.down:
            raise Unreachable("connection lost")

    def _line(self, kind: str, obj: Json) -> bytes:
        return json.dumps({"type": kind, "object": obj}).encode()

    async def close(self) -> None:
        """Nothing to close."""


def refusal(code: int, message: str = "", **details: Any) -> bytes:
    """A body for `FakeServer.refusals`."""
    return status(code, message, **details)


def raised(code: int) -> Exception:
    """The error of a code."""
    return error_for(Status(code=code))
