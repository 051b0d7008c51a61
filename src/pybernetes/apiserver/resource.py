"""A kind as it is served: where its objects lie in the store, and how stored bytes become what clients see.

For all kinds but one the stored bytes are the answer. Events are the exception: core/v1 and events.k8s.io/v1 show
the same stored object in two forms.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pybernetes.api.core.event import Event as CoreEvent
from pybernetes.api.events import convert
from pybernetes.api.kind import Kind
from pybernetes.api.kinds import KINDS
from pybernetes.api.meta import Object
from pybernetes.apiserver import codec
from pybernetes.store.types import KeyValue


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """`to_served` maps stamped stored bytes to the bytes of this kind, `to_storage` an object to its stored form."""

    kind: Kind[Any]
    storage: Kind[Any]
    to_served: Callable[[bytes], bytes] = _same
    to_storage: Callable[[Any], Object] = _same
    converts: bool = False

    def prefix(self, namespace: str = "") -> str:
        """The store's prefix of a collection."""
        prefix = self.storage.key_prefix
        return f"{prefix}{namespace}/" if namespace and self.kind.namespaced else prefix

    def key(self, namespace: str, name: str) -> str:
        """The store's key of an object."""
        return self.storage.key(namespace, name)

    def read(self, kv: KeyValue) -> Any:
        """A private copy of a stored object."""
        return codec.decode(self.to_served(kv.value), self.kind.struct)

    def write(self, obj: Object) -> bytes:
        """The bytes to store: without a revision."""
        meta = obj.metadata
        if meta.resource_version:
            meta.resource_version = ""
        return codec.encode(self.to_storage(obj))


def resources() -> dict[tuple[str, str, str], Resource]:
    """Every stored kind by (group, version, plural)."""
    found = {(k.group, k.version, k.plural): Resource(k, k) for k in KINDS if k.stored}
    core = found["", "v1", "events"].kind
    newer = found["events.k8s.io", "v1", "events"].kind
    found["events.k8s.io", "v1", "events"] = Resource(
        newer, core, to_served=_newer_event, to_storage=convert.to_core, converts=True
    )
    return found


def _newer_event(value: bytes) -> bytes:
    """A stored event, which is in the core form, in that of events.k8s.io."""
    return codec.encode(convert.from_core(codec.decode(value, CoreEvent)))
