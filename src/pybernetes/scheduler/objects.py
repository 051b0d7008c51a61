"""Objects other than nodes, pods and namespaces that a plugin looks at: Services, claims, a custom resource."""

from collections import defaultdict
from typing import Any, Protocol, TypeVar, cast

from pybernetes.api.meta import Object
from pybernetes.client.informer import Cache

K = TypeVar("K", bound=Object)


class Objects(Protocol):
    """Passed to the factory of a plugin."""

    def of(self, kind: type[K], /) -> Cache[K]:
        """The cache of a kind, read-only. Asking for it makes the scheduler follow that kind."""


class FixedObjects:
    """Objects that do not change: for `pybernetes why`, and for tests."""

    def __init__(self, *objects: Object) -> None:
        self._caches: dict[type[Object], Cache[Any]] = defaultdict(Cache)
        for obj in objects:
            self._caches[type(obj)].put(obj)

    def of(self, kind: type[K], /) -> Cache[K]:
        """The cache of a kind."""
        return cast("Cache[K]", self._caches[kind])
