"""The address of a collection of objects: what a URL needs and what discovery reports."""

from dataclasses import dataclass
from typing import Any

from pybernetes.api.kind import Kind


@dataclass(frozen=True, slots=True)
class ApiResource:
    """A resource of one API version, such as the deployments of apps/v1. The client needs no struct for it."""

    group: str
    """Empty for the core group."""
    version: str
    plural: str
    kind: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()
    """Empty where the resource does not come from discovery."""
    subresources: frozenset[str] = frozenset()

    @property
    def api_version(self) -> str:
        """`v1`, `apps/v1`"""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """`pods`, `deployments.apps`"""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def __str__(self) -> str:
        """`apps/v1, Resource=deployments`, as Kubernetes prints it in error texts."""
        return f"{self.group}/{self.version}, Resource={self.plural}"

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of an object or a collection."""
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        if self.namespaced and namespace:
            base += f"/namespaces/{namespace}"
        return "/".join(part for part in (base, self.plural, name, subresource) if part)


def resource_of(kind: Kind[Any]) -> ApiResource:
    """The address of a built-in kind."""
    return ApiResource(kind.group, kind.version, kind.plural, kind.name, kind.namespaced)
