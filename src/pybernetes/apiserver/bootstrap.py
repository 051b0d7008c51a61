"""Objects that every cluster has from the start: four namespaces, and the `kubernetes` service, which leads pods to
the server. Run at each start; what is there is only brought up to date.
"""

from ipaddress import ip_address

from pybernetes.api.core.endpoints import EndpointAddress, EndpointPort, Endpoints, EndpointSubset
from pybernetes.api.core.namespace import Namespace
from pybernetes.api.core.service import Service, ServicePort, ServiceSpec
from pybernetes.api.discovery.endpoint_slice import Endpoint, EndpointConditions, EndpointSlice
from pybernetes.api.discovery.endpoint_slice import EndpointPort as SlicePort
from pybernetes.api.meta import Object, ObjectMeta
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.inprocess import InProcessTransport
from pybernetes.apiserver.types import SERVER, Handler
from pybernetes.client.client import Client
from pybernetes.client.errors import AlreadyExists, NotFound

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_NAME = "kubernetes"
_LABELS = {"component": "apiserver", "provider": "kubernetes"}


async def run(server: Handler, config: ServerConfig) -> None:
    """Make or mend all of it. Raises client errors if the server refuses."""
    client = Client(InProcessTransport(server, SERVER))
    for name in NAMESPACES:
        await _ensure(client, Namespace(metadata=ObjectMeta(name=name)))
    await _ensure(client, service(config))
    if ip_address(config.advertise_address).is_loopback:
        return  # Nobody but this machine could use such endpoints, and validation refuses them.
    await _replace(client, endpoints(config))
    await _replace(client, endpoint_slice(config))


def service(config: ServerConfig) -> Service:
    """The `kubernetes` service: always the first address of the service network."""
    spec = ServiceSpec(
        cluster_ip=str(config.networks()[0][1]),
        ports=[ServicePort(name="https", port=443, protocol="TCP", target_port=config.advertise_port)],
        type="ClusterIP",
    )
    return Service(metadata=ObjectMeta(name=_NAME, namespace="default", labels=dict(_LABELS)), spec=spec)


def endpoints(config: ServerConfig) -> Endpoints:
    """Its endpoints: this server."""
    return Endpoints(
        metadata=ObjectMeta(
            name=_NAME, namespace="default", labels={"endpointslice.kubernetes.io/skip-mirror": "true"}
        ),
        subsets=[
            EndpointSubset(
                addresses=[EndpointAddress(ip=config.advertise_address)],
                ports=[EndpointPort(name="https", port=config.advertise_port, protocol="TCP")],
            )
        ],
    )


def endpoint_slice(config: ServerConfig) -> EndpointSlice:
    """The same as an EndpointSlice."""
    return EndpointSlice(
        metadata=ObjectMeta(name=_NAME, namespace="default", labels={"kubernetes.io/service-name": _NAME}),
        address_type=f"IPv{ip_address(config.advertise_address).version}",
        endpoints=[Endpoint(addresses=[config.advertise_address], conditions=EndpointConditions(ready=True))],
        ports=[SlicePort(name="https", port=config.advertise_port, protocol="TCP")],
    )


async def _ensure(client: Client, obj: Object) -> None:
    try:
        await client.of(type(obj)).create(obj)
    except AlreadyExists:
        return


async def _replace(client: Client, obj: Object) -> None:
    """Bring an object up to date; nothing is written when nothing differs."""
    resource = client.of(type(obj))
    try:
        present = await resource.get(obj.metadata.name, namespace=obj.metadata.namespace)
    except NotFound:
        await _ensure(client, obj)
        return
    obj.metadata.resource_version = present.metadata.resource_version
    await resource.update(obj)
