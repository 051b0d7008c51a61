"""Packing endpoints into EndpointSlices with as few writes as possible. Pure; used for Services and for mirrors.

Every proxy on every node receives every write, so a changed endpoint must cost one slice at most: endpoints stay in
their slice, and new ones fill slices that must be written anyway, then the fullest slice with room.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from pybernetes.api.discovery.endpoint_slice import Endpoint, EndpointPort, EndpointSlice
from pybernetes.api.meta import ObjectMeta, OwnerReference
from pybernetes.controllers.service_pods import LAST_CHANGE

Ports = tuple[tuple[str, int, str, str], ...]
"""(name, port, protocol, application protocol) of each port, sorted"""
Desired = dict[str, dict[Ports, list[Endpoint]]]
"""address type -> ports -> endpoints; has each address type of the Service, even without endpoints"""


@dataclass(frozen=True, slots=True)
class Head:
    """The metadata that all slices of one Service share."""

    name: str
    namespace: str
    labels: dict[str, str]
    owner: OwnerReference
    annotations: dict[str, str] = field(default_factory=dict)
    trigger: str = ""
    capacity: int = 100
    """the most endpoints in one slice"""


@dataclass(slots=True)
class SlicePlan:
    """The writes that lead to the desired endpoints."""

    create: list[EndpointSlice] = field(default_factory=list)
    update: list[EndpointSlice] = field(default_factory=list)
    delete: list[EndpointSlice] = field(default_factory=list)


@dataclass(slots=True)
class _Bin:
    """A slice being packed."""

    source: EndpointSlice
    endpoints: list[Endpoint]
    changed: bool
    capacity: int

    @property
    def room(self) -> int:
        return self.capacity - len(self.endpoints)


def identity(endpoint: Endpoint) -> Hashable:
    """What identifies an endpoint, whatever its conditions are."""
    return tuple(endpoint.addresses), endpoint.target_ref.uid if endpoint.target_ref else "", endpoint.hostname


def ports_of(item: EndpointSlice) -> Ports:
    """The ports of a slice, comparable."""
    return tuple(sorted((p.name or "", p.port or 0, p.protocol or "TCP", p.app_protocol or "") for p in item.ports))


def plan(existing: Sequence[EndpointSlice], desired: Desired, head: Head) -> SlicePlan:
    """The writes that turn the existing slices into the desired endpoints."""
    result = SlicePlan()
    groups: dict[tuple[str, Ports], list[EndpointSlice]] = defaultdict(list)
    for item in existing:
        groups[item.address_type, ports_of(item)].append(item)
    for address_type, by_ports in desired.items():
        # A Service without endpoints has one empty slice, so that readers can tell it from one not processed yet.
        wanted = {ports: found for ports, found in by_ports.items() if found} or {(): []}
        for ports, endpoints in wanted.items():
            _pack(groups.pop((address_type, ports), []), endpoints, address_type, ports, head, result)
    result.delete += [item for left in groups.values() for item in left]
    return result


def _pack(
    existing: Iterable[EndpointSlice],
    endpoints: Sequence[Endpoint],
    address_type: str,
    ports: Ports,
    head: Head,
    result: SlicePlan,
) -> None:
    wanted = {identity(endpoint): endpoint for endpoint in endpoints}
    bins = [_keep(item, wanted, head) for item in sorted(existing, key=lambda s: s.metadata.name)]
    missing = list(wanted.values())
    for bin in bins:
        if bin.changed and bin.endpoints:
            missing = _fill(bin, missing)
    if missing and len(missing) < head.capacity:
        fitting = [bin for bin in bins if bin.room >= len(missing)]
        if fitting:
            missing = _fill(min(fitting, key=lambda bin: bin.room), missing)
    for start in range(0, len(missing), head.capacity):
        result.create.append(_new(address_type, ports, missing[start : start + head.capacity], head))
    _add_writes(bins, bool(endpoints), result, head)
    if not endpoints and not bins:
        result.create.append(_new(address_type, ports, [], head))


def _keep(item: EndpointSlice, wanted: dict[Hashable, Endpoint], head: Head) -> _Bin:
    """A bin with the endpoints of a slice that stay, updated; they are removed from `wanted`."""
    kept = [found for endpoint in item.endpoints if (found := wanted.pop(identity(endpoint), None)) is not None]
    changed = kept != item.endpoints or item.metadata.labels != head.labels
    return _Bin(item, kept, changed, head.capacity)


def _fill(bin: _Bin, missing: list[Endpoint]) -> list[Endpoint]:
    """Fill a bin; returns the endpoints that don't fit."""
    part = missing[: bin.room]
    if part:
        bin.endpoints += part
        bin.changed = True
    return missing[len(part) :]


def _add_writes(bins: Sequence[_Bin], needed: bool, result: SlicePlan, head: Head) -> None:
    """Update changed slices and delete empty ones. A Service without endpoints keeps one empty slice."""
    placeholder_kept = needed
    for bin in bins:
        if not bin.endpoints and placeholder_kept:
            result.delete.append(bin.source)
            continue
        if not bin.endpoints:
            placeholder_kept = True
        if bin.changed:
            meta = replace(bin.source.metadata, labels=head.labels, annotations=_annotations(head))
            result.update.append(replace(bin.source, endpoints=bin.endpoints, metadata=meta))


def _annotations(head: Head) -> dict[str, str]:
    return {**head.annotations, LAST_CHANGE: head.trigger} if head.trigger else head.annotations


def _new(address_type: str, ports: Ports, endpoints: list[Endpoint], head: Head) -> EndpointSlice:
    meta = ObjectMeta(
        generate_name=head.name + "-",
        namespace=head.namespace,
        labels=head.labels,
        annotations=_annotations(head),
        owner_references=[head.owner],
    )
    return EndpointSlice(
        metadata=meta,
        address_type=address_type,
        endpoints=endpoints,
        ports=[
            EndpointPort(name=name, port=port, protocol=proto, app_protocol=app or None)
            for name, port, proto, app in ports
        ],
    )
