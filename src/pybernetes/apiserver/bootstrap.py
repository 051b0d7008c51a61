"""Objects that every cluster has: four namespaces, and the `kubernetes` Service, by which pods reach the API server.
They are created or updated whenever the server starts.
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
    """Create or update all of them. Raises client errors if the server refuses."""
    client = Client(InProcessTransport(server, SERVER))
    for name in NAMESPACES:
        await _ensure(client, Namespace(metadata=ObjectMeta(name=name)))
    await _ensure(client, service(config))
    if ip_address(config.advertise_address).is_loopback:
        return  # Validation refuses loopback endpoints: only this machine could use them.
    await _replace(client, endpoints(config))
    await _replace(client, endpoint_slice(config))


def service(config: ServerConfig) -> Service:
    """The `kubernetes` Service, which always has the first address of the service network."""
    spec = ServiceSpec(
        cluster_ip=str(config.networks()[0][1]),
        ports=[ServicePort(name="https", port=443, protocol="TCP", target_port=config.advertise_port)],
        type="ClusterIP",
    )
    return Service(metadata=ObjectMeta(name=_NAME, namespace="default", labels=dict(_LABELS)), spec=spec)


def endpoints(config: ServerConfig) -> Endpoints:
    """The Endpoints of the `kubernetes` Service: this server."""
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
    """The EndpointSlice of the `kubernetes` Service."""
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
    """Create or update an object. An update without a difference writes nothing."""
    resource = client.of(type(obj))
    try:
        present = await resource.get(obj.metadata.name, namespace=obj.metadata.namespace)
    except NotFound:
        await _ensure(client, obj)
        return
    obj.metadata.resource_version = present.metadata.resource_version
    await resource.update(obj)
