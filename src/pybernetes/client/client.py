"""Typed requests: `await client.of(Pod).get("web", namespace="default")`.

A `Client` turns verbs on structs into requests on a `Transport`, and refusals into errors. It keeps no state.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Generic, Literal, TypeVar, cast

import msgspec

from pybernetes.api.kind import Kind
from pybernetes.api.kinds import kind_of
from pybernetes.api.meta import DeleteOptions, ListMeta, Object, ObjectMeta, Preconditions, Status, StatusDetails
from pybernetes.client.errors import ApiError, BadAnswer, error_for
from pybernetes.client.transport import Request, Response, Transport

K = TypeVar("K", bound=Object)
Propagation = Literal["Background", "Foreground", "Orphan"]
EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

_JSON = {"content-type": "application/json", "accept": "application/json"}

#: Objects of a list that are decoded at a time, so that a long list does not hold up the event loop.
_SLICE = 500

T = TypeVar("T")


class _ListEnvelope(msgspec.Struct):
    metadata: ListMeta = msgspec.field(default_factory=ListMeta)
    items: list[msgspec.Raw] | None = None


class _EventEnvelope(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Bookmark(msgspec.Struct):
    metadata: ObjectMeta


class ObjectList(msgspec.Struct, Generic[K], frozen=True):
    """A page of objects, true at `resource_version`; `continue_token` asks for the next page."""

    items: list[K]
    resource_version: str
    continue_token: str = ""
    remaining: int = 0


class WatchEvent(msgspec.Struct, Generic[K], frozen=True):
    """A change. A BOOKMARK has no object, only the revision that the watch has reached."""

    type: EventType
    object: K | None
    resource_version: str


Events = list[WatchEvent[K]]
"""Changes that arrived together, in order."""


def refuse(response: Response) -> None:
    """Raise the error that a response stands for, if any."""
    if response.status < 400:
        return
    try:
        status = msgspec.json.decode(response.body, type=Status)
    except msgspec.DecodeError:
        status = Status(message=response.body[:1000].decode(errors="replace"))
    if status.code < 400:
        status.code = response.status
    retry = response.headers.get("retry-after", "")
    if retry.isdigit():
        status.details = status.details or StatusDetails()
        status.details.retry_after_seconds = status.details.retry_after_seconds or int(retry)
    raise error_for(status)


def _decode(decoder: "msgspec.json.Decoder[T]", data: bytes | msgspec.Raw) -> T:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadAnswer(f"the answer is not what was asked for: {error}: {bytes(data)[:80]!r}") from error


_LIST = msgspec.json.Decoder(_ListEnvelope)
_EVENT = msgspec.json.Decoder(_EventEnvelope)
_BOOKMARK = msgspec.json.Decoder(_Bookmark)
_STATUS = msgspec.json.Decoder(Status)


class Client:
    """An API server as one user sees it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._resources: dict[type[Object], Resource[Any]] = {}

    def of(self, struct: type[K]) -> "Resource[K]":
        """The requests on one kind."""
        known = self._resources.get(struct)
        if known is None:
            known = self._resources[struct] = Resource(self._transport, kind_of(struct))
        return cast("Resource[K]", known)

    async def raw(self, method: str, path: str, body: bytes = b"", **query: str) -> bytes:
        """Any other request, such as GET /version."""
        response = await self._transport.request(
            Request(method=method, path=path, query=tuple(query.items()), headers=_JSON, body=body)
        )
        refuse(response)
        return response.body

    async def close(self) -> None:
        """Close the transport."""
        await self._transport.close()


