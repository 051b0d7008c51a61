"""A kind as it is served: where its objects are stored, and how they are converted to and from the stored version.

Most kinds are served as they are stored: the response is the stored bytes. Other versions of a kind have a converter.
Conversion is asynchronous and takes lists, since the converter of a custom resource can be a webhook.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from pybernetes.api.kind import Conversion, Kind
from pybernetes.api.meta import Object
from pybernetes.store.types import KeyValue


class ResourceName(NamedTuple):
    """The group, version and plural in a URL path."""

    group: str
    version: str
    plural: str


class Converter(Protocol):
    """Converts objects, as JSON, between a served version and the stored one."""

    async def to_served(self, values: Sequence[bytes]) -> Sequence[bytes]:
        """Stored objects, with or without a resourceVersion, in the served version."""

    async def to_storage(self, values: Sequence[bytes]) -> Sequence[bytes]:
        """Objects of the served version as they are to be stored."""


class StructConverter:
    """The converter of a built-in kind that is stored as another built-in kind."""

    def __init__(self, kind: Kind[Any], conversion: Conversion[Any]) -> None:
        self._served = kind.schema
        self._stored = conversion.storage.schema
        self._conversion = conversion

    async def to_served(self, values: Sequence[bytes]) -> Sequence[bytes]:
        """Runs in this process and does not wait."""
        load, convert, encode = self._stored.load, self._conversion.from_storage, self._served.encode
        return [encode(convert(load(value))) for value in values]

    async def to_storage(self, values: Sequence[bytes]) -> Sequence[bytes]:
        """Runs in this process and does not wait."""
        load, convert, encode = self._served.load, self._conversion.to_storage, self._stored.encode
        return [encode(convert(load(value))) for value in values]


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One served version of a kind. `storage` is the kind in whose form objects are stored."""

    kind: Kind[Any]
    storage: Kind[Any]
    converter: Converter | None = None

    @property
    def name(self) -> ResourceName:
        """The group, version and plural that clients ask for."""
        return ResourceName(self.kind.group, self.kind.version, self.kind.plural)

    def prefix(self, namespace: str = "") -> str:
        """The store's prefix of a collection."""
        prefix = self.storage.key_prefix
        return f"{prefix}{namespace}/" if namespace and self.kind.namespaced else prefix

    def key(self, namespace: str, name: str) -> str:
        """The store's key of an object."""
        return self.storage.key(namespace, name)

    async def to_served(self, value: bytes) -> bytes:
        """One stored object as clients of this version see it."""
        if self.converter is None:
            return value
        return (await self.converter.to_served([value]))[0]

    async def served(self, stored: Sequence[KeyValue]) -> Sequence[KeyValue]:
        """Stored objects with their values in this version; the same objects if this is the stored version."""
        if self.converter is None or not stored:
            return stored
        values = await self.converter.to_served([kv.value for kv in stored])
        return [
            KeyValue(kv.key, value, kv.revision, kv.create_revision) for kv, value in zip(stored, values, strict=True)
        ]

    async def read(self, kv: KeyValue) -> Any:
        """A private copy of a stored object."""
        return self.kind.schema.load(await self.to_served(kv.value))

    async def write(self, obj: Object) -> bytes:
        """The bytes to store: without a revision."""
        meta = obj.metadata
        if meta.resource_version:
            meta.resource_version = ""
        value: bytes = self.kind.schema.encode(obj)
        if self.converter is None:
            return value
        return (await self.converter.to_storage([value]))[0]


def resource_of(kind: Kind[Any]) -> Resource:
    """A built-in kind as a resource."""
    conversion = kind.conversion
    if conversion is None:
        return Resource(kind, kind)
    return Resource(kind, conversion.storage, StructConverter(kind, conversion))
