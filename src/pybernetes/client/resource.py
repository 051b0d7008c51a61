"""The verbs on one resource: requests on a `Transport`, with answers decoded and refusals raised as errors.

    pods = client.of(Pod)                                  # typed by a struct
    widgets = client.metadata(ApiResource("example.com", "v1", "widgets", "Widget", namespaced=True))

The second form asks for metadata only and works for every resource that a server has, known here or not.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar, cast

import msgspec

from pybernetes.api.meta import DeleteOptions, ListMeta, Object, ObjectMeta, Preconditions
from pybernetes.client.api_resource import ApiResource
from pybernetes.client.decoding import decode, decode_metadata, decode_status, raise_for_status
from pybernetes.client.errors import ApiError, BadAnswer, error_for
from pybernetes.client.transport import Request, Transport

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Object)
Propagation = Literal["Background", "Foreground", "Orphan"]
EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

JSON = "application/json"

#: Objects of a list that are decoded between two turns of the event loop.
_SLICE = 500


@dataclass(frozen=True, slots=True)
class Accept:
    """The Accept headers of requests for one object (and watches), and for lists."""

    one: str = JSON
    list: str = JSON


_PARTIAL = "application/json;as=PartialObjectMetadata%s;g=meta.k8s.io;v=v1,application/json"
METADATA_ONLY = Accept(_PARTIAL % "", _PARTIAL % "List")


class PartialObjectMetadata(Object):
    """Only the metadata of an object, of whatever kind."""


class _ListEnvelope(msgspec.Struct):
    metadata: ListMeta = msgspec.field(default_factory=ListMeta)
    items: list[msgspec.Raw] | None = None


class _EventEnvelope(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Bookmark(msgspec.Struct):
    metadata: ObjectMeta


class ObjectList(msgspec.Struct, Generic[K], frozen=True):
    """A page of objects, current at `resource_version`; `continue_token` asks for the next page."""

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

_LIST = msgspec.json.Decoder(_ListEnvelope)
_EVENT = msgspec.json.Decoder(_EventEnvelope)
_BOOKMARK = msgspec.json.Decoder(_Bookmark)


class Resource(Generic[K]):
    """The verbs on one resource. `namespace` is "" for cluster-scoped ones, and for all namespaces in list and watch.

    An object of a list or a watch that can't be decoded is logged and left out: it must not keep a component from
    seeing the others.
    """

    def __init__(self, transport: Transport, api: ApiResource, struct: type[K], accept: Accept | None = None) -> None:
        self._transport = transport
        self.api = api
        self._accept = accept or Accept()
        self._decoder = msgspec.json.Decoder(struct)
        self._encoder = msgspec.json.Encoder()
        self._unreadable: set[str] = set()

    async def _send(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: bytes = b"",
        content_type: str = JSON,
        accept: str = "",
    ) -> bytes:
        response = await self._transport.request(
            Request(
                method=method,
                path=path,
                query=tuple((k, v) for k, v in (query or {}).items() if v),
                headers={"content-type": content_type, "accept": accept or self._accept.one},
                body=body,
            )
        )
        raise_for_status(response)
        return response.body

    def _object_path(self, namespace: str, name: str, subresource: str = "") -> str:
        """The path of one object. An empty name would address the collection, and `..` another one."""
        for part in (namespace, name, subresource):
            if "/" in part or "%" in part or part in (".", ".."):
                raise ValueError(f"{part!r} can't be part of the path of an object of {self.api.resource}")
        if not name:
            raise ValueError(f"a request for one object in {self.api.resource} needs a name")
        return self.api.path(namespace, name, subresource)

    def encode(self, obj: K) -> bytes:
        """The object as JSON, with apiVersion and kind filled in."""
        if not obj.kind:
            obj = msgspec.structs.replace(obj, api_version=self.api.api_version, kind=self.api.kind)
        return self._encoder.encode(obj)

    async def get(self, name: str, *, namespace: str = "", subresource: str = "") -> K:
        """One object; raises NotFound."""
        return decode(self._decoder, await self._send("GET", self._object_path(namespace, name, subresource)))

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
        page = decode(_LIST, await self._send("GET", self.api.path(namespace), query, accept=self._accept.list))
        raw = page.items or []
        items: list[K] = []
        for start in range(0, len(raw), _SLICE):
            items += filter(None, map(self._decode_or_skip, raw[start : start + _SLICE]))
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
        """Batches of changes since a revision, in order. Raises Gone when the server no longer has that revision."""
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
            path=self.api.path(namespace),
            query=tuple((k, v) for k, v in query.items() if v),
            headers={"content-type": JSON, "accept": self._accept.one},
        )
        async with aclosing(self._transport.stream(request)) as stream:
            async for lines in stream:
                events: Events[K] = []
                try:
                    for line in lines:
                        events.append(self._event(line))
                except (ApiError, BadAnswer):
                    # Deliver the events decoded before the error, then raise it.
                    yield events
                    raise
                yield events

    def _event(self, line: bytes) -> WatchEvent[K]:
        envelope = decode(_EVENT, line)
        if envelope.type == "ERROR":
            raise error_for(decode_status(envelope.object))
        if envelope.type == "BOOKMARK":
            mark = decode(_BOOKMARK, envelope.object)
            return WatchEvent("BOOKMARK", None, mark.metadata.resource_version)
        obj = self._decode_or_skip(envelope.object)
        if obj is None:
            bare = decode_metadata(self._decoder, envelope.object)
            revision = bare.metadata.resource_version
            # To know that an object is gone, its name is enough. Any other change only moves the watch on.
            return WatchEvent("DELETED", bare, revision) if envelope.type == "DELETED" else _moved(revision)
        return WatchEvent(cast("EventType", envelope.type), obj, obj.metadata.resource_version)

    def _decode_or_skip(self, data: msgspec.Raw) -> K | None:
        try:
            return decode(self._decoder, data)
        except BadAnswer as error:
            self._report_unreadable(data, error)
            return None

    def _report_unreadable(self, data: msgspec.Raw, error: BadAnswer) -> None:
        """Log an object that can't be decoded, once and not at each of its changes. Raises BadAnswer if it is none."""
        meta = decode_metadata(self._decoder, data).metadata
        if meta.uid not in self._unreadable:
            self._unreadable.add(meta.uid)
            name = f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name
            log.error("%s %s is skipped: %s", self.api.resource, name, error)

    async def create(self, obj: K, *, namespace: str = "") -> K:
        """Create, in the namespace of the object unless one is given. Raises AlreadyExists, Invalid."""
        path = self.api.path(namespace or obj.metadata.namespace)
        return decode(self._decoder, await self._send("POST", path, body=self.encode(obj)))

    async def update(self, obj: K, *, subresource: str = "") -> K:
        """Replace. Raises Conflict if the object's resourceVersion is not the latest."""
        meta = obj.metadata
        path = self._object_path(meta.namespace, meta.name, subresource)
        return decode(self._decoder, await self._send("PUT", path, body=self.encode(obj)))

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
        """Patch: `patch` is a JSON-like value (or a struct) in the format of `content_type`."""
        return decode(
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
        """Delete. Raises Conflict if a uid or resourceVersion is given and differs from the object's."""
        options = DeleteOptions(
            kind="DeleteOptions",
            api_version="v1",
            grace_period_seconds=grace_period_seconds,
            propagation_policy=propagation,
        )
        if uid or resource_version:
            options.preconditions = Preconditions(uid=uid or None, resource_version=resource_version or None)
        path = self._object_path(namespace, name)
        await self._send("DELETE", path, body=self._encoder.encode(options), accept=JSON)

    async def delete_collection(self, *, namespace: str = "", propagation: Propagation | None = None) -> None:
        """Delete all objects of a namespace, or of the cluster."""
        options = DeleteOptions(kind="DeleteOptions", api_version="v1", propagation_policy=propagation)
        await self._send("DELETE", self.api.path(namespace), body=self._encoder.encode(options), accept=JSON)

    async def call(self, name: str, subresource: str, body: Object, *, namespace: str = "") -> bytes:
        """POST to a subresource such as binding, eviction or token; returns the answer's bytes."""
        path = self._object_path(namespace, name, subresource)
        return await self._send("POST", path, body=self._encoder.encode(body))


def _moved(revision: str) -> WatchEvent[K]:
    return WatchEvent("BOOKMARK", None, revision)
