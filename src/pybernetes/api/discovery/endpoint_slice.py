"""EndpointSlice: a part of the endpoints of a Service, so that an update need not rewrite all of them."""

from datetime import datetime

from pybernetes.api.discovery.endpoint_slice_object import (
    Endpoint,
    EndpointConditions,
    EndpointHints,
    EndpointPort,
    EndpointSlice,
    ForNode,
    ForZone,
)
from pybernetes.api.discovery.validation import validate, validate_update
from pybernetes.api.duration import age
from pybernetes.api.kind import Cell, Column, Kind
from pybernetes.api.schema import StructSchema
from pybernetes.api.tables import AGE, NAME

__all__ = [
    "KIND",
    "Endpoint",
    "EndpointConditions",
    "EndpointHints",
    "EndpointPort",
    "EndpointSlice",
    "ForNode",
    "ForZone",
]

SHOWN = 3


def default(obj: EndpointSlice) -> None:
    """Ports have an empty name and the protocol TCP by default."""
    for port in obj.ports:
        port.name = port.name or ""
        if port.protocol is None:
            port.protocol = "TCP"


def drop_topology(new: EndpointSlice, old: EndpointSlice | None = None) -> None:
    """The deprecated topology cannot be written. It remains in endpoints that do not change."""
    if old is not None and new.endpoints == old.endpoints:
        return
    for endpoint in new.endpoints:
        endpoint.deprecated_topology = {}


def warnings(new: EndpointSlice, old: EndpointSlice | None) -> list[str]:
    """What kube-apiserver warns about."""
    return ["spec.addressType: FQDN endpoints are deprecated"] if new.address_type == "FQDN" else []


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
    prepare_create=drop_topology,
    prepare_update=drop_topology,
    validate_update=validate_update,
    warnings=warnings,
    columns=COLUMNS,
    row=row,
)