class Resource(Generic[K]):
    """The verbs on one kind. `namespace` is "" for cluster-scoped kinds, and for all namespaces in list and watch."""

    def __init__(self, transport: Transport, kind: Kind[K]) -> None:
        self._transport = transport
        self.kind = kind
        self._decoder = msgspec.json.Decoder(kind.struct)
        self._encoder = msgspec.json.Encoder()

    async def _send(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: bytes = b"",
        content_type: str = "application/json",
    ) -> bytes:
        response = await self._transport.request(
            Request(
                method=method,
                path=path,
                query=tuple((k, v) for k, v in (query or {}).items() if v),
                headers=_JSON if content_type == "application/json" else {**_JSON, "content-type": content_type},
                body=body,
            )
        )
        refuse(response)
        return response.body

    def _object_path(self, namespace: str, name: str, subresource: str = "") -> str:
        """The path of one object. An empty name would be the whole collection, and `..` another one."""
        for part in (namespace, name, subresource):
            if "/" in part or "%" in part or part in (".", ".."):
                raise ValueError(f"{part!r} can't be part of the path of an object in {self.kind.resource}")
        if not name:
            raise ValueError(f"a request for one object in {self.kind.resource} needs its name")
        return self.kind.path(namespace, name, subresource)

    def encode(self, obj: K) -> bytes:
        """The object's JSON, with apiVersion and kind filled in."""
        if not obj.kind:
            obj = msgspec.structs.replace(obj, api_version=self.kind.api_version, kind=self.kind.name)
        return self._encoder.encode(obj)

    async def get(self, name: str, *, namespace: str = "") -> K:
        """One object; raises NotFound."""
        return _decode(self._decoder, await self._send("GET", self._object_path(namespace, name)))

    async def list(
        self,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        continue_token: str = "",
        resource_version: str = "",
    ) -> ObjectList[K]:
        """The objects that match, or one page of them."""
        query = {
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "limit": str(limit) if limit else "",
            "continue": continue_token,
            "resourceVersion": resource_version,
        }
        page = _decode(_LIST, await self._send("GET", self.kind.path(namespace), query))
        raw = page.items or []
        items: list[K] = []
        for start in range(0, len(raw), _SLICE):
            items += [_decode(self._decoder, item) for item in raw[start : start + _SLICE]]
            if start:
                await asyncio.sleep(0)
        return ObjectList(
            items=items,
            resource_version=page.metadata.resource_version,
            continue_token=page.metadata.continue_,
            remaining=page.metadata.remaining_item_count or 0,
        )

    async def watch(
        self,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
        timeout_seconds: int = 0,
    ) -> AsyncGenerator[Events[K], None]:
        """Batches of changes since a revision, in order; raises Gone when the revision is no longer kept."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "resourceVersion": resource_version,
            "timeoutSeconds": str(timeout_seconds) if timeout_seconds else "",
        }
        request = Request(
            method="GET",
            path=self.kind.path(namespace),
            query=tuple((k, v) for k, v in query.items() if v),
            headers=_JSON,
        )
        async with aclosing(self._transport.stream(request)) as stream:
            async for lines in stream:
                events: Events[K] = []
                try:
                    for line in lines:
                        events.append(self._event(line))
                except (ApiError, BadAnswer):
                    # What came whole before the fault counts; the fault follows.
                    yield events
                    raise
                yield events

    def _event(self, line: bytes) -> WatchEvent[K]:
        envelope = _decode(_EVENT, line)
        if envelope.type == "ERROR":
            raise error_for(_decode(_STATUS, envelope.object))
        if envelope.type == "BOOKMARK":
            mark = _decode(_BOOKMARK, envelope.object)
            return WatchEvent("BOOKMARK", None, mark.metadata.resource_version)
        obj = _decode(self._decoder, envelope.object)
        return WatchEvent(cast("EventType", envelope.type), obj, obj.metadata.resource_version)

    async def create(self, obj: K, *, namespace: str = "") -> K:
        """Create; the namespace is the object's own unless given. Raises AlreadyExists, Invalid."""
        path = self.kind.path(namespace or obj.metadata.namespace)
        return _decode(self._decoder, await self._send("POST", path, body=self.encode(obj)))

    async def update(self, obj: K, *, subresource: str = "") -> K:
        """Replace; raises Conflict if the object's resourceVersion is not the latest."""
        meta = obj.metadata
        path = self._object_path(meta.namespace, meta.name, subresource)
        return _decode(self._decoder, await self._send("PUT", path, body=self.encode(obj)))

    async def update_status(self, obj: K) -> K:
        """Replace the status only."""
        return await self.update(obj, subresource="status")

    async def patch(
        self,
        name: str,
        patch: object,
        *,
        namespace: str = "",
        subresource: str = "",
        content_type: str = MERGE_PATCH,
        field_manager: str = "",
        force: bool = False,
    ) -> K:
        """Change a part: `patch` is a JSON-like value (or a struct) in the form that `content_type` names."""
        return _decode(
            self._decoder,
            await self._send(
                "PATCH",
                self._object_path(namespace, name, subresource),
                {"fieldManager": field_manager, "force": "true" if force else ""},
                self._encoder.encode(patch),
                content_type,
            ),
        )

    async def delete(
        self,
        name: str,
        *,
        namespace: str = "",
        grace_period_seconds: int | None = None,
        propagation: Propagation | None = None,
        uid: str = "",
        resource_version: str = "",
    ) -> None:
        """Delete, on condition that uid and resourceVersion (where given) are still the same, else Conflict."""
        options = DeleteOptions(
            kind="DeleteOptions",
            api_version="v1",
            grace_period_seconds=grace_period_seconds,
            propagation_policy=propagation,
        )
        if uid or resource_version:
            options.preconditions = Preconditions(uid=uid or None, resource_version=resource_version or None)
        await self._send("DELETE", self._object_path(namespace, name), body=self._encoder.encode(options))

    async def call(self, name: str, subresource: str, body: Object, *, namespace: str = "") -> bytes:
        """POST to a subresource such as binding, eviction or token; returns the answer's bytes."""
        path = self._object_path(namespace, name, subresource)
        return await self._send("POST", path, body=self._encoder.encode(body))
