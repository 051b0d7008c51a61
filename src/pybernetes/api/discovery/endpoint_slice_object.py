"""The structs of an EndpointSlice."""

from typing import Annotated, ClassVar

from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.facts import Atomic, GoType, ListSet, Required
from pybernetes.api.meta import Int32, Object, Struct, always


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
    hostname: str | None = None
    node_name: str | None = None
    """The node that it is on."""
    target_ref: ObjectReference | None = None
    """The pod behind it."""
    zone: str | None = None
    """The zone that it is in."""


class EndpointPort(Struct, kw_only=True):
    """A port that all endpoints of the slice have."""

    type_facts: ClassVar = (Atomic(),)
    app_protocol: str | None = None
    name: str | None = None
    port: Int32 | None = None
    protocol: Annotated[str | None, GoType("v1.Protocol")] = None


class EndpointSlice(Object, kw_only=True):
    """A part of the endpoints of a Service; its slices together hold all of them."""

    address_type: Annotated[str, GoType("v1.AddressType")] = always(str)
    """IPv4, IPv6 or FQDN. It can't be changed."""
    endpoints: Annotated[list[Endpoint], Atomic()] = []
    """The endpoints."""
    ports: Annotated[list[EndpointPort], Atomic()] = []
    """The ports that all of them have."""
