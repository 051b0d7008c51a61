"""Endpoints: the addresses of a Service in one object. Superseded by EndpointSlices."""

from datetime import datetime
from typing import Annotated, ClassVar

from pybernetes.api import names, rules
from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.duration import age
from pybernetes.api.facts import Atomic, GoType
from pybernetes.api.field import Errors, Path
from pybernetes.api.kind import Cell, Column, Kind
from pybernetes.api.meta import Int32, Object, Struct, always
from pybernetes.api.schema import StructSchema
from pybernetes.api.tables import AGE, NAME


class EndpointAddress(Struct, kw_only=True):
    """The address of a backend."""

    type_facts: ClassVar = (Atomic(),)
    ip: str = always(str)
    hostname: str = ""
    node_name: str | None = None
    target_ref: ObjectReference | None = None


class EndpointPort(Struct, kw_only=True):
    """A port of the backends."""

    type_facts: ClassVar = (Atomic(),)
    port: Int32 = always(int)
    app_protocol: str | None = None
    name: str = ""
    protocol: Annotated[str, GoType("v1.Protocol")] = ""


class EndpointSubset(Struct, kw_only=True):
    """Addresses that have the same ports. The endpoints are all pairs of an address and a port."""

    addresses: list[EndpointAddress] = []
    not_ready_addresses: list[EndpointAddress] = []
    ports: list[EndpointPort] = []


class Endpoints(Object, kw_only=True):
    """The endpoints of the Service with the same name."""

    subsets: list[EndpointSubset] = []
    """Addresses and ports."""


SHOWN = 3


def default(obj: Endpoints) -> None:
    """The protocol of ports is TCP by default."""
    for subset in obj.subsets:
        for port in subset.ports:
            port.protocol = port.protocol or "TCP"


def validate(obj: Endpoints, errors: Errors) -> None:
    """Every subset has addresses, and addresses are unicast."""
    for index, subset in enumerate(obj.subsets):
        path = Path("subsets") @ index
        if not subset.addresses and not subset.not_ready_addresses:
            errors.required(path, "must specify `addresses` or `notReadyAddresses`")
        for name, addresses in (("addresses", subset.addresses), ("notReadyAddresses", subset.not_ready_addresses)):
            for number, address in enumerate(addresses):
                _address(address, path / name @ number, errors)
        for number, port in enumerate(subset.ports):
            _port(port, len(subset.ports) > 1, path / "ports" @ number, errors)


def _address(address: EndpointAddress, path: Path, errors: Errors) -> None:
    rules.ip(address.ip, path / "ip", errors)
    if address.hostname:
        rules.follows(address.hostname, names.dns_label, path / "hostname", errors)
    if address.node_name is not None:
        rules.follows(address.node_name, names.dns_subdomain, path / "nodeName", errors)
    rules.endpoint_ip(address.ip, path / "ip", errors)


def _port(port: EndpointPort, needs_name: bool, path: Path, errors: Errors) -> None:
    if needs_name and not port.name:
        errors.required(path / "name")
    elif port.name:
        rules.follows(port.name, names.dns_label, path / "name", errors)
    rules.port(port.port, path / "port", errors)
    rules.one_of(port.protocol, rules.PROTOCOLS, path / "protocol", errors)
    if port.app_protocol is not None:
        rules.follows(port.app_protocol, names.qualified_name, path / "appProtocol", errors)


COLUMNS = (NAME, Column("Endpoints", description="The first addresses and ports that are ready."), AGE)


def row(obj: Endpoints, now: datetime) -> list[Cell]:
    return [obj.metadata.name, _text(obj.subsets), age(obj.metadata.creation_timestamp, now)]


def _text(subsets: list[EndpointSubset]) -> str:
    if not subsets:
        return "<none>"
    found: list[str] = []
    for subset in subsets:
        if not subset.ports:
            found += [address.ip for address in subset.addresses]
        for port in subset.ports:
            found += [_join(address.ip, port.port) for address in subset.addresses]
    more = f" + {len(found) - SHOWN} more..." if len(found) > SHOWN else ""
    return ",".join(found[:SHOWN]) + more


def _join(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


KIND = Kind(
    group="",
    version="v1",
    name="Endpoints",
    plural="endpoints",
    singular="endpoints",
    schema=StructSchema(Endpoints, default=default, validate=validate),
    short_names=("ep",),
    storage="services/endpoints",
    deprecated="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    create_on_update=True,
    columns=COLUMNS,
    row=row,
)
