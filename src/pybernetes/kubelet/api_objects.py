"""The API objects that the pods of this node refer to: keys, reading, and data. Pure.

Each user of objects declares them (`environment_references`, `VolumePlugin.references`, ...), and the kubelet watches
them for as long as the pod is on the node.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.core.secret import Secret
from pybernetes.api.meta import Object

K = TypeVar("K", bound=Object)


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """Identifies an object. The namespace is empty for cluster-scoped kinds."""

    type: type[Object]
    namespace: str
    name: str


class Objects(Protocol):
    """Reads API objects."""

    async def get(self, type_: type[K], namespace: str, name: str) -> K:
        """Read an object; raises NotFound or another ApiError, or Unreachable."""


def config_map_data(found: ConfigMap) -> dict[str, bytes]:
    """A ConfigMap's data, binary data included."""
    return {**{key: text.encode() for key, text in found.data.items()}, **_decoded(found.binary_data)}


def secret_data(found: Secret) -> dict[str, bytes]:
    """A Secret's data, decoded."""
    return _decoded(found.data)


def _decoded(data: dict[str, str]) -> dict[str, bytes]:
    """Decode base64 values. An invalid one becomes empty; the API server does not accept such values."""
    decoded = {}
    for key, text in data.items():
        try:
            decoded[key] = base64.b64decode(text, validate=False)
        except binascii.Error:
            decoded[key] = b""
    return decoded
