"""TODOC discovery/endpoint_slice.py"""

from typing import Annotated

from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.facts import Atomic
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, Struct, always


class EndpointConditions(Struct, kw_only=True):
    """TODOC EndpointConditions"""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class ForNode(Struct, kw_only=True):
    """TODOC ForNode"""

    name: str = always(str)


class ForZone(Struct, kw_only=True):
    """TODOC ForZone"""

    name: str = always(str)


class EndpointHints(Struct, kw_only=True):
    """TODOC EndpointHints"""

    for_nodes: list[ForNode] = []
    for_zones: list[ForZone] = []


class Endpoint(Struct, kw_only=True):
    """TODOC Endpoint"""

    addresses: list[str] = []
    conditions: EndpointConditions = always(EndpointConditions)
    deprecated_topology: dict[str, str] = {}
    hints: EndpointHints | None = None
    hostname: str = ""
    node_name: str = ""
    target_ref: ObjectReference | None = None
    zone: str = ""


class EndpointPort(Struct, kw_only=True):
    """TODOC EndpointPort"""

    app_protocol: str = ""
    name: str | None = None
    port: int | None = None
    protocol: str = ""


class EndpointSlice(Object, kw_only=True):
    """TODOC EndpointSlice"""

    address_type: str = always(str)
    endpoints: Annotated[list[Endpoint], Atomic()] = []
    ports: Annotated[list[EndpointPort], Atomic()] = []


KIND = Kind(
    group="discovery.k8s.io",
    version="v1",
    name="EndpointSlice",
    plural="endpointslices",
    singular="endpointslice",
    struct=EndpointSlice,
    has_generation=True,
)
