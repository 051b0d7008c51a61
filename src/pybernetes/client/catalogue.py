"""What a server offers at one moment, and how to read it from discovery documents. Pure.

Aggregated discovery (`apidiscovery.k8s.io/v2`) has everything in two documents; servers without it have one document
per group version. A group version that can't be discovered, for instance because the API server behind it is down, is
in `Catalogue.failed`: what it would list is unknown, which is not the same as absent.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from pybernetes.client.api_resource import ApiResource


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The resources of all served versions, those of a group's preferred version first."""

    resources: tuple[ApiResource, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    """group version -> why it could not be discovered"""
    malformed: str = ""
    """What is wrong with the documents themselves, such as an unreadable group version."""

    def preferred(self) -> list[ApiResource]:
        """Each resource once, in the version that the server prefers."""
        found: dict[tuple[str, str], ApiResource] = {}
        for resource in self.resources:
            found.setdefault((resource.group, resource.plural), resource)
        return list(found.values())

    def find(self, api_version: str, kind: str) -> ApiResource | None:
        """The resource of a kind, as owner references name it; None if the server has none or it is unknown."""
        for resource in self.resources:
            if resource.kind == kind and resource.api_version == api_version:
                return resource
        return None

    def failure(self) -> str:
        """The error text of Kubernetes about group versions that could not be discovered; empty if there are none."""
        if not self.failed:
            return ""
        groups = ", ".join(sorted(f"{version}: {why}" for version, why in self.failed.items()))
        return f"unable to retrieve the complete list of server APIs: {groups}"


class _Kind(msgspec.Struct):
    kind: str = ""


class _Subresource(msgspec.Struct):
    subresource: str


class _Resource(msgspec.Struct, rename="camel"):
    resource: str
    scope: str
    response_kind: _Kind | None = None
    verbs: list[str] | None = None
    subresources: list[_Subresource] | None = None


class _Version(msgspec.Struct):
    version: str
    resources: list[_Resource] | None = None
    freshness: str = ""


class _Name(msgspec.Struct):
    name: str = ""


class _Group(msgspec.Struct):
    metadata: _Name
    versions: list[_Version] | None = None


class AggregatedDocument(msgspec.Struct):
    """APIGroupDiscoveryList."""

    items: list[_Group] | None = None


class _GroupVersion(msgspec.Struct, rename="camel"):
    group_version: str = ""
    version: str = ""


class _PlainGroup(msgspec.Struct, rename="camel"):
    name: str
    versions: list[_GroupVersion] | None = None
    preferred_version: _GroupVersion = msgspec.field(default_factory=_GroupVersion)


class GroupsDocument(msgspec.Struct):
    """APIGroupList, at /apis."""

    groups: list[_PlainGroup] | None = None

    def versions(self) -> list[str]:
        """All group versions, the preferred one of each group first."""
        found = []
        for group in self.groups or ():
            best = group.preferred_version.group_version
            listed = [version.group_version for version in group.versions or ()]
            found += sorted(listed, key=lambda version: version != best)
        return found


class CoreDocument(msgspec.Struct):
    """APIVersions, at /api."""

    versions: list[str] | None = None


class _PlainResource(msgspec.Struct):
    name: str
    namespaced: bool = False
    kind: str = ""
    verbs: list[str] | None = None


class ResourcesDocument(msgspec.Struct):
    """APIResourceList, at /api/v1 or /apis/apps/v1."""

    resources: list[_PlainResource] | None = None


def from_aggregated(documents: Iterable[AggregatedDocument]) -> Catalogue:
    """The catalogue of the aggregated documents of /api and /apis."""
    resources: list[ApiResource] = []
    failed = {}
    for document in documents:
        for group in document.items or ():
            name = group.metadata.name
            for version in group.versions or ():
                if version.freshness == "Stale":
                    group_version = f"{name}/{version.version}" if name else version.version
                    failed[group_version] = f"stale GroupVersion discovery: {group_version}"
                    continue
                resources += (_resource(name, version.version, one) for one in version.resources or ())
    return Catalogue(tuple(one for one in resources if one.kind), failed)


def _resource(group: str, version: str, one: _Resource) -> ApiResource:
    return ApiResource(
        group=group,
        version=version,
        plural=one.resource,
        kind=one.response_kind.kind if one.response_kind else "",
        namespaced=one.scope == "Namespaced",
        verbs=frozenset(one.verbs or ()),
        subresources=frozenset(sub.subresource for sub in one.subresources or ()),
    )


def from_plain(documents: Mapping[str, ResourcesDocument], failed: Mapping[str, str]) -> Catalogue:
    """The catalogue of one document per group version, in order of preference."""
    resources: list[ApiResource] = []
    for group_version, document in documents.items():
        if group_version.count("/") > 1:
            return Catalogue(failed=failed, malformed=f"unexpected GroupVersion string: {group_version}")
        resources += _plain_resources(group_version, document.resources or [])
    return Catalogue(tuple(resources), failed)


def _plain_resources(group_version: str, listed: list[_PlainResource]) -> list[ApiResource]:
    group, _, version = group_version.rpartition("/")
    subresources: dict[str, set[str]] = {}
    for one in listed:
        plural, slash, name = one.name.partition("/")
        if slash:
            subresources.setdefault(plural, set()).add(name)
    return [
        ApiResource(
            group=group,
            version=version,
            plural=one.name,
            kind=one.kind,
            namespaced=one.namespaced,
            verbs=frozenset(one.verbs or ()),
            subresources=frozenset(subresources.get(one.name, ())),
        )
        for one in listed
        if "/" not in one.name
    ]
