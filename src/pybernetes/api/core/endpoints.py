"""TODOC core/endpoints.py"""

from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, Struct, always


class EndpointAddress(Struct, kw_only=True):
    """TODOC EndpointAddress"""

    ip: str = always(str)
    hostname: str = ""
    node_name: str = ""
    target_ref: ObjectReference | None = None


class EndpointPort(Struct, kw_only=True):
    """TODOC EndpointPort"""

    port: int = always(int)
    app_protocol: str = ""
    name: str | None = None
    protocol: str = ""


class EndpointSubset(Struct, kw_only=True):
    """TODOC EndpointSubset"""

    addresses: list[EndpointAddress] = []
    not_ready_addresses: list[EndpointAddress] = []
    ports: list[EndpointPort] = []


class Endpoints(Object, kw_only=True):
    """TODOC Endpoints"""

    subsets: list[EndpointSubset] = []


KIND = Kind(
    group="",
    version="v1",
    name="Endpoints",
    plural="endpoints",
    singular="endpoints",
    struct=Endpoints,
    short_names=("ep",),
    storage="services/endpoints",
    create_on_update=True,
)
