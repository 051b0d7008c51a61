"""EndpointSlice: a part of the endpoints of a Service, so that an update need not rewrite all of them."""

from datetime import datetime
from typing import Annotated, ClassVar

from pybernetes.api import names, rules
from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.duration import age
from pybernetes.api.facts import Atomic, Immutable, ListSet, Required
from pybernetes.api.field import Errors, Path
from pybernetes.api.kind import Cell, Column, Kind
from pybernetes.api.meta import Int32, Object, Struct, always
from pybernetes.api.schema import StructSchema
from pybernetes.api.tables import AGE, NAME


class EndpointConditions(Struct, kw_only=True):
    """The state of an endpoint; an unset `ready` means true."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class ForNode(Struct, kw_only=True):
    """A node that should use an endpoint."""

    name: str = always(str)


class ForZone(Struct, kw_only=True):
    """A zone that should use an endpoint."""

    name: str = always(str)


class EndpointHints(Struct, kw_only=True):
    """From where an endpoint should be used."""

    for_nodes: list[ForNode] = []
    for_zones: list[ForZone] = []


class Endpoint(Struct, kw_only=True):
    """One backend of a Service, usually a pod."""

    addresses: Annotated[list[str], Required(), ListSet()] = []
    """Addresses of the endpoint; the first one is used."""
    conditions: EndpointConditions = always(EndpointConditions)
    """Whether it is ready, serving, terminating."""
    deprecated_topology: dict[str, str] = {}
    hints: EndpointHints | None = None
    """From where it should be used."""
    hostname: str = ""
    node_name: str = ""
    """The node that it is on."""
    target_ref: ObjectReference | None = None
    """The pod behind it."""
    zone: str = ""
    """The zone that it is in."""


class EndpointPort(Struct, kw_only=True):
    """A port that all endpoints of the slice have."""

    type_facts: ClassVar = (Atomic(),)
    app_protocol: str = ""
    name: str | None = None
    port: Int32 | None = None
    protocol: str = ""


class EndpointSlice(Object, kw_only=True):
    """A part of the endpoints of a Service; its slices together hold all of them."""

    address_type: Annotated[str, Immutable()] = always(str)
    """IPv4, IPv6 or FQDN. It can't be changed."""
    endpoints: Annotated[list[Endpoint], Atomic()] = []
    """The endpoints."""
    ports: Annotated[list[EndpointPort], Atomic()] = []
    """The ports that all of them have."""


MAX_ENDPOINTS, MAX_ADDRESSES, MAX_PORTS, MAX_ZONES = 1000, 100, 20000, 8
SHOWN = 3


def default(obj: EndpointSlice) -> None:
    """Ports have an empty name and the protocol TCP by default."""
    for port in obj.ports:
        port.name = port.name or ""
        port.protocol = port.protocol or "TCP"


def validate(obj: EndpointSlice, errors: Errors) -> None:
    """All addresses have the address type of the slice."""
    rules.one_of(obj.address_type, ("FQDN", "IPv4", "IPv6"), Path("addressType"), errors)
    _endpoints(obj, errors)
    _ports(obj.ports, errors)


def _endpoints(obj: EndpointSlice, errors: Errors) -> None:
    path = Path("endpoints")
    if len(obj.endpoints) > MAX_ENDPOINTS:
        errors.too_many(path, len(obj.endpoints), MAX_ENDPOINTS)
        return
    for index, endpoint in enumerate(obj.endpoints):
        place = path @ index
        if not endpoint.addresses:
            errors.required(place / "addresses", "must contain at least 1 item")
        elif len(endpoint.addresses) > MAX_ADDRESSES:
            errors.too_many(place / "addresses", len(endpoint.addresses), MAX_ADDRESSES)
        for number, address in enumerate(endpoint.addresses):
            _address(address, obj.address_type, place / "addresses" @ number, errors)
        if endpoint.node_name:
            rules.follows(endpoint.node_name, names.dns_subdomain, place / "nodeName", errors)
        if endpoint.hostname:
            rules.follows(endpoint.hostname, names.dns_label, place / "hostname", errors)
        if endpoint.hints is not None and len(endpoint.hints.for_zones) > MAX_ZONES:
            errors.too_many(place / "hints" / "forZones", len(endpoint.hints.for_zones), MAX_ZONES)


def _address(address: str, address_type: str, path: Path, errors: Errors) -> None:
    if address_type == "FQDN":
        rules.follows(address, names.dns_subdomain, path, errors)
    elif address_type == "IPv4" and (":" in address or not rules.is_ip(address)):
        errors.invalid(path, address, "must be an IPv4 address")
    elif address_type == "IPv6" and (":" not in address or not rules.is_ip(address)):
        errors.invalid(path, address, "must be an IPv6 address")
    elif address_type in ("IPv4", "IPv6"):
        rules.unicast(address, path, errors)


def _ports(ports: list[EndpointPort], errors: Errors) -> None:
    path = Path("ports")
    if len(ports) > MAX_PORTS:
        errors.too_many(path, len(ports), MAX_PORTS)
        return
    seen: set[str] = set()
    for index, port in enumerate(ports):
        place = path @ index
        name = port.name or ""
        if name:
            rules.follows(name, names.dns_label, place / "name", errors)
        if name in seen:
            errors.duplicate(place / "name", name)
        seen.add(name)
        if port.port is not None:
            rules.port(port.port, place / "port", errors)
        rules.one_of(port.protocol, rules.PROTOCOLS, place / "protocol", errors)
        if port.app_protocol:
            rules.follows(port.app_protocol, names.qualified_name, place / "appProtocol", errors)


COLUMNS = (
    NAME,
    Column("AddressType", description="What kind of addresses the slice holds."),
    Column("Ports", description="The first ports."),
    Column("Endpoints", description="The first addresses."),
    AGE,
)


def row(obj: EndpointSlice, now: datetime) -> list[Cell]:
    ports = ["*" if port.port is None else str(port.port) for port in obj.ports]
    addresses = [address for endpoint in obj.endpoints for address in endpoint.addresses]
    return [
        obj.metadata.name,
        obj.address_type,
        _first(ports),
        _first(addresses),
        age(obj.metadata.creation_timestamp, now),
    ]


def _first(items: list[str]) -> str:
    if not items:
        return "<unset>"
    more = f" + {len(items) - SHOWN} more..." if len(items) > SHOWN else ""
    return ",".join(items[:SHOWN]) + more


KIND = Kind(
    group="discovery.k8s.io",
    version="v1",
    name="EndpointSlice",
    plural="endpointslices",
    singular="endpointslice",
    schema=StructSchema(EndpointSlice, default=default, validate=validate),
    has_generation=True,
    validate_update=rules.immutable_fields,
    columns=COLUMNS,
    row=row,
)
