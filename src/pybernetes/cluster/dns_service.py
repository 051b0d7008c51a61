"""The Service kube-dns: a fixed address at which every pod reaches the DNS server of its own node.

Each node agent serves DNS on the node's address. An EndpointSlice lists these addresses with their nodes, and the
Service's internal traffic policy is Local, so DNS queries never leave the node.
"""

import asyncio
from dataclasses import dataclass

import msgspec

from pybernetes.api.core.node import Node
from pybernetes.api.core.service import Service, ServicePort, ServiceSpec
from pybernetes.api.discovery.endpoint_slice import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from pybernetes.api.meta import ObjectMeta
from pybernetes.client.client import Client
from pybernetes.client.errors import AlreadyExists, ApiError, NotFound, Unreachable
from pybernetes.client.informer import Informer

NAMESPACE, NAME, PORT = "kube-system", "kube-dns", 53
_LABELS = {"k8s-app": NAME, "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"}


@dataclass(frozen=True, slots=True)
class _Place:
    node: str
    ip: str


def service(cluster_ip: str) -> Service:
    """The Service."""
    ports = [
        ServicePort(name="dns", port=PORT, protocol="UDP", target_port=PORT),
        ServicePort(name="dns-tcp", port=PORT, protocol="TCP", target_port=PORT),
    ]
    spec = ServiceSpec(cluster_ip=cluster_ip, ports=ports, type="ClusterIP", internal_traffic_policy="Local")
    return Service(metadata=ObjectMeta(name=NAME, namespace=NAMESPACE, labels=dict(_LABELS)), spec=spec)


def endpoint_slice(places: list[_Place]) -> EndpointSlice:
    """The endpoints: one per node."""
    return EndpointSlice(
        metadata=ObjectMeta(
            name=NAME,
            namespace=NAMESPACE,
            labels={
                **_LABELS,
                "kubernetes.io/service-name": NAME,
                "endpointslice.kubernetes.io/managed-by": "pybernetes",
            },
        ),
        address_type="IPv4",
        endpoints=[
            Endpoint(addresses=[p.ip], node_name=p.node or None, conditions=EndpointConditions(ready=True))
            for p in places
        ],
        ports=[
            EndpointPort(name=name, port=PORT, protocol=proto) for name, proto in (("dns", "UDP"), ("dns-tcp", "TCP"))
        ],
    )


def _places(nodes: list[Node]) -> list[_Place]:
    found = []
    for node in nodes:
        if node.metadata.labels.get("type") == "simulated":
            continue
        ips = [a.address for a in node.status.addresses if a.type == "InternalIP" and ":" not in a.address]
        if ips:
            found.append(_Place(node.metadata.name, ips[0]))
    return sorted(found, key=lambda place: place.node)


class DnsService:
    """Keeps the Service and its EndpointSlice in sync with the nodes."""

    def __init__(self, client: Client, nodes: Informer[Node], cluster_ip: str) -> None:
        self._client = client
        self._nodes = nodes
        self._cluster_ip = cluster_ip
        self._wake = asyncio.Event()
        self._written: list[_Place] | None = None

    async def run(self) -> None:
        """Run until cancelled."""
        self._nodes.add_handler(self._changed)
        await self._nodes.synced()
        while True:
            self._wake.clear()
            try:
                await self._update()
                await self._wake.wait()
            except (ApiError, Unreachable):
                await asyncio.sleep(0.2)

    def _changed(self, old: Node | None, new: Node | None) -> None:
        """Ignore changes of a Node that do not affect its endpoint, such as heartbeats."""
        if _places([old] if old else []) != _places([new] if new else []):
            self._wake.set()

    async def _update(self) -> None:
        places = _places(self._nodes.cache.all())
        if places == self._written:
            return
        try:
            await self._client.of(Service).create(service(self._cluster_ip))
        except AlreadyExists:
            pass
        slices = self._client.of(EndpointSlice)
        wanted = endpoint_slice(places)
        try:
            present = await slices.get(NAME, namespace=NAMESPACE)
        except NotFound:
            await slices.create(wanted)
        else:
            await slices.update(msgspec.structs.replace(present, endpoints=wanted.endpoints, ports=wanted.ports))
        self._written = places
